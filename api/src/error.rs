//! From an error to an answer: the status, the body, and the one log line of a server error. Users get a short true
//! sentence; causes stay in the log.
//!
//! Bodies are RFC 9457 problems, except on the course's routes, which keep the course's `{"error": ...}`.

mod problem;

pub use self::problem::{CourseError, FieldProblem, Problem};

use crate::{
    cache::FetchError, layers::RequestId, metrics::Method, router::Endpoint,
    sessions::SessionError, store::StoreError,
};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use std::{any::Any, sync::Arc, time::Duration};

/// How long a client should wait before it tries again. Dependencies are asked more often than that.
pub(crate) const RETRY_AFTER_SECONDS: HeaderValue = HeaderValue::from_static("1");

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
    /// The body did not come in time.
    #[error("body too slow")]
    BodyTooSlow,
    /// The address is longer than any of ours.
    #[error("address too long")]
    AddressTooLong,
    /// The request cannot be read as what this route takes; the sentence says where.
    #[error("bad request: {0}")]
    BadRequest(String),
    /// The body is not JSON, or compressed, or in another character set.
    #[error("unsupported media type")]
    UnsupportedMediaType,
    /// The body is JSON, and wrong: every field that is, at once.
    #[error("invalid content")]
    Invalid(Vec<FieldProblem>),
    /// No item has this id.
    #[error("no such item")]
    NoSuchItem,
    /// The item is at another version than the client believes.
    #[error("precondition failed")]
    PreconditionFailed,
    /// The key came before, with another body.
    #[error("idempotency key reused")]
    IdempotencyKeyReused,
    /// The request names no session, or one that is over.
    #[error("no session")]
    NoSession,
    /// A page of somebody else's asked a browser to do this.
    #[error("cross-site request")]
    CrossSite,
    /// The store failed. Requests that waited for the same answer share the failure.
    #[error("failed to use the store")]
    Store(#[source] Arc<StoreError>),
    /// The sessions cannot be reached.
    #[error("failed to use the sessions")]
    Sessions(#[from] SessionError),
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
            Self::NotFound | Self::NoSuchItem | Self::NoSession => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::AddressTooLong => StatusCode::URI_TOO_LONG,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::IdempotencyKeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::CrossSite => StatusCode::FORBIDDEN,
            Self::Store(error) if error.is_unavailable() => StatusCode::SERVICE_UNAVAILABLE,
            Self::Store(error) if error.is_refused() => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Sessions(_) => StatusCode::SERVICE_UNAVAILABLE,
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
            Self::BodyTooSlow => "The body did not come in time",
            Self::AddressTooLong => "The address is too long",
            Self::BadRequest(_) => "The request is malformed",
            Self::UnsupportedMediaType => "The body must be JSON",
            Self::Invalid(_) => "The content is not valid",
            Self::NoSuchItem => "There is no such item",
            Self::PreconditionFailed => "The item has changed",
            Self::IdempotencyKeyReused => "This Idempotency-Key was used for another body",
            Self::NoSession => "There is no session",
            Self::CrossSite => "Requests from other sites are not allowed here",
            Self::Store(error) if error.is_unprepared() => {
                "The database is not prepared: somebody must run `api migrate`"
            }
            Self::Store(error) if error.is_read_only() => {
                "The database takes no writes at the moment, try again soon"
            }
            Self::Store(error) if error.is_refused() => "The database cannot keep this content",
            Self::Store(error) if error.is_unavailable() => {
                "The database is unavailable, try again soon"
            }
            Self::Sessions(_) => "Sessions are unavailable, try again soon",
            // The course's own words.
            Self::Store(_) | Self::Panic(_) => "Internal server error",
            Self::Deadline(_) => "The answer took too long",
        }
    }

    /// What this very request may be told beyond the sentence.
    fn detail(&self) -> Option<&str> {
        match self {
            Self::BadRequest(detail) => Some(detail),
            Self::UnsupportedMediaType => {
                Some("Send Content-Type: application/json, in UTF-8 and not compressed")
            }
            Self::NoSuchItem => Some("It was deleted, or its id is not one that was given out"),
            Self::PreconditionFailed => {
                Some("If-Match names no current version: read the item again")
            }
            Self::IdempotencyKeyReused => Some("Take a new key for each new item"),
            Self::NoSession => Some("POST /api/session begins one"),
            _ => None,
        }
    }

    /// The fields that are wrong, when that is what is wrong.
    fn fields(&self) -> &[FieldProblem] {
        match self {
            Self::Invalid(problems) => problems,
            _ => &[],
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

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(Arc::new(error))
    }
}

impl From<FetchError> for Error {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Store(error) => Self::Store(error),
            FetchError::Late(deadline) => Self::Deadline(deadline),
        }
    }
}

impl IntoResponse for Error {
    /// Only the status: [`Context::render`] knows the route, writes the body and logs.
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Which request an answer is for.
pub(crate) struct Context {
    /// The request's name.
    pub(crate) id: RequestId,
    /// Its method, as far as we know it.
    pub(crate) method: Method,
    /// Where it went.
    pub(crate) endpoint: Endpoint,
}

impl Context {
    /// Gives an error its body, and a server error its log line; other answers pass.
    pub(crate) fn render(&self, mut response: Response) -> Response {
        match response.extensions_mut().remove::<Arc<Error>>() {
            Some(error) => {
                self.log(&error);
                // The course's route has the course's bodies.
                write(&error, self.endpoint == Endpoint::Data, response)
            }
            None => response,
        }
    }

    /// One line for each server error, with every cause and whose it was.
    fn log(&self, error: &Error) {
        let status = error.status();
        if status.is_server_error() {
            tracing::error!(
                status = status.as_u16(),
                id = self.id.as_str(),
                method = self.method.label(),
                endpoint = self.endpoint.path(),
                cause = crate::store::chain(error),
                "request failed"
            );
        }
    }
}

/// The body in the route's shape. Headers already there (`Allow`) stay.
fn write(error: &Error, course: bool, answered: Response) -> Response {
    let status = error.status();
    let (body, content_type) = if course {
        CourseError::new(error.sentence()).encode()
    } else {
        let problem = Problem::new(status, error.sentence());
        problem.explained(error.detail(), error.fields()).encode()
    };
    let (mut parts, _) = answered.into_parts();
    let headers = &mut parts.headers;
    headers.remove(header::CONTENT_LENGTH);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS);
    }
    Response::from_parts(parts, Body::from(body))
}
