//! Two operators and one Lease. Each test runs alone, without the shared operator.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use kube::api::{Api, DynamicObject};
use serde_json::{Value, json};

use crate::harness::{
    identity,
    kinds::{self, CHILDREN},
    line::Line,
    objects::value,
    operator::{self, Operator},
    sandbox::Sandbox,
    setup::{self, OPERATOR_NAMESPACE},
    stack::everything_on,
    wait::{eventually, holds},
};

/// Shorter than the shipped ones, since tests wait for them; long enough for a busy machine.
const DURATION: Duration = Duration::from_secs(8);
const RENEW_DEADLINE: Duration = Duration::from_secs(5);
const RETRY_PERIOD: Duration = Duration::from_secs(1);
const LEASE: &str = "tpstack-operator";
const GRACE: Duration = Duration::from_secs(10);
/// What a busy machine may add to anything.
const SLACK: Duration = Duration::from_secs(4);

#[tokio::test]
async fn the_second_stands_by_and_leads_at_once_when_the_first_is_asked_to_stop() {
    let sandbox = without_operator().await;
    let one = candidate("one", &identity::kubeconfig());
    leads(&sandbox, "one").await;
    answers(&sandbox, &one, "/readyz", "ok").await;
    let two = candidate("two", &identity::kubeconfig());
    answers(&sandbox, &two, "/readyz", "standby").await;
    answers(&sandbox, &two, "/livez", "ok").await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    let (_, metrics) = two.ask("/metrics").await.expect("a standby has metrics");
    assert!(
        !metrics.contains("tpstack_operator_reconciliations_total{"),
        "a standby has run over a stack: {metrics}"
    );

    let status = one.terminate(GRACE).await;
    assert!(status.success(), "{status}\n{}", operator::log());
    assert!(holder(&sandbox).await.is_empty() || holder(&sandbox).await.starts_with("two_"));
    let gone = Instant::now();
    leads(&sandbox, "two").await;
    assert!(
        gone.elapsed() + RETRY_PERIOD < DURATION,
        "it took {:?}: a Lease that was given back need not be waited out",
        gone.elapsed()
    );
    answers(&sandbox, &two, "/readyz", "ok").await;
    sandbox.delete(&kinds::SERVICE, "shop-redis").await;
    stack.applied(CHILDREN.into_iter()).await;
    let transitions = lease(&sandbox).await["spec"]["leaseTransitions"].clone();
    assert_eq!(transitions, json!(1));
}

#[tokio::test]
async fn the_second_leads_when_the_first_is_killed_and_its_time_is_over() {
    let sandbox = without_operator().await;
    let one = candidate("one", &identity::kubeconfig());
    leads(&sandbox, "one").await;
    let two = candidate("two", &identity::kubeconfig());
    answers(&sandbox, &two, "/readyz", "standby").await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;

    one.kill();
    let gone = Instant::now();
    sandbox.delete(&kinds::SERVICE, "shop-redis").await;
    leads(&sandbox, "two").await;
    let took = gone.elapsed();
    assert!(
        took + 2 * RETRY_PERIOD > DURATION && took < DURATION + 2 * RETRY_PERIOD + SLACK,
        "it took {took:?}"
    );
    stack.applied(CHILDREN.into_iter()).await;
}

