//! What `kubectl describe` shows of a stack's way.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN},
    pods::Kubelet,
    sandbox::Sandbox,
    setup,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

#[tokio::test]
async fn a_stack_tells_of_each_transition_on_its_way_once_and_of_none_after_a_restart() {
    let sandbox = Sandbox::alone().await;
    // Until the grant and the optional APIs are seen everywhere, more may happen on the way than is asked about here.
    let before = sandbox.stack("before", everything_on()).await;
    before.applied(CHILDREN.into_iter()).await;
    let stack = sandbox.stack("shop", everything_on()).await;
    for component in ["PostgresReady", "RedisReady"] {
        stack.becomes(component, "False", "Progressing").await;
    }
    let _kubelet = Kubelet::start(&sandbox);
    stack.ready().await;
    told(
        &stack,
        &[
            "Normal ApiReady/Available",
            "Normal ApiReady/Migrating",
            "Normal ApiReady/Progressing",
            "Normal PostgresReady/Available",
            "Normal PostgresReady/Progressing",
            "Normal Ready/AllComponentsReady",
            "Normal Ready/ComponentsNotReady",
            "Normal RedisReady/Available",
            "Normal RedisReady/Progressing",
        ],
    )
    .await;
    for event in events(&stack).await {
        let note = event["note"].as_str().unwrap_or_default();
        let condition = event["action"].as_str().unwrap_or_default();
        assert!(note.starts_with(&format!("{condition} is ")), "{note}");
        assert_eq!(event["reportingController"], json!("tpstack-operator"));
        assert_eq!(event["regarding"]["kind"], json!("TpStack"));
    }
    stack.reconcile_again().await;

    let before = versions(&stack).await;
    let operator = setup::shared_operator().take().expect("it runs");
    operator.terminate(Duration::from_secs(10)).await;
    setup::start_operator(&sandbox).await;
    stack.reconcile_again().await;
    stack.reconcile_again().await;
    assert_eq!(versions(&stack).await, before, "events after a restart");
}

#[tokio::test]
async fn a_stall_is_a_warning_and_its_end_is_told_too() {
    let sandbox = Sandbox::ungranted().await;
    let stack = sandbox.stack("shop", json!({})).await;
    stack.stalled("NamespaceNotGranted").await;
    // Where nothing was granted, too: this is where people look first.
    told(&stack, &["Warning Stalled/NamespaceNotGranted"]).await;
    sandbox.grant().await;
    stack.becomes("Stalled", "False", "NotStalled").await;
    eventually(&sandbox, "the end of the stall is told", async || {
        let told = summary(&stack).await;
        holds(told.contains("Normal Stalled/NotStalled"), || {
            format!("told: {told:?}")
        })
    })
    .await;
}

/// Waits until exactly this was told: no event is missing, none is there twice.
async fn told(stack: &Stack<'_>, expected: &[&str]) {
    let expected: BTreeSet<String> = expected.iter().map(ToString::to_string).collect();
    eventually(stack.sandbox, "every transition was told", async || {
        let told = summary(stack).await;
        holds(told.is_superset(&expected), || format!("told: {told:?}"))
    })
    .await;
    assert_eq!(summary(stack).await, expected);
    assert_eq!(
        events(stack).await.len(),
        expected.len(),
        "something was told twice"
    );
}

async fn summary(stack: &Stack<'_>) -> BTreeSet<String> {
    let word = |event: &Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    events(stack)
        .await
        .iter()
        .map(|event| {
            format!(
                "{} {}/{}",
                word(event, "type"),
                word(event, "action"),
                word(event, "reason")
            )
        })
        .collect()
}

async fn versions(stack: &Stack<'_>) -> BTreeSet<String> {
    let all = events(stack).await;
    all.iter().map(crate::harness::objects::version).collect()
}

/// The events about this stack.
async fn events(stack: &Stack<'_>) -> Vec<Value> {
    let mut events = stack.sandbox.list(&kinds::EVENT).await;
    events.retain(|event| {
        event["regarding"]["kind"] == "TpStack" && event["regarding"]["name"] == stack.name
    });
    events
}
