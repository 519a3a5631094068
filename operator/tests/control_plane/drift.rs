//! What somebody else changes or deletes comes back; what they add of their own stays.

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN, Child, replaceable},
    masks::masked,
    objects::uid,
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

#[tokio::test]
async fn each_child_deleted_comes_back_as_it_was() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    for child in replaceable() {
        let name = stack.name_of(child);
        let before = stack.must_child(child).await;
        sandbox.delete(&child.0, &name).await;
        eventually(
            &sandbox,
            &format!("{} {name} is made again", child.0.kind),
            async || {
                let now = stack.child(child).await.ok_or("it is not there")?;
                holds(uid(&now) != uid(&before), || {
                    "it is not deleted yet".to_owned()
                })?;
                let (was, is) = (masked(before.clone()), masked(now));
                holds(was == is, || format!("it was {was}\nand is now {is}"))
            },
        )
        .await;
    }
}

#[tokio::test]
async fn all_children_deleted_at_once_come_back() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    let kept = stack.uids(kinds::kept()).await;
    let before = stack.uids(replaceable()).await;
    for child in replaceable() {
        sandbox.delete(&child.0, &stack.name_of(child)).await;
    }
    eventually(&sandbox, "every child is a new one", async || {
        for child in replaceable() {
            let now = stack
                .child(child)
                .await
                .ok_or_else(|| format!("{child:?} is not there"))?;
            let was = &before[&format!("{}/{}", child.0.kind, stack.name_of(child))];
            holds(uid(&now) != *was, || {
                format!("{child:?} is not deleted yet")
            })?;
        }
        Ok(())
    })
    .await;
    stack.ready().await;
    assert_eq!(
        stack.uids(kinds::kept()).await,
        kept,
        "volumes and credentials are none of this"
    );
}

#[tokio::test]
async fn labels_changed_on_each_child_come_back() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    for child in CHILDREN {
        heals(&stack, child, "labels", |object| {
            let labels = &mut object["metadata"]["labels"];
            labels["app.kubernetes.io/component"] = json!("stolen");
            remove(labels, "app.kubernetes.io/instance");
            remove(labels, "app.kubernetes.io/managed-by");
        })
        .await;
    }
}

#[tokio::test]
async fn the_owner_taken_off_each_child_comes_back() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    for child in replaceable() {
        heals(&stack, child, "ownerReferences", |object| {
            remove(&mut object["metadata"], "ownerReferences");
        })
        .await;
    }
}

#[tokio::test]
async fn each_owned_field_of_a_workload_changed_comes_back() {
    let image = "/spec/template/spec/containers/0/image";
    let api = (kinds::DEPLOYMENT, "api");
    fields_come_back(&[
        (api, image, json!("evil.example.org/api:1")),
        (
            api,
            "/spec/template/spec/containers/0/securityContext",
            json!({}),
        ),
        (
            api,
            "/spec/template/spec/serviceAccountName",
            json!("default"),
        ),
        (api, "/spec/replicas", json!(7)),
        (
            (kinds::STATEFUL_SET, "postgres"),
            image,
            json!("evil.example.org/postgres:1"),
        ),
        (
            (kinds::STATEFUL_SET, "postgres"),
            "/spec/replicas",
            json!(3),
        ),
        (
            (kinds::STATEFUL_SET, "redis"),
            image,
            json!("evil.example.org/redis:1"),
        ),
        ((kinds::STATEFUL_SET, "redis"), "/spec/replicas", json!(0)),
    ])
    .await;
}

#[tokio::test]
async fn a_port_that_somebody_renumbered_comes_back() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    for name in ["api", "postgres", "redis"] {
        heals(&stack, (kinds::SERVICE, name), "spec.ports", |object| {
            object["spec"]["ports"][0]["port"] = json!(4321);
        })
        .await;
    }
}

#[tokio::test]
async fn each_owned_field_on_the_way_to_the_pods_changed_comes_back() {
    let stolen = json!({"app.kubernetes.io/component": "stolen"});
    let (route, redirect) = (
        (kinds::INGRESS_ROUTE, "api"),
        (kinds::INGRESS_ROUTE, "api-redirect"),
    );
    fields_come_back(&[
        ((kinds::SERVICE, "api"), "/spec/selector", stolen.clone()),
        (
            (kinds::SERVICE, "api"),
            "/spec/ports/0/targetPort",
            json!(1),
        ),
        (
            (kinds::SERVICE, "postgres"),
            "/spec/selector",
            stolen.clone(),
        ),
        (
            (kinds::SERVICE, "postgres"),
            "/spec/ports/0/targetPort",
            json!(1),
        ),
        ((kinds::SERVICE, "redis"), "/spec/selector", stolen.clone()),
        (
            (kinds::SERVICE, "redis"),
            "/spec/ports/0/targetPort",
            json!(1),
        ),
        (
            (kinds::DISRUPTION_BUDGET, "api"),
            "/spec/selector/matchLabels",
            stolen.clone(),
        ),
        (
            (kinds::NETWORK_POLICY, "postgres"),
            "/spec/podSelector/matchLabels",
            stolen.clone(),
        ),
        (
            (kinds::NETWORK_POLICY, "postgres"),
            "/spec/ingress",
            json!([{}]),
        ),
        (
            (kinds::NETWORK_POLICY, "redis"),
            "/spec/policyTypes",
            json!(["Egress"]),
        ),
        (
            route,
            "/spec/routes/0/match",
            json!("PathPrefix(`/metrics`)"),
        ),
        (route, "/spec/entryPoints", json!(["traefik"])),
        (redirect, "/spec/routes/0/match", json!("PathPrefix(`/`)")),
        (
            (kinds::MIDDLEWARE, "api-redirect"),
            "/spec/redirectScheme/scheme",
            json!("gopher"),
        ),
        (
            (kinds::SERVICE_MONITOR, "api"),
            "/spec/endpoints/0/path",
            json!("/evil"),
        ),
        (
            (kinds::SERVICE_MONITOR, "api"),
            "/spec/selector/matchLabels",
            stolen,
        ),
    ])
    .await;
}

