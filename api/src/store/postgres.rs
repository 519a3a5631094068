//! Postgres behind a pool that never makes a request wait longer than it was told.
//!
//! Three things the driver's pool does not do by itself. A connection is opened by a task of its own: a request that
//! gives up after the acquire deadline leaves the attempt running, and the next one finds the connection ready. The
//! password file is read again whenever a connection must be opened. What goes back to the pool is checked within a
//! bound, so that a server that went silent cannot keep connections for ever.

use super::StoreError;
use crate::config::{Password, PostgresConfig, SslMode};
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgPool, Postgres as Driver,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};

/// The same text as `SQLite`'s answer: see `embedded::CURRENT_TIME`.
const CURRENT_TIME: &str =
    r#"SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#;

/// The server cancels a statement first, which keeps the connection; silence for this much longer gives it up.
const GRACE: Duration = Duration::from_millis(100);

/// How long stopping waits for the server to hear that we leave.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

pub(super) struct Postgres {
    pool: PgPool,
    permits: Arc<Semaphore>,
    password: Password,
    acquire_deadline: Duration,
    connect_deadline: Duration,
    statement_deadline: Duration,
}

impl Postgres {
    /// Prepares the pool; no connection is made yet.
    pub(super) fn new(config: &PostgresConfig) -> Self {
        let statement_deadline = config.statement_deadline;
        let pool = PgPoolOptions::new()
            .max_connections(config.pool_size)
            .acquire_timeout(config.connect_deadline)
            .after_connect(move |connection, _| {
                Box::pin(async move { prepare(connection, statement_deadline).await })
            })
            .connect_lazy_with(options(config));
        let permits = usize::try_from(config.pool_size).expect("a pool's size fits in a usize");
        Self {
            pool,
            permits: Arc::new(Semaphore::new(permits)),
            password: config.password.clone(),
            acquire_deadline: config.acquire_deadline,
            connect_deadline: config.connect_deadline,
            statement_deadline,
        }
    }

    pub(super) async fn current_time(&self) -> Result<String, StoreError> {
        let mut lease = self.lease().await?;
        let query = sqlx::query_scalar(CURRENT_TIME).fetch_one(lease.connection());
        let answer = self.in_time(query).await;
        lease.settle(answer)
    }

    /// Uses the pool when it works. Otherwise connects once beside it, because the pool keeps trying on a refused
    /// connection and in the end only says that time is up, while here the cause is wanted.
    pub(super) async fn probe(&self) -> Result<(), StoreError> {
        if self.current_time().await.is_ok() {
            return Ok(());
        }
        self.refresh_password()?;
        let attempt = async {
            let mut connection = self.pool.connect_options().connect().await?;
            prepare(&mut connection, self.statement_deadline).await?;
            connection.close().await
        };
        let bound = self.connect_deadline + self.statement_deadline;
        Ok(timeout(bound, attempt)
            .await
            .map_err(|_| StoreError::NoConnection(bound))??)
    }

    pub(super) async fn close(&self) {
        _ = timeout(CLOSE_DEADLINE, self.pool.close()).await;
    }

    /// A connection, within the acquire deadline.
    async fn lease(&self) -> Result<Lease, StoreError> {
        let deadline = Instant::now() + self.acquire_deadline;
        let late = |_| StoreError::NoConnection(self.acquire_deadline);
        let permit = timeout_at(deadline, Arc::clone(&self.permits).acquire_owned())
            .await
            .map_err(late)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        if self.pool.num_idle() == 0 {
            self.refresh_password()?;
        }
        let (pool, return_deadline) = (self.pool.clone(), self.statement_deadline + GRACE);
        let attempt = tokio::spawn(async move {
            let connection = pool.acquire().await?;
            Ok::<_, sqlx::Error>(Lease {
                held: Some((connection, permit)),
                return_deadline,
            })
        });
        let lease = timeout_at(deadline, attempt).await.map_err(late)?;
        Ok(lease.map_err(|_| sqlx::Error::WorkerCrashed)??)
    }

    /// Only called when a connection is about to be opened, so it costs nothing to a request that reuses one.
    fn refresh_password(&self) -> Result<(), StoreError> {
        if let Password::File(_) = self.password
            && let Some(password) = self.password.read().map_err(StoreError::Password)?
        {
            let options = PgConnectOptions::clone(&self.pool.connect_options());
            self.pool
                .set_connect_options(options.password(password.expose()));
        }
        Ok(())
    }

    async fn in_time<T>(
        &self,
        query: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        let bound = self.statement_deadline + GRACE;
        Ok(timeout(bound, query)
            .await
            .map_err(|_| StoreError::NoAnswer(bound))??)
    }
}

/// A connection on loan. Dropped in the middle of a query (the client went away), it goes back once the query is over.
struct Lease {
    held: Option<(PoolConnection<Driver>, OwnedSemaphorePermit)>,
    return_deadline: Duration,
}

impl Lease {
    fn connection(&mut self) -> &mut PgConnection {
        let (connection, _) = self
            .held
            .as_mut()
            .expect("a lease holds its connection until it ends");
        connection
    }

    /// Ends the loan: a connection that stayed silent is hung up, any other goes back.
    fn settle<T>(mut self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(StoreError::NoAnswer(_)) = answer
            && let Some((connection, _permit)) = self.held.take()
        {
            drop(connection.detach());
        }
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some((mut connection, permit)) = self.held.take() else {
            return;
        };
        // The driver would check the connection without a bound. The permit waits with it, so that whoever gets it next
        // finds the pool's own count in step.
        let bound = self.return_deadline;
        let returned = connection.return_to_pool();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                _ = timeout(bound, returned).await;
                drop(permit);
            });
        }
    }
}

fn options(config: &PostgresConfig) -> PgConnectOptions {
    let mut options = PgConnectOptions::new_without_pgpass()
        .host(&config.host)
        .port(config.port)
        .database(&config.database)
        .username(&config.user)
        .application_name("tpstack-api")
        .ssl_mode(match config.ssl_mode {
            SslMode::Disable => PgSslMode::Disable,
            SslMode::Prefer => PgSslMode::Prefer,
            SslMode::Require => PgSslMode::Require,
            SslMode::VerifyCa => PgSslMode::VerifyCa,
            SslMode::VerifyFull => PgSslMode::VerifyFull,
        });
    if let Some(ca_file) = &config.ca_file {
        options = options.ssl_root_cert(ca_file);
    }
    if let Password::Value(password) = &config.password {
        options = options.password(password.expose());
    }
    options
}

/// Tells the server our deadline, so that it stops working for a client that stopped waiting.
async fn prepare(
    connection: &mut PgConnection,
    statement_deadline: Duration,
) -> Result<(), sqlx::Error> {
    let milliseconds = statement_deadline.as_millis().to_string();
    sqlx::query("SELECT set_config('statement_timeout', $1, false)")
        .bind(milliseconds)
        .execute(connection)
        .await
        .map(drop)
}
