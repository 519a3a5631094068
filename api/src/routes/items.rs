//! `/api/items`: what the API keeps for its users.
//!
//! A change may say which version it is meant for (`If-Match`), a creation may say that it must happen once
//! (`Idempotency-Key`). Names and descriptions are kept as they were sent, to the character.

mod content;
mod id;
mod idempotency;
mod page;

use self::{content::ItemInput, id::ItemId, page::Page};
use super::{conditions, query};
use crate::{
    app::App,
    error::Error,
    store::{Changed, Created, Idempotency, Item},
};
use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

pub(crate) use self::idempotency::PATTERN as IDEMPOTENCY_KEY_PATTERN;

/// An item, as it is answered.
#[derive(Serialize, ToSchema)]
#[schema(as = Item, example = json!({
    "id": "019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071",
    "version": 1,
    "name": "Coffee",
    "description": null,
    "created_at": "2026-01-01T12:00:00.123456Z",
    "updated_at": "2026-01-01T12:00:00.123456Z"
}))]
pub struct ItemBody {
    /// Its id. Ids sort by creation.
    id: Uuid,
    /// Which content this is, counted from 1. In quotes, it is the item's entity tag.
    #[schema(minimum = 1)]
    version: i64,
    /// Its name.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// More about it.
    #[schema(max_length = 4000, required = true)]
    description: Option<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When its content last changed.
    updated_at: DateTime<Utc>,
}

impl From<Item> for ItemBody {
    fn from(item: Item) -> Self {
        let Item {
            id,
            version,
            name,
            description,
            created_at,
            updated_at,
        } = item;
        Self {
            id,
            version,
            name,
            description,
            created_at,
            updated_at,
        }
    }
}

/// Create an item
///
/// With an `Idempotency-Key`, the same request again within 24 hours is answered as it was the first time and makes nothing;
/// another body under the same key is refused.
#[utoipa::path(
    post,
    path = "/api/items",
    operation_id = "createItem",
    tag = "items",
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for this creation, of the client's making")),
    request_body(content = ItemInput, content_type = "application/json"),
    responses(
        (status = 201, description = "The item", body = ItemBody,
            headers(
                ("ETag" = String, description = "The item's entity tag"),
                ("Location" = String, description = "The item's address"),
                ("Idempotency-Replayed" = Option<String>, description = "`true` when the item was made before, under the same key")
            ),
            links(
                ("read" = (operation_id = "readItem", parameters(("id" = "$response.body#/id")))),
                ("replace" = (operation_id = "replaceItem", parameters(("id" = "$response.body#/id")))),
                ("delete" = (operation_id = "deleteItem", parameters(("id" = "$response.body#/id"))))
            )
        ),
        (status = 415),
        (status = 422, description = "The content is not valid (`errors` says all that is wrong), or the `Idempotency-Key` was used for another body"),
        (status = 503),
    )
)]
pub async fn create(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    query::none(&uri)?;
    let key = idempotency::key(&headers)?;
    let input = ItemInput::read(&headers, &body)?;
    let idempotency = key.map(|key| Idempotency {
        key,
        fingerprint: input.fingerprint(),
    });
    let (item, replayed) = match app.store.create_item(&input.into(), idempotency).await? {
        Created::New(item) => (item, false),
        Created::Replayed(item) => (item, true),
        Created::KeyReused => return Err(Error::IdempotencyKeyReused),
    };
    let location = format!("/api/items/{}", item.id);
    let location = HeaderValue::try_from(location).expect("a UUID is ASCII");
    let mut response = (
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        answer(item),
    )
        .into_response();
    if replayed {
        let yes = HeaderValue::from_static("true");
        response.headers_mut().insert("idempotency-replayed", yes);
    }
    Ok(response)
}

