//! The only writer of children: creates what is made once, applies the rest, prunes. [io: writes]
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one file that may write children"
)]

use std::collections::BTreeMap;
use std::fmt::Write;

use futures::future::join_all;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use serde_json::{Value, json};

use crate::desired::metadata::{Component, FIELD_MANAGER};
use crate::desired::{Object, Part};
use crate::kind::{Kind, ObjectId};
use crate::memory::{self, Accepted, Applies, Memory};
use crate::metrics::Metrics;
use crate::observed::Observed;
use crate::plan::{Creation, Work, credential_values};
use crate::validate::Stack;

/// Manager of the fields that a POST sets. Another name than that of server-side apply: fields held under the same
/// name by both operations would stay when apply gives them up.
const CREATE_MANAGER: &str = "tpstack-operator-create";

/// Manager of the fields that were written over: another name for the same reason.
const MEND_MANAGER: &str = "tpstack-operator-mend";

/// What the API server accepted and what it refused.
#[derive(Debug, Default)]
pub struct Applied {
    /// Workloads as the API server returned them: their status is told.
    pub objects: BTreeMap<ObjectId, DynamicObject>,
    /// What was refused.
    pub failures: Vec<Failure>,
}

/// A write that was refused.
#[derive(Debug)]
pub struct Failure {
    /// The part that it is about.
    pub part: Part,
    /// The object.
    pub id: ObjectId,
    /// The API server's answer.
    pub error: kube::Error,
}

impl Failure {
    /// What people are told: the object and the API server's own words.
    pub fn message(&self) -> String {
        match &self.error {
            kube::Error::Api(status) => format!("{}: {}", self.id, status.message),
            other => format!("{}: {other}", self.id),
        }
    }

    /// Whether nothing can be made in this namespace any more.
    pub fn is_terminating(&self) -> bool {
        is_terminating(&self.error)
    }

    /// Whether the API server itself refused it.
    pub fn is_refusal(&self) -> bool {
        matches!(&self.error, kube::Error::Api(_))
    }

    /// Whether an object that is written at the version it was read at changed in between: one that is kept, or the
    /// API's Deployment, whose count an autoscaler may have changed.
    pub fn is_outdated(&self) -> bool {
        (self.id.kind.is_kept() || self.id.kind == Kind::Deployment)
            && matches!(&self.error, kube::Error::Api(status) if status.code == 409)
    }
}

/// Whether a creation was refused because the namespace is being deleted.
pub fn is_terminating(error: &kube::Error) -> bool {
    let kube::Error::Api(status) = error else {
        return false;
    };
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 403
        && causes
            .into_iter()
            .any(|cause| cause.reason == "NamespaceTerminating")
}

/// Makes one volume or Secret by POST. Something already there is no failure: the caller looks again.
pub async fn create(
    client: &Client,
    stack: &Stack,
    creation: &Creation,
) -> Result<(), kube::Error> {
    let params = PostParams {
        field_manager: Some(CREATE_MANAGER.to_owned()),
        ..PostParams::default()
    };
    let result = match creation {
        Creation::Volume(_, volume) => {
            let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), &stack.namespace);
            api.create(&params, volume).await.map(drop)
        }
        Creation::Credentials(component, secret) => {
            let api: Api<Secret> = Api::namespaced(client.clone(), &stack.namespace);
            let values = draw(stack, *component)
                .map_err(|error| kube::Error::Service(error.to_string().into()))?;
            let secret = Secret {
                string_data: Some(values),
                ..Secret::clone(secret)
            };
            api.create(&params, &secret).await.map(drop)
        }
    };
    match result {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other,
    }
}

/// Draws a store's credentials from the operating system's random source: 256 bits each.
fn draw(stack: &Stack, component: Component) -> Result<BTreeMap<String, String>, getrandom::Error> {
    let mut failed = None;
    let values = credential_values(stack, component, || {
        let mut bytes = [0_u8; 32];
        if let Err(error) = getrandom::fill(&mut bytes) {
            failed = Some(error);
        }
        // Hexadecimal: safe in every URL, shell and configuration file.
        bytes
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                write!(text, "{byte:02x}").expect("a String takes everything");
                text
            })
    });
    match failed {
        Some(error) => Err(error),
        None => Ok(values),
    }
}

