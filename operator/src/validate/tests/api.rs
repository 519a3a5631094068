//! Rules of `spec.api` that came with the workload's own fields.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use super::{refused, stack};
use crate::crd::CredentialsMode;
use crate::validate::{Api, validate};

fn api(spec: &Value) -> Api {
    validate(&stack(&json!({"api": spec}))).unwrap().api
}

fn refuses(spec: &Value, field: &str) {
    refused(&json!({"api": spec}), &format!("spec.api.{field}"));
}

#[test]
fn what_a_container_is_started_with_belongs_to_an_image_of_the_users() {
    refuses(&json!({"command": ["shop"]}), "command");
    refuses(&json!({"args": ["--quiet"]}), "args");
    api(&json!({"command": [], "args": []}));
    let started = api(&json!({"image": "a:1", "command": ["shop"], "args": ["", "--quiet"]}));
    assert_eq!(started.command, ["shop"]);
    for line in [
        json!([""]),
        json!(vec!["a"; 101]),
        json!(["a".repeat(4097)]),
    ] {
        refuses(&json!({"image": "a:1", "command": line}), "command");
    }
    refuses(&json!({"image": "a:1", "args": vec!["a"; 101]}), "args");
}

#[test]
fn passwords_come_as_the_image_wants_them_unless_the_spec_says_how() {
    for (spec, mode) in [
        (json!({}), CredentialsMode::File),
        (json!({"credentials": {}}), CredentialsMode::File),
        (
            json!({"credentials": {"mode": "Env"}}),
            CredentialsMode::Env,
        ),
        (json!({"image": "a:1"}), CredentialsMode::Env),
        (
            json!({"image": "a:1", "credentials": {"mode": "File"}}),
            CredentialsMode::File,
        ),
    ] {
        assert_eq!(api(&spec).credentials, mode, "{spec}");
    }
}

#[test]
fn probes_are_those_of_the_contract_where_nothing_else_is_said() {
    let own = api(&json!({})).probes;
    assert_eq!(own.liveness.path, "/health");
    assert_eq!(own.readiness.path, "/health/ready");
    assert_eq!(own.startup.path, "/health");
    let foreign = api(&json!({"image": "a:1"})).probes;
    assert_eq!(foreign.readiness.path, "/health");
    let asked = api(&json!({"image": "a:1", "probes": {
        "liveness": {"path": "/live", "periodSeconds": 30}, "startup": {"failureThreshold": 300},
    }}));
    assert_eq!(asked.probes.liveness.period_seconds, 30);
    assert_eq!(asked.probes.liveness.failure_threshold, 3);
    assert_eq!(asked.probes.readiness, foreign.readiness);
    assert_eq!(
        asked.probes.startup.path, "/live",
        "whoever moves the one means the other"
    );
    for probe in [
        json!({"path": "health"}),
        json!({"path": "/a b"}),
        json!({"path": ""}),
        json!({"periodSeconds": 0}),
        json!({"timeoutSeconds": 3601}),
        json!({"initialDelaySeconds": 0}),
        json!({"failureThreshold": -1}),
    ] {
        for kind in ["liveness", "readiness", "startup"] {
            refuses(
                &json!({"probes": {kind: probe.clone()}}),
                &format!("probes.{kind}"),
            );
        }
    }
}

#[test]
fn a_source_of_variables_is_one_object() {
    for entry in [
        json!({}),
        json!({"secretRef": {}}),
        json!({"secretRef": {"name": "a"}, "configMapRef": {"name": "a"}}),
        json!({"secretRef": {"name": "a".repeat(254)}}),
        json!({"prefix": "1A", "secretRef": {"name": "a"}}),
    ] {
        refuses(&json!({"envFrom": [entry]}), "envFrom");
    }
    refuses(
        &json!({"envFrom": vec![json!({"secretRef": {"name": "a"}}); 21]}),
        "envFrom",
    );
    let sound = json!([{"secretRef": {"name": "a"}}, {"prefix": "", "configMapRef": {"name": "b", "optional": true}}]);
    assert_eq!(api(&json!({"envFrom": sound})).env_from.len(), 2);
}

