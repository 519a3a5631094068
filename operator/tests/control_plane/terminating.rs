//! A namespace that is being deleted: nothing is made in it again, and nothing is told as lost.

use kube::api::DeleteParams;
use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN},
    operator,
    pods::Kubelet,
    sandbox::Sandbox,
    setup::OPERATOR_ACCOUNT,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

#[tokio::test]
async fn in_a_namespace_that_is_being_deleted_runs_end_quietly() {
    let beside = Sandbox::shared().await;
    let sandbox = beside.beside().await;
    let kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    stack.applied(CHILDREN.into_iter()).await;
    drop(kubelet);
    // The namespace goes, while the stack is not even deleted and, at first, the grant is still there.
    let policy = keep_stacks(&stack).await;
    hold_grant(&sandbox, true).await;
    let log = operator::log().len();
    sandbox.delete(&kinds::NAMESPACE, &sandbox.namespace).await;

    for child in [
        (kinds::SERVICE, "api"),
        (kinds::SECRET, "postgres-credentials"),
        (kinds::CONFIG_MAP, "redis"),
    ] {
        sandbox.gone(&child.0, &stack.name_of(child)).await;
    }
    touched(&stack).await;
    said(&sandbox, log, "the namespace is being deleted").await;
    is_not_stalled(&stack).await;

    // Now the grant goes, too.
    hold_grant(&sandbox, false).await;
    sandbox.gone(&kinds::ROLE_BINDING, OPERATOR_ACCOUNT).await;
    let later = operator::log().len();
    eventually(&sandbox, "a run without a grant ends quietly", async || {
        touched(&stack).await;
        let lines = lines(&sandbox, later);
        holds(
            lines
                .iter()
                .any(|line| line.contains("the namespace is being deleted")),
            || format!("{lines:?}"),
        )
    })
    .await;
    is_not_stalled(&stack).await;

    let loud: Vec<String> = lines(&sandbox, log)
        .into_iter()
        .filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\""))
        .collect();
    assert!(loud.is_empty(), "{} lines: {loud:#?}", loud.len());
    let warnings: Vec<Value> = sandbox
        .list(&kinds::EVENT)
        .await
        .into_iter()
        .filter(|event| event["type"] == "Warning" && event["regarding"]["kind"] == "TpStack")
        .collect();
    assert!(warnings.is_empty(), "{warnings:?}");

    sandbox.delete(&kinds::ADMISSION_BINDING, &policy).await;
    sandbox.delete(&kinds::ADMISSION_POLICY, &policy).await;
    sandbox.gone(&kinds::NAMESPACE, &sandbox.namespace).await;
}

/// Lets nobody delete the stacks of the namespace, and returns the name of the policy that does.
async fn keep_stacks(stack: &Stack<'_>) -> String {
    let sandbox = stack.sandbox;
    let name = format!("keep-stacks-{}", sandbox.namespace);
    let policy = json!({"metadata": {"name": name}, "spec": {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": sandbox.namespace}},
            "resourceRules": [{"apiGroups": ["tpstack.dev"], "apiVersions": ["*"], "operations": ["DELETE"], "resources": ["tpstacks"]}],
        },
        "validations": [{"expression": "false", "message": "stacks stay"}],
    }});
    sandbox.create(&kinds::ADMISSION_POLICY, policy).await;
    let binding = json!({"metadata": {"name": name}, "spec": {"policyName": name, "validationActions": ["Deny"]}});
    sandbox.create(&kinds::ADMISSION_BINDING, binding).await;
    eventually(sandbox, "the policy is in force", async || {
        let params = DeleteParams::default().dry_run();
        let deleted = sandbox
            .api(&kinds::TPSTACK)
            .delete(&stack.name, &params)
            .await;
        holds(deleted.is_err(), || "a stack could be deleted".to_owned())
    })
    .await;
    name
}

/// A finalizer of somebody else's on the grant: it goes on being in force.
async fn hold_grant(sandbox: &Sandbox, held: bool) {
    let finalizers = if held {
        json!(["example.org/hold"])
    } else {
        json!(null)
    };
    let patch = json!({"metadata": {"finalizers": finalizers}});
    sandbox
        .merge(&kinds::ROLE_BINDING, OPERATOR_ACCOUNT, patch)
        .await;
}

/// Makes the operator look again.
async fn touched(stack: &Stack<'_>) {
    stack
        .annotate("example.org/touched", &stack.version().await)
        .await;
}

async fn said(sandbox: &Sandbox, since: usize, words: &str) {
    eventually(sandbox, &format!("the log says: {words}"), async || {
        let lines = lines(sandbox, since);
        holds(lines.iter().any(|line| line.contains(words)), || {
            format!("{lines:?}")
        })
    })
    .await;
}

async fn is_not_stalled(stack: &Stack<'_>) {
    let stalled = stack.condition("Stalled").await.expect("kstatus needs it");
    assert_eq!(stalled.status, "False", "{stalled:?}");
}

/// What the operator logged of this namespace since then.
fn lines(sandbox: &Sandbox, since: usize) -> Vec<String> {
    let log = operator::log();
    log.get(since..)
        .unwrap_or_default()
        .lines()
        .filter(|line| line.contains(&sandbox.namespace))
        .map(ToOwned::to_owned)
        .collect()
}
