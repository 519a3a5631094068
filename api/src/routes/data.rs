//! `GET /api/data`, the course's route: one answer, and where it came from.

use crate::{
    app::App,
    cache::{DATA_KEY, DATA_LIFETIME, Lookup},
    error::Error,
};
use axum::{Json, extract::State};
use serde::Serialize;

/// The answer.
#[derive(Serialize)]
pub struct Data {
    data: String,
    source: Source,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Source {
    Cache,
    Database,
}

/// The database's time, at most a minute old.
pub async fn read(State(app): State<App>) -> Result<Json<Data>, Error> {
    let lookup = app.cache.get(DATA_KEY).await;
    if let Lookup::Hit(data) = lookup {
        let source = Source::Cache;
        return Ok(Json(Data { data, source }));
    }
    let data = app.store.current_time().await?;
    if lookup == Lookup::Miss {
        app.cache.set(DATA_KEY, &data, DATA_LIFETIME).await;
    }
    let source = Source::Database;
    Ok(Json(Data { data, source }))
}
