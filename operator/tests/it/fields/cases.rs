//! For each field a value, and a spec in which it is another one.

mod ingress;

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
        workload(),
        probes(),
        scheduling(),
        autoscaling(),
        ingress::all(),
        stores(),
        others(),
        monitoring(),
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

/// A spec whose image and its migration get all that an image can be given.
fn migrated() -> Value {
    json!({"api": {"image": "registry.example.org/app:1", "migrate": {"command": ["app", "migrate"]}}})
}

/// What a container is given and started with.
fn workload() -> Vec<Case> {
    vec![
        case("api.imagePullPolicy", migrated(), json!("Always")),
        case("api.imagePullSecrets[].name", migrated(), json!("registry")),
        case("api.command", migrated(), json!(["app"])),
        case("api.args", migrated(), json!(["--quiet"])),
        case("api.port", migrated(), json!(8080)),
        case("api.port", closed(), json!(8080)),
        case("api.credentials.mode", migrated(), json!("File")),
        case("api.credentials.mode", json!({}), json!("Env")),
        case(
            "api.envFrom",
            migrated(),
            json!([{"secretRef": {"name": "mail"}}]),
        ),
        case("api.disruptionBudget.maxUnavailable", whole(), json!("50%")),
    ]
}

fn probes() -> Vec<Case> {
    let mut cases = Vec::new();
    for (paths, value) in [
        (
            [
                "api.probes.liveness.path",
                "api.probes.readiness.path",
                "api.probes.startup.path",
            ],
            json!("/other"),
        ),
        (
            [
                "api.probes.liveness.initialDelaySeconds",
                "api.probes.readiness.initialDelaySeconds",
                "api.probes.startup.initialDelaySeconds",
            ],
            json!(77),
        ),
        (
            [
                "api.probes.liveness.periodSeconds",
                "api.probes.readiness.periodSeconds",
                "api.probes.startup.periodSeconds",
            ],
            json!(77),
        ),
        (
            [
                "api.probes.liveness.timeoutSeconds",
                "api.probes.readiness.timeoutSeconds",
                "api.probes.startup.timeoutSeconds",
            ],
            json!(77),
        ),
        (
            [
                "api.probes.liveness.failureThreshold",
                "api.probes.readiness.failureThreshold",
                "api.probes.startup.failureThreshold",
            ],
            json!(77),
        ),
    ] {
        cases.extend(paths.map(|path| case(path, whole(), value.clone())));
    }
    cases
}

