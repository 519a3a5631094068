//! Objects without what differs from one to the next of the same kind.

use serde_json::Value;

/// An object without what the server makes up: what has to be equal when it is made a second time.
pub(crate) fn masked(mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = object
        .pointer_mut("/metadata")
        .and_then(Value::as_object_mut)
    {
        for key in [
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "managedFields",
            "finalizers",
        ] {
            metadata.remove(key);
        }
        drop_kubernetes_annotations(metadata);
    }
    if let Some(spec) = object.pointer_mut("/spec").and_then(Value::as_object_mut) {
        for key in ["clusterIP", "clusterIPs"] {
            // `None` is asked for; an address is made up.
            let headless = spec
                .get(key)
                .is_some_and(|ip| ip.to_string().contains("None"));
            if !headless {
                spec.remove(key);
            }
        }
    }
    object
}

/// An object of somebody else's without what Kubernetes' own controllers write to it.
pub(crate) fn without_kubernetes(mut object: Value) -> Value {
    if let Some(object) = object.as_object_mut() {
        object.remove("status");
    }
    if let Some(metadata) = object
        .pointer_mut("/metadata")
        .and_then(Value::as_object_mut)
    {
        for key in ["resourceVersion", "generation"] {
            metadata.remove(key);
        }
        drop_kubernetes_annotations(metadata);
        if let Some(managers) = metadata
            .get_mut("managedFields")
            .and_then(Value::as_array_mut)
        {
            managers.retain(|entry| entry["manager"] != "kube-controller-manager");
        }
    }
    object
}

fn drop_kubernetes_annotations(metadata: &mut serde_json::Map<String, Value>) {
    let Some(annotations) = metadata
        .get_mut("annotations")
        .and_then(Value::as_object_mut)
    else {
        return;
    };
    annotations.retain(|key, _| {
        let domain = key.split('/').next().unwrap_or(key);
        !domain.ends_with("kubernetes.io")
    });
    if annotations.is_empty() {
        metadata.remove("annotations");
    }
}
