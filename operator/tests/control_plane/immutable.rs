//! What cannot be changed afterwards: refused at admission by the rules in the schema alone; told, and neither replaced
//! nor tried without end, where it stands in an object that is already there.

use serde_json::{Value, json};

use crate::{
    admit::{Case, refused},
    harness::{
        kinds::{self, Child},
        objects::uid,
        pods::{Kubelet, Migrations},
        sandbox::Sandbox,
        stack::Stack,
    },
};

#[tokio::test]
async fn what_cannot_be_changed_afterwards_is_refused_with_the_way_out() {
    let sandbox = Sandbox::ungranted().await;
    let storage = json!({"size": "2Gi", "storageClassName": "slow"});
    sandbox
        .stack("classy", json!({"postgres": {"storage": storage}}))
        .await;
    // Everything by default: the defaults must hold as firmly as what was written.
    sandbox.stack("plain", json!({})).await;
    let cases: &[Case] = &[
        (
            "classy",
            json!({"postgres": {"storage": {"size": "1Gi"}}}),
            &["may only grow", "keep the present size"],
        ),
        (
            "plain",
            json!({"postgres": {"storage": {"size": "1023Mi"}}}),
            &["may only grow", "keep the present size"],
        ),
        (
            "plain",
            json!({"redis": {"persistence": {"size": "255Mi"}}}),
            &["may only grow", "keep the present size"],
        ),
        (
            "plain",
            json!({"postgres": {"database": "other"}}),
            &["spec.postgres.database is immutable", "second TpStack"],
        ),
        (
            "plain",
            json!({"postgres": {"version": "17"}}),
            &["spec.postgres.version"],
        ),
        (
            "plain",
            json!({"postgres": {"engine": "CloudNativePG"}}),
            &["spec.postgres.engine"],
        ),
        (
            "plain",
            json!({"postgres": {"engine": "External", "external": {"secretRef": {"name": "theirs"}}}}),
            &["spec.postgres.engine is immutable", "second TpStack"],
        ),
        (
            "plain",
            json!({"postgres": {"storage": {"storageClassName": "fast"}}}),
            &["storageClassName is immutable", "second TpStack"],
        ),
        (
            "classy",
            json!({"postgres": {"storage": {"storageClassName": "fast"}}}),
            &["storageClassName is immutable", "second TpStack"],
        ),
        (
            "classy",
            json!({"postgres": {"storage": {"storageClassName": null}}}),
            &["storageClassName is immutable", "second TpStack"],
        ),
    ];
    for case @ (name, spec, _) in cases {
        let answer = sandbox
            .try_merge(&kinds::TPSTACK, name, json!({"spec": spec}), true)
            .await;
        refused(case, answer);
    }
    for (name, spec) in [
        ("classy", json!({"postgres": {"storage": {"size": "3Gi"}}})),
        (
            "plain",
            json!({"postgres": {"storage": {"size": "1025Mi"}}}),
        ),
        ("plain", json!({"postgres": null, "redis": null})),
        (
            "plain",
            json!({"redis": {"engine": "Disabled", "persistence": {"size": "1Gi"}}}),
        ),
    ] {
        let accepted = sandbox
            .try_merge(&kinds::TPSTACK, name, json!({"spec": spec}), true)
            .await;
        assert!(
            accepted.is_ok(),
            "{name} with {spec} was refused: {}",
            accepted.expect_err("it is").message
        );
    }
}

#[tokio::test]
async fn what_stands_by_itself_may_be_left_out_and_nothing_may_be_taken_back_by_it() {
    let sandbox = Sandbox::ungranted().await;
    let storage = json!({"size": "2Gi", "storageClassName": "slow"});
    let spec = json!({"postgres": {"database": "shop", "storage": storage}});
    sandbox.stack("named", spec).await;
    // Whatever level is left out, its default takes its place, and is compared.
    let cases: &[Case] = &[
        (
            "named",
            json!({"postgres": null}),
            &["spec.postgres.database is immutable"],
        ),
        (
            "named",
            json!({"postgres": {"database": null}}),
            &["spec.postgres.database is immutable"],
        ),
        (
            "named",
            json!({"postgres": {"storage": null}}),
            &["storageClassName is immutable", "may only grow"],
        ),
    ];
    for case @ (name, spec, _) in cases {
        let answer = sandbox
            .try_merge(&kinds::TPSTACK, name, json!({"spec": spec}), true)
            .await;
        refused(case, answer);
    }
    let engine = json!({"spec": {"postgres": {"engine": null, "version": null}}});
    let accepted = sandbox
        .try_merge(&kinds::TPSTACK, "named", engine, true)
        .await;
    assert!(accepted.is_ok(), "{accepted:?}");
}

