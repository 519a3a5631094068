//! What was made in a namespace, by name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{kinds, sandbox::Sandbox};

/// Every object of a namespace that a user or the operator made, by `Kind/name`: without the stacks themselves, what
/// Kubernetes puts into each namespace, what its controllers make of a workload or a Service, and the Jobs of migrations,
/// which come and go.
pub(crate) async fn made_in(sandbox: &Sandbox) -> BTreeMap<String, Value> {
    let derived = [
        "Pod",
        "Job",
        "ReplicaSet",
        "ControllerRevision",
        "Endpoints",
        "EndpointSlice",
        "Event",
        "TpStack",
    ];
    let given = [
        "ConfigMap/kube-root-ca.crt",
        "ServiceAccount/default",
        "RoleBinding/tpstack-operator",
    ];
    let mut made = BTreeMap::new();
    for object in sandbox.everything().await {
        let kind = object["kind"].as_str().unwrap_or_default();
        let name = format!(
            "{kind}/{}",
            object["metadata"]["name"].as_str().unwrap_or_default()
        );
        if !derived.contains(&kind) && !given.contains(&name.as_str()) {
            made.insert(name, object);
        }
    }
    made
}

/// The names of all children of a stack, as `made_in` writes them.
pub(crate) fn names(stack: &str, children: impl Iterator<Item = kinds::Child>) -> Vec<String> {
    let mut names: Vec<String> = children
        .map(|(kind, name)| format!("{}/{stack}-{name}", kind.kind))
        .collect();
    names.sort();
    names
}
