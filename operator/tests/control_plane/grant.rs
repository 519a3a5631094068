//! Where the operator was given rights, and where not.

use serde_json::json;

use crate::harness::{
    environment::paste,
    kinds::{self, CHILDREN},
    made::made_in,
    pods::Kubelet,
    sandbox::Sandbox,
    setup::{OPERATOR_ACCOUNT, OPERATOR_NAMESPACE},
    stack::{everything_on, last_command},
};

#[tokio::test]
async fn a_stack_where_nothing_was_granted_says_so_and_the_command_it_gives_is_enough() {
    let sandbox = Sandbox::ungranted().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    let message = stack.stalled("NamespaceNotGranted").await;
    stack.becomes("Ready", "False", "NamespaceNotGranted").await;
    assert!(
        made_in(&sandbox).await.is_empty(),
        "something was made without a grant"
    );
    let command = last_command(&message);
    assert_eq!(
        command,
        format!(
            "kubectl create rolebinding tpstack-operator --clusterrole=tpstack-operator-children \
             --serviceaccount=tpstack-system:tpstack-operator --namespace={}",
            sandbox.namespace
        )
    );
    paste(&command);
    stack.ready().await;
    stack.applied(CHILDREN.into_iter()).await;
}

#[tokio::test]
async fn a_grant_taken_back_is_named_and_given_again_heals() {
    let sandbox = Sandbox::ungranted().await;
    sandbox.grant().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    let before = stack.uids(CHILDREN.into_iter()).await;

    sandbox.delete(&kinds::ROLE_BINDING, OPERATOR_ACCOUNT).await;
    let message = stack.stalled("NamespaceNotGranted").await;
    stack.becomes("Ready", "False", "NamespaceNotGranted").await;
    assert_eq!(
        stack.uids(CHILDREN.into_iter()).await,
        before,
        "without rights nothing can have been replaced"
    );
    // What changes meanwhile is not forgotten.
    sandbox.delete(&kinds::SERVICE, "shop-redis").await;
    stack.change(json!({"api": {"replicas": 3}})).await;

    paste(&last_command(&message));
    stack.ready().await;
    stack.applied(CHILDREN.into_iter()).await;
    assert_eq!(
        stack.must_child((kinds::DEPLOYMENT, "api")).await["spec"]["replicas"],
        json!(3)
    );
    // It watches again, too.
    sandbox.delete(&kinds::SERVICE, "shop-redis").await;
    stack.applied(CHILDREN.into_iter()).await;
}

#[tokio::test]
async fn a_grant_that_was_gone_for_a_moment_only_is_seen_again() {
    let sandbox = Sandbox::ungranted().await;
    sandbox.grant().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    // Shorter than the interval at which the operator looks for grants, at another point of it each time.
    for _ in 0..4 {
        sandbox.delete(&kinds::ROLE_BINDING, OPERATOR_ACCOUNT).await;
        stack
            .annotate("example.org/touched", &stack.version().await)
            .await;
        stack.stalled("NamespaceNotGranted").await;
        sandbox.grant().await;
        stack.ready().await;
    }
}

#[tokio::test]
async fn a_namespace_without_a_grant_holds_up_no_other() {
    let without = Sandbox::ungranted().await;
    let stalled = without.stack("shop", json!({})).await;
    stalled.stalled("NamespaceNotGranted").await;
    let with = without.beside().await;
    let _kubelet = Kubelet::start(&with);
    with.stack("shop", json!({})).await.ready().await;
}

#[tokio::test]
async fn the_shipped_roles_allow_no_more_than_they_say() {
    let sandbox = Sandbox::ungranted().await;
    let granted = sandbox.beside().await;
    let can = |namespace: &str, verb: &str, resource: &str| {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let account = format!("system:serviceaccount:{OPERATOR_NAMESPACE}:{OPERATOR_ACCOUNT}");
        let line = format!(
            "kubectl auth can-i {verb} {resource} --subresource='{subresource}' --namespace={namespace} --as={account} || true"
        );
        paste(&line).trim() == "yes"
    };
    for (verb, resource) in [
        ("get", "secrets"),
        ("list", "secrets"),
        ("create", "deployments.apps"),
        ("get", "configmaps"),
    ] {
        assert!(
            !can(&sandbox.namespace, verb, resource),
            "{verb} {resource} is allowed where nothing was granted"
        );
    }
    for (verb, resource) in [
        ("list", "tpstacks.tpstack.dev"),
        ("patch", "tpstacks.tpstack.dev/status"),
    ] {
        assert!(
            can(&sandbox.namespace, verb, resource),
            "{verb} {resource} is needed everywhere"
        );
    }
    for resource in ["secrets", "persistentvolumeclaims"] {
        for verb in ["get", "list", "watch", "create", "patch"] {
            assert!(
                can(&granted.namespace, verb, resource),
                "{verb} {resource} is needed where granted"
            );
        }
        for verb in ["delete", "deletecollection"] {
            assert!(
                !can(&granted.namespace, verb, resource),
                "nothing may be able to {verb} {resource}"
            );
        }
    }
    for (verb, resource) in [
        ("create", "pods"),
        ("create", "pods/exec"),
        ("delete", "tpstacks.tpstack.dev"),
        ("patch", "tpstacks.tpstack.dev"),
        ("create", "rolebindings.rbac.authorization.k8s.io"),
        ("bind", "clusterroles.rbac.authorization.k8s.io"),
        ("escalate", "roles.rbac.authorization.k8s.io"),
        ("impersonate", "serviceaccounts"),
        ("get", "nodes"),
        ("create", "customresourcedefinitions.apiextensions.k8s.io"),
        ("delete", "namespaces"),
        ("create", "serviceaccounts/token"),
    ] {
        assert!(
            !can(&granted.namespace, verb, resource),
            "{verb} {resource} is nothing the operator needs"
        );
    }
}
