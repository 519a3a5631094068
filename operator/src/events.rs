//! Events: what `kubectl describe` shows of a stack's way. One for each condition that changed its status or reason,
//! told when the new status is stored; never again after a restart, since the stored status is what is compared with.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::{Api, PostParams};
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Client, Resource};

use crate::apply::is_terminating;
use crate::crd::{Condition, ConditionStatus, TpStack};
use crate::metrics::Metrics;

/// Who tells, as far as Kubernetes is concerned.
const CONTROLLER: &str = "tpstack-operator";
/// Longest time for telling about one run: what people read must not hold up what they wait for.
const DEADLINE: Duration = Duration::from_secs(5);
/// Longest note that the API server takes, in bytes.
const NOTE: usize = 1024;
/// Longest name of an instance that the API server takes, in bytes.
const INSTANCE: usize = 128;

/// Reasons for which something does not hold yet, on its way there or because the user wants it so.
const EXPECTED: [&str; 6] = [
    "ComponentsNotReady",
    "Migrating",
    "Paused",
    "Progressing",
    "Stopped",
    "Suspended",
];

/// One change of a condition that is worth telling.
#[derive(Clone, Copy, Debug)]
pub struct Transition<'a> {
    /// The condition as it is now.
    pub condition: &'a Condition,
    /// Whether somebody should have a look.
    pub is_warning: bool,
}

/// What changed between two states of the same stack. [pure]
pub fn transitions<'a>(old: &[Condition], new: &'a [Condition]) -> Vec<Transition<'a>> {
    let find =
        |conditions: &'a [Condition], name: &str| conditions.iter().find(|c| c.type_ == name);
    let stall = find(new, "Stalled").filter(|stalled| stalled.status == ConditionStatus::True);
    let changed = new.iter().filter(|condition| {
        let before = old.iter().find(|before| before.type_ == condition.type_);
        match before {
            Some(before) => before.status != condition.status || before.reason != condition.reason,
            // What is well from the beginning is no change.
            None => !is_well(condition),
        }
    });
    changed
        // Reconciling is the other side of Ready; what is not known is no news.
        .filter(|condition| {
            condition.type_ != "Reconciling" && condition.status != ConditionStatus::Unknown
        })
        // A stall is told once, by Stalled itself.
        .filter(|condition| {
            condition.type_ != "Ready" || stall.is_none_or(|stall| stall.reason != condition.reason)
        })
        .map(|condition| Transition {
            condition,
            is_warning: !is_well(condition) && !EXPECTED.contains(&condition.reason.as_str()),
        })
        .collect()
}

/// Stalled is the one condition that is well when it does not hold.
fn is_well(condition: &Condition) -> bool {
    let well = if condition.type_ == "Stalled" {
        ConditionStatus::False
    } else {
        ConditionStatus::True
    };
    condition.status == well
}

/// What people read: which condition, what it is now, and its own message.
fn note(condition: &Condition) -> String {
    let (name, status) = (&condition.type_, condition.status);
    let mut note = match condition.message.as_str() {
        "" => format!("{name} is {status:?}"),
        message => format!("{name} is {status:?}: {message}"),
    };
    shorten(&mut note, NOTE);
    note
}

/// Cuts a text to so many bytes, between two characters.
fn shorten(text: &mut String, limit: usize) {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit.saturating_sub('…'.len_utf8())));
        text.push('…');
    }
}

/// Publishes events. [io: writes]
#[derive(Clone)]
pub struct Events {
    client: Client,
    instance: String,
    recorder: Recorder,
    metrics: Arc<Metrics>,
}

impl Events {
    /// Publishes as the process of this identity.
    pub fn new(client: Client, identity: &str, metrics: Arc<Metrics>) -> Self {
        let mut instance = identity.to_owned();
        shorten(&mut instance, INSTANCE);
        let reporter = Reporter {
            controller: CONTROLLER.to_owned(),
            instance: Some(instance.clone()),
        };
        Self {
            recorder: Recorder::new(client.clone(), reporter),
            client,
            instance,
            metrics,
        }
    }

    /// Whether the namespace is being deleted, so that nothing can be made in it. Asked by an event that is not kept (a
    /// dry run): that may be made wherever there are stacks, without any right to read namespaces.
    #[expect(
        clippy::disallowed_methods,
        reason = "a question in the form of a creation: nothing is stored"
    )]
    pub async fn is_namespace_closing(&self, namespace: &str) -> bool {
        let event = self.question(namespace);
        let api: Api<events::v1::Event> = Api::namespaced(self.client.clone(), namespace);
        let params = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let asked = tokio::time::timeout(DEADLINE, api.create(&params, &event)).await;
        matches!(asked, Ok(Err(error)) if is_terminating(&error))
    }

    fn question(&self, namespace: &str) -> events::v1::Event {
        events::v1::Event {
            metadata: ObjectMeta {
                name: Some("is-the-namespace-closing".to_owned()),
                namespace: Some(namespace.to_owned()),
                ..ObjectMeta::default()
            },
            action: Some("Asking".to_owned()),
            reason: Some("Asking".to_owned()),
            type_: Some("Normal".to_owned()),
            event_time: Some(MicroTime(jiff::Timestamp::now())),
            regarding: Some(ObjectReference {
                namespace: Some(namespace.to_owned()),
                ..ObjectReference::default()
            }),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..events::v1::Event::default()
        }
    }

    /// Tells what changed between two states of the stack. What is refused is counted, and fails nothing.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that tells"
    )]
    pub async fn tell(&self, stack: &ObjectMeta, old: &[Condition], new: &[Condition]) {
        let regarding = ObjectReference {
            api_version: Some(TpStack::api_version(&()).into_owned()),
            kind: Some(TpStack::kind(&()).into_owned()),
            name: stack.name.clone(),
            namespace: stack.namespace.clone(),
            uid: stack.uid.clone(),
            ..ObjectReference::default()
        };
        let transitions = transitions(old, new);
        let told = async {
            for transition in &transitions {
                let condition = transition.condition;
                let event = Event {
                    type_: if transition.is_warning {
                        EventType::Warning
                    } else {
                        EventType::Normal
                    },
                    reason: condition.reason.clone(),
                    note: Some(note(condition)),
                    // The recorder takes events of one action and reason for the same one.
                    action: condition.type_.clone(),
                    secondary: None,
                };
                let published = self.recorder.publish(&event, &regarding).await;
                self.metrics.event(published.is_ok());
                if let Err(error) = published {
                    tracing::debug!(namespace = stack.namespace, stack = stack.name, %error, "an event was refused");
                }
            }
        };
        if tokio::time::timeout(DEADLINE, told).await.is_err() {
            self.metrics.event(false);
        }
    }
}

#[cfg(test)]
mod tests;