#[tokio::test]
async fn a_leader_that_was_frozen_while_another_took_over_writes_nothing_more() {
    let sandbox = without_operator().await;
    let one = candidate("one", &identity::kubeconfig());
    leads(&sandbox, "one").await;
    let two = candidate("two", &identity::kubeconfig());
    answers(&sandbox, &two, "/readyz", "standby").await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;

    one.signal("STOP");
    leads(&sandbox, "two").await;
    answers(&sandbox, &two, "/readyz", "ok").await;
    stack.reconcile_again().await;
    // From here on every write would be the first one's. There is much for it to do.
    two.signal("STOP");
    sandbox.delete(&kinds::SERVICE, "shop-redis").await;
    stack.change(json!({"api": {"replicas": 4}})).await;
    let before = (
        stack.version().await,
        lease(&sandbox).await["metadata"]["resourceVersion"].clone(),
    );
    one.signal("CONT");
    let status = one.ended(GRACE).await;
    assert!(!status.success(), "it lost the Lease and says {status}");
    let after = (
        stack.version().await,
        lease(&sandbox).await["metadata"]["resourceVersion"].clone(),
    );
    assert_eq!(before, after, "the status or the Lease was written");
    assert!(
        stack.child((kinds::SERVICE, "redis")).await.is_none(),
        "a child was written"
    );
    let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
    assert_ne!(
        deployment["spec"]["replicas"],
        json!(4),
        "a child was written"
    );
}

#[tokio::test]
async fn a_leader_that_cannot_reach_the_server_ends_before_another_leads() {
    let sandbox = without_operator().await;
    let line = Line::open().await;
    let one = candidate("one", &line.kubeconfig);
    leads(&sandbox, "one").await;
    let two = candidate("two", &identity::kubeconfig());
    answers(&sandbox, &two, "/readyz", "standby").await;

    line.cut();
    let cut = Instant::now();
    let status = one.ended(RENEW_DEADLINE + SLACK).await;
    assert!(!status.success(), "it lost the Lease and says {status}");
    let ended = cut.elapsed();
    assert!(ended < DURATION, "it went on for {ended:?}");
    assert!(
        holder(&sandbox).await.starts_with("one_"),
        "another led before it had ended"
    );
    leads(&sandbox, "two").await;
    assert!(
        cut.elapsed() < DURATION + 2 * RETRY_PERIOD + SLACK,
        "it took {:?}",
        cut.elapsed()
    );
}

/// A sandbox where no operator runs and no Lease is left.
async fn without_operator() -> Sandbox {
    let sandbox = Sandbox::alone().await;
    drop(setup::shared_operator().take());
    // It may not be there.
    drop(
        leases(&sandbox)
            .delete(LEASE, &kube::api::DeleteParams::default())
            .await,
    );
    sandbox
}

fn candidate(name: &str, kubeconfig: &Path) -> Operator {
    let milliseconds = |duration: Duration| format!("{}ms", duration.as_millis());
    let arguments = [
        "--leader-election",
        "--pod-name",
        name,
        "--lease-duration",
        &milliseconds(DURATION),
        "--lease-renew-deadline",
        &milliseconds(RENEW_DEADLINE),
        "--lease-retry-period",
        &milliseconds(RETRY_PERIOD),
    ];
    Operator::start_with(&arguments, kubeconfig)
}

fn leases(sandbox: &Sandbox) -> Api<DynamicObject> {
    Api::namespaced_with(
        sandbox.client.clone(),
        OPERATOR_NAMESPACE,
        &kinds::LEASE.resource(),
    )
}

async fn lease(sandbox: &Sandbox) -> Value {
    value(
        &leases(sandbox)
            .get(LEASE)
            .await
            .expect("the Lease was made"),
    )
}

async fn holder(sandbox: &Sandbox) -> String {
    let lease = leases(sandbox)
        .get_opt(LEASE)
        .await
        .expect("it can be read");
    let holder = lease
        .as_ref()
        .and_then(|lease| lease.data.pointer("/spec/holderIdentity"));
    holder
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

async fn leads(sandbox: &Sandbox, name: &str) {
    eventually(sandbox, &format!("the operator {name} leads"), async || {
        let holder = holder(sandbox).await;
        holds(holder.starts_with(&format!("{name}_")), || {
            format!("the Lease is held by {holder:?}")
        })
    })
    .await;
}

async fn answers(sandbox: &Sandbox, operator: &Operator, path: &str, word: &str) {
    eventually(sandbox, &format!("{path} says {word}"), async || {
        let (status, body) = operator.ask(path).await?;
        holds(status == 200 && body.trim() == word, || {
            format!("it says {status}: {body}")
        })
    })
    .await;
}
