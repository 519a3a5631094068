//! What is told about each part of a stack, from how a run ended. [pure]

use kube::api::DynamicObject;
use serde_json::Value;

use crate::crd::{ConditionStatus, MonitoringMode};
use crate::desired::Part;
use crate::desired::metadata::Component;
use crate::kind::{Kind, ObjectId, OptionalApi};
use crate::migration::{Migration, Stage};
use crate::outcome::Worked;
use crate::references::Missing;
use crate::validate::External;

mod certificate;
mod stopped;

pub use stopped::whole as stopped;

/// What is told about one aspect, before it is dated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether the aspect holds.
    pub status: ConditionStatus,
    /// One word for programs.
    pub reason: &'static str,
    /// A sentence for people.
    pub message: String,
}

impl Finding {
    /// It holds.
    pub fn yes(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: ConditionStatus::True,
            reason,
            message: message.into(),
        }
    }

    /// It does not hold.
    pub fn no(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: ConditionStatus::False,
            reason,
            message: message.into(),
        }
    }
}

/// Every part and the type of its condition.
pub const PARTS: [(Part, &str); 5] = [
    (Part::Api, "ApiReady"),
    (Part::Postgres, "PostgresReady"),
    (Part::Redis, "RedisReady"),
    (Part::Ingress, "IngressReady"),
    (Part::Monitoring, "MonitoringReady"),
];

/// What to tell about one part after a run that wrote children.
pub fn part(part: Part, worked: &Worked) -> Finding {
    if let Some(message) = conflicts(worked, Some(part)) {
        return Finding::no("NameConflict", message);
    }
    let refusals = worked.refusals().into_iter();
    let refused: Vec<String> = refusals
        .filter(|(of, _)| *of == part)
        .map(|(_, words)| words)
        .collect();
    if !refused.is_empty() {
        return Finding::no("ApplyFailed", refused.join("; "));
    }
    if let Some((_, message)) = worked
        .work
        .waits
        .iter()
        .find(|(waiting, _)| *waiting == part)
    {
        return Finding::no("Progressing", message.clone());
    }
    if let Some(missing) = missing(worked, Some(part)) {
        return Finding::no(missing.reason, missing.message.clone());
    }
    let stack = &worked.stack;
    match part {
        Part::Postgres if stack.external.postgres.is_some() => {
            external(stack.external.postgres.as_ref())
        }
        Part::Redis if stack.external.redis.is_some() => external(stack.external.redis.as_ref()),
        Part::Redis if stack.redis.is_none() => {
            Finding::yes("Disabled", "spec.redis.engine is Disabled")
        }
        Part::Api if stack.stopped => stopped::api(worked),
        Part::Postgres if stack.stopped => stopped::store(worked, Component::Postgres),
        Part::Redis if stack.stopped => stopped::store(worked, Component::Redis),
        Part::Api => migration(worked).unwrap_or_else(|| deployment(worked)),
        Part::Postgres => stateful_set(worked, Component::Postgres),
        Part::Redis => stateful_set(worked, Component::Redis),
        Part::Ingress if stack.ingress.is_none() => {
            Finding::yes("NotConfigured", "spec.ingress is not set: no route is made")
        }
        Part::Ingress if !worked.observed.capabilities.has(OptionalApi::Traefik) => Finding::no(
            "CRDNotInstalled",
            "Traefik's custom resources (traefik.io/v1alpha1) are not installed: no route can be made; install Traefik with its CRDs",
        ),
        Part::Ingress => {
            certificate::missing(worked).unwrap_or_else(|| Finding::yes("RoutesApplied", ""))
        }
        Part::Monitoring => monitoring(worked),
    }
}

/// Names taken by somebody else's object, as one message; `None` if there are none.
pub fn conflicts(worked: &Worked, part: Option<Part>) -> Option<String> {
    let named: Vec<String> = worked
        .work
        .conflicts
        .iter()
        .filter(|(of, _)| part.is_none_or(|part| part == *of))
        .map(|(_, id)| id.to_string())
        .collect();
    (!named.is_empty()).then(|| {
        format!(
            "{} stands where a child of this TpStack belongs, was not made by it, and is left untouched: \
             delete or rename it, or choose another name for the TpStack",
            named.join(", ")
        )
    })
}

/// What keeps somebody else's store from being used.
pub fn missing(worked: &Worked, part: Option<Part>) -> Option<&Missing> {
    let mut all = worked.work.missing.iter();
    all.find(|(of, _)| part.is_none_or(|part| part == *of))
        .map(|(_, missing)| missing)
}

