//! Whether this process may write to the cluster. Asked in the client itself, so that no write can forget to ask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use kube::Client;

use crate::clients::{Unsent, before_each};

/// Opens for as long as this process leads, and closes by itself when the time is over: a process that was frozen
/// finds it closed when it goes on, before it could have noticed anything else.
#[derive(Clone, Debug)]
pub struct Fence {
    gate: Arc<Mutex<Gate>>,
}

#[derive(Clone, Copy, Debug)]
enum Gate {
    Open,
    Until(Instant),
    Closed,
}

impl Fence {
    /// Open for ever: nobody else is there, or everybody may write.
    pub fn open() -> Self {
        Self::new(Gate::Open)
    }

    /// Shut until [`Fence::open_until`].
    pub fn shut() -> Self {
        Self::new(Gate::Until(Instant::now()))
    }

    fn new(gate: Gate) -> Self {
        Self {
            gate: Arc::new(Mutex::new(gate)),
        }
    }

    /// Opens until that moment. What was closed stays closed.
    pub fn open_until(&self, moment: Instant) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*gate, Gate::Closed) {
            *gate = Gate::Until(moment);
        }
    }

    /// Closes for good.
    pub fn close(&self) {
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = Gate::Closed;
    }

    /// Whether writes may be sent at that moment.
    pub fn is_open(&self, now: Instant) -> bool {
        match *self.gate.lock().unwrap_or_else(PoisonError::into_inner) {
            Gate::Open => true,
            Gate::Until(moment) => now < moment,
            Gate::Closed => false,
        }
    }

    /// The same client, which sends writes only while this is open.
    pub fn guard(&self, client: &Client) -> Client {
        let fence = self.clone();
        before_each(client, move |request| {
            if request.method().is_safe() || fence.is_open(Instant::now()) {
                Ok(())
            } else {
                Err(Unsent(
                    "this process is not the leader any more: the write was not sent",
                ))
            }
        })
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "there is no server behind these writes"
)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Client;
    use kube::api::{Api, DeleteParams, Patch, PatchParams};
    use kube::client::Body;

    use super::Fence;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_is_open_before_its_moment_and_never_after() {
        let now = Instant::now();
        let fence = Fence::shut();
        assert!(!fence.is_open(now + SECOND));
        fence.open_until(now + 10 * SECOND);
        assert!(fence.is_open(now + 9 * SECOND));
        assert!(!fence.is_open(now + 10 * SECOND));
        fence.close();
        fence.open_until(now + 20 * SECOND);
        assert!(!fence.is_open(now));
        assert!(Fence::open().is_open(now + 1_000_000 * SECOND));
    }

    #[tokio::test]
    async fn a_client_behind_it_reads_on_and_sends_no_write() {
        let sent = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&sent);
        let server = tower::service_fn(move |_: http::Request<Body>| {
            count.fetch_add(1, Ordering::SeqCst);
            async {
                Ok::<_, std::convert::Infallible>(http::Response::new(Body::from(b"{}".to_vec())))
            }
        });
        let fence = Fence::shut();
        let client = fence.guard(&Client::new(server, "default"));
        let api: Api<ConfigMap> = Api::default_namespaced(client);
        let write = async || {
            let patch = Patch::Merge(serde_json::json!({}));
            api.patch("one", &PatchParams::default(), &patch).await
        };
        let refused = write().await.unwrap_err().to_string();
        assert!(refused.contains("not the leader"), "{refused}");
        assert!(api.delete("one", &DeleteParams::default()).await.is_err());
        assert_eq!(sent.load(Ordering::SeqCst), 0);
        api.get("one").await.unwrap();
        fence.open_until(Instant::now() + 100 * SECOND);
        write().await.unwrap();
        assert_eq!(sent.load(Ordering::SeqCst), 2);
    }
}
