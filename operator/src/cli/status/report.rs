//! One stack as `tpstack status` shows it. [pure]

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::DynamicObject;
use kube::{Resource, ResourceExt};
use serde::Serialize;

use crate::conditions::PARTS;
use crate::crd::{Condition, ConditionStatus, Phase, TpStackStatus};
use crate::desired::Part;
use crate::desired::metadata::{Component, INSTANCE_LABEL};

/// What stands beside the stacks.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Deployments with our label.
    pub deployments: Vec<Deployment>,
    /// `StatefulSets` with our label.
    pub stateful_sets: Vec<StatefulSet>,
    /// Volume claims with our label.
    pub claims: Vec<PersistentVolumeClaim>,
    /// What may not be read, in the API server's words.
    pub unread: Vec<String>,
}

/// One stack.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether the condition Ready is True, for the spec as it is now.
    pub ready: bool,
    /// One word for people; `None` before the operator has looked at it.
    pub phase: Option<Phase>,
    /// Generation of the spec.
    pub generation: Option<i64>,
    /// Generation that the status describes.
    pub observed_generation: Option<i64>,
    /// Where the API answers.
    pub urls: Vec<String>,
    /// Every condition.
    pub conditions: Vec<Condition>,
    /// Pods of each workload.
    pub pods: Vec<Pods>,
    /// Volumes that hold its data.
    pub volumes: Vec<Volume>,
    /// What to do next; empty when there is nothing to do.
    pub next: Vec<String>,
    /// What may not be read, in the API server's words.
    pub unread: Vec<String>,
}

/// Pods of one workload.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pods {
    /// Its name.
    pub workload: String,
    /// How many there are to be.
    pub wanted: i32,
    /// How many are ready.
    pub ready: i32,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Volume {
    /// Name of its claim.
    pub claim: String,
    /// Phase of its claim. Example: Bound
    pub phase: String,
    /// Its size or, while it has none, the size that is asked for.
    pub size: String,
}

impl Report {
    /// Whether the stack is ready.
    pub fn is_ready(&self) -> bool {
        self.ready
    }
}

/// Puts together what is told of one stack.
pub fn report(stack: &DynamicObject, seen: &Seen) -> Report {
    let status: TpStackStatus = stack
        .data
        .get("status")
        .and_then(|status| serde_json::from_value(status.clone()).ok())
        .unwrap_or_default();
    let (namespace, name) = (stack.namespace().unwrap_or_default(), stack.name_any());
    let generation = stack.metadata.generation;
    let is_current =
        status.observed_generation.is_some() && status.observed_generation == generation;
    let holds = status
        .conditions
        .iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == ConditionStatus::True);
    Report {
        ready: holds && is_current,
        next: next(&namespace, &name, &status, is_current),
        phase: status.phase,
        generation,
        observed_generation: status.observed_generation,
        urls: status.endpoints.iter().map(|end| end.url.clone()).collect(),
        conditions: status.conditions,
        pods: pods(&namespace, &name, seen),
        volumes: volumes(&namespace, &name, seen),
        unread: seen.unread.clone(),
        namespace,
        name,
    }
}

fn is_of<K: Resource>(object: &K, namespace: &str, stack: &str) -> bool {
    object.meta().namespace.as_deref() == Some(namespace)
        && object.labels().get(INSTANCE_LABEL).map(String::as_str) == Some(stack)
}

fn pods(namespace: &str, stack: &str, seen: &Seen) -> Vec<Pods> {
    let deployments = seen
        .deployments
        .iter()
        .filter(|of| is_of(*of, namespace, stack));
    let sets = seen
        .stateful_sets
        .iter()
        .filter(|of| is_of(*of, namespace, stack));
    let pods = |workload: String, wanted: Option<i32>, ready: Option<i32>| Pods {
        workload,
        wanted: wanted.unwrap_or(1),
        ready: ready.unwrap_or_default(),
    };
    deployments
        .map(|of| {
            let wanted = of.spec.as_ref().and_then(|spec| spec.replicas);
            let ready = of.status.as_ref().and_then(|status| status.ready_replicas);
            pods(of.name_any(), wanted, ready)
        })
        .chain(sets.map(|of| {
            let wanted = of.spec.as_ref().and_then(|spec| spec.replicas);
            let ready = of.status.as_ref().and_then(|status| status.ready_replicas);
            pods(of.name_any(), wanted, ready)
        }))
        .collect()
}

fn volumes(namespace: &str, stack: &str, seen: &Seen) -> Vec<Volume> {
    let claims = seen.claims.iter().filter(|of| is_of(*of, namespace, stack));
    claims
        .map(|claim| {
            let status = claim.status.as_ref();
            let capacity = status.and_then(|status| status.capacity.as_ref()?.get("storage"));
            let asked = claim.spec.as_ref().and_then(|spec| {
                let requests = spec.resources.as_ref()?.requests.as_ref()?;
                requests.get("storage")
            });
            Volume {
                claim: claim.name_any(),
                phase: status
                    .and_then(|status| status.phase.clone())
                    .unwrap_or_default(),
                size: capacity
                    .or(asked)
                    .map_or_else(String::new, |size| size.0.clone()),
            }
        })
        .collect()
}

/// What to do next: the operator's own advice where it has some, a look at the pods where they are waited for.
fn next(namespace: &str, stack: &str, status: &TpStackStatus, is_current: bool) -> Vec<String> {
    let condition = |name: &str| status.conditions.iter().find(|of| of.type_ == name);
    let holds = |name: &str| {
        condition(name).is_some_and(|condition| condition.status == ConditionStatus::True)
    };
    if !is_current {
        return vec![format!(
            "the operator has not looked at this spec yet; if that stays so: tpstack doctor {stack} --namespace {namespace}"
        )];
    }
    if let Some(stalled) = condition("Stalled").filter(|_| holds("Stalled")) {
        return advice(&stalled.message);
    }
    if holds("Ready") {
        return Vec::new();
    }
    if let Some(paused) = condition("Ready").filter(|ready| ready.reason == "Paused") {
        return advice(&paused.message);
    }
    let waiting = PARTS.iter().filter(|(_, name)| !holds(name));
    let mut next: Vec<String> = waiting
        .filter_map(|(part, name)| Some((*part, condition(name)?)))
        .flat_map(|(part, condition)| {
            if condition.message.contains("kubectl ") || condition.reason != "Progressing" {
                advice(&condition.message)
            } else {
                look_at_pods(namespace, stack, part)
            }
        })
        .collect();
    next.push(format!(
        "what the cluster lacks: tpstack doctor {stack} --namespace {namespace}"
    ));
    next
}

fn look_at_pods(namespace: &str, stack: &str, part: Part) -> Vec<String> {
    let component = match part {
        Part::Api => Component::Api,
        Part::Postgres => Component::Postgres,
        Part::Redis => Component::Redis,
        Part::Ingress | Part::Monitoring => return Vec::new(),
    };
    let labels: Vec<String> = component
        .selector_labels(stack)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    vec![format!(
        "what its pods wait for: kubectl --namespace {namespace} describe pods --selector {}",
        labels.join(",")
    )]
}

/// The sentences of a message that hold a command; all of it where none does.
fn advice(message: &str) -> Vec<String> {
    let sentences = message.split(". ").map(str::trim);
    let commands: Vec<String> = sentences
        .filter(|sentence| sentence.contains("kubectl "))
        .map(str::to_owned)
        .collect();
    if commands.is_empty() && !message.is_empty() {
        return vec![message.to_owned()];
    }
    commands
}

#[cfg(test)]
mod tests;
