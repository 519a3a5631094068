//! Decides whether the API may have the image that the spec asks for, or its database is to be migrated first. [pure]
//!
//! A Job for each new image gates it: until that Job has succeeded the Deployment keeps the pods it has. What was
//! migrated is noted on the Deployment, so that a Job which is cleaned up is not run again.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Container, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::desired::metadata::{Component, MIGRATED_IMAGE, MIGRATED_VOLUME, RECIPE};
use crate::desired::{Stores, api, migrate};
use crate::kind::{Kind, ObjectId};
use crate::observed::{JobState, Observed, Ownership, is_ours_to_delete};
use crate::settings::Images;
use crate::validate::Stack;

/// What becomes of the API's pods, and of the Job before them.
#[derive(Clone, Debug, Default)]
pub struct Migration {
    /// How far it is.
    pub stage: Stage,
    /// The image that the spec asks for, where it is to be migrated.
    pub image: String,
    /// The pods that the Deployment is to have.
    pub rollout: Rollout,
    /// What is noted on the Deployment.
    pub record: Option<Record>,
    /// The Job, while it is to be there.
    pub job: Option<Box<Job>>,
    /// Jobs in its way, each with its UID: to be deleted, and gone with their pods, before it is made.
    pub superseded: Vec<(ObjectId, String)>,
}

/// How far a migration is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// There is nothing to migrate.
    #[default]
    NotAsked,
    /// The database is migrated for the image that the spec asks for. Its Job, by this name, may still be there.
    Done(String),
    /// The stack is stopped, and so is its database: nothing is migrated until it runs again.
    Stopped,
    /// The Job is not made yet; why.
    Waits(String),
    /// The Job of this name runs.
    Running(String),
    /// The Job of this name has given up; in Kubernetes' words.
    Failed(String, String),
}

/// The pods that the API's Deployment is to have.
#[derive(Clone, Debug, Default)]
pub enum Rollout {
    /// Those that the spec asks for.
    #[default]
    Wanted,
    /// Those that it has.
    Held(Box<PodTemplateSpec>),
    /// There is no Deployment, and none is made yet.
    Withheld,
}

/// What was migrated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// For which image.
    pub image: String,
    /// UID of the volume that holds the database, or of the Secret that says where somebody else's is: data that was given up
    /// takes its schema along.
    pub volume: String,
}

impl Migration {
    /// What a fresh cluster is given, for `tpstack render`: the Job, and the Deployment that follows it.
    pub fn fresh(stack: &Stack, images: &Images) -> Self {
        let job = migrate::job(stack, images, "").map(|mut job| {
            // It names the volume too, which there is none of.
            job.metadata.annotations = None;
            Box::new(job)
        });
        if stack.stopped && job.is_some() {
            return Self {
                stage: Stage::Stopped,
                rollout: Rollout::Withheld,
                ..Self::default()
            };
        }
        Self {
            job,
            ..Self::default()
        }
    }

    /// Whether there is no Deployment and none is made yet.
    pub fn is_withheld(&self) -> bool {
        matches!(self.rollout, Rollout::Withheld)
    }

    /// Name of the image whose pods serve meanwhile, while the wanted ones are held back.
    pub fn held(&self) -> Option<&str> {
        match &self.rollout {
            Rollout::Held(template) => image(template),
            Rollout::Wanted | Rollout::Withheld => None,
        }
    }
}

/// Decides for one stack.
pub fn decide(stack: &Stack, images: &Images, observed: &Observed, stores: &Stores) -> Migration {
    let Some(name) = migrate::name(stack, images) else {
        return Migration::default();
    };
    let deployment = ObjectId::new(Kind::Deployment, Component::Api.name(&stack.name));
    let is_ours = matches!(
        observed.ownership(&deployment, &stack.name, &stack.uid),
        Ownership::Ours | Ownership::Absent
    );
    if !observed.may_read(Kind::Deployment) || !is_ours {
        // Nothing will be written to it, and that is told: no migration for an API that cannot follow.
        return Migration::default();
    }
    let wanted = api::image(stack, images);
    let known = observed.object(&deployment).and_then(record);
    let volume = database(stack, stores);
    let is_recorded = known.as_ref().is_some_and(|known| {
        known.image == wanted
            && volume.is_none_or(|volume| volume == known.volume)
            && (volume.is_some() || !leads_elsewhere(stack, observed.serving.as_deref()))
    });
    if is_recorded {
        return done(wanted, name, known);
    }
    let closed = |stage| Migration {
        stage,
        image: wanted.to_owned(),
        rollout: match &observed.serving {
            // Pods of this image serve already: there is no other to hold on to, and no reason to hold up the rest.
            Some(template)
                if image(template) == Some(wanted) && !leads_elsewhere(stack, Some(template)) =>
            {
                Rollout::Wanted
            }
            Some(template) => Rollout::Held(template.clone()),
            None => Rollout::Withheld,
        },
        record: known.clone(),
        job: None,
        superseded: Vec::new(),
    };
    if stack.stopped {
        return stopped(stack, observed, &name, closed(Stage::Stopped));
    }
    let Some(volume) = volume else {
        let until = if stack.external.postgres.is_some() {
            "the Secret of the External database is complete"
        } else {
            "Postgres has its volume and credentials"
        };
        return closed(Stage::Waits(format!(
            "the API's database is migrated once {until}"
        )));
    };
    let Some(job) = migrate::job(stack, images, volume) else {
        return Migration::default();
    };
    let id = ObjectId::new(Kind::Job, name.clone());
    let with_job = |stage| Migration {
        job: Some(Box::new(job.clone())),
        ..closed(stage)
    };
    if let Some(there) = observed.object(&id) {
        if observed.ownership(&id, &stack.name, &stack.uid) == Ownership::Foreign {
            // With the Job among the wanted objects the conflict is told, and nothing is written.
            return with_job(Stage::Waits(format!("{id} is not ours")));
        }
        if is_current(there, &job.metadata)
            && observed.jobs.get(&name) == Some(&JobState::Complete)
            && observed.ownership(&id, &stack.name, &stack.uid) == Ownership::Ours
        {
            let record = Record {
                image: wanted.to_owned(),
                volume: volume.to_owned(),
            };
            return done(wanted, name, Some(record));
        }
    }
    let in_the_way = in_the_way(stack, observed, |there, metadata| {
        *there != id || !is_current(metadata, &job.metadata)
    });
    if !in_the_way.is_empty() {
        return removing(in_the_way, closed(Stage::NotAsked));
    }
    match observed.jobs.get(&name) {
        Some(JobState::Failed(words)) => closed(Stage::Failed(name, words.clone())),
        Some(JobState::Running | JobState::Complete) | None => with_job(Stage::Running(name)),
    }
}

