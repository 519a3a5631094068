//! Every route and every layer, on one page.

use crate::{
    app::App,
    error::{self, Error},
    layers,
    routes::{data, health, landing, metrics},
};
use axum::{
    Router,
    http::{HeaderName, HeaderValue, header},
    middleware::{from_fn, from_fn_with_state},
    routing::get,
};
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::CatchPanicLayer,
    limit::RequestBodyLimitLayer,
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    set_header::SetResponseHeaderLayer,
};

/// No route reads a body yet; a stranger's is not kept in memory either.
const LARGEST_BODY: usize = 64 * 1024;

/// The API as one service.
pub fn router(app: App) -> Router {
    Router::new()
        .route("/", get(landing::page))
        .route("/health", get(health::liveness))
        .route("/health/ready", get(health::readiness))
        .route("/api/data", get(data::read))
        .route("/metrics", get(metrics::scrape))
        .fallback(async || Error::NotFound)
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .layer(
            // From the outside in: what stands above sees the answers of all that stands below.
            ServiceBuilder::new()
                .map_request(layers::keep_only_a_plain_request_id)
                .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
                .layer(from_fn_with_state(app.clone(), layers::observe))
                .layer(PropagateRequestIdLayer::x_request_id())
                .layer(set(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
                .layer(set(header::CACHE_CONTROL, "no-store"))
                .layer(from_fn(error::render))
                .layer(CatchPanicLayer::custom(Error::from_panic))
                .layer(from_fn(layers::deadline))
                .layer(RequestBodyLimitLayer::new(LARGEST_BODY)),
        )
        .with_state(app)
}

fn set(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
