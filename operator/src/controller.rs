//! What is watched and how runs are started; no decisions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{PredicateConfig, WatchStreamExt};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::admin_server::{self, Health};
use crate::context::Context;
use crate::crd::TpStack;
use crate::discovery;
use crate::kind::Kind;
use crate::metrics::Metrics;
use crate::reconcile::{Error, reconcile};
use crate::settings::Settings;
use crate::watches::{Trigger, Watches};

/// Stacks that are worked on at once.
const CONCURRENCY: u16 = 16;
/// Events of one stack within this time start one run.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Deadline of one call to the API server. Without it, a half-open connection holds a call for ever.
const CALL_DEADLINE: Duration = Duration::from_secs(15);
/// Longest silence of a watch: the API server ends it after less than five minutes by itself.
const WATCH_DEADLINE: Duration = Duration::from_mins(5);

type Guarded = DeserializeGuard<TpStack>;

/// The connections to the API server.
#[derive(Clone)]
pub struct Clients {
    /// For calls, each of which has a deadline.
    pub calls: Client,
    /// For watches, which are long answers.
    pub watches: Client,
}

/// Runs the operator until `stop`, then lets running work finish. The environment says where the API server is.
pub async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    run_with(Clients::infer().await?, settings, stop).await
}

/// The same, on connections of the caller's.
pub async fn run_with(
    clients: Clients,
    settings: Settings,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listener = admin_server::bind(settings.admin_address).await?;
    let metrics = Metrics::new()?;
    let health = Health::new(Arc::new(metrics.clone()));
    let admin_stop = CancellationToken::new();
    let admin = tokio::spawn(admin_server::serve(
        listener,
        health.clone(),
        admin_stop.clone(),
    ));

    let Clients {
        calls: client,
        watches: watch_client,
    } = clients;
    let capabilities = tokio::select! {
        found = first_capabilities(&client) => found,
        () = stop.cancelled() => return Ok(()),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        ?capabilities,
        "starting"
    );
    let context = Arc::new(Context::new(client, settings, metrics, capabilities));

    let (store, writer) = reflector::store();
    let (triggers, queue) = mpsc::channel::<Trigger>(1024);
    let watches = Watches::new(
        watch_client.clone(),
        Arc::clone(&health.metrics),
        triggers.clone(),
    );
    // Not `Store::wait_until_ready`: in kube 5 it wakes one waiter only, and the controller is one already.
    let listed = CancellationToken::new();
    let scout = tokio::spawn(look_around(
        Arc::clone(&context),
        store.clone(),
        listed.clone(),
        watches,
        triggers,
    ));
    let ready = Arc::clone(&health.ready);

    let main_metrics = Arc::clone(&health.metrics);
    let stacks = watcher(
        Api::<Guarded>::all(watch_client),
        watcher::Config::default(),
    )
    .default_backoff()
    .modify(|object| object.managed_fields_mut().clear())
    .reflect(writer)
    .inspect_ok(move |event| {
        if matches!(event, watcher::Event::InitDone) {
            ready.store(true, Ordering::Release);
            listed.cancel();
        }
    })
    .applied_objects()
    .predicate_filter(
        |object: &Guarded| Some(relevant(object)),
        PredicateConfig::default(),
    )
    // Errors stop here: the controller would back off for every stack because of one of them.
    .filter_map(move |result| {
        if let Err(error) = &result {
            main_metrics.main_watch_failed();
            tracing::warn!(%error, "the watch on TpStacks failed and is tried again");
        }
        std::future::ready(result.ok().map(Ok))
    });
    let until = stop.clone();
    Controller::for_stream(stacks, store)
        .with_config(
            ControllerConfig::default()
                .concurrency(CONCURRENCY)
                .debounce(DEBOUNCE),
        )
        .reconcile_on(futures::stream::unfold(queue, |mut queue| async move {
            queue.recv().await.map(|item| (item, queue))
        }))
        .graceful_shutdown_on(async move { until.cancelled().await })
        .run(reconcile, error_policy, context)
        .for_each(|_| std::future::ready(()))
        .await;

    health.ready.store(false, Ordering::Release);
    // The controller ends when it was asked to; at any other time liveness must notice.
    health.alive.store(stop.is_cancelled(), Ordering::Release);
    scout.abort();
    anyhow::ensure!(stop.is_cancelled(), "the controller stopped by itself");
    admin_stop.cancel();
    admin.await??;
    tracing::info!("stopped");
    Ok(())
}

