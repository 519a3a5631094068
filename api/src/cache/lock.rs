//! One process of the stack at a time asks the database for a value that all of them miss. A courtesy: without a Redis
//! that grants it, each process asks for itself, and whoever waited long enough stops being courteous.

use super::{Value, tiered::Content};
use crate::redis::{Redis, RedisError};
use ::redis::{Value as Reply, cmd, pipe};
use std::{sync::Arc, time::Duration};
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
    /// Nobody's any more: here is the value.
    Over(Arc<Value>),
    /// Ours, until the lock is released.
    Ours(Lock),
    /// Anybody's.
    Free,
}

/// The right to ask for the others too.
pub(super) struct Lock {
    redis: Redis,
    key: String,
    token: String,
}

/// Asks for the lock on `key`, or waits for what its owner brings.
pub(super) async fn turn(redis: &Redis, key: &str) -> Turn {
    let lock = Lock {
        redis: redis.clone(),
        key: format!("{key}:lock"),
        token: Uuid::now_v7().to_string(),
    };
    let deadline = Instant::now() + PATIENCE;
    loop {
        let Ok((granted, content)) = lock.ask(key).await else {
            return Turn::Free;
        };
        match (granted, content) {
            (Reply::Okay, Content::Value(value)) => {
                lock.release().await;
                return Turn::Over(value);
            }
            (_, Content::Value(value)) => return Turn::Over(value),
            (Reply::Okay, _) => return Turn::Ours(lock),
            (Reply::Nil, _) if Instant::now() < deadline => sleep(INTERVAL).await,
            // Not granted in time, or not to this user.
            _ => return Turn::Free,
        }
    }
}

impl Lock {
    /// The value is looked for after the lock was asked for: the last owner wrote it before it let go.
    async fn ask(&self, key: &str) -> Result<(Reply, Content), RedisError> {
        let mut pipeline = pipe();
        let milliseconds = u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX);
        pipeline
            .cmd("SET")
            .arg(&self.key)
            .arg(&self.token)
            .arg("NX")
            .arg("PX")
            .arg(milliseconds);
        pipeline.cmd("GET").arg(key);
        pipeline.ignore_errors();
        let [granted, reply] = self.redis.pipeline(&pipeline).await?;
        Ok((granted, Content::from(reply)))
    }

    /// Lets the others go on. If this fails, time does it.
    pub(super) async fn release(self) {
        let mut release = cmd("EVAL");
        release.arg(RELEASE).arg(1).arg(&self.key).arg(&self.token);
        _ = self.redis.query::<Reply>(&release).await;
    }
}
