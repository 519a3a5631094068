//! Every metric: its name, labels and buckets, and the text Prometheus scrapes.
//!
//! `app_requests_total` and `app_request_latency_seconds` are the course's: panels and alerts written for them work as
//! they are. Every label value comes from a fixed set, so every counter has its place in an array: counting a request is
//! three atomic additions, and no path, method or host name that a stranger invents becomes a series.

mod exposition;
mod histogram;
mod labels;
mod negotiation;
mod process;
mod text;

pub use self::{
    exposition::Format,
    labels::{BreakerState, CacheLevel, CacheResult, CutReason, Method, Outcome},
};

use self::{
    histogram::{ACQUIRE_BOUNDS, Histogram, REQUEST_BOUNDS},
    process::Process,
};
use crate::router::Endpoint;
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// The process's metrics. Cloning shares them.
#[derive(Clone)]
pub struct Metrics(Arc<Series>);

/// How many of the pool's connections there are, asked at each scrape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUse {
    /// Open, and nobody's.
    pub idle: u32,
    /// Open, and somebody's.
    pub used: u32,
}

struct Pool {
    most: u32,
    ask: Box<dyn Fn() -> PoolUse + Send + Sync>,
}

struct BuildInfo {
    store: &'static str,
    cache: &'static str,
}

/// A value for each of a label's values.
type PerLabel<const N: usize> = [AtomicU64; N];

/// Requests of one endpoint and method, by outcome. Most never happen, and a scrape does not look at those.
struct Requests {
    /// The outcomes that did happen, a bit each.
    seen: AtomicU64,
    counts: PerLabel<{ Outcome::COUNT }>,
}

