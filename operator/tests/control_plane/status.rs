//! The status tells the truth, after failure too.

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN},
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

const COMPONENTS: [&str; 5] = [
    "ApiReady",
    "PostgresReady",
    "RedisReady",
    "IngressReady",
    "MonitoringReady",
];

#[tokio::test]
async fn a_stack_is_ready_only_when_its_pods_are() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    for waiting in ["ApiReady", "PostgresReady", "RedisReady"] {
        stack.becomes(waiting, "False", "Progressing").await;
    }
    stack.becomes("IngressReady", "True", "RoutesApplied").await;
    stack.becomes("Ready", "False", "ComponentsNotReady").await;
    let reconciling = stack
        .condition("Reconciling")
        .await
        .expect("kstatus needs it");
    assert_eq!(reconciling.status, "True", "{reconciling:?}");

    let kubelet = Kubelet::start(&sandbox);
    stack.ready().await;
    for component in COMPONENTS {
        assert_eq!(
            stack
                .condition(component)
                .await
                .expect("every component has one")
                .status,
            "True",
            "{component}"
        );
    }
    assert_eq!(
        stack
            .condition("Reconciling")
            .await
            .expect("kstatus needs it")
            .status,
        "False"
    );
    assert_eq!(
        stack
            .condition("Stalled")
            .await
            .expect("kstatus needs it")
            .status,
        "False"
    );
    let status = stack.object().await["status"].clone();
    assert_eq!(status["phase"], json!("Running"));
    assert_eq!(
        status["endpoints"][0]["url"],
        json!("https://shop.example.org")
    );

    // A rollout whose pods do not come up.
    drop(kubelet);
    stack
        .change(json!({"api": {"env": [{"name": "SHOP_CURRENCY", "value": "EUR"}]}}))
        .await;
    stack.becomes("ApiReady", "False", "Progressing").await;
    stack.becomes("Ready", "False", "ComponentsNotReady").await;
    stack.becomes("PostgresReady", "True", "Available").await;
    let _kubelet = Kubelet::start(&sandbox);
    stack.ready().await;
}

#[tokio::test]
async fn ready_is_never_claimed_for_a_generation_that_is_not_live() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    for round in 1..=8 {
        stack
            .change(json!({"api": {"env": [{"name": "ROUND", "value": round.to_string()}]}}))
            .await;
        eventually(&sandbox, &format!("round {round} is ready"), async || {
            let object = stack.object().await;
            // Read after the status, so that a later rollout cannot excuse an early claim.
            let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
            let ready = crate::harness::stack::condition_of(&object, "Ready")
                .ok_or("no condition Ready")?;
            let generation = object
                .pointer("/metadata/generation")
                .and_then(Value::as_i64);
            let claims = ready.status == "True" && ready.observed_generation == generation;
            let live = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
                .to_string()
                .contains(&format!("\"{round}\""));
            assert!(
                !claims || live,
                "round {round} was called ready before the Deployment had it: {object}"
            );
            holds(claims, || format!("{ready:?} at generation {generation:?}"))
        })
        .await;
    }
}

#[tokio::test]
async fn a_child_the_server_refuses_is_named_with_its_words_and_the_rest_is_applied() {
    let sandbox = Sandbox::shared().await;
    let name = format!("no-budgets-{}", sandbox.namespace);
    sandbox
        .create(
            &kinds::ADMISSION_POLICY,
            json!({"metadata": {"name": name}, "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": sandbox.namespace}},
                    "resourceRules": [{"apiGroups": ["policy"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["poddisruptionbudgets"]}],
                },
                "validations": [{"expression": "false", "message": "no budgets on Mondays"}],
            }}),
        )
        .await;
    sandbox
        .create(
            &kinds::ADMISSION_BINDING,
            json!({"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}}),
        )
        .await;
    eventually(&sandbox, "the policy is in force", async || {
        let budget = json!({"metadata": {"name": "probe"}, "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "x"}}}});
        let refused = sandbox
            .try_create(&kinds::DISRUPTION_BUDGET, budget, true)
            .await
            .err()
            .map(|status| status.message);
        holds(refused.as_deref().is_some_and(|message| message.contains("Mondays")), || {
            format!("{refused:?}")
        })
    })
    .await;

    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    let api = stack.becomes("ApiReady", "False", "ApplyFailed").await;
    assert!(
        api.message.contains("no budgets on Mondays"),
        "the server's words are missing: {}",
        api.message
    );
    assert!(
        api.message.contains("shop-api"),
        "which object? {}",
        api.message
    );
    stack.becomes("Ready", "False", "ComponentsNotReady").await;
    stack
        .applied(
            CHILDREN
                .into_iter()
                .filter(|(kind, _)| *kind != kinds::DISRUPTION_BUDGET),
        )
        .await;
    stack.becomes("PostgresReady", "True", "Available").await;

    sandbox.delete(&kinds::ADMISSION_BINDING, &name).await;
    sandbox.delete(&kinds::ADMISSION_POLICY, &name).await;
    // Nothing wakes the operator here but its own patience.
    stack.ready().await;
}

#[tokio::test]
async fn conditions_keep_their_times_while_nothing_changes() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let before = settled_status(&stack).await;
    stack.reconcile_again().await;
    stack.reconcile_again().await;
    assert_eq!(settled_status(&stack).await, before);
}

async fn settled_status(stack: &Stack<'_>) -> Value {
    stack.object().await["status"].clone()
}
