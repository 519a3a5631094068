//! All data and all SQL. Two engines behind one type: Postgres when `DB_HOST` is set, an embedded `SQLite` file
//! otherwise. Pools are private here; whoever asks gets an answer or an error within the deadlines.

mod embedded;
mod error;
mod postgres;

pub use self::error::StoreError;
pub(crate) use self::error::chain;

use self::{embedded::Embedded, postgres::Postgres};
use crate::{
    config::StoreConfig,
    health::{Condition, Dependency},
    metrics::Metrics,
};
use std::sync::Arc;

/// The name of the store in metrics and logs.
const DEPENDENCY: &str = "database";

/// The store. Cloning shares it.
#[derive(Clone)]
pub struct Store {
    engine: Arc<Engine>,
    dependency: Arc<Dependency>,
    metrics: Metrics,
}

enum Engine {
    Postgres(Postgres),
    Embedded(Embedded),
}

impl Store {
    /// Opens the store. Postgres is not contacted: it may come later.
    pub async fn open(config: &StoreConfig, metrics: Metrics) -> Result<Self, StoreError> {
        let engine = match config {
            StoreConfig::Postgres(config) => Engine::Postgres(Postgres::new(config)),
            StoreConfig::Embedded { path } => Engine::Embedded(Embedded::open(path).await?),
        };
        Ok(Self {
            engine: Arc::new(engine),
            dependency: Arc::new(Dependency::new(DEPENDENCY, metrics.clone())),
            metrics,
        })
    }

    /// The engine's name.
    pub fn engine(&self) -> &'static str {
        match *self.engine {
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
        let answer = match &*self.engine {
            Engine::Postgres(postgres) => postgres.current_time().await,
            Engine::Embedded(embedded) => embedded.current_time().await,
        };
        self.noted(answer)
    }

    /// Asks the database whether it is there, patiently: what a request has no time to find out (a refused connection,
    /// say) is found out here, and told once in the log.
    pub async fn probe(&self) -> bool {
        let answer = match &*self.engine {
            Engine::Postgres(postgres) => postgres.probe().await,
            Engine::Embedded(embedded) => embedded.current_time().await.map(drop),
        };
        match &answer {
            Ok(()) => self.dependency.up(),
            Err(error) => self.dependency.down(&error.chain()),
        }
        answer.is_ok()
    }

    /// Closes connections; gives up on those that do not answer.
    pub async fn close(&self) {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.close().await,
            Engine::Embedded(embedded) => embedded.close().await,
        }
    }

    /// Counts failures, and remembers a success at once; a failure is judged by the probe, which knows the cause.
    fn noted<T>(&self, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        match &answer {
            Ok(_) => self.dependency.up(),
            Err(error) => self.metrics.dependency_error(DEPENDENCY, error.kind()),
        }
        answer
    }
}
