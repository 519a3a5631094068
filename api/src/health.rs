//! What this process knows of its dependencies and of itself, and the task that keeps asking the database.
//!
//! Readiness follows the first contact and draining only. If it followed every outage, all replicas would leave the
//! load balancer at once and even cached answers would be lost.

use crate::{metrics::Metrics, store::Store};
use serde::Serialize;
use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// How often a database that answers is asked again.
const STEADY_INTERVAL: Duration = Duration::from_secs(5);
/// How soon one that does not, or takes no writes, is asked again, doubling up to [`LONGEST_BACKOFF`]. Counted from one
/// attempt's start to the next's: a silent server takes a second to give up on, and it must be found back within two.
const SHORTEST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_millis(500);

/// What is known of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Not heard of yet.
    Unknown,
    /// It answered last time.
    Up,
    /// It answers and takes no writes.
    ReadOnly,
    /// It did not answer.
    Down,
}

/// A dependency: its name in metrics and logs, and its last known condition.
pub struct Dependency {
    name: &'static str,
    metrics: Metrics,
    last: Mutex<(Condition, String)>,
}

impl Dependency {
    /// A dependency nothing is known of.
    pub fn new(name: &'static str, metrics: Metrics) -> Self {
        Self {
            name,
            metrics,
            last: Mutex::new((Condition::Unknown, String::new())),
        }
    }

    /// The last known condition.
    pub fn condition(&self) -> Condition {
        self.last().0
    }

    /// It answered a call that says nothing of writes.
    pub fn answered(&self) {
        if !matches!(self.condition(), Condition::Up | Condition::ReadOnly) {
            self.up();
        }
    }

    /// It answered, and takes no writes.
    pub fn read_only(&self) {
        if self.note(Condition::ReadOnly, "") {
            tracing::warn!(dependency = self.name, "dependency takes no writes");
        }
    }

    /// It answers, and does all that is asked of it.
    pub fn up(&self) {
        if self.note(Condition::Up, "") {
            tracing::info!(dependency = self.name, "dependency reached");
        }
    }

    /// It did not answer. The cause is logged when it is new, not at every attempt.
    pub fn down(&self, cause: &str) {
        if self.note(Condition::Down, cause) {
            tracing::warn!(dependency = self.name, cause, "dependency unreachable");
        }
    }

    /// What was noted stays true if someone panicked after noting it.
    fn last(&self) -> MutexGuard<'_, (Condition, String)> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, condition: Condition, cause: &str) -> bool {
        self.metrics
            .dependency_up(self.name, condition == Condition::Up);
        let mut last = self.last();
        let changed = last.0 != condition || last.1 != cause;
        if changed {
            *last = (condition, cause.to_owned());
        }
        changed
    }
}

/// Why traffic should or should not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Readiness {
    /// The database was never reached.
    Starting,
    /// Send traffic.
    Ready,
    /// Stopping.
    Draining,
}

/// The process's own state. Cloning shares it.
#[derive(Clone, Default)]
pub struct Health(Arc<Flags>);

#[derive(Default)]
struct Flags {
    contacted: AtomicBool,
    draining: AtomicBool,
}

impl Health {
    /// Whether traffic should come.
    pub fn readiness(&self) -> Readiness {
        if self.0.draining.load(Ordering::Acquire) {
            Readiness::Draining
        } else if self.0.contacted.load(Ordering::Acquire) {
            Readiness::Ready
        } else {
            Readiness::Starting
        }
    }

    /// The database was reached; for good.
    pub fn contacted(&self) {
        self.0.contacted.store(true, Ordering::Release);
    }

    /// The process stops; for good.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }
}

/// Asks the database until `stop`: soon and ever more slowly while it is away or read-only, now and then once it is
/// well, and at once when a request found it otherwise.
pub async fn watch_database(store: Store, health: Health, stop: CancellationToken) {
    let mut backoff = SHORTEST_BACKOFF;
    loop {
        let started = Instant::now();
        if store.probe().await {
            health.contacted();
        }
        let is_well = store.condition() == Condition::Up;
        let pause = if is_well {
            backoff = SHORTEST_BACKOFF;
            STEADY_INTERVAL
        } else {
            let pause = backoff;
            backoff = (backoff * 2).min(LONGEST_BACKOFF);
            pause
        };
        let soonest = Instant::now() + SHORTEST_BACKOFF;
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(soonest.max(started + pause)) => {}
            () = store.alarmed(), if is_well => {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep_until(soonest) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_waits_for_the_first_contact_and_ends_with_draining() {
        let health = Health::default();
        assert_eq!(health.readiness(), Readiness::Starting);
        health.contacted();
        assert_eq!(health.readiness(), Readiness::Ready);
        health.drain();
        assert_eq!(health.readiness(), Readiness::Draining);
    }

    #[test]
    fn only_a_new_condition_or_cause_is_news() {
        let dependency = Dependency::new("database", Metrics::new());
        assert_eq!(dependency.condition(), Condition::Unknown);
        assert!(dependency.note(Condition::Down, "refused"));
        assert!(!dependency.note(Condition::Down, "refused"));
        assert!(dependency.note(Condition::Down, "wrong password"));
        assert!(dependency.note(Condition::Up, ""));
        assert!(!dependency.note(Condition::Up, ""));
        assert_eq!(dependency.condition(), Condition::Up);
    }

    #[test]
    fn an_answer_to_a_read_says_nothing_of_writes() {
        let dependency = Dependency::new("database", Metrics::new());
        dependency.answered();
        assert_eq!(dependency.condition(), Condition::Up);
        dependency.read_only();
        dependency.answered();
        assert_eq!(dependency.condition(), Condition::ReadOnly);
        dependency.up();
        assert_eq!(dependency.condition(), Condition::Up);
        dependency.down("refused");
        dependency.answered();
        assert_eq!(dependency.condition(), Condition::Up);
        let told = serde_json::to_string(&Condition::ReadOnly).unwrap();
        assert_eq!(told, r#""read-only""#);
    }
}