/// What is told of somebody else's store: nobody here asks it anything.
fn external(external: Option<&External>) -> Finding {
    let secret = external.map_or("", |external| &external.secret);
    Finding::yes(
        "External",
        format!(
            "somebody else runs it; Secret {secret} says where it is. Whether it answers, the API's /health/ready tells"
        ),
    )
}

fn monitoring(worked: &Worked) -> Finding {
    let installed = worked
        .observed
        .capabilities
        .has(OptionalApi::PrometheusOperator);
    match worked.stack.monitoring.mode {
        MonitoringMode::Disabled => Finding::yes("Disabled", "spec.monitoring.mode is Disabled"),
        MonitoringMode::Auto | MonitoringMode::Enabled if installed => {
            Finding::yes("ServiceMonitorApplied", "")
        }
        MonitoringMode::Auto => Finding::yes(
            "CRDNotInstalled",
            "prometheus-operator is not installed: no ServiceMonitor was made",
        ),
        MonitoringMode::Enabled => Finding::no(
            "CRDNotInstalled",
            "prometheus-operator's custom resources (monitoring.coreos.com/v1) are not installed and spec.monitoring.mode is Enabled: \
             install them, or set the mode to Auto",
        ),
    }
}

/// What is told of the API while its database is not migrated for the image that the spec asks for.
fn migration(worked: &Worked) -> Option<Finding> {
    let migration = &worked.work.migration;
    let namespace = &worked.stack.namespace;
    let meanwhile = match migration.held() {
        Some(image) => format!("the pods of {image} stay as they are until then"),
        None if migration.is_withheld() => "the API starts after it".to_owned(),
        None => "its pods serve meanwhile".to_owned(),
    };
    match &migration.stage {
        Stage::NotAsked | Stage::Done(_) | Stage::Stopped => None,
        Stage::Waits(message) => Some(Finding::no("Migrating", format!("{message}; {meanwhile}"))),
        Stage::Running(job) => Some(Finding::no(
            "Migrating",
            format!(
                "Job {job} migrates the database for image {}; {meanwhile}. To look at it: kubectl --namespace {namespace} describe job {job}",
                migration.image
            ),
        )),
        Stage::Failed(job, words) => Some(Finding::no(
            "MigrationFailed",
            migration_failed(namespace, migration, job, words),
        )),
    }
}

/// Why the API stays as it is until somebody acts, if so.
pub fn failed_migration(worked: &Worked) -> Option<Finding> {
    let Stage::Failed(job, words) = &worked.work.migration.stage else {
        return None;
    };
    let message = migration_failed(&worked.stack.namespace, &worked.work.migration, job, words);
    Some(Finding::yes("MigrationFailed", message))
}

fn migration_failed(namespace: &str, migration: &Migration, job: &str, words: &str) -> String {
    let meanwhile = match migration.held() {
        Some(image) => format!("The pods of {image} stay as they are."),
        None if migration.is_withheld() => "The API is not started.".to_owned(),
        None => "Its pods serve all the same.".to_owned(),
    };
    format!(
        "Job {job} could not migrate the database for image {}: {words}. {meanwhile} It is tried again within the hour, with another \
         image or environment at once, or by hand. What it said: kubectl --namespace {namespace} logs job/{job}. \
         To try again: kubectl --namespace {namespace} delete job {job}",
        migration.image
    )
}

fn deployment(worked: &Worked) -> Finding {
    let id = ObjectId::new(Kind::Deployment, Component::Api.name(&worked.stack.name));
    let Some(object) = worked.applied.objects.get(&id) else {
        return Finding::no("Progressing", format!("{id} is not applied yet"));
    };
    let wanted = wanted_pods(worked, object);
    let [replicas, updated, available] =
        ["replicas", "updatedReplicas", "availableReplicas"].map(|field| count(object, field));
    if !is_observed(object) {
        return Finding::no(
            "Progressing",
            format!("{id} waits for the Deployment controller"),
        );
    }
    if updated == wanted && available == wanted && replicas == wanted {
        return Finding::yes(
            "Available",
            format!(
                "{available} of {wanted} pods are available{}",
                counted_by(worked)
            ),
        );
    }
    Finding::no(
        "Progressing",
        format!(
            "{available} of {wanted} pods are available, {updated} of them are up to date{}{}",
            said_by(object),
            waited_for(worked)
        ),
    )
}