async fn fields_come_back(changes: &[(Child, &str, Value)]) {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    for (child, path, value) in changes {
        heals(&stack, *child, path, |object| {
            let field = object.pointer_mut(path);
            *field.unwrap_or_else(|| {
                panic!(
                    "{} {} has no {path}: mend this table",
                    child.0.kind, child.1
                )
            }) = value.clone();
        })
        .await;
    }
}

#[tokio::test]
async fn a_config_map_changed_comes_back() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    for child in CHILDREN
        .into_iter()
        .filter(|(kind, _)| *kind == kinds::CONFIG_MAP)
    {
        let data = stack.must_child(child).await["data"]
            .as_object()
            .expect("a ConfigMap has data")
            .clone();
        for key in data.keys() {
            heals(&stack, child, key, |object| {
                object["data"][key] = json!("# nothing to see here");
            })
            .await;
            heals(&stack, child, key, |object| {
                remove(&mut object["data"], key);
            })
            .await;
        }
    }
}

#[tokio::test]
async fn the_marks_of_written_data_come_back() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    for child in kinds::kept() {
        let name = stack.name_of(child);
        let marks = stack.must_child(child).await["metadata"]["annotations"].clone();
        assert_eq!(
            marks["tpstack.dev/initialized"],
            json!("true"),
            "{} {name} is not marked",
            child.0.kind
        );
        heals(&stack, child, "the mark", |object| {
            remove(
                &mut object["metadata"]["annotations"],
                "tpstack.dev/initialized",
            );
        })
        .await;
    }
}

#[tokio::test]
async fn what_others_add_to_a_child_is_kept() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.applied(CHILDREN.into_iter()).await;
    for child in CHILDREN {
        let foreign = json!({"metadata": {
            "annotations": {"example.org/note": "mine"},
            "labels": {"example.org/team": "shop"},
        }});
        sandbox
            .merge(&child.0, &stack.name_of(child), foreign)
            .await;
    }
    // What `kubectl rollout restart` does, and a port of somebody's own.
    let restarted = json!({"spec": {"template": {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}}}}});
    sandbox
        .merge(&kinds::DEPLOYMENT, "shop-api", restarted)
        .await;
    sandbox
        .edit(&kinds::SERVICE, "shop-api", |service| {
            let ports = service["spec"]["ports"]
                .as_array_mut()
                .expect("a Service has ports");
            ports.push(
                json!({"name": "debug", "port": 9999, "protocol": "TCP", "targetPort": 9999}),
            );
        })
        .await;
    // Every child is written again, since each has an owned field to heal.
    for child in CHILDREN {
        heals(&stack, child, "labels", |object| {
            object["metadata"]["labels"]["app.kubernetes.io/name"] = json!("stolen");
        })
        .await;
    }
    stack.reconcile_again().await;
    for child in CHILDREN {
        let object = stack.must_child(child).await;
        let name = stack.name_of(child);
        assert_eq!(
            object["metadata"]["annotations"]["example.org/note"],
            json!("mine"),
            "{} {name}",
            child.0.kind
        );
        assert_eq!(
            object["metadata"]["labels"]["example.org/team"],
            json!("shop"),
            "{} {name}",
            child.0.kind
        );
    }
    let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
    let annotations = &deployment["spec"]["template"]["metadata"]["annotations"];
    assert_eq!(
        annotations["kubectl.kubernetes.io/restartedAt"],
        json!("2026-01-01T00:00:00Z")
    );
    let service = stack.must_child((kinds::SERVICE, "api")).await;
    let ports: Vec<&Value> = service["spec"]["ports"]
        .as_array()
        .expect("a Service has ports")
        .iter()
        .map(|port| &port["name"])
        .collect();
    assert!(
        ports.contains(&&json!("debug")),
        "the added port is gone: {ports:?}"
    );
}

/// Changes a child, and waits until it is again as it was.
async fn heals(stack: &Stack<'_>, child: Child, what: &str, change: impl Fn(&mut Value)) {
    let name = stack.name_of(child);
    let before = stack.must_child(child).await;
    let changed = stack.sandbox.edit(&child.0, &name, change).await;
    assert_ne!(
        masked(changed.clone()),
        masked(before.clone()),
        "the change of {what} did not reach {} {name}, or was the value it had: mend this test",
        child.0.kind
    );
    eventually(
        stack.sandbox,
        &format!("{what} of {} {name} heals", child.0.kind),
        async || {
            let now = stack.child(child).await.ok_or("it is not there")?;
            holds(uid(&now) == uid(&before), || "it was replaced".to_owned())?;
            let (was, is) = (masked(before.clone()), masked(now));
            holds(was == is, || format!("it was {was}\nand is now {is}"))
        },
    )
    .await;
}

fn remove(object: &mut Value, key: &str) {
    if let Some(object) = object.as_object_mut() {
        object.remove(key);
    }
}
