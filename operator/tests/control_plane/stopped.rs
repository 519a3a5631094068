//! A stack that is stopped has no pods and keeps the rest.

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN, Child, kept},
    made::{made_in, names},
    pods::{Kubelet, Migrations},
    sandbox::Sandbox,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

const DEPLOYMENT: Child = (kinds::DEPLOYMENT, "api");
const WORKLOADS: [Child; 3] = [
    DEPLOYMENT,
    (kinds::STATEFUL_SET, "postgres"),
    (kinds::STATEFUL_SET, "redis"),
];

/// Waits until the stack is told to be stopped.
async fn stopped(stack: &Stack<'_>) {
    stack.becomes("Ready", "True", "Stopped").await;
    assert_eq!(pods(stack.sandbox).await, Vec::<String>::new());
}

/// The pods of the namespace, but those of migrations that have ended.
async fn pods(sandbox: &Sandbox) -> Vec<String> {
    let pods = sandbox.list(&kinds::POD).await.into_iter();
    pods.filter(|pod| pod["status"]["phase"] != "Succeeded")
        .map(|pod| pod["metadata"]["name"].to_string())
        .collect()
}

/// The Jobs of the namespace that are not on their way out.
async fn jobs(sandbox: &Sandbox) -> usize {
    let jobs = sandbox.list(&kinds::JOB).await.into_iter();
    jobs.filter(|job| job.pointer("/metadata/deletionTimestamp").is_none())
        .count()
}

async fn counts(stack: &Stack<'_>) -> Vec<Value> {
    let counts = stack.each(WORKLOADS.into_iter(), |object| {
        object["spec"]["replicas"].clone()
    });
    counts.await.into_values().collect()
}

/// What a stopped stack keeps: all but its rules, since everything that they watch over is down on purpose.
fn staying() -> impl Iterator<Item = Child> {
    let is_rule = |child: &Child| child.0 == kinds::PROMETHEUS_RULE;
    CHILDREN.into_iter().filter(move |child| !is_rule(child))
}

fn image(name: &str) -> Value {
    json!({"api": {"image": name, "migrate": {"command": ["shop", "migrate"]}}})
}

#[tokio::test]
async fn its_pods_and_autoscaler_go_and_come_back_and_all_else_stays() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let mut spec = everything_on();
    spec["api"] = json!({"autoscaling": {"minReplicas": 2, "maxReplicas": 6}});
    let stack = sandbox.stack("shop", spec).await;
    stack.ready().await;
    let before = stack.uids(staying()).await;
    let scaled = json!({"spec": {"replicas": 5}});
    sandbox.merge(&kinds::DEPLOYMENT, "shop-api", scaled).await;
    stack.ready().await;

    stack.change(json!({"stopped": true})).await;
    stopped(&stack).await;
    for part in ["ApiReady", "PostgresReady", "RedisReady"] {
        stack.becomes(part, "True", "Stopped").await;
    }
    sandbox.gone(&kinds::AUTOSCALER, "shop-api").await;
    assert_eq!(counts(&stack).await, [json!(0), json!(0), json!(0)]);
    sandbox.gone(&kinds::PROMETHEUS_RULE, "shop-api").await;
    assert_eq!(stack.uids(staying()).await, before);
    for child in kept() {
        let mark = stack.must_child(child).await;
        let mark = mark.pointer("/metadata/annotations/tpstack.dev~1initialized");
        assert_eq!(mark, Some(&json!("true")), "{child:?}");
    }
    let status = stack.object().await["status"].clone();
    assert_eq!(status["phase"], json!("Stopped"));
    assert_eq!(status["summary"]["api"], json!("0/0"));
    let versions = stack.versions(staying()).await;
    stack.reconcile_again().await;
    assert_eq!(stack.versions(staying()).await, versions);

    stack.change(json!({"stopped": false})).await;
    stack.ready().await;
    // The autoscaler does nothing at 0: it starts with the least number.
    assert_eq!(counts(&stack).await, [json!(2), json!(1), json!(1)]);
    assert!(stack.child((kinds::AUTOSCALER, "api")).await.is_some());
    stack.applied(CHILDREN.into_iter()).await;
    assert_eq!(stack.uids(staying()).await, before);
}