fn scheduling() -> Vec<Case> {
    let nodes = json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 1, "preference": {"matchExpressions": [{"key": "disk", "operator": "Exists"}]}},
    ]}});
    vec![
        case(
            "api.scheduling.nodeSelector",
            migrated(),
            json!({"disk": "ssd"}),
        ),
        case(
            "api.scheduling.tolerations",
            migrated(),
            json!([{"key": "web"}]),
        ),
        case("api.scheduling.affinity", migrated(), nodes),
        case(
            "api.scheduling.topologySpreadConstraints",
            migrated(),
            json!([{"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]),
        ),
        case(
            "api.scheduling.priorityClassName",
            migrated(),
            json!("critical"),
        ),
    ]
}

fn autoscaling() -> Vec<Case> {
    let mut scaled = autoscaled();
    scaled["api"]["resources"]["requests"]["memory"] = json!("32Mi");
    let policy = json!([{"type": "Pods", "value": 1, "periodSeconds": 60}]);
    scaled["api"]["autoscaling"]["behavior"] =
        json!({"scaleUp": {"policies": policy}, "scaleDown": {"policies": policy}});
    let mut cases = vec![case(
        "api.autoscaling.targetMemoryUtilizationPercentage",
        scaled.clone(),
        json!(77),
    )];
    for (paths, value) in [
        (
            [
                "api.autoscaling.behavior.scaleUp.stabilizationWindowSeconds",
                "api.autoscaling.behavior.scaleDown.stabilizationWindowSeconds",
            ],
            json!(77),
        ),
        (
            [
                "api.autoscaling.behavior.scaleUp.selectPolicy",
                "api.autoscaling.behavior.scaleDown.selectPolicy",
            ],
            json!("Disabled"),
        ),
        (
            [
                "api.autoscaling.behavior.scaleUp.policies[].type",
                "api.autoscaling.behavior.scaleDown.policies[].type",
            ],
            json!("Percent"),
        ),
        (
            [
                "api.autoscaling.behavior.scaleUp.policies[].value",
                "api.autoscaling.behavior.scaleDown.policies[].value",
            ],
            json!(77),
        ),
        (
            [
                "api.autoscaling.behavior.scaleUp.policies[].periodSeconds",
                "api.autoscaling.behavior.scaleDown.policies[].periodSeconds",
            ],
            json!(77),
        ),
    ] {
        cases.extend(paths.map(|path| case(path, scaled.clone(), value.clone())));
    }
    cases
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

fn monitoring() -> Vec<Case> {
    vec![
        case("monitoring.mode", whole(), json!("Disabled")),
        case(
            "monitoring.labels",
            whole(),
            json!({"release": "prometheus"}),
        ),
        case("monitoring.interval", whole(), json!("1m")),
        case("monitoring.rules.mode", whole(), json!("Disabled")),
        case(
            "monitoring.relabelings[].action",
            json!({"monitoring": {"mode": "Enabled", "relabelings": [{"action": "keep", "sourceLabels": ["a"]}]}}),
            json!("drop"),
        ),
        case(
            "monitoring.relabelings[].sourceLabels",
            json!({"monitoring": {"mode": "Enabled", "relabelings": [{"targetLabel": "a"}]}}),
            json!(["b"]),
        ),
        case(
            "monitoring.relabelings[].separator",
            json!({"monitoring": {"mode": "Enabled", "relabelings": [{"targetLabel": "a"}]}}),
            json!("/"),
        ),
        case(
            "monitoring.relabelings[].regex",
            json!({"monitoring": {"mode": "Enabled", "relabelings": [{"targetLabel": "a"}]}}),
            json!("b.*"),
        ),
        case(
            "monitoring.relabelings[].targetLabel",
            json!({"monitoring": {"mode": "Enabled", "relabelings": [{"targetLabel": "a"}]}}),
            json!("b"),
        ),
        case(
            "monitoring.relabelings[].replacement",
            json!({"monitoring": {"mode": "Enabled", "relabelings": [{"targetLabel": "a"}]}}),
            json!("b"),
        ),
        case(
            "monitoring.relabelings[].modulus",
            json!({"monitoring": {"mode": "Enabled", "relabelings": [{"action": "hashmod", "targetLabel": "a", "modulus": 2}]}}),
            json!(3),
        ),
        case(
            "monitoring.metricRelabelings[].action",
            json!({"monitoring": {"mode": "Enabled", "metricRelabelings": [{"action": "keep", "sourceLabels": ["a"]}]}}),
            json!("drop"),
        ),
        case(
            "monitoring.metricRelabelings[].sourceLabels",
            json!({"monitoring": {"mode": "Enabled", "metricRelabelings": [{"targetLabel": "a"}]}}),
            json!(["b"]),
        ),
        case(
            "monitoring.metricRelabelings[].separator",
            json!({"monitoring": {"mode": "Enabled", "metricRelabelings": [{"targetLabel": "a"}]}}),
            json!("/"),
        ),
        case(
            "monitoring.metricRelabelings[].regex",
            json!({"monitoring": {"mode": "Enabled", "metricRelabelings": [{"targetLabel": "a"}]}}),
            json!("b.*"),
        ),
        case(
            "monitoring.metricRelabelings[].targetLabel",
            json!({"monitoring": {"mode": "Enabled", "metricRelabelings": [{"targetLabel": "a"}]}}),
            json!("b"),
        ),
        case(
            "monitoring.metricRelabelings[].replacement",
            json!({"monitoring": {"mode": "Enabled", "metricRelabelings": [{"targetLabel": "a"}]}}),
            json!("b"),
        ),
        case(
            "monitoring.metricRelabelings[].modulus",
            json!({"monitoring": {"mode": "Enabled", "metricRelabelings": [{"action": "hashmod", "targetLabel": "a", "modulus": 2}]}}),
            json!(3),
        ),
        case(
            "monitoring.rules.runbookBaseUrl",
            whole(),
            json!("https://wiki.example.org/runbooks"),
        ),
        case("monitoring.dashboards.mode", whole(), json!("Disabled")),
        case(
            "monitoring.dashboards.labels",
            whole(),
            json!({"shown-by": "grafana"}),
        ),
    ]
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
