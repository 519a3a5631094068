//! The engine with two levels: copies in this process, and Redis. Redis away is a miss; what it has that is not one of
//! our values is a miss too, and is written over.

use super::{
    DEPENDENCY, Fetched, LONGEST_VALUE, Landed, Value,
    local::{Intent, Local},
    lock::{self, Turn},
};
use crate::{
    health::Condition,
    metrics::{CacheResult, Metrics},
    redis::{Redis, RedisError},
    store::StoreError,
};
use ::redis::{Value as Reply, cmd, pipe};
use std::{future::Future, sync::Arc, time::Duration};

pub(super) struct Tiered {
    redis: Redis,
    local: Local,
    metrics: Metrics,
}

/// What a key holds.
pub(super) enum Content {
    Value(Arc<Value>),
    Nothing,
    /// Not one of our values.
    Unusable,
}

impl Tiered {
    pub(super) fn new(redis: Redis, metrics: Metrics) -> Self {
        Self {
            local: Local::new(Arc::clone(redis.tracking())),
            redis,
            metrics,
        }
    }

    pub(super) fn condition(&self) -> Condition {
        self.redis.condition()
    }

    /// The copy in this process.
    pub(super) fn copy(&self, key: &str) -> Option<Arc<Value>> {
        self.local.get(key)
    }

    /// From Redis, or else from the database, and then into Redis. The copy in this process is made when Redis is read
    /// next: only then does it tell of changes.
    pub(super) async fn fetch<F>(
        &self,
        key: &str,
        lifetime: Duration,
        load: impl FnOnce() -> F,
    ) -> Landed
    where
        F: Future<Output = Result<String, StoreError>>,
    {
        let lookup = match self.read(key).await {
            Ok(Content::Value(value)) => return Landed::cached(value),
            Ok(Content::Nothing) => CacheResult::Miss,
            Ok(Content::Unusable) => {
                self.metrics.dependency_error(DEPENDENCY, "value");
                CacheResult::Error
            }
            Err(error) => {
                self.note(&error);
                return Landed::loaded(load().await, CacheResult::Error);
            }
        };
        let lock = match lock::turn(&self.redis, key).await {
            Turn::Over(value) => return Landed::cached(value),
            Turn::Ours(lock) => Some(lock),
            Turn::Free => None,
        };
        let landed = Landed::loaded(load().await, lookup);
        if let Ok(Fetched { value, .. }) = &landed.outcome {
            self.write(key, value.text(), lifetime).await;
        }
        if let Some(lock) = lock {
            lock.release().await;
        }
        landed
    }

    async fn read(&self, key: &str) -> Result<Content, RedisError> {
        match self.local.intend(key) {
            Some(intent) => self.read_and_keep(key, intent).await,
            None => match self.redis.query::<Reply>(cmd("GET").arg(key)).await {
                Ok(reply) => Ok(Content::from(reply)),
                Err(error) if error.code() == Some("WRONGTYPE") => Ok(Content::Unusable),
                Err(error) => Err(error),
            },
        }
    }

    /// Reads a value and what is left of its life, in this order: a change in between is told before the second answer.
    async fn read_and_keep(&self, key: &str, intent: Intent) -> Result<Content, RedisError> {
        let mut pipeline = pipe();
        // From here on the server remembers that this connection has read the next command's key, there or not.
        pipeline.cmd("CLIENT").arg("CACHING").arg("YES");
        pipeline.cmd("GET").arg(key);
        pipeline.cmd("PTTL").arg(key);
        pipeline.ignore_errors();
        let [promise, reply, left] = self.redis.pipeline(&pipeline).await?;
        if let Reply::ServerError(error) = &reply
            && error.code() != "WRONGTYPE"
        {
            return Err(error.clone().into());
        }
        let content = Content::from(reply);
        if let (Content::Value(value), Reply::Okay) = (&content, promise) {
            match left {
                Reply::Int(-1) => self.local.keep(intent, key, Arc::clone(value), None),
                Reply::Int(left) => {
                    // Gone since it was read: nothing is left of it.
                    let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
                    self.local.keep(intent, key, Arc::clone(value), Some(left));
                }
                _ => {}
            }
        }
        Ok(content)
    }

    async fn write(&self, key: &str, text: &str, lifetime: Duration) {
        let milliseconds = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let mut set = cmd("SET");
        set.arg(key).arg(text).arg("PX").arg(milliseconds);
        if let Err(error) = self.redis.query::<()>(&set).await {
            self.note(&error);
        }
    }

    /// Nobody needs to know, except the metrics.
    fn note(&self, error: &RedisError) {
        let kind = match error {
            RedisError::Unavailable(kind) => kind,
            RedisError::Refused(_) => "refused",
        };
        self.metrics.dependency_error(DEPENDENCY, kind);
    }
}

/// An empty value is no value to the course's app either.
impl From<Reply> for Content {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Nil => Self::Nothing,
            Reply::BulkString(bytes) if bytes.is_empty() => Self::Nothing,
            Reply::BulkString(bytes) if bytes.len() <= LONGEST_VALUE => String::from_utf8(bytes)
                .map_or(Self::Unusable, |text| {
                    Self::Value(Arc::new(Value::new(text)))
                }),
            _ => Self::Unusable,
        }
    }
}
