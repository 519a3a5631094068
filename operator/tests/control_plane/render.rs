//! `tpstack render` prints what the operator applies.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::{
    environment::{ENVIRONMENT, kubectl, tpstack},
    kinds::{self, CHILDREN},
    made::{made_in, names},
    sandbox::Sandbox,
    stack::Stack,
};

#[tokio::test]
async fn the_rendered_minimal_sample_is_what_is_applied() {
    is_what_is_applied("minimal").await;
}

#[tokio::test]
async fn the_rendered_full_sample_is_what_is_applied() {
    is_what_is_applied("full").await;
}

async fn is_what_is_applied(sample: &str) {
    let sandbox = Sandbox::shared().await;
    let file = ENVIRONMENT
        .repository
        .join(format!("manifests/samples/{sample}.yaml"));
    let file = file.to_str().expect("the repository's path is text");
    let rendered = tpstack(&["render", "-f", file, "--namespace", &sandbox.namespace]);
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&rendered).expect("`tpstack render` prints YAML");
    let rendered: BTreeMap<String, Value> = documents
        .into_iter()
        .map(|object| {
            (
                format!(
                    "{}/{}",
                    text(&object["kind"]),
                    text(&object["metadata"]["name"])
                ),
                object,
            )
        })
        .collect();

    kubectl(
        &[
            "apply",
            "--server-side",
            "--namespace",
            &sandbox.namespace,
            "-f",
            file,
        ],
        "",
    );
    let stack = Stack::named(&sandbox, sample);
    let without_redirect = |child: &(_, &str)| sample == "minimal" || !child.1.contains("redirect");
    let mut children: Vec<_> = CHILDREN.into_iter().filter(without_redirect).collect();
    children.extend((sample == "full").then_some((kinds::AUTOSCALER, "api")));
    stack.applied(children.iter().copied()).await;
    stack.reconcile_again().await;
    let live = made_in(&sandbox).await;
    assert_eq!(
        live.keys().collect::<Vec<_>>(),
        rendered
            .keys()
            .filter(|name| !name.starts_with("Job/"))
            .collect::<Vec<_>>(),
        "Jobs come and go; the one that is rendered is looked for below"
    );
    assert_eq!(
        live.into_keys().collect::<Vec<_>>(),
        names(sample, children.into_iter())
    );

    for (name, object) in &rendered {
        let (kind, child) = name.split_once('/').expect("Kind/name");
        let live = sandbox
            .everything()
            .await
            .into_iter()
            .find(|live| live["kind"] == kind && live["metadata"]["name"] == child);
        let live = live.unwrap_or_else(|| panic!("{name} is gone"));
        let mut differences = Vec::new();
        compare("", object, &live, &mut differences);
        assert!(
            differences.is_empty(),
            "{name} was rendered otherwise than it is:\n{}",
            differences.join("\n")
        );
    }
}

/// Notes where `live` lacks something of `rendered`. What the server adds is none of our business; Secrets' values and
/// UIDs cannot be known beforehand, and annotations of ours in `metadata` record what was observed.
fn compare(path: &str, rendered: &Value, live: &Value, differences: &mut Vec<String>) {
    let unknowable = path.starts_with("/data/") && live.is_string() && rendered == ""
        || path.starts_with("/stringData")
        || path.ends_with("/uid")
        || path.contains("/annotations/tpstack.dev/");
    if unknowable {
        return;
    }
    match (rendered, live) {
        (Value::Object(rendered), Value::Object(live)) => {
            for (key, value) in rendered {
                compare(
                    &format!("{path}/{key}"),
                    value,
                    live.get(key).unwrap_or(&Value::Null),
                    differences,
                );
            }
        }
        (Value::Array(rendered), Value::Array(live)) if rendered.len() == live.len() => {
            for (index, (rendered, live)) in rendered.iter().zip(live).enumerate() {
                compare(&format!("{path}/{index}"), rendered, live, differences);
            }
        }
        _ if rendered == live => {}
        _ => differences.push(format!("{path}: rendered {rendered}, live {live}")),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