/// Waits until the stack is left alone, changes a child, and lets the operator meet it.
async fn meets(stack: &Stack<'_>, child: Child, changed: impl Fn(&mut Value)) -> String {
    let sandbox = stack.sandbox;
    stack.change(json!({"paused": true})).await;
    stack.becomes("Ready", "Unknown", "Paused").await;
    let name = stack.name_of(child);
    let mut object = stack.must_child(child).await;
    sandbox.destroy(&child.0, &name).await;
    let metadata = object["metadata"].as_object_mut().expect("an object");
    for key in [
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "managedFields",
    ] {
        metadata.remove(key);
    }
    object.as_object_mut().expect("an object").remove("status");
    changed(&mut object);
    let made = sandbox.create(&child.0, object).await;
    stack.change(json!({"paused": false})).await;
    uid(&made)
}

#[tokio::test]
async fn a_workload_with_another_selector_is_told_and_neither_replaced_nor_hammered() {
    let sandbox = Sandbox::shared().await;
    let kubelet = Kubelet::start(&sandbox);
    let stack = sandbox
        .stack("shop", json!({"api": {"image": "shop:1"}}))
        .await;
    stack.ready().await;
    // As a release with another selector might have made them; the pods' labels must match it.
    let older = |object: &mut Value| {
        for path in [
            "/spec/selector/matchLabels",
            "/spec/template/metadata/labels",
        ] {
            let labels = object.pointer_mut(path).expect("a workload has it");
            labels["example.org/older"] = json!("true");
        }
    };
    for (child, part) in [
        ((kinds::DEPLOYMENT, "api"), "ApiReady"),
        ((kinds::STATEFUL_SET, "redis"), "RedisReady"),
    ] {
        let made = meets(&stack, child, older).await;
        let told = stack.becomes(part, "False", "ApplyFailed").await.message;
        let name = stack.name_of(child);
        assert!(told.contains(&name), "which object? {told}");
        assert!(
            told.contains("field is immutable") || told.contains("are forbidden"),
            "why? {told}"
        );
        stack.becomes("PostgresReady", "True", "Available").await;
        stack.reconcile_again().await;
        stack.reconcile_again().await;
        let now = stack.must_child(child).await;
        assert_eq!(uid(&now), made, "it was replaced");
        // The way out is the user's: data is on the claim, not on the workload.
        sandbox.delete(&child.0, &name).await;
        stack.ready().await;
    }
    drop(kubelet);
}

#[tokio::test]
async fn claim_templates_of_somebody_elses_stay_and_hold_up_nothing() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox
        .stack("shop", json!({"api": {"image": "shop:1"}}))
        .await;
    stack.ready().await;
    let child = (kinds::STATEFUL_SET, "redis");
    let made = meets(&stack, child, |object| {
        object["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "extra"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}},
        }}]);
    })
    .await;
    stack.ready().await;
    stack.change(json!({"redis": {"maxMemory": "96Mi"}})).await;
    stack.ready().await;
    let now = stack.must_child(child).await;
    assert_eq!(uid(&now), made);
    let template = now.pointer("/spec/volumeClaimTemplates/0/metadata/name");
    assert_eq!(template, Some(&json!("extra")));
}

#[tokio::test]
async fn a_job_that_cannot_be_changed_runs_to_its_end() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    sandbox.migrations(Migrations::Hang);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.becomes("ApiReady", "False", "Migrating").await;
    let jobs = sandbox.list(&kinds::JOB).await;
    let name = jobs[0]["metadata"]["name"].as_str().expect("it has one");
    let suffix: &'static str = name
        .strip_prefix("shop-")
        .expect("it is named after the stack")
        .to_owned()
        .leak();
    let child = (kinds::JOB, suffix);
    // Without the note of what it was made from nothing tells that it is another.
    let made = meets(&stack, child, |job| {
        job["metadata"]["annotations"] = json!({});
        job["spec"]
            .as_object_mut()
            .expect("an object")
            .remove("selector");
        job["spec"]["template"]["metadata"]["labels"] =
            json!({"app.kubernetes.io/component": "api-migrate"});
        job["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(7);
    })
    .await;
    let told = stack.becomes("ApiReady", "False", "ApplyFailed").await;
    assert!(told.message.contains("immutable"), "{}", told.message);
    stack.reconcile_again().await;
    let now = stack.must_child(child).await;
    assert_eq!(uid(&now), made, "it was made again");
    assert!(stack.child((kinds::DEPLOYMENT, "api")).await.is_none());
    sandbox.migrations(Migrations::Succeed);
    stack.ready().await;
}

#[tokio::test]
async fn a_kept_volume_of_another_class_and_size_is_taken_up_as_it_is() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let storage = json!({"size": "3Gi", "storageClassName": "slow"});
    let stack = sandbox
        .stack("shop", json!({"postgres": {"storage": storage}}))
        .await;
    stack.ready().await;
    let claim = (kinds::VOLUME_CLAIM, "postgres-data");
    let before = stack.must_child(claim).await;
    stack.delete().await;
    sandbox.gone(&kinds::STATEFUL_SET, "shop-postgres").await;
    let storage = json!({"size": "1Gi", "storageClassName": "fast"});
    let again = sandbox
        .stack("shop", json!({"postgres": {"storage": storage}}))
        .await;
    again.ready().await;
    again.reconcile_again().await;
    let now = again.must_child(claim).await;
    assert_eq!(uid(&now), uid(&before));
    assert_eq!(now["spec"], before["spec"]);
}
