use serde_json::{Value, json};

use super::validate;
use crate::crd::TpStack;

mod api;

fn stack(spec: &Value) -> TpStack {
    serde_json::from_value(json!({
        "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack",
        "metadata": {"name": "shop", "namespace": "team"}, "spec": spec,
    }))
    .unwrap()
}

fn refused(spec: &Value, field: &str) {
    let violations = validate(&stack(spec)).expect_err(&format!("{spec} must be refused"));
    assert!(
        violations.iter().any(|v| v.field.starts_with(field)),
        "{violations:?} names {field}"
    );
}

#[test]
fn an_empty_spec_is_a_working_stack() {
    let stack = validate(&stack(&json!({}))).unwrap();
    assert_eq!(
        (stack.name.as_str(), stack.namespace.as_str()),
        ("shop", "team")
    );
    assert_eq!(stack.api.replicas, 2);
    assert!(stack.ingress.is_none());
    assert_eq!(stack.postgres.size.as_str(), "1Gi");
    assert_eq!(stack.redis.unwrap().storage.unwrap().as_str(), "256Mi");
}

#[test]
fn each_broken_rule_of_the_edge_names_its_field() {
    for (field, value) in [
        ("tls", json!({"mode": "Resolver"})),
        ("tls", json!({"resolver": {"name": "x"}})),
        ("tls", json!({"mode": "CertManager"})),
        (
            "tls",
            json!({"mode": "Secret", "secret": {"name": "x"}, "resolver": {"name": "x"}}),
        ),
        (
            "metrics.allow",
            json!({"allow": [], "ipStrategy": {"depth": 0}}),
        ),
        (
            "metrics.allow",
            json!({"allow": ["::1", "::1"], "ipStrategy": {"depth": 0}}),
        ),
        (
            "metrics.allow",
            json!({"allow": ["shop.example.org"], "ipStrategy": {"depth": 0}}),
        ),
        (
            "metrics.ipStrategy.depth",
            json!({"allow": ["::1"], "ipStrategy": {"depth": 11}}),
        ),
        ("headers", json!({})),
        (
            "headers.hsts.maxAgeSeconds",
            json!({"hsts": {"maxAgeSeconds": 0}}),
        ),
        ("rateLimit.average", json!({"average": 0, "burst": 1})),
        ("rateLimit.burst", json!({"average": 1, "burst": 0})),
        (
            "rateLimit.period",
            json!({"average": 1, "burst": 1, "period": "1"}),
        ),
        ("inFlight.amount", json!({"amount": 0})),
        ("retry.attempts", json!({"attempts": 1})),
        (
            "retry.initialInterval",
            json!({"attempts": 2, "initialInterval": "1h"}),
        ),
        ("sticky.cookie.name", json!({"cookie": {"name": "session"}})),
        (
            "basicAuth.secretRef.name",
            json!({"secretRef": {"name": "A b"}}),
        ),
    ] {
        let group = field.split('.').next().unwrap();
        let mut spec = json!({"ingress": {"hosts": ["a"]}});
        spec["ingress"][group] = value;
        refused(&spec, &format!("spec.ingress.{field}"));
    }
}

