//! `/livez`, `/readyz` and `/metrics`, on an address of their own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// What the process tells about itself.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether TpStacks were listed once.
    pub ready: Arc<AtomicBool>,
    /// Whether the controller's task is running.
    pub alive: Arc<AtomicBool>,
    /// Metrics.
    pub metrics: Arc<Metrics>,
}

impl Health {
    /// Alive and not ready.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self {
            ready: Arc::default(),
            alive: Arc::new(AtomicBool::new(true)),
            metrics,
        }
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
) -> std::io::Result<()> {
    let router = Router::new()
        .route(
            "/livez",
            get(|State(health): State<Health>| async move {
                flag(&health.alive, "the controller has stopped")
            }),
        )
        .route(
            "/readyz",
            get(|State(health): State<Health>| async move {
                flag(&health.ready, "TpStacks were not listed yet")
            }),
        )
        .route("/metrics", get(metrics))
        .with_state(health);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await
}

fn flag(flag: &AtomicBool, otherwise: &'static str) -> (StatusCode, &'static str) {
    if flag.load(Ordering::Acquire) {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, otherwise)
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
