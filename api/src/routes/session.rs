//! `/api/session`: the visitor's own session. Ids travel in a cookie and are never in a body, an address or a log.

use super::{cross_site, query};
use crate::{app::App, error::Error, sessions::Session};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;

/// The path of all that is here.
const PATH: &str = "/api/session";

/// A session, as its owner sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Session, example = json!({
    "created_at": "2026-01-01T12:00:00.000Z",
    "expires_at": "2026-01-01T12:30:00.000Z",
    "visits": 3
}))]
pub struct SessionBody {
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
    /// When it ends if it is not used before.
    #[schema(value_type = String, format = DateTime)]
    expires_at: String,
    /// How often it saw the landing page.
    #[schema(minimum = 0)]
    visits: u64,
}

impl From<Session> for SessionBody {
    fn from(session: Session) -> Self {
        let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        Self {
            created_at: text(session.created_at),
            expires_at: text(session.expires_at),
            visits: session.visits,
        }
    }
}

/// Begin a session
///
/// The id is always a fresh one. A session that the request shows moves to it, with its visits and its age, and its old id
/// is worth nothing from then on.
#[utoipa::path(
    post,
    path = "/api/session",
    operation_id = "createSession",
    tag = "session",
    responses(
        (status = 201, description = "The session, its id in a cookie", body = SessionBody, headers(
            ("Location" = String, description = "The session's address"),
            ("Set-Cookie" = String, description = "`session`, or `__Host-session` over TLS: HttpOnly, SameSite=Lax")
        )),
        (status = 403),
        (status = 503),
    )
)]
pub async fn create(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Error> {
    cross_site::refuse(&headers, &uri)?;
    query::none(&uri)?;
    let cookies = app.sessions.cookies();
    let (id, session) = app
        .sessions
        .create(cookies.shown(&headers).as_ref())
        .await?;
    let given = [
        (header::LOCATION, PATH.parse().expect("the path is ASCII")),
        (header::SET_COOKIE, cookies.give(&id, &headers)),
    ];
    Ok((StatusCode::CREATED, given, Json(SessionBody::from(session))).into_response())
}

/// Read the session
///
/// Reading is using: the session lives on. No session lives longer than 12 hours.
#[utoipa::path(
    get,
    path = "/api/session",
    operation_id = "readSession",
    tag = "session",
    responses(
        (status = 200, description = "The session", body = SessionBody),
        (status = 404, description = "The request shows no session, or one that is over"),
        (status = 503),
    )
)]
pub async fn read(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Json<SessionBody>, Error> {
    query::none(&uri)?;
    let id = app
        .sessions
        .cookies()
        .shown(&headers)
        .ok_or(Error::NoSession)?;
    let session = app.sessions.read(&id).await?.ok_or(Error::NoSession)?;
    Ok(Json(session.into()))
}

/// End the session
///
/// The same answer when there was none.
#[utoipa::path(
    delete,
    path = "/api/session",
    operation_id = "deleteSession",
    tag = "session",
    responses(
        (status = 204, description = "There is no session any more; a cookie that was shown is taken away", headers(
            ("Set-Cookie" = Option<String>, description = "Empties the cookie, where one was shown")
        )),
        (status = 403),
        (status = 503),
    )
)]
pub async fn destroy(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Error> {
    cross_site::refuse(&headers, &uri)?;
    query::none(&uri)?;
    let cookies = app.sessions.cookies();
    if let Some(id) = cookies.shown(&headers) {
        app.sessions.destroy(&id).await?;
    }
    let taken = cookies
        .any_shown(&headers)
        .then(|| [(header::SET_COOKIE, cookies.take(&headers))]);
    Ok(match taken {
        Some(taken) => (StatusCode::NO_CONTENT, taken).into_response(),
        None => StatusCode::NO_CONTENT.into_response(),
    })
}
