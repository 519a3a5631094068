//! Between the operator and the API server: records every request, checks what it may be, and puts the faults in.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{Response, StatusCode};
use kube::{Client, client::Body};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;
use tower::{BoxError, Service};

use crate::{
    answers::{drawn, field, is_quota, refusal},
    audit::Scope,
    fault::{Fault, Planned, Write},
    planted::{self, Bug, History, Turn},
    progress::Cost,
    request::Request,
};

/// The deadline of a call here: a hanging server costs no more. In production it is fifteen seconds.
const CALL_DEADLINE: Duration = Duration::from_millis(60);

/// One lane's wire.
pub(crate) struct Wire {
    inner: Client,
    state: Mutex<State>,
    crashed: Notify,
    /// What is on its way: a request that was sent is answered by the server, whether or not its sender still lives.
    sent: TaskTracker,
}

/// What was seen since the last case began, and what outlasts cases.
#[derive(Default)]
struct State {
    scope: Option<Scope>,
    planned: Vec<Planned>,
    /// Whether the faults come in whatever order their writes do.
    in_any_order: bool,
    /// Answered to every write of these objects until it is lifted.
    refused: BTreeMap<String, u16>,
    /// Longest random delay of a request in microseconds, and the state of the generator.
    delay: Option<(u64, u64)>,
    counts: BTreeMap<(String, String), u32>,
    seen: Seen,
    /// All that was ever sent.
    spent: Cost,
    /// Last version that a write returned, by path.
    versions: BTreeMap<String, String>,
    /// Workloads that were changed since the world last looked: plural and name.
    changed: BTreeSet<(String, String)>,
    passwords: BTreeSet<String>,
    planted: Option<Bug>,
    history: History,
}

/// What a case did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Requests, reads included.
    pub(crate) requests: usize,
    /// Writes that were sent, since the operator started last.
    pub(crate) writes: Vec<Write>,
    /// Writes that changed a resourceVersion, created or deleted.
    pub(crate) moved: usize,
    /// Those since the last run began.
    pub(crate) moved_in_run: usize,
    /// Objects made, by plural and name.
    pub(crate) created: BTreeMap<String, u32>,
    /// Objects deleted.
    pub(crate) deleted: BTreeMap<String, u32>,
    /// Broken promises.
    pub(crate) breaches: Vec<String>,
    /// Faults that happened.
    pub(crate) met: Vec<Planned>,
}

impl Wire {
    pub(crate) fn new(inner: Client) -> Arc<Self> {
        Arc::new(Self {
            inner,
            state: Mutex::default(),
            crashed: Notify::new(),
            sent: TaskTracker::new(),
        })
    }

    /// A client whose every call goes over this wire.
    pub(crate) fn client(self: &Arc<Self>, namespace: &str) -> Client {
        Client::new(Ends(Arc::clone(self)), namespace)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the operator has that bug.
    pub(crate) fn plant(&self, bug: Option<Bug>) {
        let mut state = self.state();
        state.planted = bug;
        state.history.restarted = false;
        state.history.refused = false;
    }

    /// A case begins: what was seen is forgotten, and these faults will happen.
    pub(crate) fn begin(&self, scope: Scope, planned: Vec<Planned>) {
        let mut state = self.state();
        state.history.stack.clone_from(&scope.stack);
        state.scope = Some(scope);
        state.planned = planned;
        state.in_any_order = false;
        state.refused.clear();
        state.delay = None;
        state.counts.clear();
        state.seen = Seen::default();
    }

    /// The faults of this case come in whatever order their writes do.
    pub(crate) fn in_any_order(&self) {
        self.state().in_any_order = true;
    }

    /// The operator starts again: its writes are counted from one.
    pub(crate) fn restarted(&self) {
        let mut state = self.state();
        state.counts.clear();
        state.seen.writes.clear();
        state.history.restarted = true;
    }

    /// A run begins.
    pub(crate) fn run_begins(&self) {
        self.state().seen.moved_in_run = 0;
    }

    /// Every write to an object is refused until it is lifted.
    pub(crate) fn refuse(&self, object: &str, code: Option<u16>) {
        let mut state = self.state();
        match code {
            Some(code) => state.refused.insert(object.to_owned(), code),
            None => state.refused.remove(object),
        };
    }

    /// Delays each request by a random time, so that what runs at once is interleaved.
    pub(crate) fn delay(&self, longest_micros: u64, seed: u64) {
        self.state().delay = Some((longest_micros, seed));
    }

    /// What was seen since the case began.
    pub(crate) fn seen(&self) -> Seen {
        self.state().seen.clone()
    }

    /// What all cases have cost so far.
    pub(crate) fn spent(&self) -> Cost {
        self.state().spent
    }

    /// Notes what somebody else wrote, so that the operator's next answer is not taken for a change.
    pub(crate) fn written(&self, path: &str, version: &str) {
        let mut state = self.state();
        state.versions.insert(path.to_owned(), version.to_owned());
    }

    /// Takes the workloads that were changed since.
    pub(crate) fn take_changed(&self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut self.state().changed)
    }