#[test]
fn a_budget_is_a_number_or_a_share() {
    assert_eq!(api(&json!({})).max_unavailable, IntOrString::Int(1));
    for sound in [json!(0), json!(100), json!("0%"), json!("100%")] {
        api(&json!({"disruptionBudget": {"maxUnavailable": sound}}));
    }
    for wrong in [
        json!(-1),
        json!(101),
        json!("1"),
        json!("101%"),
        json!("05%"),
    ] {
        refuses(
            &json!({"disruptionBudget": {"maxUnavailable": wrong}}),
            "disruptionBudget.maxUnavailable",
        );
    }
}

#[test]
fn what_no_port_registry_or_class_is_called_is_refused() {
    for port in [0, 65_536] {
        refuses(&json!({"port": port}), "port");
    }
    refuses(
        &json!({"imagePullSecrets": [{"name": "A"}]}),
        "imagePullSecrets",
    );
    refuses(
        &json!({"imagePullSecrets": [{"name": "a"}, {"name": "a"}]}),
        "imagePullSecrets",
    );
    refuses(
        &json!({"scheduling": {"priorityClassName": "Critical"}}),
        "scheduling.priorityClassName",
    );
}

#[test]
fn scheduling_without_what_kubernetes_asks_for_is_refused() {
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    for affinity in [
        json!({"nodeAffinity": {required: {"nodeSelectorTerms": []}}}),
        json!({"nodeAffinity": {required: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Near"}]}]}}}),
        json!({"nodeAffinity": {preferred: [{"weight": 1, "preference": {}}]}}),
        json!({"podAffinity": {required: [{}]}}),
        json!({"podAntiAffinity": {preferred: [{"weight": 101, "podAffinityTerm": {"topologyKey": "host"}}]}}),
    ] {
        refuses(
            &json!({"scheduling": {"affinity": affinity}}),
            "scheduling.affinity",
        );
    }
    for toleration in [
        json!({}),
        json!({"key": "a", "operator": "Exists", "value": "b"}),
        json!({"key": "a", "tolerationSeconds": 1}),
        json!({"key": "a", "effect": "NoRun"}),
    ] {
        refuses(
            &json!({"scheduling": {"tolerations": [toleration]}}),
            "scheduling.tolerations",
        );
    }
    let zone = json!({"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"});
    for spread in [
        json!([zone, zone]),
        json!([{"topologyKey": "zone", "maxSkew": 1}]),
        json!([{"topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}]),
    ] {
        refuses(
            &json!({"scheduling": {"topologySpreadConstraints": spread}}),
            "scheduling.topologySpreadConstraints",
        );
    }
    refuses(
        &json!({"scheduling": {"nodeSelector": {"a/b/c": "d"}}}),
        "scheduling.nodeSelector",
    );
    let nothing = api(&json!({"scheduling": {"affinity": {}}}));
    assert_eq!(nothing.scheduling.affinity, None, "it asks for nothing");
}

#[test]
fn an_autoscaler_knows_its_bounds() {
    let with = |more: Value| {
        let mut autoscaling = json!({"minReplicas": 1, "maxReplicas": 2});
        for (key, value) in more.as_object().unwrap() {
            autoscaling[key] = value.clone();
        }
        json!({"autoscaling": autoscaling})
    };
    for memory in [0, 1001] {
        refuses(
            &with(json!({"targetMemoryUtilizationPercentage": memory})),
            "autoscaling.targetMemoryUtilizationPercentage",
        );
    }
    let mut unmeasured = with(json!({"targetMemoryUtilizationPercentage": 80}));
    api(&unmeasured);
    unmeasured["resources"] = json!({"requests": {"cpu": "50m"}});
    refuses(&unmeasured, "autoscaling.targetMemoryUtilizationPercentage");
    for rules in [
        json!({"stabilizationWindowSeconds": 3601}),
        json!({"policies": [{"type": "Pods", "value": 0, "periodSeconds": 1}]}),
        json!({"policies": [{"type": "Pods", "value": 1, "periodSeconds": 1801}]}),
        json!({"policies": vec![json!({"type": "Pods", "value": 1, "periodSeconds": 1}); 11]}),
    ] {
        for direction in ["scaleUp", "scaleDown"] {
            refuses(
                &with(json!({"behavior": {direction: rules.clone()}})),
                &format!("autoscaling.behavior.{direction}"),
            );
        }
    }
}
