//! Watches whose events come late, or in the middle of which the connection breaks, or whose place in history is gone.
//! The operator runs within the test here; it runs alone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::body::Body as Answer;
use futures::{StreamExt, stream};
use http::Response;
use kube::{Client, client::Body};
use serde_json::json;
use tower::BoxError;

use crate::harness::{
    embedded::{Embedded, without_operator},
    first_seen::FirstSeen,
    kinds::{self, CHILDREN, kept},
    objects::version,
    pods::Kubelet,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

const STACKS: [&str; 4] = ["east", "north", "south", "west"];

#[tokio::test(flavor = "multi_thread")]
async fn watches_that_are_late_and_break_off_delay_everything_and_lose_nothing() {
    let sandbox = without_operator().await;
    let _kubelet = Kubelet::start(&sandbox);
    let faults = Faults::default();
    let made = faults.clone();
    let operator = Embedded::start(&[], Client::clone, |client| made.unreliable(client)).await;
    // Somebody else's, with our very labels.
    let foreign = json!({"metadata": {"name": "east-redis-old", "labels": {
        "app.kubernetes.io/managed-by": "tpstack-operator", "app.kubernetes.io/instance": "east",
    }}});
    let foreign = sandbox.create(&kinds::CONFIG_MAP, foreign).await;
    for name in STACKS {
        sandbox.stack(name, everything_on()).await;
    }
    let mut known = FirstSeen::default();
    for name in STACKS {
        Stack::named(&sandbox, name).ready().await;
        known.compare(&sandbox).await;
    }

    for name in STACKS {
        sandbox
            .delete(&kinds::CONFIG_MAP, &format!("{name}-redis"))
            .await;
        let stolen = json!({"spec": {"selector": {"app.kubernetes.io/component": "stolen"}}});
        sandbox
            .merge(&kinds::SERVICE, &format!("{name}-api"), stolen)
            .await;
    }
    // The watch may still believe in the old one when the new one is there.
    sandbox.destroy(&kinds::TPSTACK, "west").await;
    sandbox.stack("west", everything_on()).await;
    for name in STACKS {
        let stack = Stack::named(&sandbox, name);
        stack.applied(CHILDREN.into_iter()).await;
        eventually(&sandbox, "the selector is ours again", async || {
            let service = stack.child((kinds::SERVICE, "api")).await;
            let service = service.ok_or("the Service is not there")?;
            let component = &service["spec"]["selector"]["app.kubernetes.io/component"];
            holds(component == "api", || format!("it is {component}"))
        })
        .await;
        stack.ready().await;
    }
    known.compare(&sandbox).await;
    assert_eq!(known.count(), STACKS.len() * kept().count());
    let now = sandbox.must_get(&kinds::CONFIG_MAP, "east-redis-old").await;
    assert_eq!(version(&now), version(&foreign), "it was not ours");
    let (late, cut, gone) = faults.counts();
    assert!(
        late > 10 && cut > 10 && gone > 0,
        "too little went wrong: {late} late, {cut} cut off, {gone} gone"
    );
    operator.stop().await.expect("it was asked to stop");
}

/// What goes wrong, by a generator that starts the same each time, and how often it did.
#[derive(Clone, Default)]
struct Faults(Arc<State>);

#[derive(Default)]
struct State {
    drawn: AtomicU64,
    late: AtomicU64,
    cut: AtomicU64,
    gone: AtomicU64,
}

impl Faults {
    fn counts(&self) -> (u64, u64, u64) {
        let State {
            late, cut, gone, ..
        } = &*self.0;
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        (read(late), read(cut), read(gone))
    }

    /// A number below `bound`.
    fn draw(&self, bound: u64) -> u64 {
        let mut z = self
            .0
            .drawn
            .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z ^ (z >> 27)) % bound
    }

    /// The client, with faults in its watches. Lists are as they were: what a list says is true.
    fn unreliable(self, client: &Client) -> Client {
        let inner = client.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (inner, faults) = (inner.clone(), self.clone());
            async move {
                let query = request.uri().query().unwrap_or_default();
                if !query.contains("watch=true") {
                    return Ok(inner.send(request).await?.map(Answer::new));
                }
                if faults.draw(20) == 0 {
                    faults.0.gone.fetch_add(1, Ordering::SeqCst);
                    return Ok(gone());
                }
                let response = inner.send(request).await?;
                Ok::<_, BoxError>(response.map(|body| faults.spoiled(body)))
            }
        });
        Client::new(service, client.default_namespace())
    }

    /// A stream whose parts are late now and then, and which ends after a few of them: the rest is never told.
    fn spoiled(self, body: Body) -> Answer {
        let parts = Answer::new(body).into_data_stream();
        let most = 1 + self.draw(6);
        let spoiled = stream::unfold((parts, most, self), async |(mut parts, left, faults)| {
            if left == 0 {
                faults.0.cut.fetch_add(1, Ordering::SeqCst);
                return None;
            }
            let part = parts.next().await?;
            let delay = match faults.draw(10) {
                0 => 2_000,
                1..=4 => faults.draw(200),
                _ => 0,
            };
            if delay > 0 {
                faults.0.late.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            Some((part, (parts, left - 1, faults)))
        });
        Answer::from_stream(spoiled)
    }
}

/// What the API server answers when it has forgotten the moment from which a watch is to go on.
fn gone() -> Response<Answer> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version", "reason": "Expired", "code": 410,
    });
    let mut response = Response::new(Answer::from(status.to_string()));
    *response.status_mut() = http::StatusCode::GONE;
    response
}
