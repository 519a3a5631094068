//! `GET /metrics`, for Prometheus. Whoever routes traffic to this API keeps it from the outside.

use crate::{app::App, metrics::Format};
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};

/// The metrics
///
/// In the format that `Accept` prefers. Whoever routes traffic to this API keeps them from the outside.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "readMetrics",
    tag = "about",
    params(("Accept" = Option<String>, Header, description = "The formats that the scraper reads")),
    responses((
        status = 200,
        description = "Prometheus' text format 0.0.4, or OpenMetrics 1.0 where that is preferred",
        content((String = "text/plain"), (String = "application/openmetrics-text")),
        headers(("Vary" = String, description = "What the format depends on"))
    ))
)]
pub async fn scrape(State(app): State<App>, headers: HeaderMap) -> Response {
    written(&app, &headers)
}

/// The answer, which waits for nothing.
pub fn written(app: &App, headers: &HeaderMap) -> Response {
    let format = Format::accepted(headers.get_all(header::ACCEPT));
    let mut response = Response::new(app.metrics.encode(format).into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, format.content_type());
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    response
}
