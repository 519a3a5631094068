//! `GET /openapi.json`: this API, for programs.

use super::conditions;
use crate::{error::Error, openapi};
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

/// This document
///
/// Everything that this API answers, in `OpenAPI` 3.1.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "readDocument",
    tag = "about",
    params(("If-None-Match" = Option<String>, Header, description = "Entity tags that are known already")),
    responses(
        (status = 200, description = "The document", body = Object, content_type = "application/json",
            headers(("ETag" = String, description = "The document's tag"))),
        (status = 304, description = "It is known already",
            headers(("ETag" = String, description = "The document's tag"))),
    )
)]
pub async fn read(headers: HeaderMap) -> Result<Response, Error> {
    let document = openapi::document();
    let always = [
        (header::ETAG, document.tag.clone()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    if conditions::is_known(&headers, &document.tag)? {
        return Ok((StatusCode::NOT_MODIFIED, always).into_response());
    }
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((always, kind, document.body.clone()).into_response())
}