#[test]
fn each_broken_rule_names_its_field() {
    refused(&json!({"api": {"replicas": -1}}), "spec.api.replicas");
    refused(&json!({"api": {"replicas": 101}}), "spec.api.replicas");
    refused(&json!({"api": {"image": "a b"}}), "spec.api.image");
    refused(
        &json!({"api": {"migrate": {"command": ["migrate"]}}}),
        "spec.api.migrate",
    );
    for command in [
        json!([]),
        json!([""]),
        json!(vec!["a"; 101]),
        json!(["a", "a".repeat(4097)]),
    ] {
        refused(
            &json!({"api": {"image": "a:1", "migrate": {"command": command}}}),
            "spec.api.migrate.command",
        );
    }
    for (autoscaling, field) in [
        (json!({"minReplicas": 0, "maxReplicas": 2}), "minReplicas"),
        (json!({"minReplicas": 3, "maxReplicas": 2}), "minReplicas"),
        (json!({"minReplicas": 1, "maxReplicas": 101}), "maxReplicas"),
        (
            json!({"minReplicas": 1, "maxReplicas": 2, "targetCPUUtilizationPercentage": 0}),
            "targetCPUUtilizationPercentage",
        ),
    ] {
        refused(
            &json!({"api": {"autoscaling": autoscaling}}),
            &format!("spec.api.autoscaling.{field}"),
        );
    }
    let autoscaling = json!({"minReplicas": 1, "maxReplicas": 2});
    refused(
        &json!({"api": {"autoscaling": autoscaling, "resources": {"requests": {"memory": "32Mi"}}}}),
        "spec.api.autoscaling",
    );
    refused(
        &json!({"api": {"env": [{"name": "DB_HOST", "value": "x"}]}}),
        "spec.api.env[DB_HOST]",
    );
    refused(
        &json!({"api": {"env": [{"name": "A"}, {"name": "A"}]}}),
        "spec.api.env[A]",
    );
    refused(&json!({"ingress": {"hosts": []}}), "spec.ingress.hosts");
    refused(
        &json!({"ingress": {"hosts": ["a`) || Host(`b"]}}),
        "spec.ingress.hosts",
    );
    refused(
        &json!({"ingress": {"hosts": ["UPPER.example.org"]}}),
        "spec.ingress.hosts",
    );
    refused(
        &json!({"ingress": {"hosts": ["a"], "tls": {"mode": "Secret"}}}),
        "spec.ingress.tls",
    );
    refused(
        &json!({"ingress": {"hosts": ["a"], "tls": {"secret": {"name": "x"}}}}),
        "spec.ingress.tls",
    );
    refused(
        &json!({"ingress": {"hosts": ["a"], "entryPoints": {"http": "a b"}}}),
        "spec.ingress.entryPoints.http",
    );
    refused(
        &json!({"postgres": {"version": "15"}}),
        "spec.postgres.version",
    );
    refused(
        &json!({"postgres": {"database": "Robert'); --"}}),
        "spec.postgres.database",
    );
    refused(
        &json!({"postgres": {"database": "template1"}}),
        "spec.postgres.database",
    );
    refused(
        &json!({"postgres": {"storage": {"size": "1.5Gi"}}}),
        "spec.postgres.storage.size",
    );
    refused(
        &json!({"redis": {"maxMemory": "lots"}}),
        "spec.redis.maxMemory",
    );
    refused(
        &json!({"redis": {"persistence": {"size": "0"}}}),
        "spec.redis.persistence.size",
    );
    refused(
        &json!({"monitoring": {"interval": "15"}}),
        "spec.monitoring.interval",
    );
    refused(
        &json!({"monitoring": {"labels": {"app.kubernetes.io/instance": "x"}}}),
        "spec.monitoring.labels",
    );
}

/// Found by comparing with the API server (`control_plane/agreement.rs`): one of the two used to be weaker.
#[test]
fn what_admission_refuses_is_refused_here_too() {
    refused(
        &json!({"ingress": {"hosts": ["a.example.org", "a.example.org"]}}),
        "spec.ingress.hosts",
    );
    for name in ["a..b", "A", "a_b"] {
        let tls = json!({"mode": "Secret", "secret": {"name": name}});
        refused(
            &json!({"ingress": {"hosts": ["a"], "tls": tls}}),
            "spec.ingress.tls.secret.name",
        );
    }
    for class in ["", "Fast", "a b", "a..b"] {
        refused(
            &json!({"postgres": {"storage": {"storageClassName": class}}}),
            "spec.postgres.storage.storageClassName",
        );
    }
    for labels in [
        json!({"": "x"}),
        json!({"a/b/c": "x"}),
        json!({"a": "-"}),
        json!({"a": "x".repeat(64)}),
    ] {
        refused(
            &json!({"monitoring": {"labels": labels}}),
            "spec.monitoring.labels",
        );
    }
    for image in ["", "a\u{a0}", "shöp", &"a".repeat(513)] {
        refused(&json!({"api": {"image": image}}), "spec.api.image");
    }
}

