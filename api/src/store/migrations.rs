//! Brings a database's tables up to date. Forward only, and expand before contract: the release before this one goes on
//! working on the tables this one makes, so that replicas can be replaced one by one and a release can be taken back.

mod plan;

use self::plan::plan;
use super::{StoreError, embedded, error::chain, postgres::Connector};
use crate::config::{PostgresConfig, StoreConfig};
use sqlx::{
    ConnectOptions, Connection, PgConnection,
    migrate::{Migrate, Migrator},
    sqlite::SqliteConnectOptions,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout_at};

static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");
static EMBEDDED: Migrator = sqlx::migrate!("migrations/sqlite");

/// Where the driver notes what was applied.
const TABLE: &str = "_sqlx_migrations";

/// How long one attempt to connect may take: a server that is silent now may have been replaced since.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How soon a failed attempt is repeated, doubling up to the second.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// How long a migration waits for a table that requests use. Requests queue behind it meanwhile.
const TABLE_LOCK_DEADLINE: Duration = Duration::from_secs(3);

/// No limit on a statement (a request's would cut a long migration short), a limit on waiting for locks; and a server
/// that learns soon when this process vanished, because it holds the lock until then.
const INTRODUCE: &str = "SELECT set_config('statement_timeout', '0', false), \
     set_config('idle_in_transaction_session_timeout', '0', false), \
     set_config('client_min_messages', 'warning', false), \
     set_config('tcp_keepalives_idle', '10', false), \
     set_config('tcp_keepalives_interval', '5', false), \
     set_config('tcp_keepalives_count', '3', false)";

const LIMIT_LOCK_WAITS: &str = "SELECT set_config('lock_timeout', $1, false)";

/// Why the tables are not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The server could not be reached, or did not do as asked, until the time was up.
    #[error("gave up after {} s (MIGRATE_TIMEOUT_SECONDS)", .waited.as_secs())]
    TimedOut {
        /// How long it was tried.
        waited: Duration,
        /// What went wrong the last time.
        #[source]
        last: Box<Self>,
    },
    /// The server is away or refuses.
    #[error("failed to reach the database")]
    Unreachable(#[source] StoreError),
    /// Another process holds the lock.
    #[error("another migration is still running on this database")]
    Locked,
    /// A statement of a migration failed; nothing of that migration was kept.
    #[error("migration {version} failed and was undone")]
    Failed {
        /// Which one.
        version: i64,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// A migration was applied in part.
    #[error(
        "migration {0} is marked as failed half-way: finish or undo it by hand, then delete its row from _sqlx_migrations"
    )]
    Dirty(i64),
    /// A migration is not what it was when it was applied.
    #[error(
        "migration {0} is not the one that was applied: this database was migrated by another build; \
         run the release that migrated it, or restore a backup"
    )]
    Altered(i64),
    /// The database has a migration that never belonged to a release before this one.
    #[error(
        "migration {0} is applied but unknown, though later ones are known: this database belongs to another program or build"
    )]
    Foreign(i64),
    /// A later migration was applied without this one.
    #[error(
        "migration {0} was left out when later ones were applied: this database was migrated by another build"
    )]
    LeftOut(i64),
    /// Anything else the database said.
    #[error("failed to use the database")]
    Database(#[source] sqlx::Error),
}

/// `api migrate`: brings the database of these settings up to date, waiting for it as long as the settings allow.
pub async fn migrate(config: &StoreConfig) -> Result<(), MigrateError> {
    match config {
        StoreConfig::Postgres(config) => migrate_postgres(config).await,
        StoreConfig::Embedded { path } => {
            tracing::info!(file = %path.display(), "DB_HOST is not set: migrating the embedded database");
            embedded::migrate(path).await.map_err(|error| match error {
                StoreError::Migration(error) => *error,
                error => MigrateError::Unreachable(error),
            })
        }
    }
}

