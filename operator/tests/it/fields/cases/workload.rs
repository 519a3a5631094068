//! What the API's pods are given, where they run, and how many there are.

use serde_json::{Value, json};

use super::{Case, autoscaled, case, closed, whole};

pub(super) fn all() -> Vec<Case> {
    let cases = [workload(), probes(), scheduling(), autoscaling()];
    cases.into_iter().flatten().collect()
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