impl Requests {
    fn new() -> Self {
        const { assert!(Outcome::COUNT <= 64, "a bit for each outcome") };
        Self {
            seen: AtomicU64::new(0),
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    fn count(&self, outcome: Outcome) {
        increment(self.counts.get(outcome.number()));
        let bit = 1 << outcome.number();
        if self.seen.load(Relaxed) & bit == 0 {
            self.seen.fetch_or(bit, Relaxed);
        }
    }

    /// The outcomes that happened, by number, and how often.
    fn seen(&self) -> impl Iterator<Item = (usize, u64)> {
        let mut seen = self.seen.load(Relaxed);
        std::iter::from_fn(move || {
            let number = seen.trailing_zeros() as usize;
            seen &= seen.checked_sub(1)?;
            Some((number, self.counts.get(number)?.load(Relaxed)))
        })
    }
}

/// What is counted rarely, under names of our own code.
type Rare<K> = Mutex<BTreeMap<K, u64>>;

struct Series {
    build: OnceLock<BuildInfo>,
    requests: [[Requests; Method::ALL.len()]; Endpoint::COUNT],
    latency: [Histogram<{ REQUEST_BOUNDS.len() }>; Endpoint::COUNT],
    in_flight: AtomicU64,
    connections: AtomicU64,
    connections_refused: AtomicU64,
    connections_cut: PerLabel<{ CutReason::ALL.len() }>,
    cache_requests: PerLabel<{ CacheResult::ALL.len() }>,
    cache_hits: PerLabel<{ CacheLevel::ALL.len() }>,
    cache_tracking: AtomicU64,
    single_flight_waits: AtomicU64,
    breaker: AtomicU64,
    pool: OnceLock<Pool>,
    pool_acquire: Histogram<{ ACQUIRE_BOUNDS.len() }>,
    pool_shed: AtomicU64,
    dependency_errors: Rare<(&'static str, &'static str)>,
    dependency_up: Rare<&'static str>,
    process: Process,
}

impl Metrics {
    /// Everything at nought.
    pub fn new() -> Self {
        Self(Arc::new(Series {
            build: OnceLock::new(),
            requests: std::array::from_fn(|_| std::array::from_fn(|_| Requests::new())),
            latency: std::array::from_fn(|_| Histogram::new(REQUEST_BOUNDS)),
            in_flight: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            connections_refused: AtomicU64::new(0),
            connections_cut: std::array::from_fn(|_| AtomicU64::new(0)),
            cache_requests: std::array::from_fn(|_| AtomicU64::new(0)),
            cache_hits: std::array::from_fn(|_| AtomicU64::new(0)),
            cache_tracking: AtomicU64::new(0),
            single_flight_waits: AtomicU64::new(0),
            breaker: AtomicU64::new(BreakerState::Closed as u64),
            pool: OnceLock::new(),
            pool_acquire: Histogram::new(ACQUIRE_BOUNDS),
            pool_shed: AtomicU64::new(0),
            dependency_errors: Rare::default(),
            dependency_up: Rare::default(),
            process: Process::new(),
        }))
    }

    /// Says what runs: the engines behind the store and the cache. The first word counts.
    pub fn build_info(&self, store: &'static str, cache: &'static str) {
        _ = self.0.build.set(BuildInfo { store, cache });
    }

    /// Counts and times a request that ended.
    pub fn request(&self, endpoint: Endpoint, method: Method, outcome: Outcome, took: Duration) {
        let requests = self.0.requests.get(endpoint as usize);
        if let Some(requests) = requests.and_then(|methods| methods.get(method as usize)) {
            requests.count(outcome);
        }
        if let Some(latency) = self.0.latency.get(endpoint as usize) {
            latency.observe(took);
        }
    }

    /// A request begins to be answered.
    pub fn request_started(&self) {
        self.0.in_flight.fetch_add(1, Relaxed);
    }

    /// It is answered, or given up.
    pub fn request_ended(&self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }

    /// A client connected.
    pub fn connection_opened(&self) {
        self.0.connections.fetch_add(1, Relaxed);
    }

    /// Its connection ended.
    pub fn connection_closed(&self) {
        self.0.connections.fetch_sub(1, Relaxed);
    }

    /// A client was turned away: there were too many.
    pub fn connection_refused(&self) {
        self.0.connections_refused.fetch_add(1, Relaxed);
    }

    /// A connection was ended by us.
    pub fn connection_cut(&self, reason: CutReason) {
        increment(self.0.connections_cut.get(reason as usize));
    }

    /// Counts a cache lookup, once, with the level that decided it.
    pub fn cache_lookup(&self, level: CacheLevel, result: CacheResult) {
        increment(self.0.cache_requests.get(result as usize));
        if result == CacheResult::Hit {
            increment(self.0.cache_hits.get(level as usize));
        }
    }

    /// Whether copies in this process are kept coherent by Redis.
    pub fn cache_tracking(&self, on: bool) {
        self.0.cache_tracking.store(on.into(), Relaxed);
    }

    /// Counts a request that waited for another one's answer instead of asking the database itself.
    pub fn single_flight_wait(&self) {
        self.0.single_flight_waits.fetch_add(1, Relaxed);
    }

    /// Tells what the breaker in front of the cache does.
    pub fn breaker(&self, state: BreakerState) {
        self.0.breaker.store(state as u64, Relaxed);
    }

    /// Shows a pool of at most `most` connections, whose use is asked at each scrape. The first pool counts.
    pub fn watch_pool(&self, most: u32, ask: impl Fn() -> PoolUse + Send + Sync + 'static) {
        let ask = Box::new(ask);
        _ = self.0.pool.set(Pool { most, ask });
    }

    /// Times the wait for a connection.
    pub fn pool_acquired(&self, took: Duration) {
        self.0.pool_acquire.observe(took);
    }

    /// Counts a request that got no connection in time.
    pub fn pool_shed(&self) {
        self.0.pool_shed.fetch_add(1, Relaxed);
    }

    /// Counts a failed call to a dependency.
    pub fn dependency_error(&self, dependency: &'static str, kind: &'static str) {
        let mut errors = locked(&self.0.dependency_errors);
        *errors.entry((dependency, kind)).or_default() += 1;
    }

    /// Tells whether a dependency answers.
    pub fn dependency_up(&self, dependency: &'static str, up: bool) {
        locked(&self.0.dependency_up).insert(dependency, up.into());
    }

    /// Everything, as text.
    pub fn encode(&self, format: Format) -> String {
        text::write(&self.0, format)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

fn increment(counter: Option<&AtomicU64>) {
    if let Some(counter) = counter {
        counter.fetch_add(1, Relaxed);
    }
}

/// What was counted stays true if someone panicked after counting it.
fn locked<K>(rare: &Rare<K>) -> std::sync::MutexGuard<'_, BTreeMap<K, u64>> {
    rare.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