    /// The world is to look at a workload again.
    pub(crate) fn look_at(&self, plural: &str, name: &str) {
        let mut state = self.state();
        state.changed.insert((plural.to_owned(), name.to_owned()));
    }

    /// Every password that was ever drawn over this wire.
    pub(crate) fn passwords(&self) -> BTreeSet<String> {
        self.state().passwords.clone()
    }

    /// Waits until the operator is to die.
    pub(crate) async fn crash(&self) {
        self.crashed.notified().await;
    }

    /// Waits until everything that was sent is answered.
    pub(crate) async fn quiet(&self) {
        self.sent.close();
        self.sent.wait().await;
        self.sent.reopen();
    }

    /// What the operator sends, or what it would send with the bug that is planted.
    async fn call(
        self: Arc<Self>,
        request: http::Request<Body>,
    ) -> Result<Response<Body>, BoxError> {
        let (mut parts, body) = request.into_parts();
        let mut bytes = body.collect_bytes().await?.to_vec();
        let turn = {
            let mut state = self.state();
            state.history.requests += 1;
            let read = Request::read(&parts, &bytes);
            state
                .planted
                .map_or(Turn::Same, |bug| planted::turn(bug, &read, &state.history))
        };
        match turn {
            Turn::Same => {}
            Turn::Body(body) => {
                bytes = serde_json::to_vec(&body)?;
                parts.headers.remove(http::header::CONTENT_LENGTH);
            }
            Turn::Path(path) => parts.uri = path.parse()?,
            Turn::Whole => {
                let json = http::HeaderValue::from_static("application/json");
                parts.headers.insert(http::header::ACCEPT, json);
            }
            Turn::Read => {
                parts.method = http::Method::GET;
                parts.uri = parts.uri.path().parse()?;
                bytes.clear();
                parts.headers.remove(http::header::CONTENT_LENGTH);
            }
            Turn::First(requests) => {
                for (method, path, body) in requests {
                    let request = http::Request::builder().method(method.clone()).uri(path);
                    let content = if method == http::Method::PATCH {
                        "application/merge-patch+json"
                    } else {
                        "application/json"
                    };
                    let request = request.header(http::header::CONTENT_TYPE, content);
                    let (parts, ()) = request.body(())?.into_parts();
                    let body = if body.is_null() {
                        Vec::new()
                    } else {
                        serde_json::to_vec(&body)?
                    };
                    drop(Arc::clone(&self).pass(parts, body).await);
                }
            }
        }
        self.pass(parts, bytes).await
    }

    async fn pass(
        self: Arc<Self>,
        parts: http::request::Parts,
        bytes: Vec<u8>,
    ) -> Result<Response<Body>, BoxError> {
        let read = Request::read(&parts, &bytes);
        let (fault, pause) = self.begins(&read);
        if let Some(pause) = pause {
            tokio::time::sleep(pause).await;
        }
        let request = http::Request::from_parts(parts, Body::from(bytes));
        match fault {
            None => self.forward(read, request).await,
            Some(Fault::CrashBefore) => self.die().await,
            Some(Fault::CrashAfter) => {
                drop(Arc::clone(&self).forward(read, request).await);
                self.die().await
            }
            Some(Fault::Refused(code)) => Ok(refusal(code)),
            Some(Fault::GatewayTimeout) => {
                self.forward(read, request).await?;
                Ok(refusal(504))
            }
            Some(Fault::Reset) => {
                self.forward(read, request).await?;
                Err(io::Error::new(io::ErrorKind::ConnectionReset, "reset by the test").into())
            }
            Some(Fault::Hang) => {
                tokio::time::sleep(CALL_DEADLINE).await;
                Err(io::Error::new(io::ErrorKind::TimedOut, "the call's deadline").into())
            }
        }
    }

