//! What people may do with TpStacks by Kubernetes' own roles, and the guard against deletion.

use std::process::Command;

use serde_json::json;

use crate::harness::{
    environment::{ENVIRONMENT, apply, kubectl},
    kinds,
    sandbox::Sandbox,
    setup::{OPERATOR_ACCOUNT, OPERATOR_NAMESPACE},
    wait::{eventually, holds},
};

/// Runs kubectl as a user with that one role in the sandbox's namespace, and says how it ended and what it said.
fn as_user(sandbox: &Sandbox, user: &str, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(&ENVIRONMENT.kubectl)
        .args(["--as", user, "--namespace", &sandbox.namespace])
        .args(arguments)
        .output()
        .expect("kubectl runs");
    let words = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    )
}

/// Gives one of Kubernetes' own roles to a user of that name.
fn give(sandbox: &Sandbox, role: &str) {
    let arguments = [
        "create",
        "rolebinding",
        role,
        "--namespace",
        &sandbox.namespace,
    ];
    let what = [format!("--clusterrole={role}"), format!("--user={role}")];
    let what = what.each_ref().map(String::as_str);
    kubectl(&[&arguments[..], &what].concat(), "");
}

async fn may(sandbox: &Sandbox, user: &str, arguments: &[&str]) {
    // Kubernetes adds our roles to its own a moment after they were made.
    let what = format!("{user} may {arguments:?}");
    eventually(sandbox, &what, async || {
        let (succeeded, words) = as_user(sandbox, user, arguments);
        holds(succeeded, || words)
    })
    .await;
}

fn may_not(sandbox: &Sandbox, user: &str, arguments: &[&str]) {
    let (succeeded, words) = as_user(sandbox, user, arguments);
    assert!(
        !succeeded && words.contains("forbidden"),
        "{user} must not {arguments:?}: {words}"
    );
}

#[tokio::test]
async fn viewers_read_editors_change_and_admins_grant() {
    let sandbox = Sandbox::ungranted().await;
    sandbox.stack("shop", json!({})).await;
    for role in ["view", "edit", "admin"] {
        give(&sandbox, role);
        may(&sandbox, role, &["get", "tpstacks", "shop"]).await;
    }
    let scale = ["scale", "tpstack/shop", "--replicas=3"];
    let status = r#"{"status": {"replicas": 9}}"#;
    let status = [
        "patch",
        "tpstack",
        "shop",
        "--subresource=status",
        "--type=merge",
        "-p",
        status,
    ];
    let account = format!("--serviceaccount={OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}");
    let grant = |role: &str| {
        let role = format!("--clusterrole={role}");
        let words = ["create", "rolebinding", "granted", &role, &account];
        words.map(str::to_owned)
    };
    let children = grant("tpstack-operator-children");
    let children = children.each_ref().map(String::as_str);

    may_not(&sandbox, "view", &scale);
    may_not(&sandbox, "view", &["delete", "tpstack", "shop"]);
    may(&sandbox, "edit", &scale).await;
    may_not(&sandbox, "edit", &status);
    may_not(&sandbox, "edit", &children);
    may_not(&sandbox, "admin", &status);
    let cluster_admin = grant("cluster-admin");
    may_not(
        &sandbox,
        "admin",
        &cluster_admin.each_ref().map(String::as_str),
    );
    may(&sandbox, "admin", &children).await;
    may(&sandbox, "edit", &["delete", "tpstack", "shop"]).await;
}

#[tokio::test]
async fn a_guarded_stack_is_deleted_only_where_it_allows_that() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", json!({})).await;
    let file = ENVIRONMENT.repository.join("manifests/deletion-guard.yaml");
    let guard = std::fs::read_to_string(&file).expect("the guard can be read");
    // As shipped, but for this namespace alone: other tests delete their stacks meanwhile.
    let here = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": sandbox.namespace}}});
    apply(&format!("{guard}  matchResources: {here}\n"));

    let refusal = eventually(&sandbox, "a deletion is refused", async || {
        let (succeeded, words) = deletion(&sandbox, "tpstack/shop", true);
        holds(!succeeded, || words.clone())?;
        Ok(words)
    })
    .await;
    let command = format!(
        "kubectl --namespace {} annotate tpstack shop tpstack.dev/allow-deletion=true",
        sandbox.namespace
    );
    assert!(refusal.contains(&command), "{refusal}");
    let (succeeded, words) = deletion(&sandbox, "crd/tpstacks.tpstack.dev", true);
    assert!(!succeeded && words.contains("guarded"), "{words}");
    // Only that one: the guard is in nobody else's way.
    let (succeeded, words) = deletion(&sandbox, "crd/ingressroutes.traefik.io", true);
    assert!(succeeded, "{words}");

    stack.annotate("tpstack.dev/allow-deletion", "false").await;
    assert!(!deletion(&sandbox, "tpstack/shop", true).0);
    stack.annotate("tpstack.dev/allow-deletion", "true").await;
    let (succeeded, words) = deletion(&sandbox, "tpstack/shop", false);
    assert!(succeeded, "{words}");

    // A namespace that goes takes its stacks along, allowed or not.
    sandbox.stack("other", json!({})).await;
    let doomed = sandbox.beside().await;
    kubectl(
        &[
            "label",
            "namespace",
            &doomed.namespace,
            "--overwrite",
            "example.org/guarded=yes",
        ],
        "",
    );
    doomed.stack("shop", json!({})).await;
    let there = json!({"namespaceSelector": {"matchLabels": {"example.org/guarded": "yes"}}});
    apply(&format!("{guard}  matchResources: {there}\n"));
    eventually(&doomed, "a deletion is refused there too", async || {
        let (succeeded, words) = deletion(&doomed, "tpstack/shop", true);
        holds(!succeeded, || words)
    })
    .await;
    sandbox.delete(&kinds::NAMESPACE, &doomed.namespace).await;
    sandbox.gone(&kinds::NAMESPACE, &doomed.namespace).await;

    for kind in [kinds::ADMISSION_BINDING, kinds::ADMISSION_POLICY] {
        sandbox.delete(&kind, "tpstack-deletion-guard").await;
    }
}

/// Deletes an object as an administrator, or only asks whether that would do.
fn deletion(sandbox: &Sandbox, object: &str, only_ask: bool) -> (bool, String) {
    let mut command = Command::new(&ENVIRONMENT.kubectl);
    command.args(["--namespace", &sandbox.namespace, "delete", object]);
    if only_ask {
        command.arg("--dry-run=server");
    }
    let output = command.output().expect("kubectl runs");
    let words = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&words).into_owned(),
    )
}