/// Tries until the time is up. The limit is on waiting, for the server and for other migrations: one that has begun may
/// take as long as it needs.
async fn migrate_postgres(config: &PostgresConfig) -> Result<(), MigrateError> {
    let connector = Connector::new(config);
    let deadline = Instant::now() + config.migrate_deadline;
    let (mut pause, mut told) = (SHORTEST_PAUSE, String::new());
    loop {
        let error = match attempt(&connector, deadline).await {
            Err(error) if error.may_pass() => error,
            outcome => return outcome,
        };
        if Instant::now() + pause >= deadline {
            return Err(MigrateError::TimedOut {
                waited: config.migrate_deadline,
                last: Box::new(error),
            });
        }
        let cause = chain(&error);
        if cause != told {
            tracing::warn!(cause, "cannot migrate yet, trying again");
            told = cause;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn attempt(connector: &Connector, deadline: Instant) -> Result<(), MigrateError> {
    let mut connection = connect(connector, deadline).await?;
    lock(&mut connection, deadline).await?;
    limit_lock_waits(&mut connection, TABLE_LOCK_DEADLINE).await?;
    let mut applied = Vec::new();
    let outcome = bring_up_to_date(&mut connection, &POSTGRES, &mut applied).await;
    tell(&applied, outcome.is_ok());
    // The lock goes with the connection in any case.
    _ = connection.close().await;
    outcome
}

async fn connect(connector: &Connector, deadline: Instant) -> Result<PgConnection, MigrateError> {
    let deadline = deadline.min(Instant::now() + CONNECT_DEADLINE);
    let attempt = async {
        let mut connection = connector.connect().await?;
        sqlx::query(INTRODUCE).execute(&mut connection).await?;
        Ok(connection)
    };
    timeout_at(deadline, attempt)
        .await
        .unwrap_or(Err(StoreError::NoConnection(CONNECT_DEADLINE)))
        .map_err(MigrateError::Unreachable)
}

/// The driver's own advisory lock, so that other tools built on it wait for us and we for them. The server ends the wait.
async fn lock(connection: &mut PgConnection, deadline: Instant) -> Result<(), MigrateError> {
    let left = deadline.saturating_duration_since(Instant::now());
    limit_lock_waits(connection, left.max(Duration::from_millis(1))).await?;
    let waited = timeout_at(deadline + CONNECT_DEADLINE, connection.lock()).await;
    waited.map_err(|_| MigrateError::Locked)?.map_err(|error| {
        let error = from_driver(error);
        if error.code().as_deref() == Some("55P03") {
            MigrateError::Locked
        } else {
            error
        }
    })
}

async fn limit_lock_waits(
    connection: &mut PgConnection,
    limit: Duration,
) -> Result<(), MigrateError> {
    sqlx::query(LIMIT_LOCK_WAITS)
        .bind(limit.as_millis().to_string())
        .execute(connection)
        .await
        .map(drop)
        .map_err(MigrateError::Database)
}

/// All that is missing in one transaction, which also keeps other processes out.
pub(super) async fn migrate_embedded(options: SqliteConnectOptions) -> Result<(), MigrateError> {
    let mut connection = options.connect().await.map_err(MigrateError::Database)?;
    let mut transaction = connection
        .begin_with("BEGIN IMMEDIATE")
        .await
        .map_err(MigrateError::Database)?;
    let mut applied = Vec::new();
    bring_up_to_date(&mut *transaction, &EMBEDDED, &mut applied).await?;
    transaction.commit().await.map_err(MigrateError::Database)?;
    tell(&applied, true);
    _ = connection.close().await;
    Ok(())
}

/// What was applied: version, description, time.
type Applied = (i64, String, Duration);

async fn bring_up_to_date<C: Migrate>(
    connection: &mut C,
    migrator: &'static Migrator,
    applied: &mut Vec<Applied>,
) -> Result<(), MigrateError> {
    connection
        .ensure_migrations_table(TABLE)
        .await
        .map_err(from_driver)?;
    if let Some(version) = connection.dirty_version(TABLE).await.map_err(from_driver)? {
        return Err(MigrateError::Dirty(version));
    }
    let known: Vec<_> = migrator.iter().collect();
    let there = connection
        .list_applied_migrations(TABLE)
        .await
        .map_err(from_driver)?;
    let plan = plan(&known, &there)?;
    if let Some(version) = plan.newest_unknown {
        tracing::warn!(
            version,
            "this database was migrated by a newer release; this one goes on working with it"
        );
    }
    for migration in plan.missing {
        let took =
            connection
                .apply(TABLE, migration)
                .await
                .map_err(|error| match from_driver(error) {
                    MigrateError::Database(source) => MigrateError::Failed {
                        version: migration.version,
                        source,
                    },
                    error => error,
                })?;
        applied.push((migration.version, migration.description.to_string(), took));
    }
    Ok(())
}

fn tell(applied: &[Applied], is_all: bool) {
    for (version, description, took) in applied {
        let milliseconds = took.as_millis();
        tracing::info!(version, description, milliseconds, "migration applied");
    }
    if is_all {
        tracing::info!(applied = applied.len(), "the database is up to date");
    }
}

fn from_driver(error: sqlx::migrate::MigrateError) -> MigrateError {
    use sqlx::migrate::MigrateError as Driver;
    match error {
        Driver::Execute(error) => MigrateError::Database(error),
        Driver::ExecuteMigration(source, version) => MigrateError::Failed { version, source },
        other => MigrateError::Database(sqlx::Error::Protocol(other.to_string())),
    }
}

impl MigrateError {
    /// Whether trying again may help: the server starts, fails over, or requests hold the tables.
    fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Locked => true,
            Self::Failed { source: error, .. } | Self::Database(error) => error
                .as_database_error()
                .is_none_or(|error| StoreError::passes(&error.code().unwrap_or_default())),
            Self::TimedOut { .. }
            | Self::Dirty(_)
            | Self::Altered(_)
            | Self::Foreign(_)
            | Self::LeftOut(_) => false,
        }
    }

    fn code(&self) -> Option<String> {
        match self {
            Self::Failed { source: error, .. } | Self::Database(error) => {
                Some(error.as_database_error()?.code()?.into_owned())
            }
            _ => None,
        }
    }
}
