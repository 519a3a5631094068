//! What the API server would make of a change: every write here is a dry run. [io: reads]
#![expect(
    clippy::disallowed_methods,
    reason = "dry runs: nothing that is sent here is stored"
)]

use anyhow::{Context, bail};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use serde_json::{Map, Value, json};

use super::future::Change;
use super::unified::Pair;
use crate::cli::cluster::{Cluster, explained};
use crate::crd::TpStack;
use crate::desired::Object;
use crate::desired::metadata::FIELD_MANAGER;
use crate::kind::{Kind, ObjectId};

/// Manager of the fields of a TpStack that is tried out.
const TRIAL_MANAGER: &str = "tpstack-diff";

/// The TpStack of this name as it is stored.
pub(super) async fn stored(cluster: &Cluster, name: &str) -> anyhow::Result<TpStack> {
    let api: Api<DynamicObject> = stacks(cluster, &cluster.namespace);
    let object = api.get(name).await.map_err(explained);
    let object = object.with_context(|| {
        format!(
            "failed to read TpStack {name} in namespace {}",
            cluster.namespace
        )
    })?;
    typed(object)
}

/// A TpStack as it would be stored if this document were its whole spec, with all that the API server adds and refuses.
pub(super) async fn applied(cluster: &Cluster, document: Value) -> anyhow::Result<TpStack> {
    let text = |path: &str| document.pointer(path).and_then(Value::as_str);
    let Some(name) = text("/metadata/name").map(str::to_owned) else {
        bail!("a TpStack has no metadata.name");
    };
    let namespace = text("/metadata/namespace")
        .unwrap_or(&cluster.namespace)
        .to_owned();
    let api: Api<DynamicObject> = stacks(cluster, &namespace);
    let live = api.get_opt(&name).await.map_err(explained)?;
    let spec = document.get("spec").cloned().unwrap_or_default();
    let answer = if let Some(live) = live {
        let spec = replacement(live.data.get("spec").unwrap_or(&Value::Null), &spec);
        let metadata = json!({
            "uid": live.metadata.uid,
            "labels": document.pointer("/metadata/labels").unwrap_or(&json!({})),
            "annotations": document.pointer("/metadata/annotations").unwrap_or(&json!({})),
        });
        let patch = json!({"metadata": metadata, "spec": spec});
        let params = PatchParams {
            field_manager: Some(TRIAL_MANAGER.to_owned()),
            dry_run: true,
            ..PatchParams::default()
        };
        let params = params.validation_strict();
        api.patch(&name, &params, &Patch::Merge(&patch)).await
    } else {
        let mut document = document;
        without_nulls(&mut document);
        if let Some(metadata) = document.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("namespace".to_owned(), json!(namespace));
        }
        let params = PatchParams::apply(TRIAL_MANAGER)
            .validation_strict()
            .dry_run();
        api.patch(&name, &params, &Patch::Apply(&document)).await
    };
    let object = answer
        .map_err(explained)
        .with_context(|| format!("TpStack {name} would not be taken in namespace {namespace}"))?;
    typed(object)
}

fn stacks(cluster: &Cluster, namespace: &str) -> Api<DynamicObject> {
    let resource = ApiResource::erase::<TpStack>(&());
    Api::namespaced_with(cluster.client.clone(), namespace, &resource)
}

fn typed(object: DynamicObject) -> anyhow::Result<TpStack> {
    if object.metadata.deletion_timestamp.is_some() {
        bail!(
            "TpStack {} is being deleted: the operator changes nothing of it",
            object.metadata.name.unwrap_or_default()
        );
    }
    let value = serde_json::to_value(object).context("not plain data")?;
    crate::crd::read(value).context("the stored object is no valid TpStack")
}

/// The merge patch that makes `wanted` of `live`.
fn replacement(live: &Value, wanted: &Value) -> Value {
    let (Value::Object(live), Value::Object(wanted)) = (live, wanted) else {
        return wanted.clone();
    };
    let mut patch: Map<String, Value> = live
        .keys()
        .filter(|key| !wanted.contains_key(*key))
        .map(|key| (key.clone(), Value::Null))
        .collect();
    for (key, value) in wanted {
        let before = live.get(key).unwrap_or(&Value::Null);
        patch.insert(key.clone(), replacement(before, value));
    }
    Value::Object(patch)
}

