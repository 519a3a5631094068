//! Copies of answers: keys, lifetimes, and the rule that a cache never fails a request. Whatever goes wrong behind it is
//! a miss and a count. Two engines behind one trait: Redis when `REDIS_HOST` is set, this process's memory otherwise.

mod memory;
mod redis;

pub use self::redis::SetupError;

use self::{memory::Memory, redis::Redis};
use crate::{
    config::CacheConfig,
    health::{Condition, Dependency},
    metrics::{CacheResult, Metrics},
};
use futures::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use tokio::time::timeout;

/// Where `GET /api/data` keeps its answer: the course's key, shared with any other image of the stack.
pub const DATA_KEY: &str = "data_cache";
/// And for how long.
pub const DATA_LIFETIME: Duration = Duration::from_mins(1);

/// The name of the cache in metrics and logs.
const DEPENDENCY: &str = "cache";
/// Longer values were not written by us.
const LONGEST_VALUE: usize = 64 * 1024;
/// Memory needs no deadline; one rule for both engines needs a value.
const MEMORY_DEADLINE: Duration = Duration::from_secs(1);

/// What a cache engine does. It may fail and it may hang: [`Cache`] makes the best of it.
trait Backend: Send + Sync {
    /// The engine's name.
    fn engine(&self) -> &'static str;
    /// The value under `key`, if any.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, BackendError>>;
    /// Keeps `value` under `key` for `lifetime`.
    fn set<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        lifetime: Duration,
    ) -> BoxFuture<'a, Result<(), BackendError>>;
    /// Whether the engine can be reached.
    fn condition(&self) -> Condition;
    /// Lets go of connections.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// Why an engine gave no answer.
#[derive(Debug, PartialEq, Eq)]
enum BackendError {
    /// It cannot be reached, or refuses us. The word is for the metric's label.
    Unavailable(&'static str),
    /// It answered with something that is not one of our values.
    Unusable,
}

/// How a lookup ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Here it is.
    Hit(String),
    /// Not there, or not usable: worth writing.
    Miss,
    /// Nobody to ask: a miss, and not worth a second try by writing.
    Unavailable,
}

/// The cache. Cloning shares it.
#[derive(Clone)]
pub struct Cache {
    backend: Arc<dyn Backend>,
    deadline: Duration,
    metrics: Metrics,
}

impl Cache {
    /// Opens the cache. Redis is not waited for: it may come later.
    pub fn open(config: &CacheConfig, metrics: Metrics) -> Result<Self, SetupError> {
        let dependency = Dependency::new(DEPENDENCY, metrics.clone());
        let (backend, deadline): (Arc<dyn Backend>, _) = match config {
            CacheConfig::Redis(config) => {
                (Arc::new(Redis::start(config, dependency)?), config.deadline)
            }
            CacheConfig::Memory => (Arc::new(Memory::new(&dependency)), MEMORY_DEADLINE),
        };
        Ok(Self {
            backend,
            deadline,
            metrics,
        })
    }

    /// The engine's name.
    pub fn engine(&self) -> &'static str {
        self.backend.engine()
    }

    /// What is known of the engine, without asking it.
    pub fn condition(&self) -> Condition {
        self.backend.condition()
    }

    /// Looks a value up, within the deadline, whatever happens behind.
    pub async fn get(&self, key: &str) -> Lookup {
        let answer = timeout(self.deadline, self.backend.get(key)).await;
        let (lookup, result) = match answer.unwrap_or(Err(BackendError::Unavailable("timeout"))) {
            Ok(Some(value)) if value.len() <= LONGEST_VALUE => {
                (Lookup::Hit(value), CacheResult::Hit)
            }
            Ok(None) => (Lookup::Miss, CacheResult::Miss),
            Ok(Some(_)) | Err(BackendError::Unusable) => {
                self.metrics.dependency_error(DEPENDENCY, "value");
                (Lookup::Miss, CacheResult::Error)
            }
            Err(BackendError::Unavailable(kind)) => {
                self.metrics.dependency_error(DEPENDENCY, kind);
                (Lookup::Unavailable, CacheResult::Error)
            }
        };
        self.metrics.cache_lookup(result);
        lookup
    }

    /// Keeps a value, within the deadline, if it can. Nobody needs to know when it could not, except the metrics.
    pub async fn set(&self, key: &str, value: &str, lifetime: Duration) {
        let answer = timeout(self.deadline, self.backend.set(key, value, lifetime)).await;
        match answer.unwrap_or(Err(BackendError::Unavailable("timeout"))) {
            Ok(()) => {}
            Err(BackendError::Unavailable(kind)) => self.metrics.dependency_error(DEPENDENCY, kind),
            Err(BackendError::Unusable) => self.metrics.dependency_error(DEPENDENCY, "value"),
        }
    }

    /// Lets go of connections.
    pub async fn close(&self) {
        self.backend.close().await;
    }
}

#[cfg(test)]
mod tests;
