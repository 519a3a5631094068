//! The engine in this process: no service beside it, forgotten when it ends.

use super::{Backend, BackendError};
use crate::health::{Condition, Dependency};
use futures::future::{BoxFuture, FutureExt, ready};
use moka::{Expiry, future::Cache};
use std::{sync::Arc, time::Duration};

/// Bytes of keys and values at most; the least used go first.
const CAPACITY_BYTES: u64 = 16 * 1024 * 1024;

pub(super) struct Memory {
    entries: Cache<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    value: Arc<str>,
    lifetime: Duration,
}

/// Each entry lives as long as its writer said.
struct OwnLifetime;

impl Expiry<String, Entry> for OwnLifetime {
    fn expire_after_create(
        &self,
        _: &String,
        entry: &Entry,
        _: std::time::Instant,
    ) -> Option<Duration> {
        Some(entry.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &String,
        entry: &Entry,
        _: std::time::Instant,
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
                u32::try_from(key.len().saturating_add(entry.value.len())).unwrap_or(u32::MAX)
            })
            .expire_after(OwnLifetime)
            .build();
        Self { entries }
    }
}

impl Backend for Memory {
    fn engine(&self) -> &'static str {
        "memory"
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, BackendError>> {
        async move {
            Ok(self
                .entries
                .get(key)
                .await
                .map(|entry| entry.value.as_ref().to_owned()))
        }
        .boxed()
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        lifetime: Duration,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        let entry = Entry {
            value: value.into(),
            lifetime,
        };
        async move {
            self.entries.insert(key.to_owned(), entry).await;
            Ok(())
        }
        .boxed()
    }

    fn condition(&self) -> Condition {
        Condition::Up
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}
