//! What a stack's user has to bring: the Secrets and config maps that its children refer to and that are no children.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{kinds, sandbox::Sandbox};

/// Tells what was brought from what the operator made.
const LABEL: &str = "example.org/brought";

/// Keys and values of an object, by whether it is a Secret and its name.
type Wanted = BTreeMap<(bool, String), BTreeMap<String, String>>;

/// Whether an object was brought by the functions here.
pub(crate) fn is_brought(object: &Value) -> bool {
    object["metadata"]["labels"][LABEL].is_string()
}

/// Makes what rendered children refer to, unless it is among them.
pub(crate) async fn bring_what_is_referred_to(
    sandbox: &Sandbox,
    rendered: impl Iterator<Item = &Value>,
) {
    let mut wanted = Wanted::new();
    let mut there = BTreeSet::new();
    for object in rendered {
        references(object, &mut wanted);
        there.insert((text(&object["kind"]), text(&object["metadata"]["name"])));
    }
    for ((is_secret, name), data) in wanted {
        let (kind, values) = if is_secret {
            (kinds::SECRET, "stringData")
        } else {
            (kinds::CONFIG_MAP, "data")
        };
        if there.contains(&(kind.kind.to_owned(), name.clone())) {
            continue;
        }
        let metadata = json!({"name": name, "labels": {LABEL: "true"}});
        sandbox
            .create(&kind, json!({"metadata": metadata, values: data}))
            .await;
    }
}

fn references(value: &Value, wanted: &mut Wanted) {
    match value {
        Value::Object(map) => {
            for (key, below) in map {
                match key.as_str() {
                    "secretKeyRef" | "secretRef" | "configMapKeyRef" | "configMapRef" => {
                        let is_secret = key.starts_with("secret");
                        let data = wanted.entry((is_secret, text(&below["name"]))).or_default();
                        data.extend(below["key"].as_str().map(sample));
                    }
                    // A volume.
                    "secret" if below["secretName"].is_string() => {
                        let data = wanted
                            .entry((true, text(&below["secretName"])))
                            .or_default();
                        let items = below["items"].as_array().into_iter().flatten();
                        data.extend(items.filter_map(|item| item["key"].as_str()).map(sample));
                    }
                    _ => references(below, wanted),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, wanted)),
        _ => {}
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn sample(key: &str) -> (String, String) {
    let value = if key == "port" { "5432" } else { "a-value" };
    (key.to_owned(), value.to_owned())
}
