//! Opens connections to Postgres: one way for the pool, the probe and the migrations.

use super::super::StoreError;
use crate::config::{PostgresConfig, SslMode};
use sqlx::{
    ConnectOptions, PgConnection,
    postgres::{PgConnectOptions, PgSslMode},
};
use std::time::Duration;
use tokio::time::timeout;

/// Told to the server: how long a statement may take, and how long a transaction may sit idle, so that it neither works
/// nor holds locks for a client that went away. Answers whether the server refuses writes.
const INTRODUCE: &str = "SELECT current_setting('transaction_read_only') = 'on' FROM \
     (SELECT set_config('statement_timeout', $1, false), \
     set_config('idle_in_transaction_session_timeout', $1, false)) AS settings";

/// Knows where the server is and who we are.
#[derive(Clone)]
pub(in crate::store) struct Connector {
    config: PostgresConfig,
}

/// A connection, and what the server said when it was opened.
pub(in crate::store) struct Opened {
    pub(in crate::store) connection: PgConnection,
    pub(in crate::store) read_only: bool,
}

impl Connector {
    pub(in crate::store) fn new(config: &PostgresConfig) -> Self {
        Self {
            config: config.clone(),
        }
    }

    /// A connection for requests, within the connect deadline.
    pub(in crate::store) async fn open(&self) -> Result<Opened, StoreError> {
        let deadline = self.config.connect_deadline;
        let attempt = async {
            let mut connection = self.connect().await?;
            let limit = self.config.statement_deadline.as_millis().to_string();
            let read_only = sqlx::query_scalar(INTRODUCE)
                .bind(limit)
                .persistent(false)
                .fetch_one(&mut connection)
                .await?;
            Ok(Opened {
                connection,
                read_only,
            })
        };
        timeout(deadline, attempt)
            .await
            .unwrap_or(Err(StoreError::NoConnection(deadline)))
    }

    /// A connection with the server's own settings and no deadline. The password file is read each time, so that a
    /// rotated password needs no restart.
    pub(in crate::store) async fn connect(&self) -> Result<PgConnection, StoreError> {
        let mut options = options(&self.config);
        if let Some(password) = self.config.password.read().map_err(StoreError::Password)? {
            options = options.password(password.expose());
        }
        Ok(options.connect().await?)
    }

    pub(in crate::store) fn statement_deadline(&self) -> Duration {
        self.config.statement_deadline
    }
}

fn options(config: &PostgresConfig) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
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
    match &config.ca_file {
        Some(ca_file) => options.ssl_root_cert(ca_file),
        None => options,
    }
}
