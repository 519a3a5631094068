//! The `CustomResourceDefinition` as it is installed: the derived one, with upstream prose cut.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use super::TpStack;

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
            for embedded in ["env", "resources"] {
                let path = format!(
                    "/schema/openAPIV3Schema/properties/spec/properties/api/properties/{embedded}"
                );
                if let Some(field) = version.pointer_mut(&path) {
                    for key in ["items", "properties"] {
                        if let Some(below) = field.get_mut(key) {
                            strip_descriptions(below);
                        }
                    }
                }
            }
            // CEL's cost is estimated from the bounds: an unbounded name would make the rule on env too dear.
            let name = "/schema/openAPIV3Schema/properties/spec/properties/api/properties/env/items/properties/name";
            if let Some(Value::Object(name)) = version.pointer_mut(name) {
                name.insert("maxLength".to_owned(), 253.into());
            }
        }
    }
    serde_json::from_value(value).expect("only descriptions and a bound were changed")
}

fn strip_descriptions(value: &mut Value) {
    match value {
        Value::Object(map) => {
            // A property may itself be called `description`: only the text is prose.
            if map.get("description").is_some_and(Value::is_string) {
                map.remove("description");
            }
            map.values_mut().for_each(strip_descriptions);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_descriptions),
        _ => {}
    }
}
