//! `GET /api/data`, the course's route: one answer, and where it came from.

use crate::{
    app::App,
    cache::{self, DATA_KEY, DATA_LIFETIME},
    error::Error,
};
use axum::{body::Bytes, extract::State, response::Response};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

/// The answer.
#[derive(Serialize, ToSchema)]
pub struct Data<'a> {
    /// The database's time, or what another image of the stack put into the cache.
    #[schema(example = "2026-01-01T12:00:00.000Z")]
    data: &'a str,
    /// Where it came from.
    source: Source,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Source {
    Cache,
    Database,
}

/// The database's time
///
/// At most a minute old: one answer, and where it came from.
#[utoipa::path(
    get,
    path = "/api/data",
    operation_id = "readData",
    tag = "data",
    responses(
        (status = 200, description = "The data", body = Data),
        (status = 503),
    )
)]
pub async fn read(State(app): State<App>) -> Result<Response, Error> {
    let store = app.store.clone();
    let load = move || async move { store.current_time().await };
    let fetched = app.cache.fetch(DATA_KEY, DATA_LIFETIME, load).await?;
    Ok(answer(match fetched.source {
        cache::Source::Cache => from_cache(&fetched.value),
        cache::Source::Database => written(fetched.value.text(), Source::Database),
    }))
}

/// The answer when this process has a copy of it: what most requests get, without waiting for anything.
pub fn copy(app: &App, now: Instant) -> Option<Response> {
    Some(answer(from_cache(&*app.cache.copy(DATA_KEY, now)?)))
}

/// Written once for each value.
fn from_cache(value: &cache::Value) -> Bytes {
    value.answer(|data| written(data, Source::Cache))
}

fn answer(body: Bytes) -> Response {
    super::json(body)
}

fn written(data: &str, source: Source) -> Bytes {
    serde_json::to_vec(&Data { data, source })
        .expect("two strings have a form in JSON")
        .into()
}