#[tokio::test]
async fn stopped_from_the_start_it_has_everything_but_pods() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let mut spec = everything_on();
    spec["stopped"] = json!(true);
    let stack = sandbox.stack("shop", spec).await;
    stopped(&stack).await;
    stack.reconcile_again().await;
    // The API's Deployment is made after its first migration.
    let made: Vec<String> = made_in(&sandbox).await.into_keys().collect();
    let wanted = staying().filter(|child| *child != DEPLOYMENT);
    assert_eq!(made, names("shop", wanted));
    assert_eq!(jobs(&sandbox).await, 0);
    assert_eq!(pods(&sandbox).await, Vec::<String>::new());
    let kept = stack.uids(kept()).await;

    stack.change(json!({"stopped": false})).await;
    stack.ready().await;
    assert_eq!(stack.uids(kinds::kept()).await, kept);

    // Without a migration there is nothing to wait for.
    let spec = json!({"stopped": true, "api": {"image": "shop:1"}});
    let other = sandbox.stack("other", spec).await;
    other.becomes("Ready", "True", "Stopped").await;
    assert_eq!(counts(&other).await, [json!(0), json!(0), json!(0)]);
}

#[tokio::test]
async fn no_migration_runs_while_it_is_stopped_and_the_next_one_is_gated_as_ever() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", image("shop:1")).await;
    stack.ready().await;
    sandbox.migrations(Migrations::Hang);
    stack.change(image("shop:2")).await;
    stack.becomes("ApiReady", "False", "Migrating").await;
    eventually(&sandbox, "its Job has a pod", async || {
        let pods = pods(&sandbox).await;
        let found = pods.iter().any(|name| name.contains("api-migrate"));
        holds(found, || format!("there are {pods:?}"))
    })
    .await;
    stack.change(json!({"stopped": true})).await;
    stopped(&stack).await;
    assert_eq!(jobs(&sandbox).await, 0, "it runs without a database");
    stack.change(image("shop:3")).await;
    stack.becomes("ApiReady", "True", "Stopped").await;
    stack.reconcile_again().await;
    assert_eq!(jobs(&sandbox).await, 0, "one was started");
    let image_of = |deployment: &Value| {
        let image = deployment.pointer("/spec/template/spec/containers/0/image");
        image.cloned().expect("it has one")
    };
    let deployment = stack.must_child(DEPLOYMENT).await;
    assert_eq!(image_of(&deployment), json!("shop:1"));

    stack.change(json!({"stopped": false})).await;
    stack.becomes("ApiReady", "False", "Migrating").await;
    let deployment = stack.must_child(DEPLOYMENT).await;
    assert_eq!(image_of(&deployment), json!("shop:1"), "the gate was open");
    assert_eq!(deployment["spec"]["replicas"], json!(2));
    sandbox.migrations(Migrations::Succeed);
    stack.ready().await;
    let deployment = stack.must_child(DEPLOYMENT).await;
    assert_eq!(image_of(&deployment), json!("shop:3"));
}

#[tokio::test]
async fn it_is_called_stopped_only_when_its_pods_are_gone() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let with = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    let held = with(json!(["example.org/still-writing"]));
    sandbox.merge(&kinds::POD, "shop-postgres-0", held).await;
    stack.change(json!({"stopped": true})).await;
    stack.becomes("RedisReady", "True", "Stopped").await;
    stack.becomes("PostgresReady", "False", "Progressing").await;
    stack.becomes("Ready", "False", "ComponentsNotReady").await;
    let free = with(json!(null));
    sandbox.merge(&kinds::POD, "shop-postgres-0", free).await;
    stopped(&stack).await;
}

#[tokio::test]
async fn a_volume_lost_meanwhile_is_not_replaced() {
    let sandbox = Sandbox::shared().await;
    let kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    stack.change(json!({"stopped": true})).await;
    stopped(&stack).await;
    drop(kubelet);
    sandbox
        .destroy(&kinds::VOLUME_CLAIM, "shop-postgres-data")
        .await;
    stack.stalled("VolumeLost").await;
    stack.change(json!({"stopped": false})).await;
    stack.stalled("VolumeLost").await;
    assert_eq!(counts(&stack).await, [json!(0), json!(0), json!(0)]);
    let claim = stack.child((kinds::VOLUME_CLAIM, "postgres-data")).await;
    assert!(claim.is_none(), "a new volume was made over a lost one");
}

#[tokio::test]
async fn deleted_it_leaves_what_its_policy_says() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let uids = stack.uids(kept()).await;
    for policy in ["Retain", "Delete"] {
        let spec = json!({"stopped": true, "deletionPolicy": policy});
        stack.change(spec).await;
        stopped(&stack).await;
        assert_eq!(stack.uids(kept()).await, uids);
        stack.delete().await;
        let left = if policy == "Retain" {
            names("shop", kept())
        } else {
            Vec::new()
        };
        eventually(&sandbox, &format!("these are left: {left:?}"), async || {
            let found: Vec<String> = made_in(&sandbox).await.into_keys().collect();
            holds(found == left, || format!("there are {found:?}"))
        })
        .await;
        if policy == "Retain" {
            sandbox.stack("shop", json!({})).await.ready().await;
        }
    }
}
