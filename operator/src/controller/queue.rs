//! The controller: the watch on TpStacks, the queue of stacks that are due, and the runs over them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::controller::{Action, Config as ControllerConfig, Controller};
use kube::runtime::reflector::store::Writer;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher::{self, watcher};
use kube::runtime::{PredicateConfig, WatchStreamExt};
use kube::{Client, Resource, ResourceExt};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::task;
use crate::admin_server::{Health, Stage};
use crate::context::Context;
use crate::crd::TpStack;
use crate::reconcile::{Error, reconcile};
use crate::watches::Trigger;

/// Stacks that are worked on at once.
const CONCURRENCY: u16 = 16;
/// Events of one stack within this time start one run.
const DEBOUNCE: Duration = Duration::from_millis(50);
/// Longest life of the watch on TpStacks before it is begun anew: that is the sign that it works.
const WATCH_LIFE_SECONDS: u32 = 60;
/// Goes through the queue like a stack that is gone. No object can have this name.
const PROBE: &str = "~probe";

pub(super) type Guarded = DeserializeGuard<TpStack>;

/// What the controller needs.
pub(super) struct Queue {
    pub(super) client: Client,
    pub(super) context: Arc<Context>,
    pub(super) health: Health,
    pub(super) listed: CancellationToken,
    pub(super) stop: CancellationToken,
}

impl Queue {
    /// Works until it is asked to stop and the runs under way have ended.
    pub(super) async fn run(
        self,
        store: Store<Guarded>,
        writer: Writer<Guarded>,
        triggered: mpsc::Receiver<Trigger>,
    ) -> anyhow::Result<()> {
        let limit = self.context.settings.silence_limit;
        let (listed, health, metrics) = (
            self.listed.clone(),
            self.health.clone(),
            Arc::clone(&self.health.metrics),
        );
        let config = watcher::Config::default().timeout(WATCH_LIFE_SECONDS);
        let ended = CancellationToken::new();
        let at_end = ended.clone();
        let stacks = watcher(Api::<Guarded>::all(self.client), config)
            .default_backoff()
            .modify(|object| object.managed_fields_mut().clear())
            .reflect(writer)
            .inspect_ok(move |event| {
                if matches!(event, watcher::Event::InitDone) && !listed.is_cancelled() {
                    health.set(Stage::Working);
                    // From here on the queue is worked off.
                    health.pulses.expect(task::CONTROLLER, limit);
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
                    metrics.main_watch_failed();
                    tracing::warn!(%error, "the watch on TpStacks failed and is tried again");
                }
                std::future::ready(result.ok().map(Ok))
            })
            .chain(
                stream::once(async move { at_end.cancel() })
                    .filter_map(|()| std::future::ready(None)),
            );
        let until = self.stop.clone();
        // Whatever leaves the queue is a sign that it is worked off.
        let pulses = self.health.pulses.clone();
        let runs = Controller::for_stream(stacks, store)
            .with_config(
                ControllerConfig::default()
                    .concurrency(CONCURRENCY)
                    .debounce(DEBOUNCE),
            )
            .reconcile_on(received(triggered))
            .reconcile_on(probes(self.listed.clone(), limit / 6))
            .graceful_shutdown_on(async move { until.cancelled().await })
            .run(contained, error_policy, self.context)
            .for_each(move |_| {
                pulses.expect(task::CONTROLLER, limit);
                std::future::ready(())
            });
        let watch_ended = async {
            ended.cancelled().await;
            // When it is asked to stop, the watch is dropped and does not end.
            self.stop.is_cancelled()
        };
        tokio::select! {
            () = runs => {}
            false = watch_ended => anyhow::bail!("the watch on TpStacks ended by itself"),
        }
        anyhow::ensure!(self.stop.is_cancelled(), "the controller stopped by itself");
        Ok(())
    }
}

/// Stacks that somebody wants looked at.
fn received(triggered: mpsc::Receiver<Trigger>) -> impl stream::Stream<Item = Trigger> {
    stream::unfold(triggered, |mut triggered| async move {
        triggered.recv().await.map(|item| (item, triggered))
    })
}

/// Something without effect for the queue, again and again.
fn probes(listed: CancellationToken, interval: Duration) -> impl stream::Stream<Item = Trigger> {
    stream::unfold(true, move |first| {
        let listed = listed.clone();
        async move {
            listed.cancelled().await;
            if !first {
                tokio::time::sleep(interval).await;
            }
            Some((ObjectRef::new(PROBE), false))
        }
    })
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

/// A run whose panic is its own failure: other stacks are worked on, and this one is tried again like any that failed.
async fn contained(object: Arc<Guarded>, context: Arc<Context>) -> Result<Action, Error> {
    let started = Instant::now();
    let run = AssertUnwindSafe(reconcile(Arc::clone(&object), Arc::clone(&context)));
    if let Ok(result) = run.catch_unwind().await {
        return result;
    }
    context.metrics.reconciled("panic", started.elapsed());
    // The panic itself was logged where it happened, by its place alone.
    tracing::error!(
        namespace = object.namespace(),
        stack = object.name_any(),
        "a run panicked and is tried again: this is a bug, please report it with the line before"
    );
    Err(Error::Panicked)
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
