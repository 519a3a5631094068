//! What a changed spec no longer asks for goes; nothing else does.

use serde_json::json;

use crate::harness::{
    kinds::{self, CHILDREN, Child, EDGE, Kind, replaceable},
    made::{made_in, names},
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

const REDIS_WORKLOAD: [Child; 4] = [
    (kinds::STATEFUL_SET, "redis"),
    (kinds::SERVICE, "redis"),
    (kinds::CONFIG_MAP, "redis"),
    (kinds::NETWORK_POLICY, "redis"),
];
const REDIS_DATA: [Child; 2] = [
    (kinds::VOLUME_CLAIM, "redis-data"),
    (kinds::SECRET, "redis-credentials"),
];
const ROUTES: [Child; 3] = [
    (kinds::INGRESS_ROUTE, "api"),
    (kinds::INGRESS_ROUTE, "api-redirect"),
    (kinds::MIDDLEWARE, "api-redirect"),
];

#[tokio::test]
async fn redis_disabled_loses_its_workload_and_keeps_its_data() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    let data = stack.uids(REDIS_DATA.into_iter()).await;
    let secret = stack.must_child(REDIS_DATA[1]).await["data"].clone();
    assert!(api_environment(&stack).await.contains("REDIS_HOST"));

    stack.change(json!({"redis": {"engine": "Disabled"}})).await;
    left_over(&stack, &REDIS_WORKLOAD).await;
    let redis = stack.becomes("RedisReady", "True", "Disabled").await;
    assert_eq!(redis.status, "True", "nothing is waited for");
    stack.ready().await;
    assert_eq!(
        stack.uids(REDIS_DATA.into_iter()).await,
        data,
        "the volume or the credentials were replaced"
    );
    assert!(
        !api_environment(&stack).await.contains("REDIS_"),
        "the API is still told of Redis"
    );

    stack.change(json!({"redis": {"engine": "BuiltIn"}})).await;
    stack.ready().await;
    assert_eq!(
        stack.uids(REDIS_DATA.into_iter()).await,
        data,
        "the kept data was not taken up again"
    );
    assert_eq!(stack.must_child(REDIS_DATA[1]).await["data"], secret);
    assert!(api_environment(&stack).await.contains("REDIS_HOST"));
}

#[tokio::test]
async fn a_route_taken_out_of_the_spec_is_removed() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    stack
        .change(json!({"ingress": {"redirectToHttps": false}}))
        .await;
    left_over(&stack, &ROUTES[1..]).await;
    stack.change(json!({"ingress": null})).await;
    left_over(&stack, &ROUTES).await;
    stack.becomes("IngressReady", "True", "NotConfigured").await;
    assert!(
        stack
            .object()
            .await
            .pointer("/status/endpoints/0")
            .is_none(),
        "the status still names a URL"
    );
}

#[tokio::test]
async fn what_is_taken_off_a_route_is_removed() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack
        .change(json!({"ingress": {
            "metrics": {"allow": ["192.0.2.0/24", "2001:db8::1"], "ipStrategy": {"depth": 0}},
            "headers": {"frameDeny": true},
            "rateLimit": {"average": 1, "burst": 1},
            "inFlight": {"amount": 1},
            "compress": true,
            "retry": {"attempts": 2},
            "sticky": {"cookie": {"name": "shop"}},
            "basicAuth": {"secretRef": {"name": "shop-users"}},
        }}))
        .await;
    stack.applied(CHILDREN.into_iter().chain(EDGE)).await;
    let route = stack.must_child((kinds::INGRESS_ROUTE, "api")).await;
    let steps = route["spec"]["routes"][0]["middlewares"]
        .as_array()
        .cloned();
    assert_eq!(steps.map(|steps| steps.len()), Some(6), "{route}");
    stack
        .change(json!({"ingress": {
            "metrics": null, "headers": null, "rateLimit": null, "inFlight": null, "compress": false, "retry": null,
            "sticky": null, "basicAuth": null,
        }}))
        .await;
    left_over(&stack, &[]).await;
    let route = stack.must_child((kinds::INGRESS_ROUTE, "api")).await;
    let route = &route["spec"]["routes"][0];
    assert!(
        route.get("middlewares").is_none() && route["services"][0].get("sticky").is_none(),
        "{route}"
    );
}

#[tokio::test]
async fn monitoring_disabled_removes_its_children_and_each_can_be_turned_off_alone() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    let monitor = (kinds::SERVICE_MONITOR, "api");
    let rules = (kinds::PROMETHEUS_RULE, "api");
    let dashboard = (kinds::CONFIG_MAP, "api-dashboard");
    for (change, gone) in [
        (json!({"rules": {"mode": "Disabled"}}), &[rules][..]),
        (
            json!({"dashboards": {"mode": "Disabled"}}),
            &[rules, dashboard],
        ),
        (json!({"rules": null, "dashboards": null}), &[]),
        (json!({"mode": "Disabled"}), &[monitor, rules, dashboard]),
    ] {
        stack.change(json!({"monitoring": change})).await;
        left_over(&stack, gone).await;
    }
    stack.becomes("MonitoringReady", "True", "Disabled").await;
}

/// Waits until the namespace holds every child but these.
async fn left_over(stack: &Stack<'_>, gone: &[Child]) {
    let expected = names(
        &stack.name,
        CHILDREN.into_iter().filter(|child| !gone.contains(child)),
    );
    eventually(
        stack.sandbox,
        &format!("all but {gone:?} are left"),
        async || {
            let left: Vec<String> = made_in(stack.sandbox).await.into_keys().collect();
            holds(left == expected, || format!("left are {left:?}"))
        },
    )
    .await;
}

async fn api_environment(stack: &Stack<'_>) -> String {
    let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
    deployment["spec"]["template"]["spec"]["containers"][0]["env"].to_string()
}

/// A former release may have made children that this one does not know by name.
#[tokio::test]
async fn a_child_that_is_not_wanted_any_more_goes_whatever_its_kind() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    let owner = stack.object().await["metadata"]["uid"].clone();
    let mut kinds: Vec<Kind> = Vec::new();
    for (kind, _) in replaceable() {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    for kind in &kinds {
        let mut body = smallest(kind);
        body["metadata"] = json!({
            "name": "shop-former",
            "labels": {
                "app.kubernetes.io/managed-by": "tpstack-operator",
                "app.kubernetes.io/instance": "shop",
                "app.kubernetes.io/component": "api",
            },
            "ownerReferences": [{
                "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "name": "shop", "uid": owner, "controller": true,
            }],
        });
        sandbox.create(kind, body).await;
    }
    for kind in &kinds {
        sandbox.gone(kind, "shop-former").await;
    }
    stack.applied(CHILDREN.into_iter()).await;
}

/// The smallest sound object of a kind.
fn smallest(kind: &Kind) -> serde_json::Value {
    let labels = json!({"app": "former"});
    let template = json!({
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "former", "image": "former:1"}]},
    });
    match kind.kind {
        "ServiceAccount" | "ConfigMap" => json!({}),
        "Service" => json!({"spec": {"ports": [{"port": 80}]}}),
        "Deployment" | "StatefulSet" => {
            json!({"spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}})
        }
        "PodDisruptionBudget" | "Middleware" | "PrometheusRule" => json!({"spec": {}}),
        "NetworkPolicy" => json!({"spec": {"podSelector": {"matchLabels": labels}}}),
        "IngressRoute" => json!({"spec": {"routes": []}}),
        "ServiceMonitor" => json!({"spec": {"selector": {}, "endpoints": []}}),
        other => panic!("how small can a {other} be?"),
    }
}