    /// Counts a request, checks it, and says what is to happen to it.
    fn begins(&self, request: &Request) -> (Option<Fault>, Option<Duration>) {
        let mut state = self.state();
        let state = &mut *state;
        state.seen.requests += 1;
        state.spent.requests += 1;
        let Some(scope) = &state.scope else {
            return (None, None);
        };
        state.seen.breaches.extend(scope.breach(request));
        let pause = state.delay.as_mut().map(|(longest, seed)| {
            *seed = crate::random::next(*seed);
            Duration::from_micros(*seed % *longest)
        });
        if !request.is_write() {
            return (None, pause);
        }
        let object = request.object(&scope.stack);
        let count = state
            .counts
            .entry((request.verb.clone(), object.clone()))
            .or_default();
        *count += 1;
        let write = Write {
            verb: request.verb.clone(),
            object,
            nth: *count,
        };
        // In their order: the second fault of two is one of what follows the first.
        let reach = if state.in_any_order { usize::MAX } else { 1 };
        let mut next = state.planned.iter().take(reach);
        let due = next.position(|next| next.write == write);
        let mut fault = None;
        if let Some(due) = due {
            state.history.refused = true;
            let met = state.planned.remove(due);
            fault = Some(met.fault);
            state.seen.met.push(met);
        } else if let Some(code) = state.refused.get(&write.object) {
            fault = Some(Fault::Refused(*code));
        }
        state.seen.writes.push(write);
        (fault, pause)
    }

    /// Sends a request. What was sent arrives, even if nobody waits for its answer any more.
    async fn forward(
        self: Arc<Self>,
        read: Request,
        request: http::Request<Body>,
    ) -> Result<Response<Body>, BoxError> {
        let wire = Arc::clone(&self);
        let sent = self.sent.spawn(async move {
            let (parts, body) = wire.inner.send(request).await?.into_parts();
            let bytes = body.collect_bytes().await?;
            wire.answered(&read, parts.status, &bytes);
            Ok::<_, BoxError>(Response::from_parts(parts, Body::from(bytes)))
        });
        sent.await?
    }

    fn answered(&self, request: &Request, status: StatusCode, body: &[u8]) {
        let mut state = self.state();
        let state = &mut *state;
        let Some(scope) = &state.scope else { return };
        if status == StatusCode::FORBIDDEN && !is_quota(body) {
            let Request { verb, path, .. } = request;
            let breach = format!("O9: {verb} {path} is forbidden to the shipped identity");
            state.seen.breaches.push(breach);
        }
        if request.plural == "tpstacks" && request.subresource.is_none() && status.is_success() {
            state.history.uid = field(body, "\"uid\":\"").unwrap_or_default();
        }
        if !request.is_write() || !status.is_success() {
            return;
        }
        let object = request.object(&scope.stack);
        let path = request.object_path();
        if request.verb == "delete" {
            state.seen.moved += 1;
            state.spent.writes += 1;
            state.seen.moved_in_run += 1;
            *state.seen.deleted.entry(object).or_default() += 1;
            return;
        }
        if request.verb == "post" {
            let drawn = drawn(request);
            state.history.password = drawn.first().cloned().or(state.history.password.take());
            state.passwords.extend(drawn);
        }
        if status == StatusCode::CREATED {
            *state.seen.created.entry(object).or_default() += 1;
        }
        let version = field(body, "\"resourceVersion\":\"").unwrap_or_default();
        if state.versions.get(&path) != Some(&version) {
            state.versions.insert(path, version);
            state.seen.moved += 1;
            state.spent.writes += 1;
            state.seen.moved_in_run += 1;
            if ["deployments", "statefulsets", "jobs", "certificates"]
                .contains(&request.plural.as_str())
            {
                let name = request.name.clone().unwrap_or_default();
                state.changed.insert((request.plural.clone(), name));
            }
        }
    }

    async fn die(&self) -> Result<Response<Body>, BoxError> {
        self.crashed.notify_one();
        std::future::pending().await
    }
}

/// The end that a client holds.
struct Ends(Arc<Wire>);

impl Service<http::Request<Body>> for Ends {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(Arc::clone(&self.0).call(request))
    }
}
