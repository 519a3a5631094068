//! What happens around every request, whichever route it takes: an identity, a log span, measures, a deadline.

use crate::{app::App, error::Error, metrics::Metrics};
use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::time::{Duration, Instant};
use tower_http::request_id::RequestId;
use tracing::Instrument;

/// One second, and what the slowest route may spend on its dependencies: a lookup, a connection, a statement, a write to
/// the cache. Reached only when something else is stuck.
const REQUEST_DEADLINE: Duration = Duration::from_millis(1000 + 50 + 200 + 900 + 50);

const REQUEST_ID: &str = "x-request-id";

/// A client may name its request, within reason: what it sends ends in our logs and in its answer.
pub fn keep_only_a_plain_request_id<B>(
    mut request: axum::http::Request<B>,
) -> axum::http::Request<B> {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let usable = request
        .headers()
        .get(REQUEST_ID)
        .is_some_and(|id| (1..=64).contains(&id.len()) && id.as_bytes().iter().all(plain));
    if !usable {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

/// Counts and times the request, and gives its log lines their context.
pub async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let endpoint = endpoint(request.extensions().get::<MatchedPath>());
    let method = known(request.method());
    let id = request
        .extensions()
        .get::<RequestId>()
        .and_then(|id| id.header_value().to_str().ok())
        .unwrap_or_default();
    let span = tracing::info_span!("request", id, method, endpoint);
    let mut measure = Measure::start(app.metrics, endpoint, method);
    async move {
        let response = next.run(request).await;
        measure.answered(&response);
        tracing::debug!(status = response.status().as_u16(), "answered");
        response
    }
    .instrument(span)
    .await
}

/// Answers 504 for a handler that does not.
pub async fn deadline(request: Request, next: Next) -> Response {
    tokio::time::timeout(REQUEST_DEADLINE, next.run(request))
        .await
        .unwrap_or_else(|_| Error::Deadline(REQUEST_DEADLINE).into_response())
}

/// The matched route as a label; every other path shares one, so that strangers cannot make series.
fn endpoint(matched: Option<&MatchedPath>) -> String {
    matched.map_or("unmatched", MatchedPath::as_str).to_owned()
}

/// The method as a label. A client may invent methods.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// Counts a request when it ends, also when its client goes away first: then nobody saw a status.
struct Measure {
    metrics: Metrics,
    endpoint: String,
    method: &'static str,
    started: Instant,
    status: Option<u16>,
}

impl Measure {
    fn start(metrics: Metrics, endpoint: String, method: &'static str) -> Self {
        metrics.in_flight().inc();
        Self {
            metrics,
            endpoint,
            method,
            started: Instant::now(),
            status: None,
        }
    }

    fn answered(&mut self, response: &Response) {
        self.status = Some(response.status().as_u16());
    }
}

impl Drop for Measure {
    fn drop(&mut self) {
        self.metrics.in_flight().dec();
        // As in the course's app, scrapes are not part of the traffic they measure.
        if self.endpoint == "/metrics" {
            return;
        }
        let status = self
            .status
            .map_or("cancelled".to_owned(), |status| status.to_string());
        self.metrics
            .request(&self.endpoint, self.method, &status, self.started.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_short_plain_request_id_is_kept() {
        for (id, kept) in [
            ("abc-123_X.9", true),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            (&"x".repeat(64), true),
            (&"x".repeat(65), false),
        ] {
            let request = axum::http::Request::builder()
                .header(REQUEST_ID, id)
                .body(())
                .unwrap();
            let request = keep_only_a_plain_request_id(request);
            assert_eq!(request.headers().contains_key(REQUEST_ID), kept, "{id:?}");
        }
    }

    #[test]
    fn an_invented_method_makes_no_series_of_its_own() {
        assert_eq!(known(&Method::GET), "GET");
        assert_eq!(known(&Method::from_bytes(b"BREW").unwrap()), "other");
    }
}
