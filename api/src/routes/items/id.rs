//! The id in an item's address.

use crate::error::Error;
use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use uuid::Uuid;

/// An id that an item may have. What is no UUID as we write them (in either case) is no item's: 404, like any other id that
/// was not given out.
pub struct ItemId(pub(super) Uuid);

impl<S: Send + Sync> FromRequestParts<S> for ItemId {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Error> {
        // Bytes that are no text are no id either.
        let path = Path::<String>::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(text)| parse(&text));
        id.map(Self).ok_or(Error::NoSuchItem)
    }
}

/// A UUID with its hyphens: one id has one address.
pub(super) fn parse(text: &str) -> Option<Uuid> {
    let hyphenated = text.len() == uuid::fmt::Hyphenated::LENGTH;
    hyphenated.then(|| Uuid::try_parse(text).ok()).flatten()
}
