//! What the operator would do to reach the spec, all its steps taken together. [pure]
//!
//! The operator looks again after each step; here what a step makes is put among what was observed, and the plan is made
//! anew. Nothing here knows what the plan does with kept objects, replicas or migrations: it is the operator's own.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::crd::TpStack;
use crate::desired::{Object, Part, migrate};
use crate::kind::{Kind, ObjectId};
use crate::migration::{self, Stage};
use crate::observed::{JobState, Observed};
use crate::plan::{Creation, Plan, Work, credential_values, plan, store_part};
use crate::settings::Images;
use crate::validate::Stack;

/// Stands for what is drawn or given when an object is made.
pub(super) const LATER: &str = "(known once it is made)";

/// How often what is made once is made, at most; twice is enough.
const STEPS: usize = 5;

/// All that would be done.
#[derive(Debug, Default)]
pub(super) struct Future {
    /// Changes, in the operator's order.
    pub(super) changes: Vec<Change>,
    /// What a reader should know.
    pub(super) notes: Vec<String>,
    /// What could not be decided, since something may not be read.
    pub(super) unknown: Vec<String>,
}

/// A change to one object.
#[derive(Debug)]
pub(super) enum Change {
    /// Made once, by POST.
    Make(Object),
    /// Applied.
    Apply(Object),
    /// Deleted.
    Delete(ObjectId),
}

impl Change {
    pub(super) fn id(&self) -> &ObjectId {
        match self {
            Self::Make(object) | Self::Apply(object) => &object.id,
            Self::Delete(id) => id,
        }
    }
}

/// What the operator would do about `stack`, from what was observed.
pub(super) fn future(raw: &TpStack, stack: &Stack, images: &Images, observed: &Observed) -> Future {
    let mut future = Future::default();
    if stack.paused {
        future.notes.push(
            "spec.paused is true: the operator writes nothing; this is what it would change without that"
                .to_owned(),
        );
    }
    let mut observed = observed.clone();
    let mut made = BTreeMap::new();
    let mut reached = None;
    for _ in 0..STEPS {
        match plan(raw, stack, images, &observed, &BTreeSet::new()) {
            Plan::Create(creations) => {
                for creation in creations {
                    let object = creation_object(stack, creation);
                    pretend(&object, &mut observed);
                    made.insert(object.id.clone(), object);
                }
            }
            Plan::Stop(loss, objects) => {
                future.notes.push(format!(
                    "the operator stops ({}): {}",
                    loss.reason, loss.message
                ));
                future
                    .changes
                    .extend(objects.into_iter().map(Change::Apply));
                return future;
            }
            Plan::Apply(work) => {
                reached = Some(*work);
                break;
            }
        }
    }
    let Some(work) = reached else {
        future
            .unknown
            .push("the operator would make volumes and credentials without end".to_owned());
        return future;
    };
    let work = beyond_the_gate(raw, stack, images, &observed, work, &mut future);
    for (_, id) in &work.conflicts {
        future.notes.push(format!(
            "{id} was not made by this TpStack and would be left untouched"
        ));
    }
    let missing = work.missing.into_iter();
    future
        .notes
        .extend(missing.map(|(_, missing)| missing.message));
    future
        .notes
        .extend(work.waits.into_iter().map(|(_, wait)| wait));
    let mut forbidden: Vec<String> = work.forbidden.into_iter().map(|(_, words)| words).collect();
    forbidden.dedup();
    future.unknown.extend(forbidden);
    for object in work.objects {
        let change = match made.remove(&object.id) {
            Some(new) => Change::Make(with_marks(new, &object)),
            None => Change::Apply(object),
        };
        future.changes.push(change);
    }
    future.changes.extend(made.into_values().map(Change::Make));
    let gone: BTreeSet<ObjectId> = work.prune.into_iter().map(|(id, _)| id).collect();
    future.changes.extend(gone.into_iter().map(Change::Delete));
    future
}

