//! Sessions: a random id in a cookie, and on the server the little that belongs to it. Two engines: Redis when
//! `REDIS_HOST` is set, so that replicas share sessions and a restart loses none; this process's memory otherwise.
//!
//! Unlike the cache, sessions have no second best: while Redis is away there is no answer, rather than a new session in
//! place of the one a client has. Engines never see an id, only the key made from it.

mod cookie;
mod id;
mod memory;
mod redis;

pub use self::{cookie::Cookies, id::SessionId};

use self::{memory::Memory, redis::Remote};
use crate::{config::SessionsConfig, redis::Redis};
use chrono::{DateTime, TimeDelta, Utc};
use std::{sync::Arc, time::Duration};

/// However busy it is, a session ends this long after it began: a stolen id is worth no more than that.
pub const ABSOLUTE_LIFETIME: Duration = Duration::from_hours(12);

/// What belongs to an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// When it began. A renewed id does not change it.
    pub created_at: DateTime<Utc>,
    /// When it ends, unless it is used before.
    pub expires_at: DateTime<Utc>,
    /// How often the landing page was shown to it.
    pub visits: u64,
}

/// Why there is no answer about a session.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The engine cannot be reached, or not in time.
    #[error("the sessions' engine is unavailable ({0})")]
    Unavailable(&'static str),
    /// The engine answered that it will not.
    #[error("the sessions' engine refused: {0}")]
    Refused(String),
    /// The system gives no random numbers, and a session without them would be anybody's.
    #[error("the system's random source failed")]
    NoRandomness(#[from] getrandom::Error),
}

/// The sessions. Cloning shares them.
#[derive(Clone)]
pub struct Sessions {
    engine: Arc<Engine>,
    cookies: Cookies,
}

enum Engine {
    Memory(Memory),
    Redis(Remote),
}

impl Sessions {
    /// Sessions in `redis`, or in this process when there is none.
    pub fn open(config: &SessionsConfig, redis: Option<Redis>) -> Self {
        let lifetime = Lifetime {
            idle: config.ttl,
            absolute: ABSOLUTE_LIFETIME,
        };
        let engine = match redis {
            Some(redis) => Engine::Redis(Remote::new(redis, lifetime)),
            None => Engine::Memory(Memory::new(lifetime)),
        };
        Self {
            engine: Arc::new(engine),
            cookies: Cookies::new(config.secure),
        }
    }

    /// How ids travel.
    pub fn cookies(&self) -> Cookies {
        self.cookies
    }

    /// Begins a session under a fresh id. What `shown` led to moves over, and `shown` leads nowhere from then on: an id
    /// that somebody planted before is worth nothing after.
    pub async fn create(
        &self,
        shown: Option<&SessionId>,
    ) -> Result<(SessionId, Session), SessionError> {
        let id = SessionId::random()?;
        let (old, new) = (shown.map(SessionId::key), id.key());
        let session = match &*self.engine {
            Engine::Memory(memory) => memory.create(old.as_deref(), &new).await,
            Engine::Redis(redis) => redis.create(old.as_deref(), &new).await?,
        };
        Ok((id, session))
    }

    /// The session, which is used by being read: it lives on.
    pub async fn read(&self, id: &SessionId) -> Result<Option<Session>, SessionError> {
        self.touch(id, 0).await
    }

    /// The session, one visit later.
    pub async fn visit(&self, id: &SessionId) -> Result<Option<Session>, SessionError> {
        self.touch(id, 1).await
    }

    /// Ends the session, if there is one.
    pub async fn destroy(&self, id: &SessionId) -> Result<(), SessionError> {
        match &*self.engine {
            Engine::Memory(memory) => {
                memory.destroy(&id.key()).await;
                Ok(())
            }
            Engine::Redis(redis) => redis.destroy(&id.key()).await,
        }
    }

    async fn touch(&self, id: &SessionId, visits: u64) -> Result<Option<Session>, SessionError> {
        match &*self.engine {
            Engine::Memory(memory) => Ok(memory.touch(&id.key(), visits).await),
            Engine::Redis(redis) => redis.touch(&id.key(), visits).await,
        }
    }
}

/// How long a session lives.
#[derive(Clone, Copy, Debug)]
struct Lifetime {
    /// Unused.
    idle: Duration,
    /// In all.
    absolute: Duration,
}

impl Lifetime {
    /// When a session that began at `created` and is used `now` ends; nothing when it is over.
    fn end(self, created: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let after = |from: DateTime<Utc>, length: Duration| {
            let length = TimeDelta::from_std(length).ok()?;
            from.checked_add_signed(length)
        };
        let end = after(now, self.idle)?.min(after(created, self.absolute)?);
        (end > now).then_some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn use_prolongs_a_session_and_its_absolute_end_stays() {
        let lifetime = Lifetime {
            idle: Duration::from_mins(1),
            absolute: Duration::from_secs(100),
        };
        let at = |seconds: i64| DateTime::from_timestamp(1_000_000 + seconds, 0).unwrap();
        for (now, end) in [
            (0, Some(60)),
            (30, Some(90)),
            (40, Some(100)),
            (99, Some(100)),
            (100, None),
            (1000, None),
        ] {
            assert_eq!(lifetime.end(at(0), at(now)), end.map(at), "used at {now}");
        }
    }
}
