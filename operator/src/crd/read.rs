//! A TpStack from a document that no API server has seen, taken as the API server would.

use serde::de::Error;
use serde_json::Value;

use super::TpStack;

/// Fields that are objects with a default for everything: serde would take a list for them.
const OBJECTS: &[&str] = &[
    "/spec",
    "/spec/api",
    "/spec/api/migrate",
    "/spec/api/autoscaling/behavior",
    "/spec/api/autoscaling/behavior/scaleUp",
    "/spec/api/autoscaling/behavior/scaleDown",
    "/spec/api/credentials",
    "/spec/api/disruptionBudget",
    "/spec/api/probes",
    "/spec/api/probes/liveness",
    "/spec/api/probes/readiness",
    "/spec/api/probes/startup",
    "/spec/api/scheduling",
    "/spec/ingress",
    "/spec/ingress/entryPoints",
    "/spec/ingress/tls",
    "/spec/ingress/tls/secret",
    "/spec/postgres",
    "/spec/postgres/storage",
    "/spec/postgres/external",
    "/spec/postgres/external/secretRef",
    "/spec/redis",
    "/spec/redis/auth",
    "/spec/redis/external",
    "/spec/redis/external/secretRef",
    "/spec/redis/persistence",
    "/spec/monitoring",
    "/spec/network",
    "/spec/network/strict",
    "/spec/network/strict/ingressNamespaces",
    "/spec/network/strict/monitoringNamespaces",
];

/// Reads a TpStack: a field that is null (`postgres:` with nothing behind it) is a field that was left out.
pub fn read(mut document: Value) -> Result<TpStack, serde_json::Error> {
    if let Some(spec) = document.get_mut("spec") {
        drop_nulls(spec);
    }
    for path in OBJECTS {
        if document.pointer(path).is_some_and(Value::is_array) {
            let field = path.trim_start_matches('/').replace('/', ".");
            return Err(Error::custom(format!("{field} is a list, not an object")));
        }
    }
    serde_json::from_value(document)
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::read;
    use crate::crd::TpStackSpec;

    fn document(spec: &Value) -> Value {
        json!({"apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "metadata": {"name": "shop"}, "spec": spec})
    }

    #[test]
    fn a_null_is_a_field_that_was_left_out() {
        let spec = json!({"api": {"replicas": null, "env": [{"name": "A", "value": null}]}, "postgres": null, "ingress": null});
        let spec = read(document(&spec)).unwrap().spec;
        assert_eq!(spec.api.replicas, 2);
        assert_eq!(spec.api.env[0].value, None);
        assert_eq!(spec.postgres, TpStackSpec::default().postgres);
        assert!(
            read(document(&Value::Null)).is_err(),
            "spec itself is required"
        );
    }

    #[test]
    fn a_list_is_no_object() {
        for spec in [
            json!([]),
            json!({"redis": []}),
            json!({"redis": {"persistence": []}}),
        ] {
            assert!(read(document(&spec)).is_err(), "{spec}");
        }
    }
}
