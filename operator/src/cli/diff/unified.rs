//! The lines in which an object would differ. [pure]

use anyhow::Context;
use serde_json::{Map, Value};
use similar::TextDiff;

use crate::crd::GROUP;
use crate::kind::{Kind, ObjectId};

/// An object before and after a change; `None` where there is none.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub(super) before: Option<Value>,
    pub(super) after: Option<Value>,
}

/// What the server keeps of every object, and what is told rather than asked for: no change of ours.
const SERVERS_OWN: [&str; 7] = [
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
    "deletionGracePeriodSeconds",
];

/// The unified diff of one object; `None` if it would stay as it is.
pub(super) fn diff(id: &ObjectId, pair: &Pair) -> anyhow::Result<Option<String>> {
    let before = lines(id, pair.before.as_ref())?;
    let after = lines(id, pair.after.as_ref())?;
    if before == after {
        return Ok(None);
    }
    let label = |side: &str, object: &Option<Value>| match object {
        Some(_) => format!("{side}/{:?}/{}", id.kind, id.name),
        None => "/dev/null".to_owned(),
    };
    let text = TextDiff::from_lines(&before, &after);
    let mut unified = text.unified_diff();
    unified.header(&label("live", &pair.before), &label("wanted", &pair.after));
    Ok(Some(unified.to_string()))
}

fn lines(id: &ObjectId, object: Option<&Value>) -> anyhow::Result<String> {
    let Some(object) = object else {
        return Ok(String::new());
    };
    let yaml = serde_saphyr::to_string(&told(id, object))
        .with_context(|| format!("failed to write {id} as YAML"))?;
    let shown = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\t');
    Ok(yaml
        .chars()
        .map(|letter| if shown(letter) { letter } else { ' ' })
        .collect())
}

/// What is compared and shown of an object.
fn told(id: &ObjectId, object: &Value) -> Value {
    let mut told = Map::new();
    let resource = id.kind.resource();
    told.insert("apiVersion".to_owned(), resource.api_version.into());
    told.insert("kind".to_owned(), resource.kind.into());
    for (key, value) in object.as_object().into_iter().flatten() {
        match key.as_str() {
            "apiVersion" | "kind" | "status" => {}
            "metadata" => {
                told.insert(key.clone(), metadata(id, value));
            }
            // Never read; what is there is what would be made, without values.
            _ => {
                told.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(told)
}

fn metadata(id: &ObjectId, metadata: &Value) -> Value {
    let mut told = metadata.as_object().cloned().unwrap_or_default();
    told.retain(|key, _| !SERVERS_OWN.contains(&key.as_str()));
    if id.kind == Kind::Secret
        && let Some(Value::Object(annotations)) = told.get_mut("annotations")
    {
        // kubectl leaves a copy of what it applied in an annotation: of a Secret that is its values.
        annotations.retain(|key, _| key.starts_with(&format!("{GROUP}/")));
        if annotations.is_empty() {
            told.remove("annotations");
        }
    }
    Value::Object(told)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Pair, diff};
    use crate::kind::{Kind, ObjectId};

    fn shown(kind: Kind, before: Option<Value>, after: Option<Value>) -> Option<String> {
        diff(&ObjectId::new(kind, "shop-x"), &Pair { before, after }).unwrap()
    }

    #[test]
    fn what_the_server_counts_is_no_difference() {
        let object = |version: &str, generation: i64| {
            json!({"metadata": {"name": "shop-x", "resourceVersion": version, "generation": generation, "uid": version, "managedFields": [version]},
                   "spec": {"replicas": 1}, "status": {"replicas": generation}})
        };
        assert_eq!(
            shown(Kind::Deployment, Some(object("1", 1)), Some(object("2", 2))),
            None
        );
    }

    #[test]
    fn a_changed_field_is_a_line_each_way() {
        let object =
            |replicas: i64| json!({"metadata": {"name": "shop-x"}, "spec": {"replicas": replicas}});
        let text = shown(Kind::Deployment, Some(object(1)), Some(object(2))).unwrap();
        assert!(
            text.starts_with("--- live/Deployment/shop-x\n+++ wanted/Deployment/shop-x\n@@"),
            "{text}"
        );
        assert!(
            text.contains("\n-  replicas: 1\n+  replicas: 2\n"),
            "{text}"
        );
    }

    #[test]
    fn what_is_made_and_what_goes_is_compared_with_nothing() {
        let object = json!({"metadata": {"name": "shop-x"}});
        let made = shown(Kind::Service, None, Some(object.clone())).unwrap();
        assert!(
            made.starts_with("--- /dev/null\n+++ wanted/Service/shop-x\n"),
            "{made}"
        );
        let gone = shown(Kind::Service, Some(object), None).unwrap();
        assert!(
            gone.starts_with("--- live/Service/shop-x\n+++ /dev/null\n"),
            "{gone}"
        );
    }

    #[test]
    fn a_copy_that_kubectl_left_of_a_secret_is_not_shown() {
        let secret = |marked: &str| {
            json!({"metadata": {"name": "shop-x", "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"password\":\"c2VjcmV0\"}}", "tpstack.dev/initialized": marked}}})
        };
        let text = shown(Kind::Secret, Some(secret("false")), Some(secret("true"))).unwrap();
        assert!(
            text.contains("tpstack.dev/initialized") && !text.contains("c2VjcmV0"),
            "{text}"
        );
    }

    #[test]
    fn a_text_out_of_the_cluster_moves_no_cursor() {
        let object = json!({"metadata": {"name": "shop-x"}, "data": {"a": "\u{1b}[2J"}});
        let text = shown(Kind::ConfigMap, None, Some(object)).unwrap();
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