fn done(image: &str, name: String, record: Option<Record>) -> Migration {
    Migration {
        image: image.to_owned(),
        stage: Stage::Done(name),
        record,
        ..Migration::default()
    }
}

/// A Job that still runs would only use up its tries, and be found failed when the stack runs again: it is removed, and
/// made anew then. One that has ended is left to its end, so that its logs can be read.
fn stopped(stack: &Stack, observed: &Observed, name: &str, migration: Migration) -> Migration {
    let running = in_the_way(stack, observed, |there, _| {
        there.name != name || observed.jobs.get(name) == Some(&JobState::Running)
    });
    if running.is_empty() {
        return migration;
    }
    removing(running, migration)
}

/// Whether the pods that serve have another External database than the spec asks for: they keep it until the new one is
/// migrated.
fn leads_elsewhere(stack: &Stack, serving: Option<&PodTemplateSpec>) -> bool {
    let (Some(external), Some(template)) = (&stack.external.postgres, serving) else {
        return false;
    };
    let secret = || {
        let container = container(template)?;
        let host = container
            .env
            .iter()
            .flatten()
            .find(|v| v.name == "DB_HOST")?;
        let source = host.value_from.as_ref()?;
        Some(source.secret_key_ref.as_ref()?.name.as_str())
    };
    secret().is_some_and(|secret| secret != external.secret)
}

/// What stands for the database that is migrated: its volume, or the Secret that says where somebody else's is. Another one
/// is another schema; a Secret made again may lead to another database, and a migration that has nothing to do is cheap.
pub fn database<'a>(stack: &Stack, stores: &'a Stores) -> Option<&'a str> {
    let pair = stores.postgres.as_ref()?;
    if stack.external.postgres.is_some() {
        Some(&pair.credentials_uid)
    } else {
        pair.volume_uid.as_deref()
    }
}

/// Waits until these are gone, and deletes those of them that can be.
fn removing(obstacles: Vec<Obstacle>, migration: Migration) -> Migration {
    let wait = obstacles.first().map_or_else(String::new, |first| {
        format!("waiting until {} and its pods are gone", first.id)
    });
    Migration {
        stage: Stage::Waits(wait),
        superseded: obstacles
            .into_iter()
            .filter_map(|other| Some((other.id, other.delete?)))
            .collect(),
        ..migration
    }
}

/// A Job that must be gone before another is made: two migrations at once are nobody's wish.
struct Obstacle {
    id: ObjectId,
    /// Its UID, if it is ours to delete and not on its way out.
    delete: Option<String>,
}

fn in_the_way(
    stack: &Stack,
    observed: &Observed,
    must_go: impl Fn(&ObjectId, &ObjectMeta) -> bool,
) -> Vec<Obstacle> {
    let jobs = observed
        .objects
        .iter()
        .filter(|(id, _)| id.kind == Kind::Job);
    jobs.filter_map(|(id, metadata)| {
        let is_going = metadata.deletion_timestamp.is_some();
        let obstacle = |delete| {
            Some(Obstacle {
                id: id.clone(),
                delete,
            })
        };
        match observed.ownership(id, &stack.name, &stack.uid) {
            // The garbage collector's.
            Ownership::Orphan => obstacle(None),
            Ownership::Ours if is_going => obstacle(None),
            Ownership::Ours if !must_go(id, metadata) => None,
            Ownership::Ours if is_ours_to_delete(metadata, &stack.name, &stack.uid) => {
                obstacle(metadata.uid.clone())
            }
            Ownership::Ours | Ownership::Foreign | Ownership::Absent => None,
        }
    })
    .collect()
}

/// Whether a Job was made from what one would be made from now. Without the annotation this cannot be told; the image is
/// that of its name, and making it again each time somebody takes the annotation off could go on for ever.
fn is_current(there: &ObjectMeta, wanted: &ObjectMeta) -> bool {
    annotation(there, RECIPE).is_none_or(|recipe| Some(recipe) == annotation(wanted, RECIPE))
}

fn record(deployment: &ObjectMeta) -> Option<Record> {
    Some(Record {
        image: annotation(deployment, MIGRATED_IMAGE)?.to_owned(),
        volume: annotation(deployment, MIGRATED_VOLUME)?.to_owned(),
    })
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(String::as_str)
}

fn image(template: &PodTemplateSpec) -> Option<&str> {
    container(template)?.image.as_deref()
}

fn container(template: &PodTemplateSpec) -> Option<&Container> {
    let containers = &template.spec.as_ref()?.containers;
    containers.iter().find(|c| c.name == api::CONTAINER)
}

#[cfg(test)]
mod tests;