impl Clients {
    /// From the kubeconfig or, in a pod, from its `ServiceAccount`.
    pub async fn infer() -> anyhow::Result<Self> {
        let mut config = kube::Config::infer().await?;
        config.connect_timeout = Some(Duration::from_secs(5));
        // Tries again are ours: per stack, with a pause that grows, instead of minutes within one call.
        config.default_retry = false;
        config.reset_reader_on_write = true;
        config.read_timeout = Some(WATCH_DEADLINE);
        let watches = Client::try_from(config.clone())?;
        config.read_timeout = Some(CALL_DEADLINE);
        config.write_timeout = Some(CALL_DEADLINE);
        let calls = Client::try_from(config)?;
        Ok(Self { calls, watches })
    }
}

/// The optional APIs at the start; without an answer nothing can be decided.
async fn first_capabilities(client: &Client) -> crate::observed::Capabilities {
    let mut pause = Duration::from_millis(500);
    loop {
        match discovery::capabilities(client).await {
            Ok(found) => return found,
            Err(error) => tracing::warn!(%error, "the API server does not answer yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}

/// What starts a run over a stack: a change of its spec, labels, annotations or deletion, not of its own status.
fn relevant(object: &Guarded) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let metadata = object.meta();
    let mut hasher = DefaultHasher::new();
    metadata.uid.hash(&mut hasher);
    metadata.generation.hash(&mut hasher);
    metadata.labels.hash(&mut hasher);
    metadata.annotations.hash(&mut hasher);
    metadata.deletion_timestamp.is_some().hash(&mut hasher);
    hasher.finish()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the controller asks for this signature"
)]
fn error_policy(object: Arc<Guarded>, error: &Error, context: Arc<Context>) -> Action {
    let pause = context.pause(object.meta());
    tracing::debug!(stack = %ObjectRef::from(&*object), %error, pause_seconds = pause.as_secs(), "trying again");
    Action::requeue(pause)
}

/// Looks again and again at optional APIs and granted namespaces, keeps the watches in step, and starts runs over the
/// stacks that a change concerns.
async fn look_around(
    context: Arc<Context>,
    store: Store<Guarded>,
    listed: CancellationToken,
    mut watches: Watches,
    triggers: mpsc::Sender<Trigger>,
) {
    listed.cancelled().await;
    let mut known = BTreeSet::new();
    let mut due = tokio::time::Instant::now();
    loop {
        let stacks = store.state();
        let namespaces: BTreeSet<String> = stacks
            .iter()
            .filter_map(|stack| stack.namespace())
            .collect();
        let mut changed = BTreeSet::new();
        if tokio::time::Instant::now() >= due {
            due = tokio::time::Instant::now() + context.settings.discovery_interval;
            match discovery::capabilities(&context.client).await {
                Ok(found) if context.set_capabilities(&found) => {
                    tracing::info!(capabilities = ?found, "the optional APIs have changed");
                    changed.clone_from(&namespaces);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "failed to look up optional APIs"),
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
                if let Err(error) = context.grants.ask(&context.client, namespace).await {
                    tracing::warn!(namespace, %error, "failed to ask for the rights in a namespace");
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
                return;
            }
        }
        // A first TpStack in a namespace was asked for by its own run: its watches start within a second.
        tokio::time::sleep(Duration::from_secs(1).min(context.settings.discovery_interval)).await;
    }
}
