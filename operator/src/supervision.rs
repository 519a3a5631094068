//! Whether every task of the process does its work: one that ends by itself ends the process, one that hangs is named.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::{Id, JoinSet};

/// The tasks of the process. Dropping this ends them.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<anyhow::Result<()>>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Starts a task.
    pub fn start(
        &mut self,
        name: &'static str,
        task: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits for a task to end, which none does while it is needed: why the process cannot go on.
    pub async fn failure(&mut self) -> anyhow::Error {
        match self.ended().await {
            (name, Ok(())) => anyhow::anyhow!("the task {name} ended by itself"),
            (_, Err(error)) => error,
        }
    }

    /// Waits for this task to end, as it was asked to.
    pub async fn end_of(&mut self, awaited: &str) -> anyhow::Result<()> {
        match self.ended().await {
            (name, result) if name == awaited => result,
            (name, Ok(())) => anyhow::bail!("the task {name} ended by itself"),
            (_, Err(error)) => Err(error),
        }
    }

    async fn ended(&mut self) -> (&'static str, anyhow::Result<()>) {
        let Some(ended) = self.running.join_next_with_id().await else {
            return std::future::pending().await;
        };
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(error) => (error.id(), Err(anyhow::Error::msg("it panicked"))),
        };
        let name = self.names.remove(&id).unwrap_or("unknown");
        let result = result.map_err(|error| error.context(format!("the task {name} failed")));
        (name, result)
    }
}

/// Signs of life of tasks, each of which has a time within which the next one is due.
#[derive(Clone, Debug, Default)]
pub struct Pulses {
    known: Arc<Mutex<BTreeMap<&'static str, (Instant, Duration)>>>,
}

impl Pulses {
    /// Expects a sign of life of this task at least every `limit`, from now on.
    pub fn expect(&self, task: &'static str, limit: Duration) -> Pulse {
        let pulse = Pulse {
            pulses: self.clone(),
            task,
            limit,
        };
        pulse.beat();
        pulse
    }

    /// The tasks that have been silent for longer than they may, and for how long.
    pub fn silent(&self, now: Instant) -> Vec<(&'static str, Duration)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .iter()
            .map(|(task, (last, limit))| (*task, now.saturating_duration_since(*last), *limit))
            .filter(|(_, silence, limit)| silence > limit)
            .map(|(task, silence, _)| (task, silence))
            .collect()
    }
}

/// Where one task gives its signs of life.
#[derive(Clone, Debug)]
pub struct Pulse {
    pulses: Pulses,
    task: &'static str,
    limit: Duration,
}

impl Pulse {
    /// Gives one.
    pub fn beat(&self) {
        let mut known = self
            .pulses
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.insert(self.task, (Instant::now(), self.limit));
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Pulses, Tasks};

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_task_is_silent_once_its_own_time_is_over() {
        let pulses = Pulses::default();
        let quick = pulses.expect("quick", 10 * SECOND);
        pulses.expect("slow", 100 * SECOND);
        let now = Instant::now();
        assert_eq!(pulses.silent(now + 9 * SECOND), []);
        let silent = pulses.silent(now + 50 * SECOND);
        assert_eq!(
            silent.iter().map(|(task, _)| *task).collect::<Vec<_>>(),
            ["quick"]
        );
        assert_eq!(pulses.silent(now + 200 * SECOND).len(), 2);
        quick.beat();
        assert_eq!(pulses.silent(Instant::now() + 9 * SECOND), []);
    }

    #[tokio::test]
    async fn a_task_that_panics_ends_or_fails_is_named() {
        let mut tasks = Tasks::default();
        tasks.start("patient", std::future::pending());
        tasks.start("panicking", async { panic!("on purpose") });
        let told = format!("{:#}", tasks.failure().await);
        assert_eq!(told, "the task panicking failed: it panicked");
        tasks.start("ending", async { Ok(()) });
        let told = format!("{:#}", tasks.failure().await);
        assert_eq!(told, "the task ending ended by itself");
        tasks.start("failing", async { anyhow::bail!("no") });
        let told = format!("{:#}", tasks.failure().await);
        assert_eq!(told, "the task failing failed: no");
    }

    #[tokio::test]
    async fn an_end_that_was_asked_for_is_none_of_a_failure() {
        let mut tasks = Tasks::default();
        tasks.start("patient", std::future::pending());
        tasks.start("asked", async { Ok(()) });
        tasks.end_of("asked").await.unwrap();
        tasks.start("other", async { Ok(()) });
        assert!(tasks.end_of("patient").await.is_err());
    }
}
