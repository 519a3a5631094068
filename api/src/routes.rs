//! The handlers, one file a resource: parse, ask, answer. No SQL, no cache command, no setting is read here.

pub mod data;
pub mod docs;
pub mod health;
pub mod items;
pub mod landing;
pub mod metrics;
pub mod openapi;
pub mod session;

mod body;
pub(crate) mod conditions;
mod cross_site;
mod query;

use crate::{app::App, router::Endpoint};
use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use tokio::time::Instant;

/// The answer to a plain GET that can be given at once: what is asked thousands of times a second waits for nothing, and
/// needs neither a future nor a search for its handler. `now` is when the request came: reading the clock is not free.
pub fn at_once(
    app: &App,
    endpoint: Endpoint,
    headers: &HeaderMap,
    now: Instant,
) -> Option<Response> {
    match endpoint {
        Endpoint::Health => Some(health::alive()),
        Endpoint::Data => data::copy(app, now),
        Endpoint::Metrics => Some(metrics::written(app, headers)),
        _ => None,
    }
}

fn json(body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    let content_type = HeaderValue::from_static("application/json");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type);
    response
}
