//! From a `TpStack` to its children, and to quiet.

use serde_json::{Value, json};

use crate::harness::{
    environment::{ENVIRONMENT, kubectl},
    kinds::{self, CHILDREN, Child},
    made::{made_in, names},
    masks::masked,
    objects::uid,
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

const MINIMAL: &str = "manifests/samples/minimal.yaml";
const POSTGRES_DATA: Child = (kinds::VOLUME_CLAIM, "postgres-data");

#[tokio::test]
async fn the_minimal_sample_applied_with_kubectl_becomes_ready_with_every_child() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let sample = ENVIRONMENT.repository.join(MINIMAL);
    let sample = sample.to_str().expect("the repository's path is text");
    kubectl(
        &[
            "apply",
            "--server-side",
            "--namespace",
            &sandbox.namespace,
            "-f",
            sample,
        ],
        "",
    );

    let stack = Stack::named(&sandbox, "minimal");
    stack.ready().await;
    let made: Vec<String> = made_in(&sandbox).await.into_keys().collect();
    assert_eq!(made, names("minimal", CHILDREN.into_iter()));

    let table = kubectl(&["get", "tps", "--namespace", &sandbox.namespace], "");
    let mut lines = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(
        lines.next().expect("a header"),
        [
            "NAME", "READY", "PHASE", "URL", "API", "POSTGRES", "REDIS", "AGE"
        ],
        "{table}"
    );
    let row = lines.next().expect("a row");
    assert_eq!(
        &row[..8],
        [
            "minimal",
            "True",
            "Running",
            "https://api.localhost",
            "2/2",
            "16",
            "BuiltIn",
            "BuiltIn"
        ],
        "{table}"
    );

    let waited = kubectl(
        &[
            "wait",
            "--for=condition=Ready",
            "--timeout=5s",
            "--namespace",
            &sandbox.namespace,
            "tpstack/minimal",
        ],
        "",
    );
    assert!(waited.contains("condition met"), "{waited}");
}

#[tokio::test]
async fn every_child_is_labelled_and_all_but_the_kept_ones_are_owned() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    let owner = stack.object().await["metadata"]["uid"].clone();
    for child in CHILDREN {
        let object = stack.must_child(child).await;
        let name = stack.name_of(child);
        let component = child
            .1
            .split('-')
            .next()
            .expect("every name has a component");
        for (label, value) in [
            ("name", "tpstack"),
            ("instance", "shop"),
            ("component", component),
            ("managed-by", "tpstack-operator"),
        ] {
            let label = format!("app.kubernetes.io/{label}");
            assert_eq!(
                object["metadata"]["labels"][&label],
                json!(value),
                "label {label} of {} {name}",
                child.0.kind
            );
        }
        let owners = object
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default();
        if child.0.is_kept() {
            assert_eq!(
                owners,
                Vec::<Value>::new(),
                "{} {name} must outlive its stack",
                child.0.kind
            );
            continue;
        }
        assert_eq!(owners.len(), 1, "{} {name} has {owners:?}", child.0.kind);
        assert_eq!(owners[0]["uid"], owner, "{} {name}", child.0.kind);
        assert_eq!(
            owners[0]["controller"],
            json!(true),
            "{} {name}",
            child.0.kind
        );
        assert_eq!(
            owners[0]["kind"],
            json!("TpStack"),
            "{} {name}",
            child.0.kind
        );
    }
}

#[tokio::test]
async fn a_second_reconcile_changes_nothing() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    let before = stack.versions(CHILDREN.into_iter()).await;
    stack.reconcile_again().await;
    stack.reconcile_again().await;
    assert_eq!(stack.versions(CHILDREN.into_iter()).await, before);
}

