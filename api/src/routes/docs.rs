//! `GET /docs`: how to use this API, for people. The page is made of the very document that `/openapi.json` serves, in each
//! language once, and needs no script.

mod curl;
mod description;
mod french;
mod schema;
mod view;
mod words;

use super::conditions;
use crate::{
    error::Error,
    openapi,
    pages::{self, Language},
};
use axum::{
    body::Bytes,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// This documentation
///
/// For a person with a browser, in English or French.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "readDocumentation",
    tag = "about",
    params(
        ("Accept-Language" = Option<String>, Header, description = "The reader's languages"),
        ("If-None-Match" = Option<String>, Header, description = "Entity tags that are known already")
    ),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html", headers(
            ("Content-Language" = String, description = "The page's language"),
            ("ETag" = String, description = "The page's tag"),
            ("Vary" = String, description = "What the page depends on")
        )),
        (status = 304, description = "It is known already", headers(("ETag" = String, description = "The page's tag"))),
        (status = 400),
    )
)]
pub async fn page(headers: HeaderMap) -> Result<Response, Error> {
    let language = Language::wanted(&headers);
    let Rendered { body, tag } = rendered(language);
    let mut response = if conditions::is_known(&headers, tag)? {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (pages::headers(language), body.clone()).into_response()
    };
    let fields = response.headers_mut();
    fields.insert(header::ETAG, tag.clone());
    fields.insert(header::VARY, HeaderValue::from_static("accept-language"));
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

struct Rendered {
    body: Bytes,
    tag: HeaderValue,
}

/// The page in a language, rendered when somebody first asks for it: a start waits for neither.
fn rendered(language: Language) -> &'static Rendered {
    static ENGLISH: LazyLock<Rendered> = LazyLock::new(|| render(Language::English));
    static FRENCH: LazyLock<Rendered> = LazyLock::new(|| render(Language::French));
    match language {
        Language::English => &ENGLISH,
        Language::French => &FRENCH,
    }
}

fn render(language: Language) -> Rendered {
    let html = view::page(&description::read(&openapi::document().body), language);
    let tag = format!("\"{:x}\"", Sha256::digest(&html));
    Rendered {
        body: html.into(),
        tag: HeaderValue::try_from(tag).expect("hex digits in quotes are ASCII"),
    }
}

#[cfg(test)]
mod tests;
