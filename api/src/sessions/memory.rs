//! Sessions in this process: not shared, and gone with it.

use super::{Lifetime, Session};
use chrono::{DateTime, Utc};
use moka::{
    Expiry,
    future::Cache,
    ops::compute::{CompResult, Op},
    policy::EvictionPolicy,
};
use std::time::{Duration, Instant};

/// Sessions at most, some 20 MB of them; then the one that was not used for longest ends early.
const CAPACITY: u64 = 100_000;

pub(super) struct Memory {
    sessions: Cache<String, Session>,
    lifetime: Lifetime,
}

/// Each lives until its own end, which every use moves.
struct OwnEnd;

fn left(session: &Session) -> Duration {
    let left = session.expires_at.signed_duration_since(Utc::now());
    left.to_std().unwrap_or_default()
}

impl Expiry<String, Session> for OwnEnd {
    fn expire_after_create(&self, _: &String, session: &Session, _: Instant) -> Option<Duration> {
        Some(left(session))
    }

    fn expire_after_update(
        &self,
        _: &String,
        session: &Session,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(left(session))
    }
}

impl Memory {
    pub(super) fn new(lifetime: Lifetime) -> Self {
        let sessions = Cache::builder()
            .max_capacity(CAPACITY)
            // The default policy may refuse a newcomer in favour of what is used often: a session that was just given out.
            .eviction_policy(EvictionPolicy::lru())
            .expire_after(OwnEnd)
            .build();
        Self { sessions, lifetime }
    }

    pub(super) async fn create(&self, old: Option<&str>, new: &str) -> Session {
        let now = Utc::now();
        let moved = match old {
            Some(old) => self.taken(old).await,
            None => None,
        };
        let session = moved
            .filter(|session| session.expires_at > now)
            .and_then(|session| self.used(session, now))
            .unwrap_or_else(|| self.fresh(now));
        self.sessions.insert(new.to_owned(), session).await;
        session
    }

    pub(super) async fn touch(&self, key: &str, visits: u64) -> Option<Session> {
        let touched = self
            .sessions
            .entry_by_ref(key)
            .and_compute_with(async |entry| {
                let now = Utc::now();
                let used = entry
                    .map(moka::Entry::into_value)
                    .filter(|session| session.expires_at > now)
                    .and_then(|session| self.used(session, now));
                match used {
                    Some(session) => Op::Put(Session {
                        visits: session.visits.saturating_add(visits),
                        ..session
                    }),
                    None => Op::Nop,
                }
            })
            .await;
        match touched {
            CompResult::ReplacedWith(entry) => Some(entry.into_value()),
            _ => None,
        }
    }

    pub(super) async fn destroy(&self, key: &str) {
        self.taken(key).await;
    }

    /// The session at `key`, which is there no more: one caller gets it. A plain removal would not wait for a use that is
    /// under way, and that use would put back what it read before.
    async fn taken(&self, key: &str) -> Option<Session> {
        let entry = self.sessions.entry_by_ref(key);
        let removed = entry.and_compute_with(async |found| match found {
            Some(_) => Op::Remove,
            None => Op::Nop,
        });
        match removed.await {
            CompResult::Removed(entry) => Some(entry.into_value()),
            _ => None,
        }
    }

    fn used(&self, session: Session, now: DateTime<Utc>) -> Option<Session> {
        let expires_at = self.lifetime.end(session.created_at, now)?;
        Some(Session {
            expires_at,
            ..session
        })
    }

    fn fresh(&self, now: DateTime<Utc>) -> Session {
        Session {
            created_at: now,
            expires_at: self.lifetime.end(now, now).unwrap_or(now),
            visits: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(idle: Duration) -> Memory {
        Memory::new(Lifetime {
            idle,
            absolute: Duration::from_hours(1),
        })
    }

    #[tokio::test]
    async fn a_session_that_is_not_used_ends() {
        let memory = memory(Duration::from_millis(40));
        memory.create(None, "a").await;
        let deadline = Instant::now() + Duration::from_secs(10);
        // Looked at without being used.
        while memory.sessions.contains_key("a") {
            assert!(Instant::now() < deadline, "it lives on");
            tokio::task::yield_now().await;
        }
        assert_eq!(memory.touch("a", 1).await, None);
        assert_eq!(memory.create(Some("a"), "b").await.visits, 0);
    }

    #[tokio::test]
    async fn a_moved_session_moves_once_whoever_asks_at_the_same_time() {
        let memory = memory(Duration::from_mins(1));
        memory.create(None, "old").await;
        for _ in 0..5 {
            memory.touch("old", 1).await.unwrap();
        }
        let names: Vec<String> = (0..50).map(|number| format!("new {number}")).collect();
        let attempts = names.iter().map(|new| memory.create(Some("old"), new));
        let moved = futures::future::join_all(attempts).await;
        let with_visits = moved.iter().filter(|session| session.visits == 5).count();
        let without = moved.iter().filter(|session| session.visits == 0).count();
        assert_eq!((with_visits, without), (1, 49));
        assert_eq!(memory.touch("old", 1).await, None);
    }

    #[tokio::test]
    async fn every_visit_counts_and_none_brings_a_session_back() {
        let memory = memory(Duration::from_mins(1));
        memory.create(None, "a").await;
        futures::future::join_all((0..100).map(|_| memory.touch("a", 1))).await;
        assert_eq!(memory.touch("a", 0).await.unwrap().visits, 100);
        memory.destroy("a").await;
        assert_eq!(memory.touch("a", 1).await, None);
        assert!(!memory.sessions.contains_key("a"));
    }
}
