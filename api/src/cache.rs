//! Copies of answers: keys, lifetimes, and the rule that a cache never fails a request. Whatever goes wrong behind it is
//! a miss and a count.
//!
//! With `REDIS_HOST`, two levels: a copy in this process, good while Redis vouches for it, then Redis itself. Without,
//! this process's memory alone. On a miss one request of this process asks the database, and the others wait for it.

mod flight;
mod local;
mod lock;
mod memory;
mod tiered;
mod value;

pub use self::value::Value;

use self::{flight::Flights, memory::Memory, tiered::Tiered};
use crate::{
    health::{Condition, Dependency},
    metrics::{CacheLevel, CacheResult, Metrics},
    redis::Redis,
    store::StoreError,
};
use futures::future::FutureExt;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::Instant;

/// Where `GET /api/data` keeps its answer: the course's key, shared with any other image of the stack.
pub const DATA_KEY: &str = "data_cache";
/// And for how long.
pub const DATA_LIFETIME: Duration = Duration::from_mins(1);

/// The name of the cache in metrics and logs.
const DEPENDENCY: &str = "cache";
/// Longer values were not written by us.
const LONGEST_VALUE: usize = 64 * 1024;
/// How long a request may wait for another one's answer: more than the slowest, each step of which has a deadline.
const FLIGHT_DEADLINE: Duration = Duration::from_secs(2);

/// Where a value came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// One of the levels.
    Cache,
    /// What the cache stands in front of.
    Database,
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The value, shared by everyone who asked.
    pub value: Arc<Value>,
    /// Where it came from.
    pub source: Source,
}

/// Why there is no value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// It was not in the cache, and the store failed. Everyone who waited for this answer is told the same.
    #[error("failed to use the store")]
    Store(#[source] Arc<StoreError>),
    /// The request that everyone waited for did not come to an end.
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
}

/// The cache. Cloning shares it.
#[derive(Clone)]
pub struct Cache {
    engine: Arc<Engine>,
    flights: Flights<Landed>,
    metrics: Metrics,
}

/// What is behind.
enum Engine {
    Memory(Memory),
    Tiered(Tiered),
}

/// How a fetch ended that others may have waited for, and what its lookup found.
#[derive(Clone)]
struct Landed {
    outcome: Result<Fetched, Arc<StoreError>>,
    lookup: CacheResult,
}

impl Cache {
    /// A cache in front of `redis`, or in memory without.
    pub fn open(redis: Option<Redis>, metrics: Metrics) -> Self {
        let engine = match redis {
            Some(redis) => Engine::Tiered(Tiered::new(redis, metrics.clone())),
            None => Engine::Memory(Memory::new(&Dependency::new(DEPENDENCY, metrics.clone()))),
        };
        Self {
            engine: Arc::new(engine),
            flights: Flights::new(FLIGHT_DEADLINE),
            metrics,
        }
    }

    /// The engine's name.
    pub fn engine(&self) -> &'static str {
        match &*self.engine {
            Engine::Memory(_) => "memory",
            Engine::Tiered(_) => "redis",
        }
    }

    /// What is known of the engine, without asking it.
    pub fn condition(&self) -> Condition {
        match &*self.engine {
            Engine::Memory(_) => Condition::Up,
            Engine::Tiered(tiered) => tiered.condition(),
        }
    }

    /// The copy in this process, if there is a good one at this moment: nobody is asked and nothing is waited for.
    pub fn copy(&self, key: &str, now: Instant) -> Option<Arc<Value>> {
        let value = self.engine.copy(key, now)?;
        self.metrics
            .cache_lookup(CacheLevel::Memory, CacheResult::Hit);
        Some(value)
    }

    /// The value under `key`, from the nearest place that has it; `load` asks the database, and what it answers is kept
    /// for `lifetime`. Whoever asks for the same key meanwhile gets the same answer. It goes on when its client leaves.
    pub async fn fetch<F>(
        &self,
        key: &'static str,
        lifetime: Duration,
        load: impl FnOnce() -> F + Send + 'static,
    ) -> Result<Fetched, FetchError>
    where
        F: Future<Output = Result<String, StoreError>> + Send,
    {
        if let Some(value) = self.copy(key, Instant::now()) {
            let source = Source::Cache;
            return Ok(Fetched { value, source });
        }
        let engine = Arc::clone(&self.engine);
        let work = async move { engine.fetch(key, lifetime, load).await };
        let waits = || self.metrics.single_flight_wait();
        let landed = self.flights.join(key, work, waits).await;
        let lookup = landed
            .as_ref()
            .map_or(CacheResult::Miss, |landed| landed.lookup);
        self.metrics.cache_lookup(self.engine.last_level(), lookup);
        landed
            .ok_or(FetchError::Late(FLIGHT_DEADLINE))?
            .outcome
            .map_err(FetchError::Store)
    }
}

impl Engine {
    /// What can be answered without asking anyone.
    fn copy(&self, key: &str, now: Instant) -> Option<Arc<Value>> {
        match self {
            // Busy with housekeeping: rather a miss, which asks again.
            Self::Memory(memory) => memory.get(key).now_or_never().flatten(),
            Self::Tiered(tiered) => tiered.copy(key, now),
        }
    }

    /// The level that has the last word.
    fn last_level(&self) -> CacheLevel {
        match self {
            Self::Memory(_) => CacheLevel::Memory,
            Self::Tiered(_) => CacheLevel::Redis,
        }
    }

    async fn fetch<F>(&self, key: &str, lifetime: Duration, load: impl FnOnce() -> F) -> Landed
    where
        F: Future<Output = Result<String, StoreError>>,
    {
        match self {
            Self::Memory(memory) => memory.fetch(key, lifetime, load).await,
            Self::Tiered(tiered) => tiered.fetch(key, lifetime, load).await,
        }
    }
}

impl Landed {
    fn cached(value: Arc<Value>) -> Self {
        let source = Source::Cache;
        Self {
            outcome: Ok(Fetched { value, source }),
            lookup: CacheResult::Hit,
        }
    }

    fn loaded(answer: Result<String, StoreError>, lookup: CacheResult) -> Self {
        let fetched = |text| Fetched {
            value: Arc::new(Value::new(text)),
            source: Source::Database,
        };
        Self {
            outcome: answer.map(fetched).map_err(Arc::new),
            lookup,
        }
    }
}

#[cfg(test)]
mod tests;
