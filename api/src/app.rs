//! What a running API holds, how it is built and taken apart. Starting waits for no dependency: it only refuses what no
//! waiting would mend, such as a database file that cannot be opened.

use crate::{
    cache::Cache,
    config::Config,
    health::{Health, watch_database},
    metrics::Metrics,
    store::{Store, StoreError},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The parts every handler may ask for. Cloning shares them.
#[derive(Clone)]
pub struct App {
    /// The data.
    pub store: Store,
    /// Copies of it.
    pub cache: Cache,
    /// Counters and the scrape.
    pub metrics: Metrics,
    /// Whether traffic should come.
    pub health: Health,
    background: Background,
}

/// Why the API could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The embedded database file cannot be used.
    #[error("failed to open the store")]
    Store(#[source] StoreError),
    /// The Redis client cannot be made from these settings.
    #[error("failed to set up the cache")]
    Cache(#[source] crate::cache::SetupError),
}

/// Tasks that live as long as the process.
#[derive(Clone)]
struct Background {
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl App {
    /// Builds everything and starts what runs in the background.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        // Several TLS providers may be linked some day; the process uses this one, said once. Already set is fine.
        _ = rustls::crypto::ring::default_provider().install_default();
        let metrics = Metrics::new();
        let background = Background {
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let store = Store::open(&config.store, metrics.clone())
            .await
            .map_err(StartError::Store)?;
        let cache = Cache::open(&config.cache, metrics.clone()).map_err(StartError::Cache)?;
        let health = Health::default();
        background.tasks.spawn(watch_database(
            store.clone(),
            health.clone(),
            background.stop.clone(),
        ));
        tracing::info!(store = store.engine(), cache = cache.engine(), "started");
        Ok(Self {
            store,
            cache,
            metrics,
            health,
            background,
        })
    }

    /// Stops what runs in the background and closes connections, each within a bound of its own.
    pub async fn stop(&self) {
        self.background.stop.cancel();
        self.background.tasks.close();
        self.background.tasks.wait().await;
        tokio::join!(self.cache.close(), self.store.close());
        tracing::info!("stopped");
    }
}