/// The work as it will be once a migration has succeeded: a reader asks what an image changes, not what holds it up.
fn beyond_the_gate(
    raw: &TpStack,
    stack: &Stack,
    images: &Images,
    observed: &Observed,
    gated: Work,
    future: &mut Future,
) -> Work {
    let waits = match &gated.migration.stage {
        Stage::NotAsked | Stage::Done(_) | Stage::Stopped => return gated,
        Stage::Waits(words) => words.clone(),
        Stage::Running(job) => format!("Job {job} has to succeed"),
        Stage::Failed(job, words) => format!("Job {job} has failed ({words})"),
    };
    let is_taken = gated.conflicts.iter().any(|(_, id)| id.kind == Kind::Job);
    let volume = migration::database(stack, &gated.stores).map(str::to_owned);
    let (false, Some(volume)) = (is_taken, volume) else {
        return gated;
    };
    let Some(job) = migrate::job(stack, images, &volume) else {
        return gated;
    };
    let id = ObjectId::new(Kind::Job, job.metadata.name.clone().unwrap_or_default());
    let mut after = observed.clone();
    for (superseded, _) in &gated.migration.superseded {
        after.objects.remove(superseded);
        future.changes.push(Change::Delete(superseded.clone()));
    }
    if !after.objects.contains_key(&id) {
        let value = serde_json::to_value(&job).expect("Kubernetes objects are plain data");
        let job = Object {
            id: id.clone(),
            part: Part::Api,
            value,
        };
        // One of this name may have to go first: it cannot be changed into the new one.
        let is_replaced = observed.objects.contains_key(&id);
        future.changes.push(if is_replaced {
            Change::Make(job)
        } else {
            Change::Apply(job)
        });
    }
    after.objects.insert(id.clone(), job.metadata);
    after.jobs.insert(id.name, JobState::Complete);
    let Plan::Apply(opened) = plan(raw, stack, images, &after, &BTreeSet::new()) else {
        return gated;
    };
    future.notes.push(format!(
        "the API's Deployment is shown as it will be once its database is migrated: {waits}"
    ));
    *opened
}

/// A creation as an object, without a Secret's values: they are drawn when it is made.
fn creation_object(stack: &Stack, creation: Creation) -> Object {
    let component = creation.component();
    let (kind, name, mut value) = match creation {
        Creation::Volume(component, claim) => (
            Kind::PersistentVolumeClaim,
            component.volume_name(&stack.name),
            serde_json::to_value(claim),
        ),
        Creation::Credentials(component, mut secret) => {
            let values = credential_values(stack, component, String::new);
            let hidden = values.into_keys().map(|key| (key, LATER.to_owned()));
            secret.string_data = Some(hidden.collect());
            let name = component.credentials_name(&stack.name);
            (Kind::Secret, name, serde_json::to_value(secret))
        }
    };
    let value = value.as_mut().map_or(Value::Null, Value::take);
    Object {
        id: ObjectId::new(kind, name),
        part: store_part(component),
        value,
    }
}

/// Puts an object that would be made among what is there.
fn pretend(object: &Object, observed: &mut Observed) {
    let metadata = object.value.get("metadata").cloned().unwrap_or_default();
    let metadata: ObjectMeta = serde_json::from_value(metadata).unwrap_or_default();
    let metadata = ObjectMeta {
        uid: Some(LATER.to_owned()),
        ..metadata
    };
    observed.objects.insert(object.id.clone(), metadata);
}

/// A new object with the marks that it gets right after.
fn with_marks(mut new: Object, marked: &Object) -> Object {
    let marks = marked.value.pointer("/metadata/annotations").cloned();
    let metadata = new.value.get_mut("metadata").and_then(Value::as_object_mut);
    if let (Some(marks), Some(metadata)) = (marks, metadata) {
        metadata.insert("annotations".to_owned(), marks);
    }
    new
}

#[cfg(test)]
mod tests;
