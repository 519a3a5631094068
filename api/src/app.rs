//! What a running API holds, how it is built and taken apart. Starting waits for no dependency: it only refuses what no
//! waiting would mend, such as a database file that cannot be opened.

use crate::{
    cache::Cache,
    config::{CacheConfig, Config},
    health::{Health, watch_database},
    metrics::Metrics,
    redis::{Redis, SetupError},
    sessions::Sessions,
    store::{Store, StoreError},
};
use std::{ops::Deref, sync::Arc};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// What every handler may ask for. Cloning shares it, at the price of one count.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// The parts.
pub struct Parts {
    /// The data.
    pub store: Store,
    /// Copies of it.
    pub cache: Cache,
    /// Who was here before.
    pub sessions: Sessions,
    /// Counters and the scrape.
    pub metrics: Metrics,
    /// Whether traffic should come.
    pub health: Health,
    redis: Option<Redis>,
    background: Background,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Why the API could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The embedded database file cannot be used.
    #[error("failed to open the store")]
    Store(#[source] StoreError),
    /// The Redis client cannot be made from these settings.
    #[error("failed to set up Redis")]
    Redis(#[source] SetupError),
}

/// Tasks that live as long as the process.
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
        let redis = match &config.cache {
            CacheConfig::Redis(config) => {
                Some(Redis::start(config, metrics.clone()).map_err(StartError::Redis)?)
            }
            CacheConfig::Memory => None,
        };
        let cache = Cache::open(redis.clone(), metrics.clone());
        let sessions = Sessions::open(&config.sessions, redis.clone());
        let health = Health::default();
        background.tasks.spawn(watch_database(
            store.clone(),
            health.clone(),
            background.stop.clone(),
        ));
        metrics.build_info(store.engine(), cache.engine());
        background
            .tasks
            .spawn(store.clone().keep_purging(background.stop.clone()));
        tracing::info!(store = store.engine(), cache = cache.engine(), "started");
        Ok(Self(Arc::new(Parts {
            store,
            cache,
            sessions,
            metrics,
            health,
            redis,
            background,
        })))
    }

    /// Stops what runs in the background and closes connections, each within a bound of its own.
    pub async fn stop(&self) {
        self.background.stop.cancel();
        self.background.tasks.close();
        self.background.tasks.wait().await;
        let close_redis = async {
            if let Some(redis) = &self.redis {
                redis.close().await;
            }
        };
        tokio::join!(close_redis, self.store.close());
        tracing::info!("stopped");
    }
}
