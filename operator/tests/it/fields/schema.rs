//! The fields of the spec as the definition lists them.

use serde_json::Value;

/// A field that holds a value of its own: no object of ours that only groups others.
pub(super) struct Field {
    /// Its path below `spec`. Example: `ingress.tls.mode`; `[]` stands for an entry of a list.
    pub(super) path: String,
    /// Its type, or the values it may have.
    pub(super) type_: String,
    /// What it is when it is left out.
    pub(super) default: String,
}

/// Every field, in the order of the definition.
pub(super) fn fields() -> Vec<Field> {
    let definition = serde_json::to_value(operator::crd::definition()).unwrap();
    let schema =
        &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let mut fields = Vec::new();
    walk(schema, "", &mut fields);
    assert!(fields.len() >= 25, "only {} fields", fields.len());
    fields
}

/// Kubernetes' own types are not gone into: `kubectl explain pod` tells of them, and ours are those with a description.
fn of_ours(schema: &Value) -> bool {
    let mut below = schema["properties"].as_object().into_iter().flatten();
    below.any(|(_, field)| field["description"].is_string())
}

fn walk(schema: &Value, path: &str, fields: &mut Vec<Field>) {
    let in_list = of_ours(&schema["items"]);
    let (group, path) = if in_list {
        (&schema["items"], format!("{path}[]"))
    } else {
        (schema, path.to_owned())
    };
    if !of_ours(group) {
        fields.push(Field {
            type_: type_(schema),
            default: default(schema),
            path,
        });
        return;
    }
    for (name, below) in group["properties"].as_object().into_iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        walk(below, &format!("{path}{dot}{name}"), fields);
    }
}

fn type_(schema: &Value) -> String {
    if let Some(values) = schema["enum"].as_array() {
        let values: Vec<String> = values
            .iter()
            .filter_map(Value::as_str)
            .map(|value| format!("`{value}`"))
            .collect();
        return values.join(", ");
    }
    match schema["type"].as_str() {
        Some("array") => format!(
            "list of {}s",
            schema["items"]["type"].as_str().unwrap_or("value")
        ),
        Some("object") if schema["additionalProperties"].is_object() => "map".to_owned(),
        Some(name) => name.to_owned(),
        None => "integer or string".to_owned(),
    }
}

fn default(schema: &Value) -> String {
    match &schema["default"] {
        Value::Null => "unset".to_owned(),
        Value::String(text) => format!("`{text}`"),
        value => format!("`{value}`"),
    }
}
