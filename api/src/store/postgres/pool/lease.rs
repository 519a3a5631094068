//! What is held of the pool, and given back whatever happens: a connection, a place in the queue, an opening.

use super::shared::{Origin, Pooled, Shared};
use sqlx::PgConnection;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;

/// A connection idle for longer is asked whether it is still there before a request relies on it.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// A connection on loan. Dropped without [`Lease::keep`], it is not used again.
pub(in super::super) struct Lease {
    held: Option<Pooled>,
    shared: Arc<Shared>,
}

impl Lease {
    /// Of a connection that is counted as used.
    pub(super) fn new(pooled: Pooled, shared: Arc<Shared>) -> Self {
        Self {
            held: Some(pooled),
            shared,
        }
    }

    pub(in super::super) fn connection(&mut self) -> &mut PgConnection {
        &mut self
            .held
            .as_mut()
            .expect("a lease holds its connection until it ends")
            .connection
    }

    pub(in super::super) fn generation(&self) -> u64 {
        self.held.as_ref().map_or(0, |pooled| pooled.generation)
    }

    /// Gives the connection back: no statement is left running on it, no transaction open.
    pub(in super::super) fn keep(mut self) {
        if let Some(mut pooled) = self.held.take() {
            pooled.used = Instant::now();
            self.shared.put(pooled, Origin::Used);
        }
    }

    pub(super) fn is_trusted(&self) -> bool {
        let idle = self.held.as_ref().map(|pooled| pooled.used.elapsed());
        idle.is_some_and(|idle| idle < TRUSTED_FOR)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.held.take().is_some() {
            self.shared.state().used -= 1;
            self.shared.open_for_the_waiting();
        }
    }
}

/// A request that waits.
pub(super) struct Place<'a>(&'a Shared);

impl<'a> Place<'a> {
    /// Of a request that is counted as waiting.
    pub(super) fn taken(shared: &'a Shared) -> Self {
        Self(shared)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.state().waiting -= 1;
    }
}

/// A connection being opened.
pub(super) struct Opening(Option<Arc<Shared>>);

impl Opening {
    /// Of a connection that is counted as opening.
    pub(super) fn begun(shared: Arc<Shared>) -> Self {
        Self(Some(shared))
    }

    /// The connection is open, and whoever takes it over counts it.
    pub(super) fn done(mut self) {
        self.0 = None;
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        if let Some(shared) = self.0.take() {
            shared.state().opening -= 1;
        }
    }
}
