//! `GET /metrics`, for Prometheus. Whoever routes traffic to this API keeps it from the outside.

use crate::{app::App, metrics::CONTENT_TYPE};
use axum::{extract::State, http::header, response::IntoResponse};

/// The scrape.
pub async fn scrape(State(app): State<App>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], app.metrics.encode())
}
