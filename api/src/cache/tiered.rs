//! The engine with two levels: copies in this process, and Redis. Redis away is a miss; what it has that is not one of
//! our values is a miss too, and is written over.

use super::{
    DEPENDENCY, Fetched, LONGEST_VALUE, Landed, Value,
    local::{Intent, Local},
    lock::{Lock, Turn},
};
use crate::{
    health::Condition,
    metrics::{CacheResult, Metrics},
    redis::{Redis, RedisError},
    store::StoreError,
};
use ::redis::{Value as Reply, cmd, pipe};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::Instant;

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

    /// The copy in this process, if it is good at this moment.
    pub(super) fn copy(&self, key: &str, now: Instant) -> Option<Arc<Value>> {
        self.local.get(key, now)
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
        let (lookup, turn) = match self.read(key).await {
            Ok((Content::Value(value), turn)) => {
                self.let_go(turn);
                return Landed::cached(value);
            }
            Ok((Content::Nothing, turn)) => (CacheResult::Miss, turn),
            Ok((Content::Unusable, turn)) => {
                self.metrics.dependency_error(DEPENDENCY, "value");
                (CacheResult::Error, turn)
            }
            Err(error) => {
                self.note(&error);
                return Landed::loaded(load().await, CacheResult::Error);
            }
        };
        let turn = match turn {
            Turn::Theirs(lock) => lock.wait(&self.redis, key).await,
            turn => turn,
        };
        let lock = match turn {
            Turn::Over(value, lock) => {
                if let Some(lock) = lock {
                    self.let_go(Turn::Ours(lock));
                }
                return Landed::cached(value);
            }
            Turn::Ours(lock) => Some(lock),
            Turn::Theirs(_) | Turn::Free => None,
        };
        let landed = Landed::loaded(load().await, lookup);
        let value = landed.outcome.as_ref().ok();
        let written = value.map(|Fetched { value, .. }| (value.text(), lifetime));
        self.write_and_release(key, written, lock).await;
        landed
    }

    /// What Redis has, and whose turn it is if it has nothing.
    async fn read(&self, key: &str) -> Result<(Content, Turn), RedisError> {
        let lock = Lock::new(key);
        let Some(intent) = self.local.intend(key) else {
            return self.read_only(key, lock).await;
        };
        let mut pipeline = pipe();
        // From here on the server remembers that this connection has read the next command's key, there or not.
        pipeline.cmd("CLIENT").arg("CACHING").arg("YES");
        pipeline.cmd("GET").arg(key);
        pipeline.cmd("PTTL").arg(key);
        // Who has lost its copy, or has none yet, mostly finds nothing in Redis either: so this is asked with it.
        lock.ask(&mut pipeline, key);
        pipeline.ignore_errors();
        let [promise, reply, left, granted, again] = self.redis.pipeline(&pipeline).await?;
        if let Reply::ServerError(error) = &reply
            && error.code() != "WRONGTYPE"
        {
            return Err(error.clone().into());
        }
        let content = Content::from(reply);
        if let (Content::Value(value), Reply::Okay) = (&content, promise) {
            self.keep(intent, key, value, &left);
        }
        Ok((content, lock.turn(granted, Content::from(again))))
    }

    /// Where no copy is kept, most of what is asked for is there.
    async fn read_only(&self, key: &str, lock: Lock) -> Result<(Content, Turn), RedisError> {
        let content = match self.redis.query::<Reply>(cmd("GET").arg(key)).await {
            Ok(reply) => Content::from(reply),
            Err(error) if error.code() == Some("WRONGTYPE") => Content::Unusable,
            Err(error) => return Err(error),
        };
        let turn = match content {
            Content::Value(_) => Turn::Free,
            _ => lock.demand(&self.redis, key).await.unwrap_or(Turn::Free),
        };
        Ok((content, turn))
    }

    /// Keeps a copy for what is left of the value's life. That was asked for after the value: a change in between is told
    /// before the answer.
    fn keep(&self, intent: Intent, key: &str, value: &Arc<Value>, left: &Reply) {
        let left = match *left {
            Reply::Int(-1) => None,
            // Negative: gone since it was read, nothing is left of it.
            Reply::Int(left) => Some(Duration::from_millis(u64::try_from(left).unwrap_or(0))),
            _ => return,
        };
        self.local.keep(intent, key, Arc::clone(value), left);
    }

    /// The value first, so that whoever gets the lock next finds it; both in one go.
    async fn write_and_release(
        &self,
        key: &str,
        value: Option<(&str, Duration)>,
        lock: Option<Lock>,
    ) {
        let mut pipeline = pipe();
        if let Some((text, lifetime)) = value {
            let milliseconds = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
            let set = pipeline.cmd("SET").arg(key).arg(text);
            set.arg("PX").arg(milliseconds);
        }
        if let Some(lock) = &lock {
            lock.release(&mut pipeline);
        }
        if pipeline.is_empty() {
            return;
        }
        pipeline.ignore_errors();
        let written = match self.redis.pipeline::<Vec<Reply>>(&pipeline).await {
            Ok(replies) => replies.into_iter().next(),
            Err(error) => return self.note(&error),
        };
        if let (Some(_), Some(Reply::ServerError(error))) = (value, written) {
            self.note(&error.into());
        }
    }

    /// Gives back a lock that is not needed: nobody waits for that.
    fn let_go(&self, turn: Turn) {
        if let Turn::Ours(lock) | Turn::Over(_, Some(lock)) = turn {
            let redis = self.redis.clone();
            tokio::spawn(async move {
                let mut pipeline = pipe();
                lock.release(&mut pipeline);
                pipeline.ignore_errors();
                // If this fails, time does it.
                _ = redis.pipeline::<Vec<Reply>>(&pipeline).await;
            });
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