/// Applies all objects: kept ones first, since pods need them, then the rest at once. One refusal stops no other.
/// What was accepted before and is as it was then is left out. Prunes afterwards, if nothing was refused.
pub async fn apply(
    client: &Client,
    memory: &Memory,
    metrics: &Metrics,
    stack: &Stack,
    observed: &Observed,
    work: &Work,
) -> Applied {
    let mut applied = Applied::default();
    let mut before = memory.take(&stack.namespace, &stack.name);
    let mut accepted = Applies::new();
    for (id, uid) in &work.migration.superseded {
        // In the foreground: gone means that its pods have ended. What else is refused must not hold this up.
        let params = DeleteParams::foreground();
        if let Err(failure) = delete(client, stack, observed, id, uid, params).await {
            applied.failures.push(failure);
        }
    }
    let (kept, rest): (Vec<&Object>, Vec<&Object>) = work
        .objects
        .iter()
        .partition(|object| object.id.kind.is_kept());
    for wave in [kept, rest] {
        let mut due = Vec::new();
        for object in wave {
            let seen = observed.object(&object.id);
            match before.remove(&object.id) {
                Some(known) if seen.is_some_and(|seen| known.holds(&object.value, seen)) => {
                    accepted.insert(object.id.clone(), known);
                    metrics.apply_left_out();
                }
                Some(_) | None => due.push(object),
            }
        }
        let writes = due
            .iter()
            .map(|object| apply_one(client, stack, observed, object));
        for (object, result) in due.iter().zip(join_all(writes).await) {
            metrics.apply_sent();
            match result {
                Ok(new) => {
                    accepted.insert(object.id.clone(), new);
                }
                Err(failure) => applied.failures.push(failure),
            }
        }
    }
    applied.objects = accepted
        .iter()
        .filter_map(|(id, accepted)| Some((id.clone(), accepted.object()?.clone())))
        .collect();
    memory.put(&stack.namespace, &stack.name, accepted);
    if applied.failures.is_empty() {
        for (id, uid) in &work.prune {
            let params = DeleteParams::background();
            if let Err(failure) = delete(client, stack, observed, id, uid, params).await {
                applied.failures.push(failure);
            }
        }
    }
    applied
}

async fn apply_one(
    client: &Client,
    stack: &Stack,
    observed: &Observed,
    object: &Object,
) -> Result<Accepted, Failure> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &stack.namespace, &object.id.kind.resource());
    let mut value = object.value.clone();
    let mut params = PatchParams::apply(FIELD_MANAGER).validation_strict();
    if let (Some(seen), Some(metadata)) = (
        observed.object(&object.id),
        value.get_mut("metadata").and_then(Value::as_object_mut),
    ) {
        // Only what was seen to be ours is taken back by force, and by its UID: an object that replaced it in between
        // is not written to. Where nothing stood, a newcomer's fields are left to it (409).
        metadata.insert("uid".to_owned(), json!(seen.uid));
        if object.id.kind.is_kept() {
            // Its marks were read and are sent back: what somebody wrote in between, following our own advice, stays.
            metadata.insert("resourceVersion".to_owned(), json!(seen.resource_version));
        }
        params = params.force();
    }
    let patch = Patch::Apply(&value);
    let failure = |error| Failure {
        part: object.part,
        id: object.id.clone(),
        error,
    };
    if object.id.kind.is_kept() {
        // Metadata alone comes back: a Secret's data is none of our business.
        let answer = api.patch_metadata(&object.id.name, &params, &patch).await;
        let metadata = answer.map_err(failure)?.metadata;
        return Ok(Accepted::new(&object.value, &metadata, None));
    }
    let mut answer = api.patch(&object.id.name, &params, &patch).await;
    let refused =
        matches!(&answer, Err(kube::Error::Api(status)) if status.code == 422 && params.force);
    if refused && write_over(&api, &object.id, &value).await {
        answer = api.patch(&object.id.name, &params, &patch).await;
    }
    let new = answer.map_err(failure)?;
    let told = memory::told(object.id.kind, &new);
    Ok(Accepted::new(&object.value, &new.metadata, told))
}

/// Writes a list over whose keys somebody changed: an apply adds our entries beside theirs, and the server refuses two
/// ports of one name. At the UID that was seen to be ours. Whether it was done; the next apply owns the fields again.
async fn write_over(api: &Api<DynamicObject>, id: &ObjectId, value: &Value) -> bool {
    let ports = value
        .pointer("/spec/ports")
        .filter(|_| id.kind == Kind::Service);
    let (Some(ports), Some(uid)) = (ports, value.pointer("/metadata/uid")) else {
        return false;
    };
    let patch = json!({"metadata": {"uid": uid}, "spec": {"ports": ports}});
    let params = PatchParams {
        field_manager: Some(MEND_MANAGER.to_owned()),
        ..PatchParams::default()
    };
    // If it is refused, the apply's own refusal says more.
    api.patch(&id.name, &params, &Patch::Merge(&patch))
        .await
        .is_ok()
}

async fn delete(
    client: &Client,
    stack: &Stack,
    observed: &Observed,
    id: &ObjectId,
    uid: &str,
    params: DeleteParams,
) -> Result<(), Failure> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &stack.namespace, &id.kind.resource());
    let preconditions = Preconditions {
        uid: Some(uid.to_owned()),
        resource_version: None,
    };
    let params = params.preconditions(preconditions);
    tracing::info!(namespace = stack.namespace, stack = stack.name, object = %id, uid, "deleting a child that is not wanted any more");
    match api.delete(&id.name, &params).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => {
            let labels = observed
                .object(id)
                .and_then(|metadata| metadata.labels.clone())
                .unwrap_or_default();
            Err(Failure {
                part: Part::of(id, &labels),
                id: id.clone(),
                error,
            })
        }
    }
}
