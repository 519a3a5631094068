//! Looks again and again at optional APIs and granted namespaces, keeps the watches in step, and starts runs over the
//! stacks that a change concerns.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::queue::Guarded;
use crate::clients::CALL_DEADLINE;
use crate::context::Context;
use crate::discovery;
use crate::kind::Kind;
use crate::supervision::Pulse;
use crate::watches::{Trigger, Watches};

/// Runs once TpStacks were listed, for as long as the controller does.
pub(super) async fn look_around(
    context: Arc<Context>,
    store: Store<Guarded>,
    mut watches: Watches,
    triggers: mpsc::Sender<Trigger>,
    pulse: Pulse,
) -> anyhow::Result<()> {
    let mut known = BTreeSet::new();
    let mut due = Instant::now();
    loop {
        pulse.beat();
        let stacks = store.state();
        let namespaces: BTreeSet<String> = stacks
            .iter()
            .filter_map(|stack| stack.namespace())
            .collect();
        let mut changed = BTreeSet::new();
        if Instant::now() >= due {
            due = Instant::now() + context.settings.discovery_interval;
            match timeout(CALL_DEADLINE, discovery::capabilities(&context.client)).await {
                Ok(Ok(found)) if context.set_capabilities(&found) => {
                    tracing::info!(capabilities = ?found, "the optional APIs have changed");
                    changed.clone_from(&namespaces);
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "failed to look up optional APIs"),
                Err(_) => tracing::warn!("failed to look up optional APIs in time"),
            }
            context
                .grants
                .retain(|namespace| namespaces.contains(namespace));
            context.retain(|namespace, name| {
                stacks
                    .iter()
                    .any(|s| s.namespace().as_deref() == Some(namespace) && s.name_any() == name)
            });
            for namespace in &namespaces {
                // There may be hundreds: each answer is a sign of life.
                pulse.beat();
                let asked = context.grants.ask(&context.client, namespace);
                match timeout(CALL_DEADLINE, asked).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(error)) => {
                        tracing::warn!(namespace, %error, "failed to ask for the rights in a namespace");
                    }
                    Err(_) => {
                        tracing::warn!(
                            namespace,
                            "failed to ask for the rights in a namespace in time"
                        );
                    }
                }
            }
        }
        let granted: BTreeSet<String> = context.grants.namespaces().into_iter().collect();
        changed.extend(granted.symmetric_difference(&known).cloned());
        known = granted;
        let capabilities = context.capabilities();
        let wanted: BTreeSet<(String, Kind)> = known
            .iter()
            .flat_map(|namespace| Kind::ALL.map(|kind| (namespace.clone(), kind)))
            .filter(|(_, kind)| capabilities.serves(*kind))
            .collect();
        watches.set(&wanted);
        for stack in stacks.iter().filter(|stack| {
            stack
                .namespace()
                .is_some_and(|namespace| changed.contains(&namespace))
        }) {
            if triggers.send(ObjectRef::from(&**stack)).await.is_err() {
                // The queue is gone: the process stops, and this task with it.
                return std::future::pending().await;
            }
        }
        // A first TpStack in a namespace was asked for by its own run: its watches start within a second.
        tokio::time::sleep(Duration::from_secs(1).min(context.settings.discovery_interval)).await;
    }
}
