//! For each field a value, and a spec in which it is another one.

mod ingress;
mod monitoring;
mod workload;

use serde_json::{Value, json};

/// A field given a value.
pub(super) struct Case {
    /// Which field, below `spec`.
    pub(super) path: &'static str,
    /// The spec before.
    pub(super) base: Value,
    /// The value of the field after.
    pub(super) value: Value,
    /// Other fields that have to go with it, such as the member that a mode asks for.
    pub(super) along: Vec<(&'static str, Value)>,
}

/// Fields that no child shows.
pub(super) fn told_by_the_status_alone() -> [&'static str; 2] {
    [
        // Nothing is written while it is true.
        "paused",
        // One value so far.
        "postgres.version",
    ]
}

/// A spec with every child there can be.
fn whole() -> Value {
    json!({
        "api": {"image": "registry.example.org/app:1"},
        "ingress": {"hosts": ["a.example.org"]},
        "monitoring": {"mode": "Enabled"},
    })
}

fn case(path: &'static str, base: Value, value: Value) -> Case {
    Case {
        path,
        base,
        value,
        along: Vec::new(),
    }
}

/// A case of a mode, which asks for a member.
fn mode(path: &'static str, base: Value, value: Value, member: &'static str, is: Value) -> Case {
    Case {
        along: vec![(member, is)],
        ..case(path, base, value)
    }
}

/// The cases of every part of the spec.
pub(super) fn all() -> Vec<Case> {
    [
        stack(),
        api(),
        workload::all(),
        ingress::all(),
        stores(),
        others(),
        monitoring::all(),
        network(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn stack() -> Vec<Case> {
    vec![
        case("paused", whole(), json!(true)),
        case("stopped", whole(), json!(true)),
        case("stopped", autoscaled(), json!(true)),
        case("deletionPolicy", whole(), json!("Delete")),
    ]
}

fn autoscaled() -> Value {
    json!({"api": {
        "resources": {"requests": {"cpu": "50m"}},
        "autoscaling": {"minReplicas": 2, "maxReplicas": 4},
    }})
}

fn api() -> Vec<Case> {
    vec![
        case("api.image", json!({}), json!("registry.example.org/app:2")),
        case("api.image", whole(), json!("registry.example.org/app:2")),
        case(
            "api.image",
            json!({"api": {"image": "registry.example.org/app:1", "migrate": {"command": ["app", "migrate"]}}}),
            json!("registry.example.org/app:2"),
        ),
        case("api.migrate.command", whole(), json!(["app", "migrate"])),
        case("api.replicas", whole(), json!(7)),
        case(
            "api.env",
            json!({}),
            json!([{"name": "LOG_LEVEL", "value": "debug"}]),
        ),
        case(
            "api.resources",
            json!({}),
            json!({"requests": {"cpu": "10m"}}),
        ),
        case("api.autoscaling.minReplicas", autoscaled(), json!(3)),
        case("api.autoscaling.maxReplicas", autoscaled(), json!(9)),
        case(
            "api.autoscaling.targetCPUUtilizationPercentage",
            autoscaled(),
            json!(60),
        ),
    ]
}

fn stores() -> Vec<Case> {
    vec![
        case("postgres.version", whole(), json!("16")),
        case("postgres.database", whole(), json!("shop")),
        case("postgres.storage.size", whole(), json!("7Gi")),
        case("postgres.storage.storageClassName", whole(), json!("fast")),
        case(
            "postgres.parameters",
            whole(),
            json!({"max_connections": "200"}),
        ),
        case(
            "postgres.resources",
            whole(),
            json!({"limits": {"memory": "1Gi"}}),
        ),
        case(
            "redis.resources",
            whole(),
            json!({"limits": {"memory": "1Gi"}}),
        ),
        case("redis.auth.mode", whole(), json!("None")),
        case("redis.auth.mode", json!({}), json!("None")),
        case("redis.auth.mode", closed(), json!("None")),
        case("redis.engine", whole(), json!("Disabled")),
        // The API of this release has a migration, with all that the API itself gets.
        case("redis.engine", json!({}), json!("Disabled")),
        case("redis.engine", closed(), json!("Disabled")),
        case("redis.maxMemory", whole(), json!("96Mi")),
        case("redis.persistence.mode", whole(), json!("None")),
        case("redis.persistence.size", whole(), json!("1Gi")),
    ]
}

/// Somebody else's store, by the name of its Secret.
fn secret(name: &str) -> Value {
    json!({"secretRef": {"name": name}})
}

fn others() -> Vec<Case> {
    let external = |store: &str, base: &Value| {
        let mut spec = base.clone();
        spec[store] = json!({"engine": "External", "external": secret("theirs")});
        spec
    };
    let mut cases = Vec::new();
    // With the image of this release there is a migration, which gets what the API gets.
    for base in [whole(), json!({}), closed()] {
        let postgres = external("postgres", &base);
        let redis = external("redis", &base);
        cases.extend([
            mode(
                "postgres.engine",
                base.clone(),
                json!("External"),
                "postgres.external",
                secret("theirs"),
            ),
            mode(
                "redis.engine",
                base,
                json!("External"),
                "redis.external",
                secret("theirs"),
            ),
            case(
                "postgres.external.secretRef.name",
                postgres.clone(),
                json!("other"),
            ),
            case("postgres.external.authority", postgres, json!("Secret")),
            case(
                "redis.external.secretRef.name",
                redis.clone(),
                json!("other"),
            ),
            case("redis.external.authority", redis, json!("Secret")),
        ]);
    }
    cases
}

/// A stack that is closed both ways.
fn closed() -> Value {
    let namespace = json!({"matchLabels": {"kubernetes.io/metadata.name": "a"}});
    json!({"network": {
        "isolation": "Strict",
        "strict": {
            "ingressNamespaces": namespace, "monitoringNamespaces": namespace,
            // Somebody else's store is reached by such a rule alone.
            "egress": [{"ports": [{"port": 443}]}],
        },
    }})
}

fn network() -> Vec<Case> {
    let strict = closed()["network"]["strict"].clone();
    let other = json!({"kubernetes.io/metadata.name": "b"});
    vec![
        case("network.isolation", whole(), json!("Disabled")),
        mode(
            "network.isolation",
            whole(),
            json!("Strict"),
            "network.strict",
            strict,
        ),
        case(
            "network.strict.ingressNamespaces.matchLabels",
            closed(),
            other.clone(),
        ),
        case(
            "network.strict.monitoringNamespaces.matchLabels",
            closed(),
            other,
        ),
        case(
            "network.strict.egress",
            closed(),
            json!([{"ports": [{"port": 25}]}]),
        ),
    ]
}
