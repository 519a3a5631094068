//! What becomes of volumes and credentials when their stack goes, and who may take them up again.

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

#[tokio::test]
async fn a_deleted_stack_leaves_volumes_and_credentials_which_its_namesake_takes_up() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    let uids = stack.uids(kept()).await;
    let contents = stack.each(kept(), contents).await;

    stack.delete().await;
    left(&stack, names("shop", kept())).await;
    assert_eq!(stack.uids(kept()).await, uids);
    assert_eq!(stack.each(kept(), self::contents).await, contents);

    let again = sandbox.stack("shop", everything_on()).await;
    again.ready().await;
    assert_eq!(again.uids(kept()).await, uids, "kept data was replaced");
    assert_eq!(
        again.each(kept(), self::contents).await,
        contents,
        "kept data was changed"
    );
    left(&again, names("shop", CHILDREN.into_iter())).await;
}

#[tokio::test]
async fn kept_data_that_does_not_belong_together_is_not_taken_up() {
    let sandbox = Sandbox::shared().await;
    let kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    stack.delete().await;
    left(&stack, names("shop", kept())).await;
    drop(kubelet);

    // Somebody restores an older copy of the volume in place of the kept one: marked, but of another pair.
    let mut claim = sandbox
        .must_get(&kinds::VOLUME_CLAIM, "shop-postgres-data")
        .await;
    sandbox
        .destroy(&kinds::VOLUME_CLAIM, "shop-postgres-data")
        .await;
    claim["metadata"]["annotations"]["tpstack.dev/credentials-uid"] =
        json!("00000000-0000-0000-0000-000000000000");
    let claim = sandbox.restore(&kinds::VOLUME_CLAIM, &claim).await;

    let again = sandbox.stack("shop", json!({})).await;
    let message = again.stalled("RetainedDataMismatch").await;
    assert!(
        message.contains("shop-postgres-data") && message.contains("shop-postgres-credentials"),
        "{message}"
    );
    again.reconcile_again().await;
    assert!(
        again
            .child((kinds::STATEFUL_SET, "postgres"))
            .await
            .is_none(),
        "Postgres was started on unmatched data"
    );
    let now = again
        .must_child((kinds::VOLUME_CLAIM, "postgres-data"))
        .await;
    assert_eq!(
        contents(&now),
        contents(&claim),
        "unmatched data was written to"
    );

    let _kubelet = Kubelet::start(&sandbox);
    paste(&last_command(&message));
    again.ready().await;
    assert_eq!(
        uid(&again
            .must_child((kinds::VOLUME_CLAIM, "postgres-data"))
            .await),
        uid(&claim)
    );
}

#[tokio::test]
async fn a_namespace_restored_by_a_backup_tool_is_told_so_and_goes_on_by_its_commands() {
    let sandbox = Sandbox::shared().await;
    let kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let copies = stack.each(kept(), Clone::clone).await;
    stack.delete().await;
    left(&stack, names("shop", kept())).await;
    drop(kubelet);
    for (kind, name) in kept() {
        let name = format!("shop-{name}");
        sandbox.destroy(&kind, &name).await;
        sandbox
            .restore(&kind, &copies[&format!("{}/{name}", kind.kind)])
            .await;
    }

    // The stack itself comes back too, and knows nothing of what was before.
    let again = sandbox.stack("shop", json!({})).await;
    let _kubelet = Kubelet::start(&sandbox);
    for store in ["postgres", "redis"] {
        let what = format!("the data of {store} is told of");
        let told = eventually(&sandbox, &what, async || {
            let stalled = again.condition("Stalled").await.ok_or("nothing is told")?;
            let is_it = stalled.reason == "RetainedDataMismatch"
                && stalled.message.contains(&format!("shop-{store}-data"));
            holds(is_it, || format!("it is {stalled:?}"))?;
            Ok(stalled.message)
        })
        .await;
        assert!(told.contains("backup tool"), "{told}");
        paste(&last_command(&told));
    }
    again.ready().await;
    let passwords = |object: &Value| object["data"]["password"].clone();
    let now = again.each(kept(), Clone::clone).await;
    for (name, copy) in &copies {
        assert_eq!(passwords(copy), passwords(&now[name]), "{name}");
    }
}