#[test]
fn an_environment_that_no_pod_could_have_is_refused() {
    let key = json!({"name": "mail", "key": "password"});
    for entry in [
        json!({"name": ""}),
        json!({"name": "1A"}),
        json!({"name": "A=B"}),
        json!({"name": "A".repeat(254)}),
        json!({"name": "A", "value": "", "valueFrom": {"secretKeyRef": key}}),
        json!({"name": "A", "valueFrom": {}}),
        json!({"name": "A", "valueFrom": {"secretKeyRef": key, "configMapKeyRef": key}}),
        json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "mail"}}}),
        json!({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "mail", "key": "a b"}}}),
        json!({"name": "A", "valueFrom": {"fieldRef": {}}}),
        json!({"name": "A", "valueFrom": {"resourceFieldRef": {"resource": ""}}}),
    ] {
        refused(&json!({"api": {"env": [entry]}}), "spec.api.env");
    }
    let entries = json!([
        {"name": "A", "value": ""},
        {"name": "B", "valueFrom": {"secretKeyRef": key}},
        {"name": "C", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "D", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": 1}}},
        {"name": "E"},
    ]);
    validate(&stack(&json!({"api": {"env": entries}}))).unwrap();
}

#[test]
fn amounts_that_are_none_and_devices_are_refused() {
    for (field, resources) in [
        ("limits", json!({"limits": {"cpu": "lots"}})),
        ("limits", json!({"limits": {"cpu": -1}})),
        ("requests", json!({"requests": {"memory": "-1Gi"}})),
        ("claims", json!({"claims": [{"name": "gpu"}]})),
    ] {
        refused(
            &json!({"api": {"resources": resources}}),
            &format!("spec.api.resources.{field}"),
        );
    }
    let sound =
        json!({"limits": {"cpu": 2, "memory": "1.5Gi"}, "requests": {"cpu": "50m"}, "claims": []});
    validate(&stack(&json!({"api": {"resources": sound}}))).unwrap();
}

#[test]
fn an_autoscaler_measures_against_what_is_requested_or_limited() {
    let autoscaling = json!({"minReplicas": 1, "maxReplicas": 100});
    for resources in [
        json!({"requests": {"cpu": "50m"}}),
        json!({"limits": {"cpu": "1"}}),
    ] {
        let spec = json!({"api": {"autoscaling": autoscaling, "resources": resources}});
        assert!(validate(&stack(&spec)).is_ok(), "{spec}");
    }
    let by_default = validate(&stack(&json!({"api": {"autoscaling": autoscaling}}))).unwrap();
    assert_eq!(by_default.api.autoscaling.unwrap().cpu_percentage, 80);
}

#[test]
fn every_broken_rule_is_told_at_once() {
    let violations = validate(&stack(
        &json!({"api": {"replicas": -1}, "monitoring": {"interval": "x"}}),
    ))
    .unwrap_err();
    assert_eq!(violations.len(), 2, "{violations:?}");
}

#[test]
fn names_that_children_cannot_carry_are_refused() {
    for name in ["", "a.b", "Shop", "1shop", "-a", "a-", &"a".repeat(41)] {
        let mut stack = stack(&json!({}));
        stack.metadata.name = Some(name.to_owned());
        assert!(validate(&stack).is_err(), "{name:?}");
    }
    let mut stack = stack(&json!({}));
    stack.metadata.name = Some("a".repeat(40));
    assert!(validate(&stack).is_ok());
}

#[test]
fn a_namespace_that_no_server_has_is_refused() {
    for namespace in ["", "Team", "a.b", "a\"b", "a/b", "-a", &"a".repeat(64)] {
        let mut stack = stack(&json!({}));
        stack.metadata.namespace = Some(namespace.to_owned());
        let violations = validate(&stack).unwrap_err();
        assert_eq!(violations[0].field, "metadata.namespace", "{namespace:?}");
    }
}
