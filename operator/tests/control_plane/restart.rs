//! The operator stopped and started again. Each test runs alone.

use std::time::Duration;

use serde_json::json;

use crate::harness::{
    kinds::{self, CHILDREN, is_monitoring},
    operator,
    pods::Kubelet,
    sandbox::Sandbox,
    setup,
    stack::everything_on,
    wait::{eventually, holds},
};

const GRACE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn sigterm_ends_the_operator_with_success() {
    let sandbox = Sandbox::alone().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    // In the middle of work, not only at rest.
    for number in 0..5 {
        sandbox
            .stack(&format!("busy-{number}"), everything_on())
            .await;
    }
    let operator = setup::shared_operator().take().expect("it runs");
    let status = operator.terminate(GRACE).await;
    assert!(
        status.success(),
        "SIGTERM should end it with 0, but: {status}\n{}",
        operator::log()
    );
}

#[tokio::test]
async fn a_restart_changes_nothing() {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    stack.reconcile_again().await;
    let before = stack.versions(CHILDREN.into_iter()).await;
    let conditions = stack.object().await["status"].clone();

    let operator = setup::shared_operator().take().expect("it runs");
    operator.terminate(GRACE).await;
    setup::start_operator(&sandbox).await;
    stack.reconcile_again().await;
    assert_eq!(stack.versions(CHILDREN.into_iter()).await, before);
    assert_eq!(
        stack.object().await["status"],
        conditions,
        "times included: nothing has changed"
    );
}

#[tokio::test]
async fn drift_while_the_operator_was_down_is_found() {
    let sandbox = Sandbox::alone().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    let operator = setup::shared_operator().take().expect("it runs");
    operator.kill();

    sandbox.delete(&kinds::CONFIG_MAP, "shop-redis").await;
    sandbox
        .merge(
            &kinds::SERVICE,
            "shop-api",
            json!({"spec": {"selector": {"app.kubernetes.io/component": "stolen"}}}),
        )
        .await;
    sandbox
        .merge(
            &kinds::DEPLOYMENT,
            "shop-api",
            json!({"metadata": {"labels": {"app.kubernetes.io/instance": null}}}),
        )
        .await;
    // A child of a component that is turned off while nobody looks.
    stack
        .change(json!({"monitoring": {"mode": "Disabled"}}))
        .await;

    setup::start_operator(&sandbox).await;
    stack
        .applied(CHILDREN.into_iter().filter(|child| !is_monitoring(child)))
        .await;
    for (kind, suffix) in CHILDREN.into_iter().filter(is_monitoring) {
        sandbox.gone(&kind, &format!("shop-{suffix}")).await;
    }
    eventually(
        &sandbox,
        "the selector and the label are back",
        async || {
            let service = stack.must_child((kinds::SERVICE, "api")).await;
            let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
            let component = &service["spec"]["selector"]["app.kubernetes.io/component"];
            let instance = &deployment["metadata"]["labels"]["app.kubernetes.io/instance"];
            holds(component == "api" && instance == "shop", || {
                format!("they are {component} and {instance}")
            })
        },
    )
    .await;
}

#[tokio::test]
async fn a_volume_lost_while_the_operator_was_down_stalls_the_stack() {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let operator = setup::shared_operator().take().expect("it runs");
    operator.kill();
    sandbox
        .destroy(&kinds::VOLUME_CLAIM, "shop-postgres-data")
        .await;
    setup::start_operator(&sandbox).await;
    stack.stalled("VolumeLost").await;
    stack.reconcile_again().await;
    assert!(
        stack
            .child((kinds::VOLUME_CLAIM, "postgres-data"))
            .await
            .is_none(),
        "a new volume was made over a lost one"
    );
}

#[tokio::test]
async fn the_admin_address_tells_of_life_readiness_and_work() {
    let sandbox = Sandbox::alone().await;
    let stack = sandbox.stack("shop", json!({})).await;
    stack
        .applied([(kinds::DEPLOYMENT, "api")].into_iter())
        .await;
    let operator = setup::shared_operator().take().expect("it runs");
    for (path, word) in [("/livez", ""), ("/readyz", ""), ("/metrics", "# TYPE")] {
        let (status, body) = operator
            .ask(path)
            .await
            .unwrap_or_else(|error| panic!("GET {path}: {error}"));
        assert_eq!(status, 200, "GET {path}: {body}");
        assert!(
            body.contains(word),
            "GET {path} should show {word:?}: {body}"
        );
        assert!(
            !body.contains(&sandbox.namespace),
            "names of objects are no labels of metrics"
        );
    }
    let (status, _) = operator.ask("/nothing").await.expect("it answers");
    assert_eq!(status, 404);
    *setup::shared_operator() = Some(operator);
}
