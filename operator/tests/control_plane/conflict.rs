//! A name that somebody else's object already has: the object is left alone, the user is told, the rest is applied.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN, Child, Kind},
    masks::without_kubernetes,
    objects::{uid, version},
    sandbox::Sandbox,
    stack::everything_on,
    wait::{eventually, holds},
};

#[tokio::test]
async fn an_object_of_somebody_elses_at_each_childs_name_is_left_alone() {
    let sandbox = Sandbox::shared().await;
    let rounds: Vec<(String, Child)> = CHILDREN
        .into_iter()
        .enumerate()
        .map(|(number, child)| (format!("shop-{number}"), child))
        .collect();
    join_all(
        rounds
            .iter()
            .map(|(name, child)| meets_a_foreign_object(&sandbox, name, *child)),
    )
    .await;
}

async fn meets_a_foreign_object(sandbox: &Sandbox, stack: &str, child: Child) {
    let kind = child.0;
    let name = format!("{stack}-{}", child.1);
    sandbox.create(&kind, foreign(&kind, &name)).await;
    let before = quiet(sandbox, &kind, &name).await;

    let stack = sandbox.stack(stack, everything_on()).await;
    let message = stack.stalled("NameConflict").await;
    assert!(
        message.contains(&name) && message.contains(kind.kind),
        "which object? {message}"
    );
    stack.becomes("Ready", "False", "NameConflict").await;

    // What does not depend on it is there all the same.
    let component = child
        .1
        .split('-')
        .next()
        .expect("every name has a component");
    let others: Vec<Child> = if kind.is_kept() {
        CHILDREN
            .into_iter()
            .filter(|other| !other.1.starts_with(component))
            // Without Postgres nothing is migrated, and no API starts.
            .filter(|other| component != "postgres" || *other != (kinds::DEPLOYMENT, "api"))
            .collect()
    } else {
        CHILDREN
            .into_iter()
            .filter(|other| *other != child)
            .collect()
    };
    stack.applied(others.into_iter()).await;
    if kind.is_kept() {
        assert!(
            stack
                .child((kinds::STATEFUL_SET, component))
                .await
                .is_none(),
            "{component} was started on a foreign {}",
            kind.kind
        );
    }
    stack.reconcile_again().await;
    untouched(sandbox, &kind, &name, &before).await;

    stack.delete().await;
    // Once a child of ours is collected, the collector has dealt with this deletion.
    let sign = if child == (kinds::SERVICE, "redis") {
        kinds::CONFIG_MAP
    } else {
        kinds::SERVICE
    };
    sandbox.gone(&sign, &format!("{}-redis", stack.name)).await;
    untouched(sandbox, &kind, &name, &before).await;
}

#[tokio::test]
async fn a_conflict_that_is_resolved_heals_by_itself() {
    let sandbox = Sandbox::shared().await;
    for (number, kind) in [kinds::SERVICE, kinds::SECRET].into_iter().enumerate() {
        let child = CHILDREN
            .into_iter()
            .find(|(other, name)| *other == kind && name.starts_with("postgres"))
            .expect("it is listed");
        let name = format!("shop-{number}-{}", child.1);
        sandbox.create(&kind, foreign(&kind, &name)).await;
        let stack = sandbox
            .stack(&format!("shop-{number}"), everything_on())
            .await;
        stack.stalled("NameConflict").await;
        sandbox.destroy(&kind, &name).await;
        stack.becomes("Stalled", "False", "NotStalled").await;
        stack.applied(CHILDREN.into_iter()).await;
    }
}

#[tokio::test]
async fn a_child_of_another_controller_is_not_taken_though_it_wears_our_labels() {
    let sandbox = Sandbox::shared().await;
    let owner = sandbox
        .create(
            &kinds::CONFIG_MAP,
            json!({"metadata": {"name": "another-owner"}}),
        )
        .await;
    let mut service = foreign(&kinds::SERVICE, "shop-api");
    service["metadata"]["labels"] = labels("shop", "api");
    service["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": "another-owner", "uid": uid(&owner), "controller": true}]);
    let before = sandbox.create(&kinds::SERVICE, service).await;
    let stack = sandbox.stack("shop", everything_on()).await;
    let message = stack.stalled("NameConflict").await;
    assert!(message.contains("shop-api"), "{message}");
    stack.reconcile_again().await;
    assert_eq!(
        version(&sandbox.must_get(&kinds::SERVICE, "shop-api").await),
        version(&before)
    );
}

