//! Liveness, which asks nobody, and readiness, which tells what is known.

use crate::{
    app::App,
    error::RETRY_AFTER_SECONDS,
    health::{Condition, Readiness},
};
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

/// The answer of `/health`.
#[derive(ToSchema)]
pub struct Alive {
    #[expect(dead_code, reason = "the answer is ready-made; this is its schema")]
    #[schema(value_type = String, pattern = "^healthy$")]
    status: &'static str,
}

/// The answer of `/health/ready`.
#[derive(Serialize, ToSchema)]
pub struct Ready {
    status: Readiness,
    dependencies: Dependencies,
}

#[derive(Serialize, ToSchema)]
struct Dependencies {
    database: Dependency,
    cache: Dependency,
}

#[derive(Serialize, ToSchema)]
struct Dependency {
    engine: &'static str,
    status: Condition,
}

/// Whether the process is alive
///
/// It answers: that is all. A restart would mend no dependency.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "readHealth",
    tag = "health",
    responses((status = 200, description = "It is", body = Alive))
)]
pub async fn liveness() -> Response {
    alive()
}

/// The answer, ready-made.
pub fn alive() -> Response {
    super::json(Bytes::from_static(br#"{"status":"healthy"}"#))
}

/// Whether traffic should come
///
/// The body also tells of the dependencies, which do not decide.
#[utoipa::path(
    get,
    path = "/health/ready",
    operation_id = "readReadiness",
    tag = "health",
    responses(
        (status = 200, description = "It should", body = Ready),
        (status = 503, description = "Not yet, or not any more", body = Ready),
    )
)]
pub async fn readiness(State(app): State<App>) -> Response {
    let status = app.health.readiness();
    let dependencies = Dependencies {
        database: Dependency {
            engine: app.store.engine(),
            status: app.store.condition(),
        },
        cache: Dependency {
            engine: app.cache.engine(),
            status: app.cache.condition(),
        },
    };
    let body = Json(Ready {
        status,
        dependencies,
    });
    match status {
        Readiness::Ready => body.into_response(),
        Readiness::Starting | Readiness::Draining => {
            let soon = [(header::RETRY_AFTER, RETRY_AFTER_SECONDS)];
            (StatusCode::SERVICE_UNAVAILABLE, soon, body).into_response()
        }
    }
}
