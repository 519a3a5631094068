//! Stacks do not disturb each other.

use serde_json::json;

use crate::harness::{
    kinds::{self, CHILDREN, kept},
    made::{made_in, names},
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

#[tokio::test]
async fn namesakes_in_two_namespaces_do_not_disturb_each_other() {
    let sandbox = Sandbox::shared().await;
    let other = sandbox.beside().await;
    let _kubelets = (Kubelet::start(&sandbox), Kubelet::start(&other));
    let here = sandbox.stack("shop", everything_on()).await;
    let there = other.stack("shop", everything_on()).await;
    here.ready().await;
    there.ready().await;
    assert_ne!(password(&here).await, password(&there).await);

    let before = there.versions(CHILDREN.into_iter()).await;
    disturb(&here).await;
    assert_eq!(
        there.versions(CHILDREN.into_iter()).await,
        before,
        "a namesake elsewhere was written to"
    );
    there.ready().await;
}

#[tokio::test]
async fn two_stacks_in_one_namespace_do_not_disturb_each_other() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    // One name begins as the other does: a careless prefix would catch both.
    let one = sandbox.stack("shop", everything_on()).await;
    let two = sandbox.stack("shop-two", everything_on()).await;
    one.ready().await;
    two.ready().await;
    assert_ne!(password(&one).await, password(&two).await);

    let before = two.versions(CHILDREN.into_iter()).await;
    disturb(&one).await;
    assert_eq!(
        two.versions(CHILDREN.into_iter()).await,
        before,
        "a neighbour was written to"
    );
    two.ready().await;
    let mut expected = [
        names("shop", kept()),
        names("shop-two", CHILDREN.into_iter()),
    ]
    .concat();
    expected.sort();
    eventually(
        &sandbox,
        "the neighbour is whole, and of the deleted stack the kept objects are left",
        async || {
            let left: Vec<String> = made_in(&sandbox).await.into_keys().collect();
            holds(left == expected, || format!("left are {left:?}"))
        },
    )
    .await;
}

#[tokio::test]
async fn the_pods_of_two_stacks_are_told_apart_by_every_selector() {
    let sandbox = Sandbox::shared().await;
    for name in ["shop", "shop-two"] {
        let stack = sandbox.stack(name, everything_on()).await;
        stack.applied(CHILDREN.into_iter()).await;
        for child in [
            (kinds::SERVICE, "api"),
            (kinds::SERVICE, "postgres"),
            (kinds::SERVICE, "redis"),
        ] {
            let service = stack.must_child(child).await;
            let selector = &service["spec"]["selector"];
            assert_eq!(
                selector["app.kubernetes.io/instance"],
                json!(name),
                "{}",
                stack.name_of(child)
            );
            assert_eq!(
                selector["app.kubernetes.io/component"],
                json!(child.1),
                "{}",
                stack.name_of(child)
            );
        }
        for child in [
            (kinds::DEPLOYMENT, "api"),
            (kinds::STATEFUL_SET, "postgres"),
            (kinds::STATEFUL_SET, "redis"),
            (kinds::DISRUPTION_BUDGET, "api"),
        ] {
            let selector = &stack.must_child(child).await["spec"]["selector"]["matchLabels"];
            assert_eq!(
                selector["app.kubernetes.io/instance"],
                json!(name),
                "{}",
                stack.name_of(child)
            );
            assert_eq!(
                selector["app.kubernetes.io/component"],
                json!(child.1),
                "{}",
                stack.name_of(child)
            );
        }
    }
}

/// All that can happen to a stack, one after the other.
async fn disturb(stack: &Stack<'_>) {
    stack
        .change(json!({"api": {"replicas": 3}, "redis": {"engine": "Disabled"}}))
        .await;
    stack.ready().await;
    stack
        .change(json!({"ingress": null, "redis": {"engine": "BuiltIn"}}))
        .await;
    stack.ready().await;
    stack.delete().await;
    stack
        .sandbox
        .gone(&kinds::SERVICE, &format!("{}-api", stack.name))
        .await;
}

async fn password(stack: &Stack<'_>) -> String {
    stack
        .must_child((kinds::SECRET, "postgres-credentials"))
        .await["data"]["password"]
        .to_string()
}
