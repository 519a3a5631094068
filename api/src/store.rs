//! All data and all SQL. Two engines behind one type: Postgres when `DB_HOST` is set, an embedded `SQLite` file
//! otherwise. Connections are private here; whoever asks gets an answer or an error within the deadlines.

mod embedded;
mod error;
mod items;
mod migrations;
mod operation;
mod postgres;
mod purge;

pub(crate) use self::error::chain;
pub use self::{
    error::StoreError,
    items::{Changed, Created, Expected, Idempotency, Item, ItemContent},
    migrations::{MigrateError, migrate},
};

use self::{
    embedded::Embedded,
    operation::Operation,
    postgres::{Access, Postgres},
};
use crate::{
    config::StoreConfig,
    health::{Condition, Dependency},
    metrics::Metrics,
};
use std::sync::Arc;
use tokio::sync::Notify;

/// The name of the store in metrics and logs.
const DEPENDENCY: &str = "database";

/// The store. Cloning shares it.
#[derive(Clone)]
pub struct Store {
    engine: Engine,
    dependency: Arc<Dependency>,
    /// Woken when something happened that the probe should look into now.
    alarm: Arc<Notify>,
    metrics: Metrics,
}

#[derive(Clone)]
enum Engine {
    Postgres(Postgres),
    Embedded(Embedded),
}

impl Store {
    /// Opens the store. Postgres is not contacted: it may come later, and `api migrate` prepares it. The embedded
    /// database is brought up to date at once: nobody else does it.
    pub async fn open(config: &StoreConfig, metrics: Metrics) -> Result<Self, StoreError> {
        let alarm = Arc::new(Notify::new());
        let engine = match config {
            StoreConfig::Postgres(config) => {
                let (alarm, metrics) = (Arc::clone(&alarm), metrics.clone());
                Engine::Postgres(Postgres::new(config, alarm, metrics))
            }
            StoreConfig::Embedded { path } => Engine::Embedded(Embedded::open(path).await?),
        };
        Ok(Self {
            engine,
            dependency: Arc::new(Dependency::new(DEPENDENCY, metrics.clone())),
            alarm,
            metrics,
        })
    }

    /// The engine's name.
    pub fn engine(&self) -> &'static str {
        match self.engine {
            Engine::Postgres(_) => "postgres",
            Engine::Embedded(_) => "sqlite",
        }
    }

    /// What is known of the engine, without asking it.
    pub fn condition(&self) -> Condition {
        self.dependency.condition()
    }

    /// The database's own time, in UTC to the millisecond. Needs no table, so it works on a database nobody prepared.
    pub async fn current_time(&self) -> Result<String, StoreError> {
        self.call(CurrentTime).await
    }

    /// Asks the database whether it is there and takes writes, patiently: what a request has no time to find out (a
    /// refused connection, say) is found out here, and told once in the log.
    pub async fn probe(&self) -> bool {
        let is_well = self.condition() == Condition::Up;
        let answer = match &self.engine {
            Engine::Postgres(postgres) => postgres.probe(is_well).await,
            Engine::Embedded(embedded) => {
                let answer = embedded.call(CurrentTime).await;
                answer.map(|_| Access::Writes)
            }
        };
        match &answer {
            Ok(Access::Writes) => self.dependency.up(),
            Ok(Access::ReadsOnly) => self.dependency.read_only(),
            Err(error) => self.dependency.down(&error.chain()),
        }
        answer.is_ok()
    }

    /// Returns when something happened that the next probe should not wait for.
    pub async fn alarmed(&self) {
        self.alarm.notified().await;
    }

    /// Closes connections; gives up on those that do not answer.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Postgres(postgres) => postgres.close().await,
            Engine::Embedded(embedded) => embedded.close().await,
        }
    }

    /// Runs an operation on the engine. While the database is known to take no writes, they are refused without asking:
    /// the probe asks, and each refusal would cost it a connection.
    async fn call<O: Operation>(&self, operation: O) -> Result<O::Answer, StoreError> {
        if O::WRITES && self.condition() == Condition::ReadOnly {
            return self.noted(Err(StoreError::ReadOnly));
        }
        self.noted(match &self.engine {
            Engine::Postgres(postgres) => postgres.call(operation).await,
            Engine::Embedded(embedded) => embedded.call(operation).await,
        })
    }

    /// Counts failures, and remembers a success at once. A failure is judged by the probe, which knows the cause and is
    /// woken for it; a server that answers, but takes no writes, has said all there is to know.
    fn noted<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        match &answer {
            Ok(_) => self.dependency.answered(),
            Err(error) => {
                self.metrics.dependency_error(DEPENDENCY, error.kind());
                if error.is_read_only() && matches!(self.engine, Engine::Postgres(_)) {
                    self.dependency.read_only();
                    self.alarm.notify_one();
                } else if error.condemns_connections() {
                    self.alarm.notify_one();
                }
            }
        }
        answer
    }
}

/// Asks the server what time it is.
struct CurrentTime;

impl Operation for CurrentTime {
    type Answer = String;
    const WRITES: bool = false;

    fn is_repeatable(&self) -> bool {
        true
    }

    async fn on_postgres(&self, connection: &mut sqlx::PgConnection) -> sqlx::Result<String> {
        const SQL: &str = r#"SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"#;
        sqlx::query_scalar(SQL).fetch_one(connection).await
    }

    async fn on_embedded(&self, connection: &mut sqlx::SqliteConnection) -> sqlx::Result<String> {
        const SQL: &str = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";
        sqlx::query_scalar(SQL).fetch_one(connection).await
    }
}