#[tokio::test]
async fn kept_data_of_another_major_version_is_not_taken_up() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    stack.delete().await;
    left(&stack, names("shop", kept())).await;
    let older = json!({"metadata": {"annotations": {"tpstack.dev/postgres-major": "15"}}});
    sandbox
        .merge(&kinds::VOLUME_CLAIM, "shop-postgres-data", older)
        .await;
    let again = sandbox.stack("shop", json!({})).await;
    let message = again.stalled("RetainedDataMismatch").await;
    assert!(
        message.contains("Postgres 15") && message.contains("shop-postgres-data"),
        "{message}"
    );
    assert!(
        again
            .child((kinds::STATEFUL_SET, "postgres"))
            .await
            .is_none(),
        "Postgres was started on another major's data"
    );
}

#[tokio::test]
async fn the_deletion_policy_puts_owners_on_kept_objects_and_takes_them_off() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let uids = stack.uids(kept()).await;
    let owner = uid(&stack.object().await);
    for (policy, owners) in [
        ("Delete", vec![owner.clone()]),
        ("Retain", vec![]),
        ("Delete", vec![owner]),
    ] {
        stack.change(json!({"deletionPolicy": policy})).await;
        owned_by(&stack, &owners).await;
        assert_eq!(stack.uids(kept()).await, uids);
    }
    stack.delete().await;
    left(&stack, Vec::new()).await;
}

#[tokio::test]
async fn a_policy_changed_back_in_time_saves_the_data() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox
        .stack("shop", json!({"deletionPolicy": "Delete"}))
        .await;
    stack.ready().await;
    owned_by(&stack, &[uid(&stack.object().await)]).await;
    let uids = stack.uids(kept()).await;
    stack.change(json!({"deletionPolicy": "Retain"})).await;
    owned_by(&stack, &[]).await;
    stack.delete().await;
    sandbox.gone(&kinds::SERVICE, "shop-api").await;
    left(&stack, names("shop", kept())).await;
    assert_eq!(stack.uids(kept()).await, uids);
}

#[tokio::test]
async fn data_of_disabled_redis_goes_with_its_stack_under_delete() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    stack
        .change(json!({"redis": {"engine": "Disabled"}, "deletionPolicy": "Delete"}))
        .await;
    owned_by(&stack, &[uid(&stack.object().await)]).await;
    stack.delete().await;
    left(&stack, Vec::new()).await;
}

#[tokio::test]
async fn deleting_the_namespace_is_held_up_by_nothing() {
    let sandbox = Sandbox::shared().await;
    let doomed = sandbox.beside().await;
    let stack = doomed.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    sandbox.delete(&kinds::NAMESPACE, &doomed.namespace).await;
    eventually(
        &sandbox,
        "every object of the namespace is gone",
        async || {
            let left: Vec<String> = made_in(&doomed).await.into_keys().collect();
            holds(left.is_empty(), || format!("left are {left:?}"))
        },
    )
    .await;
    sandbox.gone(&kinds::NAMESPACE, &doomed.namespace).await;
}

/// Waits until these are all the objects of the namespace.
async fn left(stack: &Stack<'_>, expected: Vec<String>) {
    assert!(expected.is_sorted());
    for replaced in replaceable().filter(|_| expected.is_empty()) {
        stack
            .sandbox
            .gone(&replaced.0, &stack.name_of(replaced))
            .await;
    }
    eventually(
        stack.sandbox,
        &format!("these objects are left: {expected:?}"),
        async || {
            let left: Vec<String> = made_in(stack.sandbox).await.into_keys().collect();
            holds(left == expected, || format!("left are {left:?}"))
        },
    )
    .await;
}

/// Waits until every kept object has just these owners.
async fn owned_by(stack: &Stack<'_>, owners: &[String]) {
    eventually(
        stack.sandbox,
        &format!("the kept objects are owned by {owners:?}"),
        async || {
            for child in kept() {
                let object = stack.must_child(child).await;
                let references = object
                    .pointer("/metadata/ownerReferences")
                    .and_then(Value::as_array);
                let found: Vec<String> = references
                    .into_iter()
                    .flatten()
                    .map(|owner| owner["uid"].as_str().unwrap_or_default().to_owned())
                    .collect();
                holds(found == owners, || {
                    format!(
                        "{} {} is owned by {found:?}",
                        child.0.kind,
                        stack.name_of(child)
                    )
                })?;
            }
            Ok(())
        },
    )
    .await;
}

/// What a kept object holds: the credentials, or what was asked of the storage.
fn contents(object: &Value) -> Value {
    json!([
        object["data"],
        object["spec"],
        object["metadata"]["annotations"]
    ])
}