#[tokio::test]
async fn a_field_set_and_taken_back_leaves_no_trace() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    let before = stack
        .each(CHILDREN.into_iter(), |object| masked(object.clone()))
        .await;
    for (set, back) in [
        (
            json!({"api": {"env": [{"name": "SHOP_CURRENCY", "value": "EUR"}]}}),
            json!({"api": {"env": null}}),
        ),
        (
            json!({"api": {"resources": {"limits": {"cpu": "1"}}}}),
            json!({"api": {"resources": {"limits": {"cpu": null}}}}),
        ),
        (
            json!({"api": {"image": "registry.example.org/shop:1"}}),
            json!({"api": {"image": null}}),
        ),
        (
            json!({"redis": {"maxMemory": "128Mi"}}),
            json!({"redis": {"maxMemory": "64Mi"}}),
        ),
        (
            json!({"monitoring": {"labels": {"release": "x"}}}),
            json!({"monitoring": {"labels": null}}),
        ),
        (
            json!({"monitoring": {"relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}], "metricRelabelings": [{"action": "labeldrop", "regex": "a"}]}}),
            json!({"monitoring": {"relabelings": null, "metricRelabelings": null}}),
        ),
        (
            json!({"monitoring": {"rules": {"runbookBaseUrl": "https://wiki.example.org"}}}),
            json!({"monitoring": {"rules": {"runbookBaseUrl": ""}}}),
        ),
        (
            json!({"monitoring": {"rules": {"mode": "Disabled"}, "dashboards": {"mode": "Disabled"}}}),
            json!({"monitoring": {"rules": null, "dashboards": null}}),
        ),
        (
            json!({"monitoring": {"dashboards": {"labels": {"grafana_dashboard": null, "shown-by": "grafana"}}}}),
            json!({"monitoring": {"dashboards": null}}),
        ),
        (
            json!({"ingress": {"hosts": ["other.example.org"]}}),
            json!({"ingress": {"hosts": ["shop.example.org"]}}),
        ),
        (
            json!({"ingress": {"tls": {"mode": "Secret", "secret": {"name": "shop-tls"}}}}),
            json!({"ingress": {"tls": {"mode": "TraefikDefault", "secret": null}}}),
        ),
        (
            json!({"redis": {"engine": "Disabled"}}),
            json!({"redis": {"engine": "BuiltIn"}}),
        ),
        (
            json!({"ingress": null}),
            json!({"ingress": {"hosts": ["shop.example.org"]}}),
        ),
    ] {
        stack.change(set.clone()).await;
        eventually(&sandbox, &format!("{set} shows in a child"), async || {
            for child in CHILDREN {
                let key = format!("{}/{}", child.0.kind, stack.name_of(child));
                if stack.child(child).await.map(masked).as_ref() != before.get(&key) {
                    return Ok(());
                }
            }
            Err("every child is as before".to_owned())
        })
        .await;
        stack.change(back.clone()).await;
        stack.applied(CHILDREN.into_iter()).await;
        for child in CHILDREN {
            as_before(
                &stack,
                child,
                &before[&format!("{}/{}", child.0.kind, stack.name_of(child))],
                &back,
            )
            .await;
        }
    }
}

async fn as_before(stack: &Stack<'_>, child: Child, before: &Value, after: &Value) {
    eventually(
        stack.sandbox,
        &format!(
            "{} {} is as it was, after {after}",
            child.0.kind,
            stack.name_of(child)
        ),
        async || {
            let now = masked(stack.child(child).await.ok_or("it is not there")?);
            holds(now == *before, || {
                format!("it was {before}\nand is now {now}")
            })
        },
    )
    .await;
}

#[tokio::test]
async fn the_scale_subresource_reaches_the_deployment_and_back() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    kubectl(
        &[
            "scale",
            "--namespace",
            &sandbox.namespace,
            "tpstack/shop",
            "--replicas=3",
        ],
        "",
    );
    stack.ready().await;
    let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
    assert_eq!(deployment["spec"]["replicas"], json!(3));
    let scale = kubectl(
        &[
            "get",
            "--raw",
            &format!(
                "/apis/tpstack.dev/v1alpha1/namespaces/{}/tpstacks/shop/scale",
                sandbox.namespace
            ),
        ],
        "",
    );
    let scale: Value = serde_json::from_str(&scale).expect("a Scale is JSON");
    assert_eq!(scale["status"]["replicas"], json!(3), "{scale}");
    let selector = scale["status"]["selector"]
        .as_str()
        .expect("the scale has a selector");
    let pods = kubectl(
        &[
            "get",
            "pods",
            "--namespace",
            &sandbox.namespace,
            "-l",
            selector,
            "-o",
            "name",
        ],
        "",
    );
    assert_eq!(
        pods.lines().count(),
        3,
        "the selector {selector} should find the API's pods and no other: {pods}"
    );
}

#[tokio::test]
async fn a_volume_grows_when_its_stack_asks() {
    let sandbox = Sandbox::shared().await;
    let class = format!("grows-{}", sandbox.namespace);
    sandbox
        .create(
            &kinds::STORAGE_CLASS,
            json!({"metadata": {"name": class}, "provisioner": "example.org/none", "allowVolumeExpansion": true}),
        )
        .await;
    let stack = sandbox
        .stack(
            "shop",
            json!({"postgres": {"storage": {"storageClassName": class}}}),
        )
        .await;
    stack.applied([POSTGRES_DATA].into_iter()).await;
    let before = uid(&stack.must_child(POSTGRES_DATA).await);
    // What a provisioner makes for a claim; only a bound claim may grow.
    sandbox
        .create(
            &kinds::VOLUME,
            json!({"metadata": {"name": class}, "spec": {
                "storageClassName": class, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                "csi": {"driver": "example.org", "volumeHandle": class},
                "claimRef": {"namespace": sandbox.namespace, "name": "shop-postgres-data"},
            }}),
        )
        .await;
    eventually(&sandbox, "the claim is bound", async || {
        let phase = stack
            .must_child(POSTGRES_DATA)
            .await
            .pointer("/status/phase")
            .cloned();
        holds(phase == Some(json!("Bound")), || {
            format!("its phase is {phase:?}")
        })
    })
    .await;
    stack
        .change(json!({"postgres": {"storage": {"size": "3Gi"}}}))
        .await;
    eventually(&sandbox, "the claim asks for 3Gi", async || {
        let asked = stack
            .must_child(POSTGRES_DATA)
            .await
            .pointer("/spec/resources/requests/storage")
            .cloned();
        holds(asked == Some(json!("3Gi")), || {
            format!("it asks for {asked:?}")
        })
    })
    .await;
    assert_eq!(uid(&stack.must_child(POSTGRES_DATA).await), before);
}

#[tokio::test]
async fn a_volume_that_cannot_grow_says_so_and_holds_up_nothing_else() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let before = uid(&stack.must_child(POSTGRES_DATA).await);
    stack
        .change(json!({"postgres": {"storage": {"size": "3Gi"}}, "api": {"replicas": 3}}))
        .await;
    let postgres = stack.becomes("PostgresReady", "False", "ApplyFailed").await;
    assert!(
        postgres.message.contains("shop-postgres-data"),
        "which volume? {}",
        postgres.message
    );
    stack.becomes("ApiReady", "True", "Available").await;
    assert_eq!(
        stack.must_child((kinds::DEPLOYMENT, "api")).await["spec"]["replicas"],
        json!(3)
    );
    assert_eq!(uid(&stack.must_child(POSTGRES_DATA).await), before);
}
