//! What users do: the scenarios that every fault is tried on.

use serde_json::{Value, json};

/// One scenario.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
}

/// What is done.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// A stack is made.
    Create(Before, Value),
    /// A settled stack is changed, there and back.
    Change(Value, Value),
    /// The volume grows, by one each time: there is no way back.
    Grow(Value),
}

/// What was before a creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing.
    Nothing,
    /// A stack of the same name, deleted, whose data was kept.
    Retained,
    /// The Deployment and the stores were refused for a while.
    Failed,
}

/// A spec whose image brings no migration, so that it costs few writes.
pub(crate) fn plain() -> Value {
    json!({"api": {"image": "registry.example.org/app:1"}, "monitoring": {"mode": "Disabled"}})
}

/// A spec with every child there can be.
pub(crate) fn full() -> Value {
    json!({
        "api": {
            "image": "registry.example.org/app:1", "replicas": 3, "migrate": {"command": ["app", "migrate"]},
            "env": [{"name": "CURRENCY", "value": "EUR"}],
        },
        "ingress": {"hosts": ["a.example.org", "b.example.org"]},
        "monitoring": {"mode": "Enabled", "labels": {"release": "prometheus"}},
    })
}

/// `plain` with a value at each of these places.
pub(crate) fn with(changes: &[(&str, Value)]) -> Value {
    let mut spec = plain();
    for (pointer, value) in changes {
        let mut place = &mut spec;
        for word in pointer.split('.') {
            place = &mut place[word];
        }
        *place = value.clone();
    }
    spec
}

/// Every scenario.
pub(crate) fn all() -> Vec<Scenario> {
    let hosts = |hosts: &[&str]| ("ingress", json!({"hosts": hosts}));
    let tls =
        json!({"hosts": ["a.example.org"], "tls": {"mode": "Secret", "secret": {"name": "a-tls"}}});
    let migrated = |tag: u32| {
        with(&[(
            "api",
            json!({"image": format!("registry.example.org/app:{tag}"), "migrate": {"command": ["app", "migrate"]}}),
        )])
    };
    let create = |name, before, spec| Scenario {
        name,
        shape: Shape::Create(before, spec),
    };
    let change = |name, from: Value, to: Value| Scenario {
        name,
        shape: Shape::Change(from, to),
    };
    vec![
        create("create-minimal", Before::Nothing, json!({})),
        create("create-full", Before::Nothing, full()),
        create("create-over-retained", Before::Retained, plain()),
        create("create-after-failure", Before::Failed, plain()),
        change(
            "env",
            plain(),
            with(&[("api.env", json!([{"name": "CURRENCY", "value": "EUR"}]))]),
        ),
        change("replicas", plain(), with(&[("api.replicas", json!(4))])),
        change("image", migrated(1), migrated(2)),
        change(
            "hosts",
            with(&[hosts(&["a.example.org"])]),
            with(&[hosts(&["a.example.org", "b.example.org"])]),
        ),
        change("ingress", plain(), with(&[hosts(&["a.example.org"])])),
        change(
            "tls",
            with(&[hosts(&["a.example.org"])]),
            with(&[("ingress", tls)]),
        ),
        change(
            "redis",
            plain(),
            with(&[("redis", json!({"engine": "Disabled"}))]),
        ),
        change(
            "redis-memory",
            plain(),
            with(&[("redis", json!({"maxMemory": "128Mi"}))]),
        ),
        change(
            "redis-persistence",
            plain(),
            with(&[("redis", json!({"persistence": {"mode": "None"}}))]),
        ),
        change(
            "monitoring",
            plain(),
            with(&[("monitoring", json!({"mode": "Enabled"}))]),
        ),
        change(
            "policy",
            plain(),
            with(&[("deletionPolicy", json!("Delete"))]),
        ),
        Scenario {
            name: "grow",
            shape: Shape::Grow(plain()),
        },
    ]
}

/// `spec` with a volume of that many gibibytes.
pub(crate) fn grown(spec: &Value, size: u32) -> Value {
    let mut spec = spec.clone();
    spec["postgres"]["storage"]["size"] = json!(format!("{size}Gi"));
    spec
}
