//! The only writer of status: tells how a run ended, after failure too, and writes only when something changed.
#![expect(
    clippy::disallowed_methods,
    reason = "this is the one file that may write status"
)]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::ApiResource;
use kube::{Client, Resource};
use serde_json::json;

use crate::conditions::{self, Finding, PARTS, count};
use crate::crd::{
    Condition, ConditionStatus, Endpoint, Phase, PostgresStatus, RedisEngine, Summary, TpStack,
    TpStackStatus,
};
use crate::desired::metadata::Component;
use crate::desired::{Part, Stores};
use crate::events::Events;
use crate::kept::Pair;
use crate::kind::{Kind, ObjectId};
use crate::outcome::{Outcome, Worked};
use crate::settings::ServiceAccountName;

const STATUS_MANAGER: &str = "tpstack-operator-status";

/// Role that is bound in each granted namespace; `charts/tpstack` makes it.
const CHILDREN_ROLE: &str = "tpstack-operator-children";

/// Tells about a run: computes the status and writes it if it differs from the one that is there; then tells of what
/// changed by events.
pub async fn write(
    client: &Client,
    metadata: &ObjectMeta,
    stack: Option<&TpStack>,
    outcome: &Outcome,
    service_account: &ServiceAccountName,
    events: &Events,
) -> Result<(), kube::Error> {
    if matches!(outcome, Outcome::Terminating) {
        return Ok(());
    }
    // Whole seconds, as Kubernetes writes them.
    let now = Time(
        jiff::Timestamp::from_second(jiff::Timestamp::now().as_second())
            .expect("the present is a valid time"),
    );
    let old = stack
        .and_then(|stack| stack.status.clone())
        .unwrap_or_default();
    let new = status(metadata, stack, &old, outcome, service_account, &now);
    if new == old {
        return Ok(());
    }
    let (Some(namespace), Some(name)) = (&metadata.namespace, &metadata.name) else {
        return Ok(());
    };
    // Untyped, since a stored object that cannot be decoded gets a status too.
    let api: Api<DynamicObject> = Api::namespaced_with(
        client.clone(),
        namespace,
        &ApiResource::erase::<TpStack>(&()),
    );
    let patch = json!({
        "apiVersion": TpStack::api_version(&()),
        "kind": TpStack::kind(&()),
        // The UID: a TpStack created again in between does not get its predecessor's status.
        "metadata": {"name": name, "uid": metadata.uid},
        "status": new,
    });
    match api
        .patch_status(
            name,
            &PatchParams::apply(STATUS_MANAGER).force(),
            &Patch::Apply(&patch),
        )
        .await
    {
        Ok(_) => {
            events
                .tell(metadata, &old.conditions, &new.conditions)
                .await;
            Ok(())
        }
        // Gone. Replaced (409) is no end: the server answers so too when others write at the same time.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

/// The status after a run. `old` gives what outlasts it: dates of unchanged conditions, the volume that held data.
pub fn status(
    metadata: &ObjectMeta,
    stack: Option<&TpStack>,
    old: &TpStackStatus,
    outcome: &Outcome,
    service_account: &ServiceAccountName,
    now: &Time,
) -> TpStackStatus {
    let mut new = TpStackStatus {
        observed_generation: metadata.generation,
        ..old.clone()
    };
    let stalled = stalled(metadata, outcome, service_account);
    let mut findings: Vec<(&str, Finding)> = Vec::new();
    if let Outcome::Worked(worked) = outcome {
        describe(&mut new, worked, stack);
        findings.extend(PARTS.map(|(part, name)| (name, conditions::part(part, worked))));
    } else {
        // Nothing was learnt about the parts: what was known stays, and what was never known says so.
        let unknown = || Finding {
            status: ConditionStatus::Unknown,
            reason: "NotEvaluated",
            message: String::new(),
        };
        let missing = PARTS.iter().filter(|(_, name)| {
            !old.conditions
                .iter()
                .any(|condition| condition.type_ == *name)
        });
        findings.extend(missing.map(|(_, name)| (*name, unknown())));
    }
    if let Outcome::Paused(paused) = outcome {
        remember(&mut new, &paused.stores);
    }
    let waiting: Vec<&str> = findings
        .iter()
        .filter(|(_, f)| f.status != ConditionStatus::True)
        .map(|(name, _)| *name)
        .collect();
    let (ready, reconciling, stalled) = overall(metadata, outcome, stalled, &waiting);
    new.phase = Some(match (ready.status, stalled.status) {
        (_, ConditionStatus::True) => Phase::Stalled,
        _ if matches!(outcome, Outcome::Paused(_)) => Phase::Paused,
        (ConditionStatus::True, _) if is_stopped(outcome) => Phase::Stopped,
        (ConditionStatus::True, _) => Phase::Running,
        _ => Phase::Progressing,
    });
    findings.extend([
        ("Ready", ready),
        ("Reconciling", reconciling),
        ("Stalled", stalled),
    ]);
    for (name, finding) in findings {
        set(&mut new.conditions, name, finding, metadata.generation, now);
    }
    new.conditions
        .sort_by_key(|condition| order(&condition.type_));
    new
}

/// Ready, Reconciling and Stalled, as kstatus reads them.
fn overall(
    metadata: &ObjectMeta,
    outcome: &Outcome,
    stalled: Option<Finding>,
    waiting: &[&str],
) -> (Finding, Finding, Finding) {
    if let Some(stalled) = stalled {
        let ready = Finding::no(stalled.reason, stalled.message.clone());
        return (
            ready,
            Finding::no(
                "Stalled",
                "nothing goes on until somebody acts; see Stalled",
            ),
            stalled,
        );
    }
    let not_stalled = Finding::no("NotStalled", "");
    if let Outcome::Unread(message) = outcome {
        let ready = Finding::no("ReadFailed", message.clone());
        return (
            ready,
            Finding::yes("ReadFailed", message.clone()),
            not_stalled,
        );
    }
    if let Outcome::Paused(paused) = outcome {
        let name = |name: &Option<String>| name.clone().unwrap_or_default();
        let ready = Finding {
            status: ConditionStatus::Unknown,
            reason: "Paused",
            message: paused.message(&name(&metadata.namespace), &name(&metadata.name)),
        };
        let reconciling = Finding::no("Paused", "spec.paused is true");
        return (ready, reconciling, not_stalled);
    }
    if waiting.is_empty() {
        let stopped = match outcome {
            Outcome::Worked(worked) => conditions::stopped(worked),
            _ => None,
        };
        let ready = stopped.unwrap_or_else(|| Finding::yes("AllComponentsReady", ""));
        return (ready, Finding::no("UpToDate", ""), not_stalled);
    }
    let message = format!("waiting for {}", waiting.join(", "));
    (
        Finding::no("ComponentsNotReady", message.clone()),
        Finding::yes("Progressing", message),
        not_stalled,
    )
}

/// Why nothing goes on until somebody acts, if so.
fn stalled(
    metadata: &ObjectMeta,
    outcome: &Outcome,
    service_account: &ServiceAccountName,
) -> Option<Finding> {
    match outcome {
        Outcome::Undecodable(error) => Some(Finding::yes(
            "InvalidSpec",
            format!("the stored object is no valid TpStack: {error}; correct it with kubectl edit"),
        )),
        Outcome::Invalid(violations) => {
            let violations: Vec<String> = violations.iter().map(ToString::to_string).collect();
            Some(Finding::yes("InvalidSpec", violations.join("; ")))
        }
        Outcome::NotGranted => {
            let namespace = metadata.namespace.as_deref().unwrap_or_default();
            let ServiceAccountName {
                namespace: home,
                name,
            } = service_account;
            Some(Finding::yes(
                "NamespaceNotGranted",
                format!(
                    "the operator has no rights in namespace {namespace}. To grant them: kubectl create rolebinding tpstack-operator \
                     --clusterrole={CHILDREN_ROLE} --serviceaccount={home}:{name} --namespace={namespace}"
                ),
            ))
        }
        Outcome::Lost(loss, _) => Some(Finding::yes(loss.reason, loss.message.clone())),
        Outcome::Worked(worked) => {
            let conflict = conditions::conflicts(worked, None);
            conflict
                .map(|message| Finding::yes("NameConflict", message))
                .or_else(|| {
                    let missing = conditions::missing(worked, None)?;
                    Some(Finding::yes(missing.reason, missing.message.clone()))
                })
                .or_else(|| conditions::failed_migration(worked))
        }
        Outcome::Unread(_) | Outcome::Paused(_) | Outcome::Terminating => None,
    }
}

fn is_stopped(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Worked(worked) if worked.stack.stopped)
}

/// Adds the volumes that hold data to what is remembered. Nothing is forgotten here: nothing was decided.
fn remember(new: &mut TpStackStatus, stores: &Stores) {
    let holds_data = |pair: &Option<Pair>| {
        let pair = pair.as_ref().filter(|pair| pair.initialized)?;
        pair.volume_uid.clone()
    };
    if let (Some(postgres), Some(uid)) = (&mut new.postgres, holds_data(&stores.postgres)) {
        postgres.volume_uid = Some(uid);
    }
    if let Some(uid) = holds_data(&stores.redis) {
        new.redis_volume_uid = Some(uid);
    }
}

/// What is told besides conditions, after a run that wrote children.
fn describe(new: &mut TpStackStatus, worked: &Worked, raw: Option<&TpStack>) {
    let stack = &worked.stack;
    let deployment = worked.applied.objects.get(&ObjectId::new(
        Kind::Deployment,
        Component::Api.name(&stack.name),
    ));
    let replicas = deployment.map_or(0, |object| count(object, "replicas"));
    let ready = deployment.map_or(0, |object| count(object, "readyReplicas"));
    let wanted = match deployment {
        Some(deployment) => conditions::wanted_pods(worked, deployment),
        None if stack.stopped => 0,
        None => {
            let least = stack.api.autoscaling.as_ref().map(|scaling| scaling.min);
            i64::from(least.unwrap_or(stack.api.replicas))
        }
    };
    new.replicas = i32::try_from(replicas).unwrap_or(i32::MAX);
    let selector: Vec<String> = Component::Api
        .selector_labels(&stack.name)
        .into_iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    new.selector = Some(selector.join(","));
    let routed = conditions::part(Part::Ingress, worked).status == ConditionStatus::True;
    new.endpoints = match &stack.ingress {
        Some(ingress) if routed => ingress
            .hosts
            .iter()
            .map(|host| Endpoint {
                name: "api".to_owned(),
                url: format!("https://{host}"),
            })
            .collect(),
        _ => Vec::new(),
    };
    let holds_data = |component: Component, before: Option<String>| {
        match component {
            Component::Postgres => worked.work.stores.postgres.as_ref(),
            Component::Redis | Component::Api | Component::Migrate => {
                worked.work.stores.redis.as_ref()
            }
        }
        .map_or(before, |pair| {
            pair.volume_uid.clone().filter(|_| pair.initialized)
        })
    };
    let engine = raw.map_or_else(String::new, |raw| format!("{:?}", raw.spec.postgres.engine));
    let redis = raw.map_or(RedisEngine::Disabled, |raw| raw.spec.redis.engine);
    let (version, volume) = match &stack.external.postgres {
        Some(_) => (String::new(), String::new()),
        None => (
            stack.postgres.version.clone(),
            Component::Postgres.volume_name(&stack.name),
        ),
    };
    new.postgres = Some(PostgresStatus {
        engine: engine.clone(),
        version: version.clone(),
        volume,
        volume_uid: holds_data(
            Component::Postgres,
            new.postgres.take().and_then(|postgres| postgres.volume_uid),
        ),
    });
    // While Redis is off its volume is set aside, not lost: it is remembered for the day it is turned on again.
    new.redis_volume_uid = match &stack.redis {
        Some(redis) if redis.storage.is_some() => {
            holds_data(Component::Redis, new.redis_volume_uid.take())
        }
        _ => new.redis_volume_uid.take(),
    };
    new.summary = Some(Summary {
        api: format!("{ready}/{wanted}"),
        postgres: format!("{version} {engine}").trim_start().to_owned(),
        redis: format!("{redis:?}"),
    });
}

/// Sets one condition; its date moves only when its status does.
fn set(
    conditions: &mut Vec<Condition>,
    name: &str,
    finding: Finding,
    generation: Option<i64>,
    now: &Time,
) {
    let before = conditions
        .iter()
        .position(|condition| condition.type_ == name)
        .map(|index| conditions.remove(index));
    let last_transition_time = match before {
        Some(before) if before.status == finding.status => before.last_transition_time,
        _ => now.clone(),
    };
    conditions.push(Condition {
        type_: name.to_owned(),
        status: finding.status,
        reason: finding.reason.to_owned(),
        message: finding.message,
        observed_generation: generation,
        last_transition_time,
    });
}

fn order(name: &str) -> usize {
    let names = ["Ready", "Reconciling", "Stalled"]
        .into_iter()
        .chain(PARTS.iter().map(|(_, name)| *name));
    names
        .enumerate()
        .find(|(_, known)| *known == name)
        .map_or(usize::MAX, |(index, _)| index)
}

#[cfg(test)]
mod tests;
