//! Postgres: how an operation runs on it, and what its failures mean for the other connections.
//!
//! An operation that has begun runs to its end in a task of its own, within the deadline: a client that goes away leaves
//! no statement half sent and no transaction open.

mod connector;
mod pool;

pub(super) use self::connector::{Connector, Opened};

use self::pool::{Lease, Pool};
use super::{StoreError, operation::Operation};
use crate::{config::PostgresConfig, metrics::Metrics};
use sqlx::Connection;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, timeout, timeout_at},
};

/// The server cancels a statement first, which keeps the connection; silence for this much longer gives it up.
const GRACE: Duration = Duration::from_millis(100);

const IS_READ_ONLY: &str = "SELECT current_setting('transaction_read_only') = 'on'";

/// The engine. Cloning shares it.
#[derive(Clone)]
pub(super) struct Postgres {
    pool: Pool,
    connector: Connector,
}

/// What a server that answers lets us do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Writes,
    ReadsOnly,
}

impl Postgres {
    /// Prepares the pool; no connection is made yet. `alarm` is woken when the server should be probed.
    pub(super) fn new(config: &PostgresConfig, alarm: Arc<Notify>, metrics: Metrics) -> Self {
        let connector = Connector::new(config);
        let pool = Pool::new(
            connector.clone(),
            config.pool_size,
            config.acquire_deadline,
            alarm,
            metrics,
        );
        Self { pool, connector }
    }

    pub(super) async fn call<O: Operation>(&self, operation: O) -> Result<O::Answer, StoreError> {
        let lease = self.pool.acquire().await?;
        let engine = self.clone();
        tokio::spawn(async move { engine.run(lease, operation).await })
            .await
            .map_err(|_| sqlx::Error::WorkerCrashed)?
    }

    /// Asks the server whether it takes writes. As long as all is well, on a connection that requests can spare;
    /// otherwise on a new one, which alone can tell what new ones meet, and which then serves requests.
    pub(super) async fn probe(&self, is_well: bool) -> Result<Access, StoreError> {
        if is_well
            && let Some(lease) = self.pool.spare()
            && let Ok(access) = self.ask(lease).await
        {
            self.pool.maintain();
            return Ok(access);
        }
        let generation = self.pool.generation();
        let Opened {
            connection,
            read_only,
        } = self.connector.open().await?;
        if is_well || read_only {
            self.pool.adopt(connection, generation);
        } else {
            // What the pool holds may lead to the server of before; its successors come first, so that reads go on.
            let other = self.connector.open().await;
            self.pool.renew(self.pool.generation());
            let generation = self.pool.generation();
            self.pool.adopt(connection, generation);
            if let Ok(other) = other {
                self.pool.adopt(other.connection, generation);
            }
        }
        self.pool.maintain();
        Ok(if read_only {
            Access::ReadsOnly
        } else {
            Access::Writes
        })
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }

    async fn ask(&self, mut lease: Lease) -> Result<Access, StoreError> {
        let query = sqlx::query_scalar(IS_READ_ONLY).fetch_one(lease.connection());
        let read_only: bool = timeout(self.bound(), query)
            .await
            .map_err(|_| StoreError::NoAnswer(self.bound()))??;
        lease.keep();
        Ok(if read_only {
            Access::ReadsOnly
        } else {
            Access::Writes
        })
    }

    /// Runs the operation, and once more if that makes sense and time is left.
    async fn run<O: Operation>(&self, lease: Lease, operation: O) -> Result<O::Answer, StoreError> {
        let deadline = Instant::now() + self.bound();
        let generation = lease.generation();
        let first = self.attempt(lease, &operation, deadline).await;
        let Err(error) = &first else { return first };
        // Refused by a server that was found replaced meanwhile.
        let is_outdated = error.is_read_only() && generation != self.pool.generation();
        if !is_outdated && !error.may_be_repeated(operation.is_repeatable()) {
            return first;
        }
        match timeout_at(deadline, self.pool.acquire()).await {
            Ok(Ok(lease)) => self.attempt(lease, &operation, deadline).await,
            // The first failure is the one that says why.
            Ok(Err(_)) | Err(_) => first,
        }
    }

    async fn attempt<O: Operation>(
        &self,
        mut lease: Lease,
        operation: &O,
        deadline: Instant,
    ) -> Result<O::Answer, StoreError> {
        let answer = timeout_at(deadline, operation.on_postgres(lease.connection())).await;
        let error: StoreError = match answer {
            Ok(Ok(answer)) => {
                lease.keep();
                return Ok(answer);
            }
            Ok(Err(error)) => error.into(),
            Err(_) => StoreError::NoAnswer(self.bound()),
        };
        if error.condemns_connections() {
            self.pool.renew(lease.generation());
        } else if let Ok(Ok(())) = timeout(GRACE, lease.connection().ping()).await {
            // The ping took the rollback of a transaction along, if there was one.
            lease.keep();
        }
        Err(error)
    }

    fn bound(&self) -> Duration {
        self.connector.statement_deadline() + GRACE
    }
}
