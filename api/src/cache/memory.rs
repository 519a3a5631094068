//! The engine in this process: no service beside it, forgotten when it ends.

use super::{Fetched, Landed, Value};
use crate::{health::Dependency, metrics::CacheResult, store::StoreError};
use moka::{Expiry, future::Cache};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

/// Bytes of keys and values at most; the least used go first.
const CAPACITY_BYTES: u64 = 16 * 1024 * 1024;

pub(super) struct Memory {
    entries: Cache<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    value: Arc<Value>,
    lifetime: Duration,
}

/// Each entry lives as long as its writer said.
struct OwnLifetime;

impl Expiry<String, Entry> for OwnLifetime {
    fn expire_after_create(&self, _: &String, entry: &Entry, _: Instant) -> Option<Duration> {
        Some(entry.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(entry.lifetime)
    }
}

impl Memory {
    pub(super) fn new(dependency: &Dependency) -> Self {
        dependency.up();
        let entries = Cache::builder()
            .max_capacity(CAPACITY_BYTES)
            .weigher(|key: &String, entry: &Entry| {
                // A value and the answer made of it are about as long.
                let bytes = entry.value.text().len().saturating_mul(2);
                u32::try_from(bytes.saturating_add(key.len())).unwrap_or(u32::MAX)
            })
            .expire_after(OwnLifetime)
            .build();
        Self { entries }
    }

    pub(super) async fn get(&self, key: &str) -> Option<Arc<Value>> {
        Some(self.entries.get(key).await?.value)
    }

    pub(super) async fn fetch<F>(
        &self,
        key: &str,
        lifetime: Duration,
        load: impl FnOnce() -> F,
    ) -> Landed
    where
        F: Future<Output = Result<String, StoreError>>,
    {
        // Another flight may have landed since it was last looked for.
        if let Some(value) = self.get(key).await {
            return Landed::cached(value);
        }
        let landed = Landed::loaded(load().await, CacheResult::Miss);
        if let Ok(Fetched { value, .. }) = &landed.outcome {
            let value = Arc::clone(value);
            self.entries
                .insert(key.to_owned(), Entry { value, lifetime })
                .await;
        }
        landed
    }
}
