//! From an error to an answer: the status, the body, and the one log line of a server error. Users get a short true
//! sentence; causes stay in the log.
//!
//! Bodies are RFC 9457 problems, except on the course's routes, which keep the course's `{"error": ...}`.

use crate::store::StoreError;
use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::{any::Any, sync::Arc, time::Duration};

/// Routes whose bodies are the course's.
const COURSE_ROUTES: &[&str] = &["/api/data"];

/// How long a client should wait before it tries again. Dependencies are asked more often than that.
const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// Why a request gets no proper answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No such route.
    #[error("no such route")]
    NotFound,
    /// The route exists, not for this method.
    #[error("method not allowed")]
    MethodNotAllowed,
    /// The body is larger than any route takes.
    #[error("body too large")]
    BodyTooLarge,
    /// The store failed.
    #[error("failed to use the store")]
    Store(#[from] StoreError),
    /// The answer took too long.
    #[error("no answer within {} ms", .0.as_millis())]
    Deadline(Duration),
    /// A handler panicked.
    #[error("panic: {0}")]
    Panic(String),
}

impl Error {
    fn status(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Store(error) if error.is_unavailable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(_) | Self::Panic(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Deadline(_) => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// What the client is told.
    fn sentence(&self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing at this address",
            Self::MethodNotAllowed => "This method is not allowed here",
            Self::BodyTooLarge => "The body is too large",
            Self::Store(error) if error.is_unavailable() => {
                "The database is unavailable, try again soon"
            }
            // The course's own words.
            Self::Store(_) | Self::Panic(_) => "Internal server error",
            Self::Deadline(_) => "The answer took too long",
        }
    }

    /// The answer to a panic, for the layer that catches it.
    pub fn from_panic(payload: Box<dyn Any + Send>) -> Response {
        let message = match payload.downcast::<String>() {
            Ok(message) => *message,
            Err(other) => other
                .downcast::<&str>()
                .map_or_else(|_| "no message".to_owned(), |message| (*message).to_owned()),
        };
        Self::Panic(message).into_response()
    }
}

impl IntoResponse for Error {
    /// Only the status: [`render`] knows the route, writes the body and logs.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Gives errors their body, and server errors their log line.
pub async fn render(request: Request, next: Next) -> Response {
    let course = request
        .extensions()
        .get::<MatchedPath>()
        .is_some_and(|path| COURSE_ROUTES.contains(&path.as_str()));
    let response = next.run(request).await;
    let error = match response.extensions().get::<Arc<Error>>() {
        Some(error) => Arc::clone(error),
        // The limit layer answers by itself.
        None if response.status() == StatusCode::PAYLOAD_TOO_LARGE => Arc::new(Error::BodyTooLarge),
        None => return response,
    };
    log(&error);
    write(&error, course, response)
}

/// One line for each server error, with every cause.
fn log(error: &Error) {
    let status = error.status();
    if status.is_server_error() {
        tracing::error!(
            status = status.as_u16(),
            cause = crate::store::chain(error),
            "request failed"
        );
    }
}

/// The body in the route's shape. Headers already there (`Allow`) stay.
fn write(error: &Error, course: bool, answered: Response) -> Response {
    let status = error.status();
    let (body, content_type) = if course {
        (json!({ "error": error.sentence() }), "application/json")
    } else {
        let problem =
            json!({ "type": "about:blank", "title": error.sentence(), "status": status.as_u16() });
        (problem, "application/problem+json")
    };
    let (mut parts, _) = answered.into_parts();
    let headers = &mut parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    Response::from_parts(parts, Body::from(body.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::{Router, body::to_bytes, middleware::from_fn, routing::get};
    use tower::{ServiceBuilder, ServiceExt};
    use tower_http::catch_panic::CatchPanicLayer;

    async fn answer(path: &str) -> (u16, String, String) {
        let panics = async || -> &'static str { panic!("a secret of the handler") };
        let router = Router::new()
            .route("/panics", get(panics))
            .route("/api/data", get(panics))
            .route(
                "/late",
                get(async || Error::Deadline(Duration::from_secs(1))),
            )
            .layer(
                ServiceBuilder::new()
                    .layer(from_fn(render))
                    .layer(CatchPanicLayer::custom(Error::from_panic)),
            );
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let content_type = headers[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        (
            status,
            content_type,
            String::from_utf8(body.to_vec()).unwrap(),
        )
    }

    #[tokio::test]
    async fn a_panic_is_an_answer_in_the_routes_shape_that_tells_nothing() {
        let problem = r#"{"status":500,"title":"Internal server error","type":"about:blank"}"#;
        assert_eq!(
            answer("/panics").await,
            (500, "application/problem+json".into(), problem.into())
        );
        let course = r#"{"error":"Internal server error"}"#;
        assert_eq!(
            answer("/api/data").await,
            (500, "application/json".into(), course.into())
        );
    }

    #[tokio::test]
    async fn a_late_answer_is_a_504() {
        let (status, _, body) = answer("/late").await;
        assert_eq!(status, 504, "{body}");
    }
}
