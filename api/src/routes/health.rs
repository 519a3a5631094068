//! Liveness, which asks nobody, and readiness, which tells what is known.

use crate::{
    app::App,
    health::{Condition, Readiness},
};
use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;

/// The answer of `/health`.
#[derive(Serialize)]
pub struct Alive {
    status: &'static str,
}

/// The answer of `/health/ready`.
#[derive(Serialize)]
pub struct Ready {
    status: Readiness,
    dependencies: Dependencies,
}

#[derive(Serialize)]
struct Dependencies {
    database: Dependency,
    cache: Dependency,
}

#[derive(Serialize)]
struct Dependency {
    engine: &'static str,
    status: Condition,
}

/// The process answers: that is all. A restart would mend no dependency.
pub async fn liveness() -> Json<Alive> {
    Json(Alive { status: "healthy" })
}

/// Whether traffic should come. The body also tells of the dependencies, which do not decide.
pub async fn readiness(State(app): State<App>) -> (StatusCode, Json<Ready>) {
    let status = app.health.readiness();
    let code = match status {
        Readiness::Ready => StatusCode::OK,
        Readiness::Starting | Readiness::Draining => StatusCode::SERVICE_UNAVAILABLE,
    };
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
    (
        code,
        Json(Ready {
            status,
            dependencies,
        }),
    )
}
