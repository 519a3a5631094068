//! The `CustomResourceDefinition` as it is installed: the derived one, with upstream prose cut.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Map, Value, json};

use super::TpStack;

mod scheduling;

pub use scheduling::{NODE_OPERATORS, POD_OPERATORS};

const SPEC: &str = "/schema/openAPIV3Schema/properties/spec/properties";

/// Fields of the spec that are of Kubernetes' own types, by their paths.
pub const EMBEDDED: [&str; 9] = [
    "api.env",
    "api.envFrom",
    "api.resources",
    "api.scheduling.affinity",
    "api.scheduling.tolerations",
    "api.scheduling.topologySpreadConstraints",
    "postgres.resources",
    "redis.resources",
    "network.strict.egress",
];

/// The definition of TpStack, ready to be written as YAML.
///
/// Kubernetes' own types (env, resources) bring tens of kilobytes of text which `kubectl explain pod` shows as well:
/// what lies *below* them loses its descriptions, our own fields keep theirs.
pub fn definition() -> CustomResourceDefinition {
    let mut value = serde_json::to_value(TpStack::crd()).expect("a CRD is plain data");
    if let Some(versions) = value
        .pointer_mut("/spec/versions")
        .and_then(Value::as_array_mut)
    {
        for version in versions {
            enums_without_null(version);
            for embedded in EMBEDDED {
                let path = embedded.replace('.', "/properties/");
                if let Some(field) = version.pointer_mut(&format!("{SPEC}/{path}")) {
                    for key in ["items", "properties"] {
                        if let Some(below) = field.get_mut(key) {
                            strip_descriptions(below);
                        }
                    }
                }
            }
            for (path, bounds) in bounds() {
                let field = version.pointer_mut(&format!("{SPEC}/{path}"));
                let field = field.and_then(Value::as_object_mut);
                if let Value::Object(bounds) = bounds {
                    field
                        .expect("bounds are put on fields that are there")
                        .extend(bounds);
                }
            }
        }
    }
    serde_json::from_value(value).expect("only descriptions and bounds were changed")
}

/// Bounds on Kubernetes' own types, which bring none.
///
/// CEL's cost is estimated from them, so an unbounded name would make the rules on env too dear. The others refuse what
/// no pod could have; what only the pod's own admission can tell (a field's path, a resource's name) is left to it, and
/// its words end up in a condition.
fn bounds() -> Vec<(String, Value)> {
    let mut bounds = env("api/properties/env");
    bounds.extend(env_from("api/properties/envFrom"));
    for part in ["api", "postgres", "redis"] {
        bounds.extend(resources(&format!("{part}/properties/resources")));
    }
    bounds.extend(scheduling::bounds("api/properties/scheduling/properties"));
    bounds.extend(egress("network/properties/strict/properties/egress"));
    bounds
}

fn env(path: &str) -> Vec<(String, Value)> {
    let name = json!({"minLength": 1, "maxLength": 253});
    let key = json!({"minLength": 1, "maxLength": 253, "pattern": "^[-._a-zA-Z0-9]+$"});
    let variable = format!("{path}/items/properties");
    let source = format!("{variable}/valueFrom/properties");
    let mut bounds = vec![
        (format!("{variable}/name"), name.clone()),
        (
            format!("{source}/fieldRef/properties/fieldPath"),
            json!({"minLength": 1}),
        ),
        (
            format!("{source}/resourceFieldRef/properties/resource"),
            json!({"minLength": 1}),
        ),
    ];
    for reference in ["configMapKeyRef", "secretKeyRef"] {
        bounds.push((
            format!("{source}/{reference}/properties/name"),
            name.clone(),
        ));
        bounds.push((format!("{source}/{reference}/properties/key"), key.clone()));
    }
    bounds
}

fn env_from(path: &str) -> Vec<(String, Value)> {
    let source = format!("{path}/items/properties");
    let name = json!({"minLength": 1, "maxLength": 253});
    vec![
        (
            format!("{source}/prefix"),
            json!({"maxLength": 253, "pattern": "^([A-Za-z_][-A-Za-z0-9_.]*)?$"}),
        ),
        (
            format!("{source}/configMapRef/properties/name"),
            name.clone(),
        ),
        (format!("{source}/secretRef/properties/name"), name),
    ]
}

fn resources(path: &str) -> Vec<(String, Value)> {
    let amount = "^([0-9]+([.][0-9]*)?|[.][0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][-+]?[0-9]{1,2})?$";
    let mut bounds = vec![(format!("{path}/properties/claims"), json!({"maxItems": 0}))];
    for amounts in ["limits", "requests"] {
        let field = format!("{path}/properties/{amounts}");
        bounds.push((field.clone(), json!({"maxProperties": 20})));
        bounds.push((
            format!("{field}/additionalProperties"),
            json!({"pattern": amount, "maxLength": 32, "minimum": 0}),
        ));
    }
    bounds
}

/// How long a rule's lists are. Addresses, ports and selectors are checked where the NetworkPolicy is admitted.
fn egress(path: &str) -> Vec<(String, Value)> {
    ["to", "ports"]
        .map(|list| {
            (
                format!("{path}/items/properties/{list}"),
                json!({"maxItems": 20}),
            )
        })
        .into()
}

/// A word of a list that may be null, as it is derived: the server would accept neither null, which is in no list, nor drop
/// it, which it does for what may not be null.
fn enums_without_null(value: &mut Value) {
    each_object(value, &mut |map| {
        if map.get("enum").is_some_and(Value::is_array) {
            map.remove("nullable");
        }
    });
}

fn strip_descriptions(value: &mut Value) {
    each_object(value, &mut |map| {
        // A property may itself be called `description`: only the text is prose.
        if map.get("description").is_some_and(Value::is_string) {
            map.remove("description");
        }
    });
}

/// Shows every object to `change`, those around others first.
fn each_object(value: &mut Value, change: &mut impl FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(map) => {
            change(map);
            map.values_mut()
                .for_each(|value| each_object(value, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_object(item, change)),
        _ => {}
    }
}
