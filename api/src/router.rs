//! Every route, on one page. What stands around them all is in `layers`.

mod endpoint;

pub use self::endpoint::Endpoint;

use crate::{
    app::App,
    config::ServerConfig,
    error::Error,
    layers::Front,
    openapi::Described,
    routes::{data, docs, health, items, landing, metrics, openapi, session},
};
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Every route, with what the `OpenAPI` document says of it.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Described::openapi())
        .routes(routes!(landing::page))
        .routes(routes!(health::liveness))
        .routes(routes!(health::readiness))
        .routes(routes!(data::read))
        .routes(routes!(items::create, items::list))
        .routes(routes!(items::read, items::replace, items::delete))
        .routes(routes!(session::create, session::read, session::destroy))
        .routes(routes!(metrics::scrape))
        .routes(routes!(openapi::read))
        .routes(routes!(docs::page))
}

/// The API as one service.
pub fn router(app: &App, config: ServerConfig) -> Front {
    let (router, _) = routes().split_for_parts();
    let router = router
        .method_not_allowed_fallback(async || Error::MethodNotAllowed)
        .with_state(app.clone());
    Front::new(router, app, config.largest_body, config.header_deadline)
}
