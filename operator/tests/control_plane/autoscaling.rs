//! An autoscaler takes over the number of pods that is there, and gives it back.

use std::{collections::BTreeMap, time::Duration};

use futures::future::join_all;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::{
    admit::{Case, refused},
    harness::{
        environment::kubectl,
        history,
        kinds::{self, Child},
        objects::version,
        pods::Kubelet,
        sandbox::Sandbox,
        stack::Stack,
        wait::{eventually, holds},
    },
};

const DEPLOYMENT: Child = (kinds::DEPLOYMENT, "api");
const AUTOSCALER: Child = (kinds::AUTOSCALER, "api");

/// A spec whose image needs no migration, with this many pods.
fn replicas(count: i32) -> Value {
    json!({"api": {"image": "shop:1", "replicas": count}})
}

fn autoscaling(min: i32, max: i32) -> Value {
    json!({"api": {"autoscaling": {"minReplicas": min, "maxReplicas": max}}})
}

/// Writes the number of pods as an autoscaler does.
async fn scale(stack: &Stack<'_>, count: i64) {
    let parameters = PatchParams {
        field_manager: Some("an-autoscaler".to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Merge(json!({"spec": {"replicas": count}}));
    let api = stack.sandbox.api(&kinds::DEPLOYMENT);
    let scaled = api
        .patch_scale(&stack.name_of(DEPLOYMENT), &parameters, &patch)
        .await;
    scaled.unwrap_or_else(|error| panic!("cannot scale the Deployment: {error}"));
}

async fn count(stack: &Stack<'_>) -> Option<i64> {
    stack.must_child(DEPLOYMENT).await["spec"]["replicas"].as_i64()
}

async fn counts_to(stack: &Stack<'_>, wanted: i64) {
    eventually(
        stack.sandbox,
        &format!("{} is to have {wanted} pods", stack.name),
        async || {
            let count = count(stack).await;
            holds(count == Some(wanted), || format!("it has {count:?}"))
        },
    )
    .await;
}

/// Who owns the number of pods.
async fn owners(stack: &Stack<'_>) -> Vec<String> {
    let deployment = stack.must_child(DEPLOYMENT).await;
    let entries = deployment["metadata"]["managedFields"].as_array().cloned();
    let entries = entries.unwrap_or_default().into_iter();
    entries
        .filter(|entry| entry.pointer("/fieldsV1/f:spec/f:replicas").is_some())
        .map(|entry| entry["manager"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// Every number of pods that the Deployment was to have since that moment, up to now.
async fn counts(stack: &Stack<'_>, moment: &str) -> Vec<i64> {
    let name = stack.name_of(DEPLOYMENT);
    eventually(stack.sandbox, "the past comes up to now", async || {
        let now = stack.must_child(DEPLOYMENT).await;
        let changes = history::since(stack.sandbox, &kinds::DEPLOYMENT, moment).await;
        let mut past: Vec<Value> = changes.into_iter().map(|(_, object)| object).collect();
        past.retain(|object| object["metadata"]["name"] == name);
        holds(
            past.iter().any(|object| version(object) == version(&now)),
            || format!("{} versions came", past.len()),
        )?;
        let count = |object: &Value| object["spec"]["replicas"].as_i64();
        Ok(past.iter().filter_map(count).collect())
    })
    .await
}

#[tokio::test]
async fn turned_on_at_five_pods_it_never_drops_below_five() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", replicas(5)).await;
    stack.ready().await;
    let start = history::now(&sandbox, &kinds::DEPLOYMENT).await;
    stack.change(autoscaling(2, 20)).await;
    stack.ready().await;
    let autoscaler = stack.must_child(AUTOSCALER).await;
    assert_eq!(autoscaler["spec"]["minReplicas"], json!(2));
    assert_eq!(autoscaler["spec"]["scaleTargetRef"]["name"], "shop-api");
    // What was asked for before is set aside; what is there is held until somebody takes it over.
    stack.change(json!({"api": {"replicas": 1}})).await;
    stack.ready().await;
    stack.reconcile_again().await;
    assert_eq!(owners(&stack).await, ["tpstack-operator"]);

    scale(&stack, 7).await;
    stack.reconcile_again().await;
    // Another write to the Deployment: a label that was stolen is put back.
    let instance = "app.kubernetes.io/instance";
    let stolen = json!({"metadata": {"labels": {instance: "stolen"}}});
    sandbox.merge(&kinds::DEPLOYMENT, "shop-api", stolen).await;
    eventually(&sandbox, "the label is put back", async || {
        let deployment = stack.must_child(DEPLOYMENT).await;
        let label = &deployment["metadata"]["labels"][instance];
        holds(label == "shop", || format!("it is {label}"))
    })
    .await;
    assert_eq!(owners(&stack).await, ["an-autoscaler"]);
    scale(&stack, 6).await;
    // The seventh pod takes a moment to go.
    eventually(&sandbox, "the status tells of six pods", async || {
        let status = stack.object().await["status"].clone();
        let told = (&status["summary"]["api"], &status["replicas"]);
        holds(told == (&json!("6/6"), &json!(6)), || format!("{told:?}"))
    })
    .await;
    stack.ready().await;
    stack.reconcile_again().await;
    let mut counts = counts(&stack, &start).await;
    counts.dedup();
    // Taking over writes nothing: where the past begins with 5, something else was written.
    let after = counts.strip_prefix(&[5]).unwrap_or(&counts);
    assert_eq!(after, [7, 6], "of {counts:?}");

    // Back in the hands of the spec, which had changed meanwhile.
    stack.change(json!({"api": {"autoscaling": null}})).await;
    sandbox.gone(&kinds::AUTOSCALER, "shop-api").await;
    stack.ready().await;
    assert_eq!(count(&stack).await, Some(1));
    assert_eq!(owners(&stack).await, ["tpstack-operator"]);
}

#[tokio::test]
async fn a_count_that_changes_in_the_middle_of_the_hand_over_is_not_taken_back() {
    let sandbox = Sandbox::shared().await;
    let names: Vec<String> = (0..4).map(|number| format!("shop-{number}")).collect();
    let stacks = join_all(names.iter().map(|name| sandbox.stack(name, replicas(5)))).await;
    for stack in &stacks {
        stack.applied([DEPLOYMENT].into_iter()).await;
    }
    let start = history::now(&sandbox, &kinds::DEPLOYMENT).await;
    join_all(stacks.iter().map(async |stack| {
        // Side by side with the runs that these changes start.
        tokio::join!(stack.change(autoscaling(2, 50)), async {
            for count in 6..=12 {
                scale(stack, count).await;
                stack
                    .annotate("example.org/touched", &count.to_string())
                    .await;
            }
        });
        stack.applied([AUTOSCALER].into_iter()).await;
        stack.reconcile_again().await;
    }))
    .await;
    for stack in &stacks {
        let counts = counts(stack, &start).await;
        // The first scale may come before autoscaling is on, and is taken back then. After that nothing is.
        let taken_back = counts.windows(2).filter(|pair| pair[1] < pair[0]).count();
        let last = counts.last();
        assert_eq!(last, Some(&12), "{}: {counts:?}", stack.name);
        assert!(counts.iter().all(|count| *count >= 5), "{counts:?}");
        assert!(taken_back <= 1, "{}: {counts:?}", stack.name);
    }
}

#[tokio::test]
async fn the_real_autoscaler_takes_over_and_then_all_is_quiet() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", replicas(2)).await;
    stack.ready().await;
    // Too few pods: Kubernetes' own controller raises them, though nothing is measured here.
    stack.change(autoscaling(4, 6)).await;
    counts_to(&stack, 4).await;
    stack.ready().await;
    stack.reconcile_again().await;
    assert_eq!(owners(&stack).await, ["kube-controller-manager"]);
    let children = || {
        kinds::CHILDREN
            .into_iter()
            .filter(|child| ![kinds::INGRESS_ROUTE, kinds::MIDDLEWARE].contains(&child.0))
    };
    // The status of four pods comes from Kubernetes' controllers, in their own time.
    let mut before = BTreeMap::new();
    eventually(&sandbox, "all has come to rest", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = stack.versions(children()).await;
        let last = std::mem::replace(&mut before, now);
        holds(last == before, || "something was still written".to_owned())
    })
    .await;
    stack.reconcile_again().await;
    assert_eq!(stack.versions(children()).await, before);
    // Its bounds are the spec's business, whoever turns them.
    let wider = json!({"spec": {"maxReplicas": 60}});
    sandbox.merge(&kinds::AUTOSCALER, "shop-api", wider).await;
    eventually(&sandbox, "its bound comes back", async || {
        let bound = stack.must_child(AUTOSCALER).await["spec"]["maxReplicas"].clone();
        holds(bound == 6, || format!("it is {bound}"))
    })
    .await;
}

#[tokio::test]
async fn a_new_stack_starts_with_the_least_number_of_pods() {
    let sandbox = Sandbox::shared().await;
    let start = history::now(&sandbox, &kinds::DEPLOYMENT).await;
    let mut spec = replicas(7);
    spec["api"]["autoscaling"] = json!({"minReplicas": 3, "maxReplicas": 9});
    let stack = sandbox.stack("shop", spec).await;
    stack.applied([DEPLOYMENT, AUTOSCALER].into_iter()).await;
    stack.reconcile_again().await;
    let counts = counts(&stack, &start).await;
    assert!(counts.iter().all(|count| *count == 3), "{counts:?}");
}

#[tokio::test]
async fn scaling_the_stack_meanwhile_is_harmless_and_holds_afterwards() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", replicas(3)).await;
    stack.ready().await;
    stack.change(autoscaling(2, 9)).await;
    stack.ready().await;
    let scale = ["scale", "tpstack/shop", "--replicas=8"];
    kubectl(
        &[&["--namespace", &sandbox.namespace], &scale[..]].concat(),
        "",
    );
    stack.ready().await;
    assert_eq!(count(&stack).await, Some(3));
    let told = stack
        .condition("ApiReady")
        .await
        .expect("it is told")
        .message;
    assert!(told.contains("HorizontalPodAutoscaler shop-api"), "{told}");
    stack.change(json!({"api": {"autoscaling": null}})).await;
    counts_to(&stack, 8).await;
}

#[tokio::test]
async fn an_autoscaler_that_cannot_work_is_refused_with_what_to_do() {
    let sandbox = Sandbox::ungranted().await;
    let scaled = |min: i32, max: i32, more: Value| {
        let mut spec = autoscaling(min, max);
        let api = spec["api"].as_object_mut().expect("an object");
        api.extend(more.as_object().expect("an object").clone());
        spec
    };
    let cases: &[Case] = &[
        (
            "shop",
            scaled(0, 2, json!({})),
            &[
                "spec.api.autoscaling.minReplicas",
                "greater than or equal to 1",
            ],
        ),
        (
            "shop",
            scaled(3, 2, json!({})),
            &[
                "minReplicas must not be larger than maxReplicas",
                "raise the other",
            ],
        ),
        (
            "shop",
            scaled(1, 101, json!({})),
            &[
                "spec.api.autoscaling.maxReplicas",
                "less than or equal to 100",
            ],
        ),
        (
            "shop",
            scaled(1, 2, json!({"resources": {"requests": {"memory": "32Mi"}}})),
            &["needs a request of CPU", "spec.api.resources.requests.cpu"],
        ),
        (
            "shop",
            json!({"api": {"autoscaling": {"minReplicas": 1, "maxReplicas": 2, "targetCPUUtilizationPercentage": 101}}}),
            &[
                "targetCPUUtilizationPercentage",
                "less than or equal to 100",
            ],
        ),
    ];
    let create = async |spec: &Value| {
        let stack = json!({"metadata": {"name": "shop"}, "spec": spec});
        sandbox.try_create(&kinds::TPSTACK, stack, true).await
    };
    for case in cases {
        refused(case, create(&case.1).await);
    }
    for more in [
        json!({}),
        json!({"resources": {"requests": {"cpu": "50m"}}}),
        json!({"resources": {"limits": {"cpu": 1}}}),
    ] {
        let stored = create(&scaled(1, 100, more)).await;
        let stored = stored.unwrap_or_else(|refused| panic!("{}", refused.message));
        let target = "/spec/api/autoscaling/targetCPUUtilizationPercentage";
        assert_eq!(stored.pointer(target), Some(&json!(80)));
    }
}