#[tokio::test]
async fn objects_that_only_wear_our_labels_survive_everything() {
    let sandbox = Sandbox::shared().await;
    let mut canaries = Vec::new();
    for (number, (kind, _)) in CHILDREN.into_iter().enumerate() {
        for component in ["api", "postgres", "redis"] {
            let name = format!("canary-{component}-{number}");
            let mut canary = foreign(&kind, &name);
            canary["metadata"]["labels"] = labels("shop", component);
            sandbox.create(&kind, canary).await;
            canaries.push((kind, name.clone(), quiet(&sandbox, &kind, &name).await));
        }
    }
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    for change in [
        json!({"redis": {"engine": "Disabled"}}),
        json!({"ingress": null, "monitoring": {"mode": "Disabled"}}),
        json!({"deletionPolicy": "Delete"}),
    ] {
        stack.change(change).await;
        stack.reconcile_again().await;
    }
    sandbox.gone(&kinds::STATEFUL_SET, "shop-redis").await;
    sandbox.gone(&kinds::INGRESS_ROUTE, "shop-api").await;
    stack.delete().await;
    sandbox.gone(&kinds::SERVICE, "shop-api").await;
    for (kind, name, before) in &canaries {
        untouched(&sandbox, kind, name, before).await;
    }
}

/// An object as Kubernetes' own controllers leave it.
async fn quiet(sandbox: &Sandbox, kind: &Kind, name: &str) -> Value {
    eventually(
        sandbox,
        &format!("Kubernetes has looked at {} {name}", kind.kind),
        async || {
            let object = sandbox.must_get(kind, name).await;
            let needs_a_look = [kinds::DEPLOYMENT, kinds::STATEFUL_SET].contains(kind);
            let seen = object.pointer("/status/observedGeneration")
                == object.pointer("/metadata/generation");
            holds(!needs_a_look || seen, || "it has not".to_owned())?;
            Ok(object)
        },
    )
    .await
}

async fn untouched(sandbox: &Sandbox, kind: &Kind, name: &str, before: &Value) {
    let now = sandbox.must_get(kind, name).await;
    if !kind.is_written_by_kubernetes() {
        assert_eq!(
            version(&now),
            version(before),
            "{} {name} was written to",
            kind.kind
        );
    }
    assert_eq!(
        without_kubernetes(now),
        without_kubernetes(before.clone()),
        "{} {name} is not as its owner left it",
        kind.kind
    );
}

fn labels(instance: &str, component: &str) -> Value {
    json!({
        "app.kubernetes.io/name": "tpstack",
        "app.kubernetes.io/instance": instance,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/managed-by": "tpstack-operator",
    })
}

/// An object as somebody else would make it: as little as the API takes.
fn foreign(kind: &Kind, name: &str) -> Value {
    let selector = json!({"matchLabels": {"app": name}});
    let template = json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": "example.org/theirs:1"}]}});
    let mut object = match kind.kind {
        "Service" => json!({"spec": {"ports": [{"port": 1}], "selector": {"app": name}}}),
        "Deployment" => {
            json!({"spec": {"replicas": 0, "selector": selector, "template": template}})
        }
        "StatefulSet" => {
            json!({"spec": {"replicas": 0, "serviceName": "theirs", "selector": selector, "template": template}})
        }
        "PodDisruptionBudget" => json!({"spec": {"maxUnavailable": 1, "selector": selector}}),
        "PersistentVolumeClaim" => {
            json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Mi"}}}})
        }
        "ConfigMap" => json!({"data": {"theirs": "yes"}}),
        "Secret" => json!({"stringData": {"theirs": "yes"}}),
        "NetworkPolicy" => json!({"spec": {"podSelector": selector}}),
        "IngressRoute" => json!({"spec": {"routes": []}}),
        "Middleware" => json!({"spec": {"compress": {}}}),
        "ServiceMonitor" => json!({"spec": {"endpoints": [], "selector": selector}}),
        "PrometheusRule" => json!({"spec": {}}),
        _ => json!({}),
    };
    object["metadata"] = json!({"name": name});
    object
}
