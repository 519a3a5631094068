//! Watches on everything owned: one task per namespace and kind, each with its own backoff, so that a kind that is
//! missing or forbidden slows nothing else. Objects are read as metadata and never kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use std::future::ready;

use futures::{StreamExt, TryStreamExt};
use kube::api::{Api, DynamicObject};
use kube::core::{DeserializeGuard, ObjectMeta, PartialObjectMeta};
use kube::runtime::WatchStreamExt;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Client, Resource};
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;

use crate::crd::TpStack;
use crate::desired::metadata::{INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL};
use crate::kind::Kind;
use crate::metrics::Metrics;

/// A stack that is to be looked at.
pub type Trigger = ObjectRef<DeserializeGuard<TpStack>>;

/// The running watches.
pub struct Watches {
    client: Client,
    metrics: Arc<Metrics>,
    store: Store<DeserializeGuard<TpStack>>,
    triggers: Sender<Trigger>,
    running: BTreeMap<(String, Kind), AbortHandle>,
}

impl Watches {
    /// No watch yet. `client` must have no deadline on reads, since a watch is one long answer.
    pub fn new(
        client: Client,
        metrics: Arc<Metrics>,
        store: Store<DeserializeGuard<TpStack>>,
        triggers: Sender<Trigger>,
    ) -> Self {
        Self {
            client,
            metrics,
            store,
            triggers,
            running: BTreeMap::new(),
        }
    }

    /// Starts what is wanted and not running, ends what is running and not wanted any more.
    pub fn set(&mut self, wanted: &BTreeSet<(String, Kind)>) {
        self.running.retain(|key, task| {
            let keep = wanted.contains(key) && !task.is_finished();
            if !keep {
                task.abort();
            }
            keep
        });
        for (namespace, kind) in wanted {
            if !self.running.contains_key(&(namespace.clone(), *kind)) {
                let task = watch(
                    self.client.clone(),
                    Arc::clone(&self.metrics),
                    self.store.clone(),
                    self.triggers.clone(),
                    namespace.clone(),
                    *kind,
                );
                self.running.insert(
                    (namespace.clone(), *kind),
                    tokio::spawn(task).abort_handle(),
                );
            }
        }
        self.metrics.watches(self.running.len());
    }
}

impl Drop for Watches {
    fn drop(&mut self) {
        self.running.values().for_each(AbortHandle::abort);
    }
}

async fn watch(
    client: Client,
    metrics: Arc<Metrics>,
    store: Store<DeserializeGuard<TpStack>>,
    triggers: Sender<Trigger>,
    namespace: String,
    kind: Kind,
) {
    let api: Api<PartialObjectMeta<DynamicObject>> =
        Api::namespaced_with(client, &namespace, &kind.resource());
    let config = watcher::Config::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"));
    // The start of a list is announced before it can fail, and would reset the backoff each time.
    let events = watcher(api, config).try_filter(|event| ready(!matches!(event, Event::Init)));
    let mut events = events.default_backoff().boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) => {
                for trigger in owners(&namespace, &object.metadata) {
                    if triggers.send(trigger).await.is_err() {
                        return;
                    }
                }
            }
            // What went before the list, or while the watch was broken, leaves no event: every stack is looked at.
            Ok(Event::InitDone) => {
                for stack in store.state() {
                    if stack.meta().namespace.as_ref() == Some(&namespace)
                        && triggers.send(ObjectRef::from(&*stack)).await.is_err()
                    {
                        return;
                    }
                }
            }
            Ok(Event::Init) => {}
            Err(error) => {
                metrics.watch_failed(kind);
                tracing::debug!(namespace, ?kind, %error, "a watch failed and is tried again");
            }
        }
    }
}

/// The stacks a child belongs to: by its controller, and by its label, which kept objects have alone.
fn owners(namespace: &str, metadata: &ObjectMeta) -> Vec<Trigger> {
    let label = metadata
        .labels
        .as_ref()
        .and_then(|labels| labels.get(INSTANCE_LABEL));
    let owners = metadata
        .owner_references
        .iter()
        .flatten()
        .filter(|owner| owner.kind == "TpStack")
        .map(|owner| &owner.name);
    let names: BTreeSet<&String> = owners.chain(label).collect();
    names
        .into_iter()
        .map(|name| ObjectRef::new(name).within(namespace))
        .collect()
}