/// What the API's variables come from and is not there: pods that need it are not started, and the Deployment does not say
/// why.
fn waited_for(worked: &Worked) -> String {
    let variables = worked.observed.variables.as_ref();
    let missing = variables.map_or(&[][..], |variables| &variables.missing);
    if missing.is_empty() {
        return String::new();
    }
    format!(
        "; new pods wait until this is there: {}",
        missing.join(", ")
    )
}

/// How many pods of the API there are to be: what the spec says, or the Deployment where an autoscaler does.
pub fn wanted_pods(worked: &Worked, deployment: &DynamicObject) -> i64 {
    let stack = &worked.stack;
    let live = deployment
        .data
        .pointer("/spec/replicas")
        .and_then(Value::as_i64);
    match live {
        _ if stack.stopped => 0,
        Some(live) if stack.api.autoscaling.is_some() => live,
        _ => i64::from(stack.api.replicas),
    }
}

fn counted_by(worked: &Worked) -> String {
    let autoscaling = worked.stack.api.autoscaling.as_ref();
    autoscaling.map_or_else(String::new, |autoscaling| {
        format!(
            "; HorizontalPodAutoscaler {} sets their number, between {} and {}",
            Component::Api.name(&worked.stack.name),
            autoscaling.min,
            autoscaling.max
        )
    })
}

fn stateful_set(worked: &Worked, component: Component) -> Finding {
    let id = ObjectId::new(Kind::StatefulSet, component.name(&worked.stack.name));
    let Some(object) = worked.applied.objects.get(&id) else {
        return Finding::no("Progressing", format!("{id} is not applied yet"));
    };
    if !is_observed(object) {
        return Finding::no(
            "Progressing",
            format!("{id} waits for the StatefulSet controller"),
        );
    }
    if is_serving(object) {
        return if is_marked(worked, component) {
            Finding::yes("Available", "the pod is ready")
        } else {
            Finding::no(
                "Progressing",
                "the pod is ready; its volume and credentials are about to be marked as holding data",
            )
        };
    }
    Finding::no(
        "Progressing",
        format!(
            "the pod of {id} is not ready yet; see: kubectl --namespace {} describe pod {}-0",
            worked.stack.namespace, id.name
        ),
    )
}

/// Stores that serve and whose data is not marked yet: they became ready after this run had looked.
///
/// Until the mark is set a loss would not be noticed, so readiness is not claimed and the next run comes soon.
pub fn unmarked(worked: &Worked) -> bool {
    [Component::Postgres, Component::Redis]
        .into_iter()
        .any(|component| {
            let id = ObjectId::new(Kind::StatefulSet, component.name(&worked.stack.name));
            worked.applied.objects.get(&id).is_some_and(is_serving) && !is_marked(worked, component)
        })
}

fn is_serving(object: &DynamicObject) -> bool {
    is_observed(object)
        && count(object, "readyReplicas") >= 1
        && text(object, "currentRevision") == text(object, "updateRevision")
}

/// Whether the store has nothing to lose, or the mark that says it has.
fn is_marked(worked: &Worked, component: Component) -> bool {
    let stores = &worked.work.stores;
    let pair = match component {
        Component::Redis => stores.redis.as_ref(),
        Component::Postgres | Component::Api | Component::Migrate => stores.postgres.as_ref(),
    };
    pair.is_none_or(|pair| pair.volume_uid.is_none() || pair.initialized)
}

/// What the Deployment controller itself complains of.
fn said_by(object: &DynamicObject) -> String {
    let conditions = object
        .data
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let failing = conditions.into_iter().flatten().find(|condition| {
        let field = |name: &str| {
            condition
                .get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        (field("type") == "ReplicaFailure" && field("status") == "True")
            || (field("type") == "Progressing" && field("status") == "False")
    });
    failing
        .and_then(|condition| condition.get("message"))
        .and_then(Value::as_str)
        .map_or_else(String::new, |message| format!(": {message}"))
}

/// Whether the workload's controller has seen what was applied.
fn is_observed(object: &DynamicObject) -> bool {
    let observed = object
        .data
        .pointer("/status/observedGeneration")
        .and_then(Value::as_i64);
    observed.is_some() && observed >= object.metadata.generation
}

/// A counter of the workload's status; absent means none.
pub fn count(object: &DynamicObject, field: &str) -> i64 {
    object
        .data
        .pointer(&format!("/status/{field}"))
        .and_then(Value::as_i64)
        .unwrap_or_default()
}

fn text<'a>(object: &'a DynamicObject, field: &str) -> &'a str {
    object
        .data
        .pointer(&format!("/status/{field}"))
        .and_then(Value::as_str)
        .unwrap_or_default()
}
