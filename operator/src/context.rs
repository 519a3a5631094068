//! What runs share: clients, settings, what is known of the cluster, and the memory of failures.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use kube::Client;
use kube::core::ObjectMeta;

use crate::discovery::Grants;
use crate::events::Events;
use crate::memory::Memory;
use crate::metrics::Metrics;
use crate::observed::Capabilities;
use crate::settings::Settings;

/// First and longest pause between two tries over the same stack.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));

/// What runs share.
pub struct Context {
    /// Client with a deadline on every call; it sends no write once this process may not write any more.
    pub client: Client,
    /// Tells people of transitions.
    pub events: Events,
    /// Settings.
    pub settings: Settings,
    /// Metrics.
    pub metrics: Metrics,
    /// Granted namespaces.
    pub grants: Grants,
    /// What was applied.
    pub memory: Memory,
    capabilities: RwLock<Capabilities>,
    failures: Mutex<HashMap<(String, String), Failing>>,
}

impl Context {
    /// Makes the context.
    pub fn new(
        client: Client,
        events: Events,
        settings: Settings,
        metrics: Metrics,
        capabilities: Capabilities,
    ) -> Self {
        Self {
            client,
            events,
            settings,
            metrics,
            grants: Grants::default(),
            memory: Memory::default(),
            capabilities: RwLock::new(capabilities),
            failures: Mutex::default(),
        }
    }

    /// The optional APIs that are served, as last looked up.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Remembers the optional APIs that are served; says whether they changed.
    pub fn set_capabilities(&self, found: &Capabilities) -> bool {
        let mut known = self
            .capabilities
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let changed = *known != *found;
        known.clone_from(found);
        changed
    }

    /// Notes a success: the next failure starts with the shortest pause again.
    pub fn settled(&self, metadata: &ObjectMeta) {
        self.failures
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&key(metadata));
    }

    /// Notes a failure, and says how long to pause: twice as long each time, up to a minute.
    pub fn pause(&self, metadata: &ObjectMeta) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let failing = failures.entry(key(metadata)).or_default();
        failing.pause(Instant::now())
    }

    /// Forgets stacks that are gone.
    pub fn retain(&self, exists: impl Fn(&str, &str) -> bool) {
        self.memory.retain(&exists);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|(namespace, name), _| exists(namespace, name));
    }
}

fn key(metadata: &ObjectMeta) -> (String, String) {
    (
        metadata.namespace.clone().unwrap_or_default(),
        metadata.name.clone().unwrap_or_default(),
    )
}

/// How a stack has been failing.
#[derive(Debug, Default)]
struct Failing {
    /// Tries that were due and failed.
    tries: u32,
    /// When the next one is due.
    due: Option<Instant>,
}

impl Failing {
    /// A run has failed. One that an event started before the next try was due does not count: while its children come
    /// up, a stack of which a single child is refused has a run every moment, and would soon be left alone for a minute.
    fn pause(&mut self, now: Instant) -> Duration {
        if let Some(due) = self.due
            && now < due
        {
            return due - now;
        }
        let pause = backoff(self.tries);
        self.tries = self.tries.saturating_add(1);
        self.due = Some(now + pause);
        pause
    }
}

fn backoff(failures: u32) -> Duration {
    BACKOFF
        .0
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(BACKOFF.1)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Failing, backoff};

    #[test]
    fn pauses_double_up_to_a_minute() {
        let seconds: Vec<u64> = [0, 1, 2, 5, 6, 31, u32::MAX]
            .into_iter()
            .map(|n| backoff(n).as_secs())
            .collect();
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
    }

    #[test]
    fn failures_between_two_tries_neither_lengthen_the_pause_nor_put_the_next_try_off() {
        let mut failing = Failing::default();
        let begin = Instant::now();
        let mut pause_at = |milliseconds| {
            let pause = failing.pause(begin + Duration::from_millis(milliseconds));
            u64::try_from(pause.as_millis()).unwrap()
        };
        assert_eq!(pause_at(0), 1_000);
        for event in 1..1_000 {
            assert_eq!(pause_at(event), 1_000 - event);
        }
        assert_eq!(pause_at(1_000), 2_000);
        assert_eq!(pause_at(1_500), 1_500);
        assert_eq!(pause_at(3_000), 4_000);
    }
}
