//! Sessions in Redis: shared by every replica, kept over restarts. Each is a hash of two fields that Redis itself ends.
//!
//! What reads and then writes is a script, so that it happens whole or not at all: a use cannot bring back a session that
//! was ended meanwhile, and of two renewals at once one takes what is there. All times are Redis' own: clocks of replicas
//! may differ.

use super::{Lifetime, Session, SessionError};
use crate::redis::{Redis, RedisError};
use chrono::{DateTime, Utc};
use redis::Cmd;
use std::time::Duration;

/// What scripts share: the hash at a key as `created` and `visits`, if it is one of ours and not over, and a use of it.
/// A key of another type, or a hash with other fields, is no session.
const FUNCTIONS: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local idle, absolute = tonumber(ARGV[1]), tonumber(ARGV[2])
local function find(key)
  local found = redis.pcall('HMGET', key, 'created', 'visits')
  if found.err and not string.find(found.err, '^WRONGTYPE') then error(found) end
  local created, visits = tonumber(found[1]), tonumber(found[2])
  if created and visits and created + absolute > now then return created, visits end
end
local function use(key, created, visits)
  local left = math.min(idle, created + absolute - now)
  redis.call('HSET', key, 'created', string.format('%.0f', created), 'visits', string.format('%.0f', visits))
  redis.call('PEXPIRE', key, string.format('%.0f', left))
  return {string.format('%.0f', created), string.format('%.0f', now + left), string.format('%.0f', visits)}
end
";

/// Begins the session at the first key; what is at the second, if one is named, moves there.
const CREATE: &str = r"
local created, visits
if KEYS[2] then created, visits = find(KEYS[2]) end
local session = use(KEYS[1], created or now, visits or 0)
-- Last: a server that refuses to write, for want of memory say, has then lost nothing.
if KEYS[2] then redis.call('DEL', KEYS[2]) end
return session
";

/// Uses the session at the key, if there is one.
const TOUCH: &str = r"
local created, visits = find(KEYS[1])
if created then return use(KEYS[1], created, visits + ARGV[3]) end
return false
";

/// What scripts answer: when the session began, when it ends, its visits.
type Answer = (i64, i64, u64);

pub(super) struct Remote {
    redis: Redis,
    lifetime: Lifetime,
    create: String,
    touch: String,
}

impl Remote {
    pub(super) fn new(redis: Redis, lifetime: Lifetime) -> Self {
        Self {
            redis,
            lifetime,
            create: [FUNCTIONS, CREATE].concat(),
            touch: [FUNCTIONS, TOUCH].concat(),
        }
    }

    pub(super) async fn create(
        &self,
        old: Option<&str>,
        new: &str,
    ) -> Result<Session, SessionError> {
        // What cannot be found in time must not be moved later: a command that hangs may yet be run once its client was
        // told that nothing is known, and a session that moved then would be lost to the cookie that leads to it.
        let old = match old {
            Some(old) => self.touch(old, 0).await?.map(|_| old),
            None => None,
        };
        let mut command = redis::cmd("EVAL");
        command.arg(&self.create);
        match old {
            Some(old) => command.arg(2).arg(new).arg(old),
            None => command.arg(1).arg(new),
        };
        self.bound(&mut command);
        let answer: Answer = self.redis.query(&command).await?;
        session(answer)
    }

    pub(super) async fn touch(
        &self,
        key: &str,
        visits: u64,
    ) -> Result<Option<Session>, SessionError> {
        let mut command = redis::cmd("EVAL");
        command.arg(&self.touch).arg(1).arg(key);
        self.bound(&mut command).arg(visits);
        let answer: Option<Answer> = self.redis.query(&command).await?;
        answer.map(session).transpose()
    }

    pub(super) async fn destroy(&self, key: &str) -> Result<(), SessionError> {
        Ok(self.redis.query(redis::cmd("DEL").arg(key)).await?)
    }

    /// Adds the lifetimes that [`FUNCTIONS`] reads.
    fn bound<'c>(&self, command: &'c mut Cmd) -> &'c mut Cmd {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let Lifetime { idle, absolute } = self.lifetime;
        command.arg(milliseconds(idle)).arg(milliseconds(absolute))
    }
}

fn session((created, expires, visits): Answer) -> Result<Session, SessionError> {
    let time = |milliseconds| {
        DateTime::<Utc>::from_timestamp_millis(milliseconds)
            .ok_or_else(|| SessionError::Refused("a time out of range".to_owned()))
    };
    Ok(Session {
        created_at: time(created)?,
        expires_at: time(expires)?,
        visits,
    })
}

impl From<RedisError> for SessionError {
    fn from(error: RedisError) -> Self {
        match error {
            RedisError::Unavailable(kind) => Self::Unavailable(kind),
            RedisError::Refused(said) => Self::Refused(said),
        }
    }
}
