//! Single flight: of those who ask for the same thing at the same time, the first one's question is asked, and all get
//! its answer.
//!
//! A flight is a task of its own. Whoever leaves early, the first one included, takes nothing away from the others.

use futures::future::{BoxFuture, FutureExt, Shared};
use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::timeout;
use tracing::Instrument;

/// Flights under way, by what they are about. Cloning shares them.
#[derive(Clone)]
pub(super) struct Flights<T> {
    flying: Arc<Flying<T>>,
    deadline: Duration,
}

struct Flying<T>(Mutex<HashMap<&'static str, Flight<T>>>);

/// `None`: it did not come to an end.
type Flight<T> = Shared<BoxFuture<'static, Option<T>>>;

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// Flights that end by `deadline`, one way or the other.
    pub(super) fn new(deadline: Duration) -> Self {
        Self {
            flying: Arc::new(Flying(Mutex::default())),
            deadline,
        }
    }

    /// What the flight about `key` brings; if there is none, `work` becomes one. `waits` is called otherwise. `None` if
    /// it reached the deadline, or panicked.
    pub(super) async fn join(
        &self,
        key: &'static str,
        work: impl Future<Output = T> + Send + 'static,
        waits: impl FnOnce(),
    ) -> Option<T> {
        let flight = {
            let mut flying = self.flying.lock();
            if let Some(flight) = flying.get(key) {
                waits();
                flight.clone()
            } else {
                let flight = self.start(key, work);
                flying.insert(key, flight.clone());
                flight
            }
        };
        flight.await
    }

    /// Called with the lock held: the flight cannot end before it is known.
    fn start(
        &self,
        key: &'static str,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Flight<T> {
        let landing = Landing {
            flying: Arc::clone(&self.flying),
            key,
        };
        let deadline = self.deadline;
        let task = async move {
            let answer = timeout(deadline, work).await.ok();
            // Before anyone has the answer: who asks after that asks anew.
            drop(landing);
            answer
        };
        let task = tokio::spawn(task.in_current_span());
        async move { task.await.ok().flatten() }.boxed().shared()
    }
}

impl<T> Flying<T> {
    /// Nothing panics while it is held.
    fn lock(&self) -> MutexGuard<'_, HashMap<&'static str, Flight<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the board however it ends.
struct Landing<T> {
    flying: Arc<Flying<T>>,
    key: &'static str,
}

impl<T> Drop for Landing<T> {
    fn drop(&mut self) {
        self.flying.lock().remove(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        future::{pending, ready},
        sync::atomic::{AtomicUsize, Ordering},
    };
    use tokio::sync::{oneshot, watch};

    const LONG: Duration = Duration::from_secs(30);

    /// Joins a flight and tells on the board once it has.
    async fn joined<T: Clone + Send + Sync + 'static>(
        flights: &Flights<T>,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<Option<T>> {
        let flights = flights.clone();
        let (told, heard) = oneshot::channel();
        let task = tokio::spawn(async move {
            let answer = flights.join("key", work, || {});
            let mut answer = Box::pin(answer);
            // Polled once, it is on board.
            let first = futures::poll!(&mut answer);
            _ = told.send(());
            match first {
                std::task::Poll::Ready(answer) => answer,
                std::task::Poll::Pending => answer.await,
            }
        });
        heard.await.unwrap();
        task
    }

    #[tokio::test]
    async fn a_thousand_who_ask_at_once_cost_one_question() {
        let (flights, asked) = (Flights::new(LONG), Arc::new(AtomicUsize::new(0)));
        let waited = Arc::new(AtomicUsize::new(0));
        let (go, wait) = watch::channel(false);
        let ask = |_| {
            let (asked, mut wait) = (Arc::clone(&asked), wait.clone());
            let work = async move {
                asked.fetch_add(1, Ordering::Relaxed);
                wait.wait_for(|go| *go).await.unwrap();
                7
            };
            let (flights, waited) = (flights.clone(), Arc::clone(&waited));
            async move {
                let waits = || _ = waited.fetch_add(1, Ordering::Relaxed);
                flights.join("key", work, waits).await
            }
        };
        let all = futures::future::join_all((0..1000).map(ask));
        let release = async {
            while waited.load(Ordering::Relaxed) < 999 {
                tokio::task::yield_now().await;
            }
            go.send(true).unwrap();
        };
        let (answers, ()) = tokio::join!(all, release);
        assert!(answers.iter().all(|answer| *answer == Some(7)));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn the_first_one_may_leave_and_the_others_still_get_its_answer() {
        let flights = Flights::new(LONG);
        let (answer, work) = oneshot::channel();
        let first = joined(&flights, async { work.await.unwrap() }).await;
        let second = joined(&flights, pending()).await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        answer.send(7).unwrap();
        assert_eq!(second.await.unwrap(), Some(7));
    }

    #[tokio::test]
    async fn an_answer_is_not_kept_for_those_who_ask_later() {
        let flights = Flights::new(LONG);
        assert_eq!(flights.join("key", ready(1), || {}).await, Some(1));
        assert_eq!(flights.join("key", ready(2), || {}).await, Some(2));
        assert!(flights.flying.lock().is_empty());
    }

    #[tokio::test]
    async fn a_flight_that_hangs_or_panics_ends_and_makes_room() {
        let flights = Flights::new(Duration::from_millis(10));
        assert_eq!(flights.join("key", pending::<u8>(), || {}).await, None);
        let panics = async { panic!("in a flight") };
        assert_eq!(flights.join("key", panics, || {}).await, None);
        assert_eq!(flights.join("key", ready(1), || {}).await, Some(1));
    }

    #[tokio::test]
    async fn different_keys_do_not_wait_for_each_other() {
        let flights = Flights::new(LONG);
        let held = joined(&flights, pending::<u8>()).await;
        assert_eq!(flights.join("other", ready(1), || {}).await, Some(1));
        held.abort();
    }
}