/// A field that is null is one that was left out, as in a merge.
fn without_nulls(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|_, value| !value.is_null());
        map.values_mut().for_each(without_nulls);
    }
}

/// An object before and after a change. `seen` is its metadata when the change was planned.
pub(super) async fn outcome(
    client: &Client,
    namespace: &str,
    seen: Option<&ObjectMeta>,
    change: &Change,
) -> Result<Pair, kube::Error> {
    let id = change.id();
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &id.kind.resource());
    let after = match change {
        Change::Make(object) => Some(object.value.clone()),
        Change::Apply(object) => Some(apply(&api, seen, object).await?),
        Change::Delete(_) => None,
    };
    let before = match change {
        Change::Make(_) => None,
        Change::Apply(_) | Change::Delete(_) => read(&api, id).await?,
    };
    Ok(Pair { before, after })
}

/// An object as it is. Of a Secret its metadata alone.
async fn read(api: &Api<DynamicObject>, id: &ObjectId) -> Result<Option<Value>, kube::Error> {
    let found = if id.kind == Kind::Secret {
        let found = api.get_metadata_opt(&id.name).await?;
        found.map(|found| json!({"metadata": found.metadata}))
    } else {
        api.get_opt(&id.name).await?.map(|found| json!(found))
    };
    Ok(found)
}

/// An apply as the operator's, tried out.
async fn apply(
    api: &Api<DynamicObject>,
    seen: Option<&ObjectMeta>,
    object: &Object,
) -> Result<Value, kube::Error> {
    let mut value = object.value.clone();
    let mut params = PatchParams::apply(FIELD_MANAGER)
        .validation_strict()
        .dry_run();
    if let (Some(seen), Some(metadata)) = (
        seen,
        value.get_mut("metadata").and_then(Value::as_object_mut),
    ) {
        metadata.insert("uid".to_owned(), json!(seen.uid));
        params = params.force();
    }
    let (name, patch) = (&object.id.name, Patch::Apply(&value));
    if object.id.kind == Kind::Secret {
        let answer = api.patch_metadata(name, &params, &patch).await?;
        return Ok(json!({"metadata": answer.metadata}));
    }
    match api.patch(name, &params, &patch).await {
        Err(kube::Error::Api(status)) if status.code == 422 && params.force => {
            written_over(api, &object.id, &value)
                .await
                .ok_or(kube::Error::Api(status))
        }
        answer => answer.map(|answer| json!(answer)),
    }
}

/// What the operator does about ports whose keys somebody changed, tried out: it writes the list over.
async fn written_over(api: &Api<DynamicObject>, id: &ObjectId, value: &Value) -> Option<Value> {
    let ports = value
        .pointer("/spec/ports")
        .filter(|_| id.kind == Kind::Service)?;
    let patch =
        json!({"metadata": {"uid": value.pointer("/metadata/uid")?}, "spec": {"ports": ports}});
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let answer = api.patch(&id.name, &params, &Patch::Merge(&patch)).await;
    answer.ok().map(|answer| json!(answer))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{replacement, without_nulls};

    #[test]
    fn the_patch_makes_the_wanted_spec_of_the_live_one() {
        let live = json!({"api": {"replicas": 2, "image": "a"}, "ingress": {"hosts": ["x"]}, "paused": true});
        let wanted = json!({"api": {"replicas": 3}, "redis": {"engine": "Disabled"}});
        assert_eq!(
            replacement(&live, &wanted),
            json!({"api": {"replicas": 3, "image": null}, "ingress": null, "paused": null, "redis": {"engine": "Disabled"}})
        );
        assert_eq!(replacement(&json!(null), &wanted), wanted);
    }

    #[test]
    fn an_empty_field_is_one_that_was_left_out() {
        let mut document = json!({"spec": {"postgres": null, "api": {"port": null, "args": []}}});
        without_nulls(&mut document);
        assert_eq!(document, json!({"spec": {"api": {"args": []}}}));
    }
}
