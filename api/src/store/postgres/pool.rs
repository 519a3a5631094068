//! The pool of connections to Postgres. A request never opens a connection: it takes an idle one, or waits for one that
//! comes back or that a task of the pool opens. So a request that gives up loses nothing, and the next one finds the
//! connection ready.
//!
//! Why not the driver's pool: it opens connections inside the request's own deadline, sends two pings for each use, and
//! cannot drop its idle connections, which is what a failover to another server asks for.

mod lease;
mod shared;

pub(super) use self::lease::Lease;

use self::{
    lease::Place,
    shared::{Origin, SPARE, Shared, State},
};
use super::{super::StoreError, connector::Connector};
use crate::metrics::{Metrics, PoolUse};
use sqlx::{Connection, PgConnection};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Notify, Semaphore, TryAcquireError},
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Requests that may wait for each connection of the pool; one more is refused at once.
const PLACES_PER_CONNECTION: usize = 32;
/// Idle connections beyond the spare ones are closed after this long.
const IDLE_LIFETIME: Duration = Duration::from_mins(1);
/// Any connection is closed after this long: servers leak, and load balancers move.
const LIFETIME: Duration = Duration::from_mins(30);

/// Connections, idle and on loan. Cloning shares them.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

impl Pool {
    /// An empty pool; nothing is contacted.
    pub(super) fn new(
        connector: Connector,
        size: u32,
        acquire_deadline: Duration,
        alarm: Arc<Notify>,
        metrics: Metrics,
    ) -> Self {
        let shared = Arc::new(Shared {
            connector,
            size: usize::try_from(size).expect("a pool's size fits in a usize"),
            acquire_deadline,
            available: Semaphore::new(0),
            state: Mutex::new(State::default()),
            alarm,
            metrics,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        let watched = Arc::downgrade(&shared);
        shared.metrics.watch_pool(size, move || {
            let shared = watched.upgrade();
            shared.map_or(PoolUse { idle: 0, used: 0 }, |shared| {
                shared.state().in_use()
            })
        });
        Self(shared)
    }

    /// A connection that answered lately, within the acquire deadline.
    pub(super) async fn acquire(&self) -> Result<Lease, StoreError> {
        let started = Instant::now();
        let answer = self.find().await;
        match &answer {
            Ok(_) => self.0.metrics.pool_acquired(started.elapsed()),
            Err(_) => self.0.metrics.pool_shed(),
        }
        answer
    }

    async fn find(&self) -> Result<Lease, StoreError> {
        let deadline = Instant::now() + self.0.acquire_deadline;
        loop {
            let permit = match self.0.available.try_acquire() {
                Ok(permit) => permit,
                Err(TryAcquireError::Closed) => return Err(sqlx::Error::PoolClosed.into()),
                Err(TryAcquireError::NoPermits) => {
                    let _place = self.queue()?;
                    timeout_at(deadline, self.0.available.acquire())
                        .await
                        .map_err(|_| self.0.late())?
                        .map_err(|_| sqlx::Error::PoolClosed)?
                }
            };
            permit.forget();
            let Some(mut lease) = self.take() else {
                continue;
            };
            if lease.is_trusted() {
                return Ok(lease);
            }
            match timeout_at(deadline, lease.connection().ping()).await {
                Ok(Ok(())) => return Ok(lease),
                // Hung up by the server: another one may be there, or can be opened.
                Ok(Err(_)) => self.renew(lease.generation()),
                Err(_) => {
                    self.renew(lease.generation());
                    return Err(self.0.late());
                }
            }
        }
    }

    /// An idle connection, if requests can spare it.
    pub(super) fn spare(&self) -> Option<Lease> {
        if self.0.state().idle.len() < SPARE {
            return None;
        }
        self.0.available.try_acquire().ok()?.forget();
        self.take()
    }

    /// The generation that a connection opened from now on belongs to.
    pub(super) fn generation(&self) -> u64 {
        self.0.state().generation
    }

    /// Gives up every connection as old as `generation`: idle ones now, those on loan when they come back. Does nothing
    /// when that was done already, so that many requests that fail at once throw away no newer connection.
    pub(super) fn renew(&self, generation: u64) {
        let dropped = {
            let mut state = self.0.state();
            if state.generation != generation {
                return;
            }
            state.generation += 1;
            self.0.available.forget_permits(state.idle.len());
            std::mem::take(&mut state.idle)
        };
        for pooled in dropped {
            self.0.hang_up(pooled.connection);
        }
        self.0.open_for_the_waiting();
    }

    /// Takes over a connection that was opened beside the pool, unless enough are idle.
    pub(super) fn adopt(&self, connection: PgConnection, generation: u64) {
        self.0.admit(connection, generation, Origin::Beside);
    }

    /// Closes what was idle for long, and opens what is missing to have some connections spare.
    pub(super) fn maintain(&self) {
        let mut state = self.0.state();
        let excess = state.idle.len().saturating_sub(self.0.spare());
        let (now, mut closed) = (Instant::now(), 0);
        // The least recently used come first.
        let (old, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut state.idle)
                .into_iter()
                .partition(|pooled| {
                    let is_old = now.duration_since(pooled.opened) > LIFETIME
                        || (closed < excess && now.duration_since(pooled.used) > IDLE_LIFETIME);
                    closed += usize::from(is_old);
                    is_old
                });
        state.idle = kept;
        self.0.available.forget_permits(old.len());
        self.0.keep_spare(&mut state);
        drop(state);
        for pooled in old {
            self.0.hang_up(pooled.connection);
        }
    }

    /// Closes idle connections and takes none back; gives up on those that do not answer.
    pub(super) async fn close(&self) {
        self.0.available.close();
        let idle = {
            let mut state = self.0.state();
            state.closed = true;
            std::mem::take(&mut state.idle)
        };
        for pooled in idle {
            self.0.hang_up(pooled.connection);
        }
        self.0.stop.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// A place in the queue, and a connection being opened if there is room for one.
    fn queue(&self) -> Result<Place<'_>, StoreError> {
        {
            let mut state = self.0.state();
            if state.waiting >= self.0.size * PLACES_PER_CONNECTION {
                return Err(StoreError::Crowded);
            }
            state.waiting += 1;
        }
        let place = Place::taken(&self.0);
        self.0.open_for_the_waiting();
        Ok(place)
    }

    /// The idle connection that was used last.
    fn take(&self) -> Option<Lease> {
        let mut state = self.0.state();
        let pooled = state.idle.pop()?;
        state.used += 1;
        self.0.keep_spare(&mut state);
        Some(Lease::new(pooled, Arc::clone(&self.0)))
    }
}
