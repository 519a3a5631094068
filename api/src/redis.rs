//! Redis, for everything in this process that needs it: one connection, kept in the background, that nobody waits for.
//!
//! A call ends within its deadline. While there is no connection, or the breaker is open, it fails at once. The
//! connection also carries the server's word on keys that were read and have changed since: see [`Tracking`].

mod breaker;
mod connector;
mod link;
mod tracking;

pub use self::{
    connector::SetupError,
    tracking::{Stamp, Tracking},
};

use self::{breaker::Breaker, connector::Connector, link::Link};
use crate::{
    config::RedisConfig,
    health::{Condition, Dependency},
    metrics::Metrics,
};
use ::redis::{
    Cmd, ErrorKind, FromRedisValue, Pipeline, RedisResult, ServerError, Value,
    aio::MultiplexedConnection, from_redis_value,
};
use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    task::JoinHandle,
    time::{Instant, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The name of Redis in metrics and logs: what it is to this stack.
const DEPENDENCY: &str = "cache";
/// How long stopping waits for the connection's task.
const CLOSE_DEADLINE: Duration = Duration::from_millis(500);

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// Redis cannot be reached, or not in time. The word is for a metric's label.
    #[error("redis is unavailable: {0}")]
    Unavailable(&'static str),
    /// Redis answered, and it was no: its own words, which start with a code such as `NOPERM` or `WRONGTYPE`.
    #[error("redis refused: {0}")]
    Refused(String),
}

impl RedisError {
    /// The refusal's code, such as `WRONGTYPE`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Unavailable(_) => None,
            Self::Refused(words) => words.split(' ').next(),
        }
    }
}

/// The client. Cloning shares its one connection; the last clone to go closes it.
#[derive(Clone)]
pub struct Redis {
    link: Arc<Link>,
    deadline: Duration,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
    stop: CancellationToken,
    _last_clone: Arc<DropGuard>,
}

impl Redis {
    /// Starts connecting. Nobody waits for it: Redis may come later.
    pub fn start(config: &RedisConfig, metrics: Metrics) -> Result<Self, SetupError> {
        let connector = Connector::new(config)?;
        let link = Arc::new(Link::new(
            Dependency::new(DEPENDENCY, metrics.clone()),
            Breaker::new(metrics.clone()),
            Arc::new(Tracking::new(metrics)),
            config.deadline,
        ));
        let stop = CancellationToken::new();
        let task = tokio::spawn(link::keep(Arc::clone(&link), connector, stop.clone()));
        Ok(Self {
            link,
            deadline: config.deadline,
            task: Arc::new(Mutex::new(Some(task))),
            _last_clone: Arc::new(stop.clone().drop_guard()),
            stop,
        })
    }

    /// What a command answers.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let run = |mut connection| async move { command.query_async(&mut connection).await };
        converted(self.call(run).await?)
    }

    /// What a pipeline answers. Its commands run one after the other, with no other of this process in between.
    pub async fn pipeline<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, RedisError> {
        let run = |mut connection| async move { pipeline.query_async(&mut connection).await };
        converted(self.call(run).await?)
    }

    /// What is known of Redis, without asking it.
    pub fn condition(&self) -> Condition {
        self.link.dependency.condition()
    }

    /// Whether copies of what was read may be trusted.
    pub fn tracking(&self) -> &Arc<Tracking> {
        &self.link.tracking
    }

    /// Closes the connection, for every clone.
    pub async fn close(&self) {
        self.stop.cancel();
        let task = self
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(task) = task {
            _ = timeout(CLOSE_DEADLINE, task).await;
        }
    }

    async fn call<F>(
        &self,
        run: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<Value, RedisError>
    where
        F: Future<Output = RedisResult<Value>>,
    {
        let breaker = &self.link.breaker;
        if !breaker.admits(Instant::now()) {
            return Err(RedisError::Unavailable("breaker"));
        }
        let Some(live) = self.link.live() else {
            breaker.failed(Instant::now());
            return Err(RedisError::Unavailable("connection"));
        };
        let error = match timeout(self.deadline, run(live.connection())).await {
            Ok(Ok(value)) => {
                breaker.answered();
                // A pipeline may have its errors among its answers.
                if let Value::Array(values) = &value {
                    for value in values {
                        live.heard(value);
                    }
                }
                return Ok(value);
            }
            Ok(Err(error)) => error,
            Err(_) => {
                breaker.failed(Instant::now());
                return Err(RedisError::Unavailable("timeout"));
            }
        };
        if let Some(refusal) = refusal(&error) {
            // It answered, and that is what the breaker is about.
            breaker.answered();
            live.refused(&refusal);
            return Err(refusal);
        }
        breaker.failed(Instant::now());
        Err(RedisError::Unavailable(match error.kind() {
            ErrorKind::Io => "connection",
            _ => "reply",
        }))
    }
}

fn converted<T: FromRedisValue>(value: Value) -> Result<T, RedisError> {
    from_redis_value(value).map_err(|error| RedisError::Refused(format!("UNEXPECTED {error}")))
}

impl From<ServerError> for RedisError {
    fn from(error: ServerError) -> Self {
        let details = error.details().unwrap_or_default();
        Self::Refused(format!("{} {details}", error.code()))
    }
}

/// The server's own error, if that is what it is: the first one of a pipeline.
fn refusal(error: &::redis::RedisError) -> Option<RedisError> {
    let errors = error.clone().into_server_errors()?;
    let (_, first) = errors.first()?;
    Some(first.clone().into())
}
