//! Watches on everything owned: one task per namespace and kind, each with its own backoff, so that a kind that is
//! missing or forbidden slows nothing else. Objects are read as metadata and never kept.
//!
//! Of Secrets and config maps all are watched, since stacks refer to those of their users; of other kinds our own.

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
use crate::desired::metadata::{INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL, possible_children};
use crate::kind::{Kind, ObjectId};
use crate::metrics::Metrics;
use crate::variables;

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
    let config = watcher::Config::default();
    let config = if is_referred_to(kind) {
        config
    } else {
        config.labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"))
    };
    // The start of a list is announced before it can fail, and would reset the backoff each time.
    let events = watcher(api, config).try_filter(|event| ready(!matches!(event, Event::Init)));
    let mut events = events.default_backoff().boxed();
    while let Some(event) = events.next().await {
        match event {
            Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) => {
                let mut concerned = owners(kind, &object.metadata);
                if is_referred_to(kind) {
                    concerned.extend(referring(&store, &namespace, kind, &object.metadata));
                }
                for name in concerned {
                    let trigger = ObjectRef::new(&name).within(&namespace);
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

/// Whether stacks refer to objects of this kind that are not theirs.
fn is_referred_to(kind: Kind) -> bool {
    matches!(kind, Kind::Secret | Kind::ConfigMap)
}

/// The stacks a child belongs to: by its controller, and by its label, which kept objects have alone. Anybody's object may
/// wear that one label; where all objects are watched, ours has both.
fn owners(kind: Kind, metadata: &ObjectMeta) -> BTreeSet<String> {
    let is_ours = |labels: &&BTreeMap<String, String>| {
        let manager = labels.get(MANAGED_BY_LABEL).map(String::as_str);
        !is_referred_to(kind) || manager == Some(MANAGED_BY)
    };
    let labels = metadata.labels.as_ref().filter(is_ours);
    let label = labels.and_then(|labels| labels.get(INSTANCE_LABEL));
    let owners = metadata
        .owner_references
        .iter()
        .flatten()
        .filter(|owner| owner.kind == "TpStack")
        .map(|owner| &owner.name);
    owners.chain(label).cloned().collect()
}

/// The stacks whose variables come from this object, or whose own it is by its name, whatever became of its labels.
fn referring(
    store: &Store<DeserializeGuard<TpStack>>,
    namespace: &str,
    kind: Kind,
    metadata: &ObjectMeta,
) -> Vec<String> {
    let id = ObjectId::new(kind, metadata.name.clone().unwrap_or_default());
    let stacks = store.state().into_iter();
    let stacks = stacks.filter(|stack| stack.meta().namespace.as_deref() == Some(namespace));
    stacks
        .filter_map(|stack| {
            let name = stack.meta().name.clone()?;
            let is_named = |stack: &TpStack| variables::names(&stack.spec, &id);
            let is_own = || id.name.starts_with(&name) && possible_children(&name).contains(&id);
            (stack.0.as_ref().is_ok_and(is_named) || is_own()).then_some(name)
        })
        .collect()
}
