//! Tasks that panic or hang. The operator runs within the test here, on clients that misbehave; each test runs alone.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use kube::{Client, client::Body};

use crate::harness::{
    embedded::{Embedded, GRACE, without_operator},
    kinds::CHILDREN,
    sandbox::Sandbox,
    stack::everything_on,
    wait::{eventually, holds},
};

/// What becomes of a request.
#[derive(Clone, Copy)]
enum Fate {
    Sent,
    Panic,
    Hang,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_one_run_is_counted_and_touches_no_other_stack() {
    let sandbox = without_operator().await;
    let broken = Arc::new(AtomicBool::new(true));
    let panics = Arc::clone(&broken);
    let operator = Embedded::start(
        &[],
        |client| {
            misbehaving(client, move |path| {
                if path.ends_with("/deployments/boom-api") && panics.load(Ordering::SeqCst) {
                    Fate::Panic
                } else {
                    Fate::Sent
                }
            })
        },
        Client::clone,
    )
    .await;
    let boom = sandbox.stack("boom", everything_on()).await;
    let calm = sandbox.stack("calm", everything_on()).await;
    calm.applied(CHILDREN.into_iter()).await;
    eventually(&sandbox, "two panics are counted", async || {
        let metrics = operator.ask("/metrics").await?.1;
        let line = metrics
            .lines()
            .find(|line| line.contains("outcome=\"panic\""));
        let count = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
        holds(count >= Some(2.0), || format!("counted: {line:?}"))
    })
    .await;
    assert_eq!(operator.ask("/livez").await.expect("it answers").0, 200);
    broken.store(false, Ordering::SeqCst);
    boom.applied(CHILDREN.into_iter()).await;
    operator.stop().await.expect("it was asked to stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_outside_of_runs_ends_the_process_with_the_name_of_its_task() {
    let sandbox = without_operator().await;
    let looked = Arc::new(AtomicBool::new(false));
    let once = Arc::clone(&looked);
    // The first look at optional APIs is part of the start; later ones are those of the task.
    let operator = Embedded::start(
        &[],
        |client| {
            misbehaving(client, move |path| {
                let later = path.contains("/traefik.io/") && once.swap(true, Ordering::SeqCst);
                if later { Fate::Panic } else { Fate::Sent }
            })
        },
        Client::clone,
    )
    .await;
    let told = tokio::time::timeout(GRACE, operator.task).await;
    let told = told.expect("it ends").expect("it does not panic itself");
    let told = format!("{:#}", told.expect_err("it does not end well"));
    assert!(
        told.contains("look-around") && told.contains("panicked"),
        "{told}"
    );
    drop(sandbox);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_hangs_is_named_by_livez() {
    let sandbox = without_operator().await;
    let hanging = Arc::new(AtomicBool::new(false));
    let hangs = Arc::clone(&hanging);
    let operator = Embedded::start(
        &["--silence-limit", "4s"],
        |client| {
            misbehaving(client, move |path| {
                if path.contains("selfsubjectaccessreviews") && hangs.load(Ordering::SeqCst) {
                    Fate::Hang
                } else {
                    Fate::Sent
                }
            })
        },
        Client::clone,
    )
    .await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    is_live(&sandbox, &operator).await;
    hanging.store(true, Ordering::SeqCst);
    eventually(&sandbox, "/livez names the task that hangs", async || {
        let (status, body) = operator.ask("/livez").await?;
        holds(status == 503 && body.contains("look-around"), || {
            format!("it says {status}: {body}")
        })
    })
    .await;
    hanging.store(false, Ordering::SeqCst);
    is_live(&sandbox, &operator).await;
    operator.stop().await.expect("it was asked to stop");
}

async fn is_live(sandbox: &Sandbox, operator: &Embedded) {
    eventually(sandbox, "/livez says ok", async || {
        let (status, body) = operator.ask("/livez").await?;
        holds(status == 200, || format!("it says {status}: {body}"))
    })
    .await;
}

fn misbehaving(
    client: &Client,
    fate: impl Fn(&str) -> Fate + Clone + Send + Sync + 'static,
) -> Client {
    let inner = client.clone();
    let service = tower::service_fn(move |request: http::Request<Body>| {
        let (inner, fate) = (inner.clone(), fate.clone());
        async move {
            match fate(request.uri().path()) {
                Fate::Sent => inner.send(request).await,
                Fate::Panic => panic!("on purpose"),
                Fate::Hang => std::future::pending().await,
            }
        }
    });
    Client::new(service, client.default_namespace())
}