/// List items
///
/// In the order of their creation, page by page. A page says where the next one is, in its body and in `Link`.
#[utoipa::path(
    get,
    path = "/api/items",
    operation_id = "listItems",
    tag = "items",
    params(
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 100, description = "Items on a page; 20 when absent"),
        ("after" = Option<Uuid>, Query, description = "Where the page begins, as `next` says: not to be made by hand")
    ),
    responses(
        (status = 200, description = "A page", body = Page, headers(
            ("Link" = Option<String>, description = "The next page's address, `rel=\"next\"`; absent on the last page")
        )),
        (status = 503),
    )
)]
pub async fn list(State(app): State<App>, uri: Uri) -> Result<Response, Error> {
    let wanted = page::Wanted::read(&uri)?;
    // One more than asked for tells whether there is more.
    let items = app.store.items(wanted.after, wanted.limit + 1).await?;
    let page = wanted.page(items);
    let link = page.link();
    let mut response = Json(page).into_response();
    if let Some(link) = link {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// Read an item
#[utoipa::path(
    get,
    path = "/api/items/{id}",
    operation_id = "readItem",
    tag = "items",
    params(
        ("id" = Uuid, Path, description = "The item's id"),
        ("If-None-Match" = Option<String>, Header, description = "Entity tags that are known already")
    ),
    responses(
        (status = 200, description = "The item", body = ItemBody,
            headers(("ETag" = String, description = "The item's entity tag"))),
        (status = 304, description = "It is known already",
            headers(("ETag" = String, description = "The item's entity tag"))),
        (status = 404, description = "No item has this id"),
        (status = 503),
    )
)]
pub async fn read(
    State(app): State<App>,
    ItemId(id): ItemId,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Error> {
    query::none(&uri)?;
    let item = app.store.item(id).await?.ok_or(Error::NoSuchItem)?;
    let tag = conditions::tag(item.version);
    if conditions::is_known(&headers, &tag)? {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag), FRESH]).into_response());
    }
    Ok(([FRESH], answer(item)).into_response())
}

/// Replace an item
///
/// Gives it another content as a whole: a field that is left out is left out of the item. `If-Match` protects from
/// undoing somebody else's change.
#[utoipa::path(
    put,
    path = "/api/items/{id}",
    operation_id = "replaceItem",
    tag = "items",
    params(
        ("id" = Uuid, Path, description = "The item's id"),
        ("If-Match" = Option<String>, Header, description = "The entity tags to replace; any when absent")
    ),
    request_body(content = ItemInput, content_type = "application/json"),
    responses(
        (status = 200, description = "The item, as it is now", body = ItemBody,
            headers(("ETag" = String, description = "The item's new entity tag"))),
        (status = 404, description = "No item has this id"),
        (status = 412),
        (status = 415),
        (status = 422),
        (status = 503),
    )
)]
pub async fn replace(
    State(app): State<App>,
    ItemId(id): ItemId,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    query::none(&uri)?;
    let expected = conditions::expected(&headers)?;
    let content = ItemInput::read(&headers, &body)?.into();
    let item = done(app.store.replace_item(id, &content, &expected).await?)?;
    Ok(answer(item).into_response())
}

/// Delete an item
#[utoipa::path(
    delete,
    path = "/api/items/{id}",
    operation_id = "deleteItem",
    tag = "items",
    params(
        ("id" = Uuid, Path, description = "The item's id"),
        ("If-Match" = Option<String>, Header, description = "The entity tags to delete; any when absent")
    ),
    responses(
        (status = 204, description = "It is gone"),
        (status = 404, description = "No item has this id"),
        (status = 412),
        (status = 503),
    )
)]
pub async fn delete(
    State(app): State<App>,
    ItemId(id): ItemId,
    uri: Uri,
    headers: HeaderMap,
) -> Result<StatusCode, Error> {
    query::none(&uri)?;
    let expected = conditions::expected(&headers)?;
    done(app.store.delete_item(id, &expected).await?)?;
    Ok(StatusCode::NO_CONTENT)
}

/// A copy may be kept, and is asked about each time: that is what the tag is for.
const FRESH: (header::HeaderName, HeaderValue) =
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));

/// The item with its tag.
fn answer(item: Item) -> ([(header::HeaderName, HeaderValue); 1], Json<ItemBody>) {
    let tag = conditions::tag(item.version);
    ([(header::ETAG, tag)], Json(item.into()))
}

fn done<T>(changed: Changed<T>) -> Result<T, Error> {
    match changed {
        Changed::Done(done) => Ok(done),
        Changed::Absent => Err(Error::NoSuchItem),
        Changed::Conflict => Err(Error::PreconditionFailed),
    }
}
