//! The process: its tasks, in what order they start and how they end; no decisions.

use std::sync::Arc;
use std::time::Duration;

use kube::Client;
use kube::runtime::reflector;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::admin_server::{self, Health, Stage};
pub use crate::clients::Clients;
use crate::clients::{CALL_DEADLINE, before_each};
use crate::context::Context;
use crate::discovery;
use crate::events::Events;
use crate::fence::Fence;
use crate::lease::election::{Election, Signals, identity};
use crate::metrics::Metrics;
use crate::observed::Capabilities;
use crate::settings::Settings;
use crate::supervision::Tasks;
use crate::watches::{Trigger, Watches};

mod look_around;
mod queue;

/// Longest time for runs to end when the process stops. What it takes to give the Lease back comes on top, and both must
/// be over before the kubelet loses patience (30 s).
const DRAIN: Duration = Duration::from_secs(20);

/// Least time without a sign of life for the main watch: an API server that does not answer a list is no fault of ours,
/// and is given up after less.
const MAIN_WATCH_LIMIT: Duration = Duration::from_mins(6);

/// Names of the tasks, as people see them.
mod task {
    pub(super) const ADMIN_SERVER: &str = "admin server";
    pub(super) const CONTROLLER: &str = "controller";
    pub(super) const LEASE: &str = "lease";
    pub(super) const LOOK_AROUND: &str = "look-around";
    pub(super) const MAIN_WATCH: &str = "main watch";
}

/// Runs the operator until `stop`, then lets running work finish. The environment says where the API server is.
pub async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    run_with(Clients::infer().await?, settings, stop).await
}

/// The same, on connections of the caller's.
///
/// Every task is supervised: one that ends by itself, or panics, ends all others and this with an error.
pub async fn run_with(
    clients: Clients,
    settings: Settings,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let listener = admin_server::bind(settings.admin_address).await?;
    let health = Health::new(Arc::new(Metrics::new()?));
    let mut tasks = Tasks::default();
    let admin_stop = CancellationToken::new();
    tasks.start(
        task::ADMIN_SERVER,
        admin_server::serve(listener, health.clone(), admin_stop.clone()),
    );

    let release = CancellationToken::new();
    let identity = identity(&settings.pod_name)?;
    let elected = settings.leader_election;
    let fence = if elected {
        settings.lease.check().map_err(anyhow::Error::msg)?;
        let fence = Fence::shut();
        let (standby, leading) = (CancellationToken::new(), CancellationToken::new());
        let election = Election::new(
            clients.calls.clone(),
            &settings.service_account.namespace,
            identity.clone(),
            settings.lease,
            fence.clone(),
            health.pulses.expect(task::LEASE, settings.silence_limit),
        );
        let signals = Signals {
            standby: standby.clone(),
            leading: leading.clone(),
            release: release.clone(),
        };
        tasks.start(task::LEASE, election.run(signals));
        let waiting = async {
            tokio::select! {
                () = leading.cancelled() => return,
                () = standby.cancelled() => {}
            }
            tracing::info!("standing by: another operator leads");
            health.set(Stage::Standby);
            leading.cancelled().await;
            health.set(Stage::Starting);
        };
        tokio::select! {
            () = waiting => {}
            () = stop.cancelled() => {}
            error = tasks.failure() => return Err(error),
        }
        fence
    } else {
        Fence::open()
    };
    if !stop.is_cancelled() {
        work(
            &mut tasks, &clients, settings, &identity, &fence, &health, &stop,
        )
        .await?;
    }
    if elected {
        release.cancel();
        tasks.end_of(task::LEASE).await?;
    }
    admin_stop.cancel();
    tasks.end_of(task::ADMIN_SERVER).await?;
    tracing::info!("stopped");
    Ok(())
}

/// Works until `stop`, and until what was begun has ended.
async fn work(
    tasks: &mut Tasks,
    clients: &Clients,
    settings: Settings,
    identity: &str,
    fence: &Fence,
    health: &Health,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    // From here on nobody has a client that is not behind the fence.
    let client = fence.guard(&clients.calls);
    let limit = settings.silence_limit;
    let capabilities = tokio::select! {
        found = first_capabilities(&client) => found,
        () = stop.cancelled() => return Ok(()),
        error = tasks.failure() => return Err(error),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        ?capabilities,
        "starting"
    );
    let context = Arc::new(Context::new(
        client.clone(),
        Events::new(client, identity, Arc::clone(&health.metrics)),
        settings,
        (*health.metrics).clone(),
        capabilities,
    ));

    let (store, writer) = reflector::store();
    let (triggers, triggered) = mpsc::channel::<Trigger>(1024);
    let watches = Watches::new(
        fence.guard(&clients.watches),
        Arc::clone(&health.metrics),
        store.clone(),
        triggers.clone(),
    );
    // Not `Store::wait_until_ready`: in kube 5 it wakes one waiter only, and the controller is one already.
    let listed = CancellationToken::new();
    let main_watch = health
        .pulses
        .expect(task::MAIN_WATCH, limit.max(MAIN_WATCH_LIMIT));
    let queue = queue::Queue {
        // Each new beginning of the watch is a sign of its life: nothing else is to be seen of it in a quiet cluster.
        client: before_each(&fence.guard(&clients.watches), move |_| {
            main_watch.beat();
            Ok(())
        }),
        context: Arc::clone(&context),
        health: health.clone(),
        listed: listed.clone(),
        stop: stop.clone(),
    };
    tasks.start(
        task::CONTROLLER,
        queue.run(store.clone(), writer, triggered),
    );
    let pulses = health.pulses.clone();
    tasks.start(task::LOOK_AROUND, async move {
        listed.cancelled().await;
        let pulse = pulses.expect(task::LOOK_AROUND, limit);
        look_around::look_around(context, store, watches, triggers, pulse).await
    });

    tokio::select! {
        // First: the controller, asked to stop, may have ended already, and not by itself.
        biased;
        () = stop.cancelled() => {}
        error = tasks.failure() => return Err(error),
    }
    health.set(Stage::Stopping);
    match tokio::time::timeout(DRAIN, tasks.end_of(task::CONTROLLER)).await {
        Ok(ended) => ended,
        // The Lease is not given back: what was sent may still be under way, and its time is the margin.
        Err(_) => anyhow::bail!(
            "runs did not end within {} s and were broken off",
            DRAIN.as_secs()
        ),
    }
}

/// The optional APIs at the start; without an answer nothing can be decided.
async fn first_capabilities(client: &Client) -> Capabilities {
    let mut pause = Duration::from_millis(500);
    loop {
        match tokio::time::timeout(CALL_DEADLINE, discovery::capabilities(client)).await {
            Ok(Ok(found)) => return found,
            Ok(Err(error)) => tracing::warn!(%error, "the API server does not answer yet"),
            Err(_) => tracing::warn!("the API server does not answer in time yet"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(30));
    }
}
