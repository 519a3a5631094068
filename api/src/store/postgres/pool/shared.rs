//! What the pool's requests and tasks share: the counts, under one lock, and the tasks that open and close connections.

use super::{
    super::{super::StoreError, connector::Connector},
    lease::Opening,
};
use crate::metrics::{Metrics, PoolUse};
use sqlx::{Connection, PgConnection};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Idle connections kept beyond those in use, so that the next request finds one.
pub(super) const SPARE: usize = 2;
/// How soon an opening that failed is tried again while somebody waits, doubling up to the second.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How long closing waits for the server to hear it.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

pub(super) struct Shared {
    pub(super) connector: Connector,
    pub(super) size: usize,
    pub(super) acquire_deadline: Duration,
    /// A permit for each idle connection; whoever holds one may look for it, and looks again if it was dropped meanwhile.
    pub(super) available: Semaphore,
    pub(super) state: Mutex<State>,
    /// Woken when a connection could not be opened: the probe finds out why.
    pub(super) alarm: Arc<Notify>,
    pub(super) metrics: Metrics,
    /// Connections being opened and closed: none outlives the pool.
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// Idle connections and counts. Every connection is counted in one place at any moment, so that the pool's size holds.
#[derive(Default)]
pub(super) struct State {
    pub(super) idle: Vec<Pooled>,
    /// Connections on loan.
    pub(super) used: usize,
    /// Connections being opened.
    pub(super) opening: usize,
    /// Requests waiting.
    pub(super) waiting: usize,
    /// Connections of an earlier generation are not used again: they lead to a server that failed or was replaced.
    pub(super) generation: u64,
    /// The last opening failed: one at a time tries, until one succeeds.
    failing: bool,
    pub(super) closed: bool,
}

pub(super) struct Pooled {
    pub(super) connection: PgConnection,
    pub(super) generation: u64,
    pub(super) opened: Instant,
    pub(super) used: Instant,
}

/// Where a connection was counted before it is idle.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// On loan.
    Used,
    /// Being opened.
    Opening,
    /// Nowhere: it was opened beside the pool, which takes it only if it wants it.
    Beside,
}

impl Shared {
    /// Nobody panics while holding it; if somebody did, the counts would still be counts.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn spare(&self) -> usize {
        SPARE.min(self.size)
    }

    /// Opens as many connections as requests wait for, as far as there is room.
    pub(super) fn open_for_the_waiting(self: &Arc<Self>) {
        let mut state = self.state();
        while state.opening < state.waiting && self.may_open(&state) {
            self.open(&mut state);
        }
    }

    pub(super) fn keep_spare(self: &Arc<Self>, state: &mut State) {
        while state.idle.len() + state.opening < self.spare() && self.may_open(state) {
            self.open(state);
        }
    }

    fn may_open(&self, state: &State) -> bool {
        !state.closed && state.total() < self.size && (!state.failing || state.opening == 0)
    }

    fn open(self: &Arc<Self>, state: &mut State) {
        state.opening += 1;
        let opening = Opening::begun(Arc::clone(self));
        let (shared, stop) = (Arc::clone(self), self.stop.clone());
        self.tasks.spawn(stop.run_until_cancelled_owned(async move {
            let mut pause = SHORTEST_PAUSE;
            loop {
                let generation = shared.state().generation;
                if let Ok(opened) = shared.connector.open().await {
                    opening.done();
                    shared.admit(opened.connection, generation, Origin::Opening);
                    return;
                }
                shared.alarm.notify_one();
                if !shared.failed() {
                    return;
                }
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }));
    }

    /// Notes that a connection could not be opened; whether to try again. One goes on trying: where opening takes all the
    /// time it may (a busy machine), many at once would keep each other from ever being done.
    fn failed(&self) -> bool {
        let mut state = self.state();
        state.failing = true;
        state.opening == 1 && state.waiting > 0 && !state.closed
    }

    /// Makes a new connection available.
    pub(super) fn admit(
        self: &Arc<Self>,
        connection: PgConnection,
        generation: u64,
        origin: Origin,
    ) {
        let now = Instant::now();
        let pooled = Pooled {
            connection,
            generation,
            opened: now,
            used: now,
        };
        self.state().failing = false;
        self.put(pooled, origin);
        self.open_for_the_waiting();
    }

    /// Makes a connection idle, or closes it if it is not wanted any more.
    pub(super) fn put(&self, pooled: Pooled, origin: Origin) {
        let mut state = self.state();
        match origin {
            Origin::Used => state.used -= 1,
            Origin::Opening => state.opening -= 1,
            Origin::Beside => {}
        }
        let has_room = origin != Origin::Beside
            || (state.idle.len() < self.spare() && state.total() < self.size);
        if state.closed || pooled.generation != state.generation || !has_room {
            drop(state);
            self.hang_up(pooled.connection);
            return;
        }
        state.idle.push(pooled);
        drop(state);
        self.available.add_permits(1);
    }

    /// Tells the server that we leave, without waiting for it.
    pub(super) fn hang_up(&self, connection: PgConnection) {
        self.tasks
            .spawn(timeout(CLOSE_DEADLINE, connection.close()));
    }

    pub(super) fn late(&self) -> StoreError {
        StoreError::NoConnection(self.acquire_deadline)
    }
}

impl State {
    fn total(&self) -> usize {
        self.idle.len() + self.used + self.opening
    }

    pub(super) fn in_use(&self) -> PoolUse {
        let count = |count| u32::try_from(count).unwrap_or(u32::MAX);
        PoolUse {
            idle: count(self.idle.len()),
            used: count(self.used),
        }
    }
}
