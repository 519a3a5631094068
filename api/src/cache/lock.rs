//! One process of the stack at a time asks the database for a value that all of them miss. A courtesy: without a Redis
//! that grants it, each process asks for itself, and whoever waited long enough stops being courteous.

use super::{Value, tiered::Content};
use crate::redis::{Redis, RedisError};
use ::redis::{Pipeline, Value as Reply, pipe};
use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

/// A lock outlives its owner by no more than that.
const LIFETIME: Duration = Duration::from_millis(500);
/// How long to wait for another process's value.
const PATIENCE: Duration = Duration::from_millis(200);
/// And how often to look for it.
const INTERVAL: Duration = Duration::from_millis(20);

/// Deletes a lock that is still its owner's.
const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

/// Whose turn it is to ask the database.
pub(super) enum Turn {
    /// Nobody's any more: here is the value. The lock may be ours all the same.
    Over(Arc<Value>, Option<Lock>),
    /// Ours, until the lock is released.
    Ours(Lock),
    /// Another process's, for now.
    Theirs(Lock),
    /// Anybody's.
    Free,
}

/// The right to ask for the others too.
pub(super) struct Lock {
    key: String,
    token: String,
}

impl Lock {
    /// A lock on `key`, which nobody has asked for yet.
    pub(super) fn new(key: &str) -> Self {
        static PROCESS: LazyLock<Uuid> = LazyLock::new(Uuid::now_v7);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            key: format!("{key}:lock"),
            token: format!("{}/{}", *PROCESS, NEXT.fetch_add(1, Relaxed)),
        }
    }

    /// Asks for it, and then once more for the value of `key`: the last owner wrote it before it let go. Two replies.
    pub(super) fn ask(&self, pipeline: &mut Pipeline, key: &str) {
        let milliseconds = u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX);
        pipeline
            .cmd("SET")
            .arg(&self.key)
            .arg(&self.token)
            .arg("NX")
            .arg("PX")
            .arg(milliseconds);
        pipeline.cmd("GET").arg(key);
    }

    /// What these two replies mean.
    pub(super) fn turn(self, granted: Reply, content: Content) -> Turn {
        match (granted, content) {
            (Reply::Okay, Content::Value(value)) => Turn::Over(value, Some(self)),
            (_, Content::Value(value)) => Turn::Over(value, None),
            (Reply::Okay, _) => Turn::Ours(self),
            (Reply::Nil, _) => Turn::Theirs(self),
            // Not granted to this user.
            _ => Turn::Free,
        }
    }

    /// Lets the others go on. If this fails, time does it. One reply.
    pub(super) fn release(&self, pipeline: &mut Pipeline) {
        let release = pipeline.cmd("EVAL").arg(RELEASE).arg(1);
        release.arg(&self.key).arg(&self.token);
    }

    /// Waits for what its present owner brings, or until it is ours, or long enough. Never [`Turn::Theirs`].
    pub(super) async fn wait(self, redis: &Redis, key: &str) -> Turn {
        let mut lock = self;
        let deadline = Instant::now() + PATIENCE;
        loop {
            sleep(INTERVAL).await;
            lock = match lock.demand(redis, key).await.unwrap_or(Turn::Free) {
                Turn::Theirs(lock) if Instant::now() < deadline => lock,
                Turn::Theirs(_) => return Turn::Free,
                turn => return turn,
            };
        }
    }

    /// Asks for it now, and for what is there by now.
    pub(super) async fn demand(self, redis: &Redis, key: &str) -> Result<Turn, RedisError> {
        let mut pipeline = pipe();
        self.ask(&mut pipeline, key);
        pipeline.ignore_errors();
        let [granted, reply] = redis.pipeline(&pipeline).await?;
        Ok(self.turn(granted, Content::from(reply)))
    }
}
