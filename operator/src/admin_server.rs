//! `/livez`, `/readyz` and `/metrics`, on an address of their own.

use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::supervision::Pulses;

/// Longest wait for answers that are under way when the server stops.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// How far the process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was learnt of the cluster yet.
    Starting,
    /// Another process leads; this one takes over when it ends.
    Standby,
    /// TpStacks were listed, and are worked on.
    Working,
    /// Work that was begun is finished, nothing new is begun.
    Stopping,
}

/// What the process tells about itself.
#[derive(Clone, Debug)]
pub struct Health {
    stage: Arc<Mutex<Stage>>,
    /// Signs of life of its tasks.
    pub pulses: Pulses,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

impl Health {
    /// Of a process that starts.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            stage: Arc::new(Mutex::new(Stage::Starting)),
            pulses: Pulses::default(),
            metrics,
        }
    }

    /// Notes how far the process is.
    pub fn set(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    fn ready(&self) -> (StatusCode, &'static str) {
        match *self.stage.lock().unwrap_or_else(PoisonError::into_inner) {
            Stage::Starting => (
                StatusCode::SERVICE_UNAVAILABLE,
                "TpStacks were not listed yet\n",
            ),
            Stage::Standby => (StatusCode::OK, "standby\n"),
            Stage::Working => (StatusCode::OK, "ok\n"),
            Stage::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
        }
    }

    fn live(&self, now: Instant) -> (StatusCode, String) {
        let silent = self.pulses.silent(now);
        if silent.is_empty() {
            return (StatusCode::OK, "ok\n".to_owned());
        }
        let mut text = String::new();
        for (task, silence) in silent {
            writeln!(
                text,
                "{task} has given no sign of life for {} s",
                silence.as_secs()
            )
            .expect("a String takes everything");
        }
        (StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

/// Binds the address; a busy one is told by name.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, std::io::Error> {
    let explain = |error: std::io::Error| {
        std::io::Error::new(
            error.kind(),
            format!("failed to listen on {address} (--admin-address): {error}"),
        )
    };
    TcpListener::bind(address).await.map_err(explain)
}

/// Serves until `stop`.
pub async fn serve(
    listener: TcpListener,
    health: Health,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let router = Router::new()
        .route(
            "/livez",
            get(|State(health): State<Health>| async move { health.live(Instant::now()) }),
        )
        .route(
            "/readyz",
            get(|State(health): State<Health>| async move { health.ready() }),
        )
        .route("/metrics", get(metrics))
        .with_state(health);
    let asked = stop.clone();
    let serving = axum::serve(listener, router)
        .with_graceful_shutdown(async move { asked.cancelled().await });
    tokio::select! {
        result = serving.into_future() => Ok(result?),
        // A client that does not read its answer must not hold up the end.
        () = async { stop.cancelled().await; tokio::time::sleep(LAST_ANSWERS).await } => Ok(()),
    }
}

async fn metrics(State(health): State<Health>) -> axum::response::Response {
    match health.metrics.render() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "failed to gather metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use axum::http::StatusCode;

    use super::{Health, Stage};
    use crate::metrics::Metrics;

    #[test]
    fn a_standby_is_ready_and_says_so_and_who_starts_or_stops_is_not() {
        let health = Health::new(Arc::new(Metrics::new().unwrap()));
        assert_eq!(health.ready().0, StatusCode::SERVICE_UNAVAILABLE);
        health.set(Stage::Standby);
        assert_eq!(health.ready(), (StatusCode::OK, "standby\n"));
        health.set(Stage::Working);
        assert_eq!(health.ready(), (StatusCode::OK, "ok\n"));
        health.set(Stage::Stopping);
        assert_eq!(health.ready().0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn a_silent_task_is_named() {
        let health = Health::new(Arc::new(Metrics::new().unwrap()));
        health.pulses.expect("controller", Duration::from_secs(3));
        let now = Instant::now();
        assert_eq!(health.live(now), (StatusCode::OK, "ok\n".to_owned()));
        let (status, body) = health.live(now + Duration::from_secs(7));
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            body.starts_with("controller has given no sign of life for 7 s"),
            "{body}"
        );
    }
}
