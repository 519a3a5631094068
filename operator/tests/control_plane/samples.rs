//! Every sample, taken as users take it: accepted, applied as `tpstack render` prints it, and ready; also where none of the
//! optional APIs is installed.

use std::{collections::BTreeMap, fs, path::PathBuf};

use futures::StreamExt;
use serde_json::{Value, json};

use crate::certificate;
use crate::harness::{
    brought::{bring_what_is_referred_to, is_brought},
    environment::{ENVIRONMENT, kubectl, tpstack},
    kinds,
    made::made_in,
    manifests::OPTIONAL,
    pods::Kubelet,
    sandbox::Sandbox,
    setup::remove_optional,
    stack::{Stack, condition_of},
    wait::{eventually, holds},
};

/// Samples that are worked on at once.
const AT_ONCE: usize = 4;

/// A file of `manifests/samples`.
pub(crate) struct Sample {
    pub(crate) file: PathBuf,
    /// Name of its stack.
    pub(crate) name: String,
    spec: Value,
}

pub(crate) fn samples() -> Vec<Sample> {
    let folder = ENVIRONMENT.repository.join("manifests/samples");
    let entries = fs::read_dir(&folder).expect("there is a folder of samples");
    let mut samples: Vec<Sample> = entries
        .map(|entry| {
            let file = entry.expect("the folder can be read").path();
            let text = fs::read_to_string(&file).expect("a sample can be read");
            let stack: Value = serde_saphyr::from_str(&text).expect("a sample is one document");
            Sample {
                file,
                name: string(&stack["metadata"]["name"]).to_owned(),
                spec: stack["spec"].clone(),
            }
        })
        .collect();
    samples.sort_by(|one, other| one.name.cmp(&other.name));
    samples
}

#[tokio::test]
async fn every_sample_is_applied_as_it_is_rendered() {
    let sandbox = Sandbox::shared().await;
    futures::stream::iter(samples())
        .for_each_concurrent(AT_ONCE, |sample| {
            let sandbox = &sandbox;
            async move {
                let sandbox = sandbox.beside().await;
                let _kubelet = Kubelet::start(&sandbox);
                let stack = applied(&sandbox, &sample, &[]).await;
                if sample.spec["paused"] != json!(true) {
                    for certificate in sandbox.list(&kinds::CERTIFICATE).await {
                        certificate::say(&stack, &certificate, "True", "issued").await;
                    }
                    stack.ready().await;
                }
            }
        })
        .await;
}

#[tokio::test]
async fn every_sample_runs_as_far_as_it_can_without_the_optional_apis() {
    let sandbox = Sandbox::alone().await;
    for (project, _) in OPTIONAL {
        remove_optional(&sandbox, project).await;
    }
    let without: Vec<&str> = OPTIONAL
        .iter()
        .flat_map(|(_, api)| ["--without", api])
        .collect();
    let without = &without;
    futures::stream::iter(samples())
        .for_each_concurrent(AT_ONCE, |sample| {
            let sandbox = &sandbox;
            async move {
                let sandbox = sandbox.beside().await;
                let _kubelet = Kubelet::start(&sandbox);
                let stack = applied(&sandbox, &sample, without).await;
                if sample.spec["paused"] != json!(true) {
                    nothing_else_is_missing(&stack).await;
                }
            }
        })
        .await;
}

/// Waits until the one thing that the stack complains of is an API that is not installed.
async fn nothing_else_is_missing(stack: &Stack<'_>) {
    let what = format!("{} misses nothing but optional APIs", stack.name);
    eventually(stack.sandbox, &what, async || {
        let object = stack.object().await;
        let parts = [
            "ApiReady",
            "PostgresReady",
            "RedisReady",
            "IngressReady",
            "MonitoringReady",
        ];
        for part in parts {
            let condition =
                condition_of(&object, part).ok_or_else(|| format!("{part} is not there"))?;
            holds(
                condition.status == "True" || condition.reason == "CRDNotInstalled",
                || format!("{part} is {condition:?}"),
            )?;
        }
        Ok(())
    })
    .await;
}

/// Applies a sample, and compares what the operator made of it with what `tpstack render` prints.
async fn applied<'a>(sandbox: &'a Sandbox, sample: &Sample, without: &[&str]) -> Stack<'a> {
    let file = sample.file.to_str().expect("the repository's path is text");
    let namespace = ["--namespace", &sandbox.namespace];
    let rendered = tpstack(&[&["render", "-f", file][..], &namespace, without].concat());
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&rendered).expect("`tpstack render` prints YAML");
    let named = |object: Value| {
        let (kind, name) = (string(&object["kind"]), string(&object["metadata"]["name"]));
        (format!("{kind}/{name}"), object)
    };
    let mut rendered: BTreeMap<String, Value> = documents.into_iter().map(named).collect();
    bring_what_is_referred_to(sandbox, rendered.values()).await;
    kubectl(
        &[&["apply", "--server-side", "-f", file][..], &namespace].concat(),
        "",
    );
    let stack = Stack::named(sandbox, &sample.name);
    if sample.spec["paused"] == json!(true) {
        stack.becomes("Ready", "Unknown", "Paused").await;
        rendered.clear();
    }
    let what = format!("{} has the children that are rendered", sample.name);
    eventually(sandbox, &what, async || {
        let live = made_in(sandbox).await;
        // Jobs come and go; the one that is rendered is looked for below.
        let expected = rendered.keys().filter(|name| !name.starts_with("Job/"));
        let given = |name: &&String| !is_brought(&live[*name]);
        let live: Vec<&String> = live.keys().filter(given).collect();
        holds(live == expected.collect::<Vec<_>>(), || {
            format!("there are {live:?}")
        })
    })
    .await;
    stack.reconcile_again().await;
    let live: BTreeMap<String, Value> = sandbox.everything().await.into_iter().map(named).collect();
    for (name, object) in &rendered {
        let live = live.get(name).unwrap_or_else(|| panic!("{name} is gone"));
        let mut differences = Vec::new();
        compare("", object, live, &mut differences);
        assert!(
            differences.is_empty(),
            "{}: {name} was rendered otherwise than it is:\n{}",
            sample.name,
            differences.join("\n")
        );
    }
    stack
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

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
