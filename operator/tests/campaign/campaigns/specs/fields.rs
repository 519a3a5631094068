//! Every field of the spec with another value.

use serde_json::{Value, json};

/// A field and the other value.
type Field = (&'static str, Value);

pub(super) fn all() -> Vec<Field> {
    [of_api(), of_ingress(), of_stores(), of_surroundings()].concat()
}

fn of_api() -> Vec<Field> {
    vec![
        ("deletionPolicy", json!("Delete")),
        ("api.image", json!("registry.example.org/app:2")),
        ("api.migrate", json!({"command": ["app", "migrate"]})),
        ("api.replicas", json!(0)),
        ("api.replicas", json!(7)),
        ("api.env", json!([{"name": "A", "value": "1"}])),
        (
            "api.env",
            json!([{"name": "B", "valueFrom": {"secretKeyRef": {"name": "mail", "key": "password"}}}]),
        ),
        (
            "api.env",
            json!([{"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]),
        ),
        ("api.imagePullPolicy", json!("Always")),
        ("api.imagePullSecrets", json!([{"name": "registry"}])),
        ("api.command", json!(["app", "serve"])),
        ("api.args", json!(["--quiet"])),
        ("api.port", json!(8080)),
        ("api.credentials", json!({"mode": "File"})),
        ("api.credentials", json!({"mode": "Env"})),
        (
            "api.envFrom",
            json!([{"configMapRef": {"name": "settings", "optional": true}}, {"prefix": "MAIL_", "secretRef": {"name": "mail"}}]),
        ),
        (
            "api.probes",
            json!({"liveness": {"path": "/live", "initialDelaySeconds": 5}, "readiness": {"periodSeconds": 9}}),
        ),
        ("api.probes", json!({"startup": {"failureThreshold": 9}})),
        ("api.disruptionBudget", json!({"maxUnavailable": 0})),
        ("api.disruptionBudget", json!({"maxUnavailable": "50%"})),
        (
            "api.scheduling",
            json!({
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "web", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
                "priorityClassName": "system-cluster-critical",
            }),
        ),
        ("api.scheduling", json!({"affinity": affinity()})),
        (
            "api.scheduling",
            json!({"topologySpreadConstraints": [
                {"topologyKey": "rack", "maxSkew": 2, "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2},
                {"topologyKey": "rack", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"},
            ]}),
        ),
        (
            "api.resources",
            json!({"limits": {"cpu": "1", "memory": "1Gi"}}),
        ),
        ("api.resources", json!({"requests": {"cpu": "10m"}})),
    ]
}

fn of_ingress() -> Vec<Field> {
    let ingress = |more: Value| {
        let mut ingress = json!({"hosts": ["a.example.org"]});
        for (key, value) in more.as_object().into_iter().flatten() {
            ingress[key] = value.clone();
        }
        ingress
    };
    vec![
        ("ingress", ingress(json!({}))),
        (
            "ingress",
            ingress(json!({"hosts": ["b.example.org", "c.example.org"]})),
        ),
        (
            "ingress",
            ingress(json!({"entryPoints": {"http": "http", "https": "https"}})),
        ),
        ("ingress", ingress(json!({"redirectToHttps": false}))),
        (
            "ingress",
            ingress(json!({"tls": {"mode": "Secret", "secret": {"name": "a-tls"}}})),
        ),
        (
            "ingress",
            ingress(json!({"tls": {"mode": "Resolver", "resolver": {"name": "a"}}})),
        ),
        (
            "ingress",
            ingress(
                json!({"tls": {"mode": "CertManager", "certManager": {"issuerRef": {"name": "a"}}}}),
            ),
        ),
        (
            "ingress",
            ingress(
                json!({"metrics": {"allow": ["192.0.2.1", "::1"], "ipStrategy": {"depth": 1}}}),
            ),
        ),
        (
            "ingress",
            ingress(json!({
                "headers": {"hsts": {"maxAgeSeconds": 60}}, "rateLimit": {"average": 1, "burst": 2}, "compress": true,
                "sticky": {"cookie": {"name": "a"}},
            })),
        ),
        (
            "ingress",
            ingress(json!({
                "headers": {"frameDeny": true}, "inFlight": {"amount": 3}, "retry": {"attempts": 2},
                "basicAuth": {"secretRef": {"name": "a"}},
            })),
        ),
    ]
}

fn of_stores() -> Vec<Field> {
    vec![
        ("redis", json!({"engine": "Disabled"})),
        (
            "postgres",
            json!({"parameters": {"max_connections": "200"}}),
        ),
        (
            "postgres",
            json!({"resources": {"limits": {"memory": "1Gi"}}}),
        ),
        ("redis", json!({"auth": {"mode": "None"}})),
        ("redis", json!({"resources": {"limits": {"memory": "1Gi"}}})),
        ("redis", json!({"maxMemory": "96Mi"})),
        ("redis", json!({"persistence": {"mode": "None"}})),
    ]
}

fn of_surroundings() -> Vec<Field> {
    vec![
        ("monitoring", json!({"mode": "Auto"})),
        ("monitoring", json!({"mode": "Enabled"})),
        (
            "monitoring",
            json!({"mode": "Enabled", "labels": {"release": "prometheus"}}),
        ),
        ("monitoring", json!({"mode": "Enabled", "interval": "1m"})),
        (
            "monitoring",
            json!({
                "mode": "Enabled",
                "relabelings": [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}],
                "metricRelabelings": [{"action": "drop", "sourceLabels": ["__name__"], "regex": "app_http_.*"}],
            }),
        ),
        (
            "monitoring",
            json!({"rules": {"mode": "Disabled"}, "dashboards": {"labels": {"shown-by": "grafana"}}}),
        ),
        (
            "monitoring",
            json!({"rules": {"runbookBaseUrl": "https://a"}, "dashboards": {"mode": "Disabled"}}),
        ),
        ("network", json!({"isolation": "Disabled"})),
        ("network", strict(&json!([]))),
        (
            "network",
            strict(
                &json!([{"ports": [{"port": 443}]}, {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]}]),
            ),
        ),
    ]
}

/// A network that is closed both ways, but for these rules.
pub(in super::super) fn strict(egress: &Value) -> Value {
    let named = |name: &str| json!({"matchLabels": {"kubernetes.io/metadata.name": name}});
    json!({"isolation": "Strict", "strict": {
        "ingressNamespaces": named("traefik"), "monitoringNamespaces": named("monitoring"), "egress": egress,
    }})
}

/// Nodes and neighbours, wanted and required.
fn affinity() -> Value {
    let term = json!({"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}});
    json!({
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}],
            },
        },
        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]},
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 7, "podAffinityTerm": term}],
        },
    })
}
