//! A stack that is paused is left as it is, and its status does not claim more.

use serde_json::{Value, json};

use crate::harness::{
    environment::paste,
    kinds::{self, CHILDREN, kept, replaceable},
    made::{made_in, names},
    objects::uid,
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, everything_on, last_command},
    wait::{eventually, holds},
};

const SERVICE: kinds::Child = (kinds::SERVICE, "redis");

/// Waits until the stack is told to be paused, and returns what is said.
async fn paused(stack: &Stack<'_>) -> String {
    stack.becomes("Ready", "Unknown", "Paused").await.message
}

#[tokio::test]
async fn nothing_but_the_status_is_written_and_resuming_applies_it_all() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    stack.reconcile_again().await;
    let generation = stack
        .condition("ApiReady")
        .await
        .map(|c| c.observed_generation);
    let jobs = sandbox.list(&kinds::JOB).await.len();
    stack
        .change(json!({
            "paused": true,
            "deletionPolicy": "Delete",
            "api": {"image": "shop:2", "replicas": 3, "migrate": {"command": ["shop", "migrate"]}},
            "ingress": {"hosts": ["other.example.org"], "redirectToHttps": false},
            "monitoring": {"mode": "Disabled"},
        }))
        .await;
    paused(&stack).await;
    sandbox.delete(&SERVICE.0, "shop-redis").await;
    let stolen = json!({"spec": {"maxUnavailable": 0}});
    sandbox
        .merge(&kinds::DISRUPTION_BUDGET, "shop-api", stolen)
        .await;
    let left = || CHILDREN.into_iter().filter(|child| *child != SERVICE);
    let before = stack.versions(left()).await;
    stack.reconcile_again().await;
    stack.reconcile_again().await;
    paused(&stack).await;
    assert_eq!(stack.versions(left()).await, before);
    assert!(stack.child(SERVICE).await.is_none(), "it was made again");
    assert_eq!(
        sandbox.list(&kinds::JOB).await.len(),
        jobs,
        "a Job was made"
    );
    stack.becomes("Reconciling", "False", "Paused").await;
    stack.becomes("Stalled", "False", "NotStalled").await;
    let status = stack.object().await["status"].clone();
    assert_eq!(status["phase"], json!("Paused"));
    let api = stack.condition("ApiReady").await.expect("it stays");
    assert_eq!(
        (api.status.as_str(), api.reason.as_str()),
        ("True", "Available")
    );
    assert_eq!(Some(api.observed_generation), generation, "it is of before");

    stack.change(json!({"paused": false})).await;
    stack.ready().await;
    let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
    let image = deployment.pointer("/spec/template/spec/containers/0/image");
    assert_eq!(image, Some(&json!("shop:2")));
    assert_eq!(deployment["spec"]["replicas"], json!(3));
    let budget = stack.must_child((kinds::DISRUPTION_BUDGET, "api")).await;
    assert_eq!(
        budget["spec"]["maxUnavailable"],
        json!(1),
        "drift is mended"
    );
    assert!(stack.child(SERVICE).await.is_some());
    sandbox.gone(&kinds::SERVICE_MONITOR, "shop-api").await;
    for child in kept() {
        let owners = stack.must_child(child).await["metadata"]["ownerReferences"].clone();
        assert_eq!(owners[0]["kind"], json!("TpStack"), "{child:?}");
    }
}

#[tokio::test]
async fn a_stack_that_is_paused_from_the_start_has_nothing_until_the_command_told_is_run() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({"paused": true})).await;
    let told = paused(&stack).await;
    stack.reconcile_again().await;
    let made: Vec<String> = made_in(&sandbox).await.into_keys().collect();
    assert_eq!(made, Vec::<String>::new());
    stack
        .becomes("PostgresReady", "Unknown", "NotEvaluated")
        .await;
    paste(&last_command(&told));
    stack.ready().await;
}

#[tokio::test]
async fn data_first_written_while_paused_is_not_given_another_password_later() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", json!({})).await;
    stack
        .applied([(kinds::STATEFUL_SET, "postgres")].into_iter())
        .await;
    stack.becomes("PostgresReady", "False", "Progressing").await;
    stack.change(json!({"paused": true})).await;
    paused(&stack).await;
    let kubelet = Kubelet::start(&sandbox);
    let claim = stack
        .must_child((kinds::VOLUME_CLAIM, "postgres-data"))
        .await;
    eventually(&sandbox, "the status knows of the data", async || {
        let known = stack.object().await["status"]["postgres"]["volumeUID"].clone();
        holds(known == json!(uid(&claim)), || format!("it knows {known}"))
    })
    .await;
    let mark = |claim: &Value| {
        let mark = claim.pointer("/metadata/annotations/tpstack.dev~1initialized");
        mark.is_some()
    };
    let now = stack
        .must_child((kinds::VOLUME_CLAIM, "postgres-data"))
        .await;
    assert!(!mark(&now), "the claim was written to");

    // With Postgres down again nothing but the status knows.
    drop(kubelet);
    sandbox.delete(&kinds::POD, "shop-postgres-0").await;
    sandbox
        .destroy(&kinds::SECRET, "shop-postgres-credentials")
        .await;
    stack.change(json!({"paused": false})).await;
    stack.stalled("CredentialsLost").await;
    let secret = stack.child((kinds::SECRET, "postgres-credentials")).await;
    assert!(secret.is_none(), "a new password was made over the data");
}

#[tokio::test]
async fn a_deletion_policy_that_is_not_in_effect_yet_is_told() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let spec = json!({"deletionPolicy": "Delete"});
    let stack = sandbox.stack("shop", spec).await;
    stack.ready().await;
    stack
        .change(json!({"paused": true, "deletionPolicy": "Retain"}))
        .await;
    let told = paused(&stack).await;
    for child in kept() {
        let name = stack.name_of(child);
        assert!(told.contains(&name), "{name} is in danger: {told}");
    }
    stack.change(json!({"paused": false})).await;
    stack.ready().await;
    stack.change(json!({"paused": true})).await;
    let told = paused(&stack).await;
    assert!(!told.contains("Do not delete"), "{told}");
    // And it holds, though nobody is at work.
    stack.delete().await;
    for child in replaceable() {
        sandbox.gone(&child.0, &stack.name_of(child)).await;
    }
    let left: Vec<String> = made_in(&sandbox).await.into_keys().collect();
    assert_eq!(left, names("shop", kept()));
}
