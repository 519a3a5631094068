//! Lists, page by page. A page begins after an id rather than at a number: what is added or deleted meanwhile neither shows
//! an item twice nor hides one.

use super::ItemBody;
use crate::{error::Error, routes::query, store::Item};
use axum::http::{HeaderValue, Uri};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// Items on a page, when nobody says how many.
const DEFAULT_LIMIT: u32 = 20;
/// Items on a page at most.
const LARGEST_LIMIT: u32 = 100;

/// Some items, and where the next ones are.
#[derive(Serialize, ToSchema)]
pub(super) struct Page {
    /// The items, in the order of their creation.
    #[schema(max_items = 100)]
    items: Vec<ItemBody>,
    /// The next page's address; null on the last page.
    #[schema(
        required = true,
        example = "/api/items?limit=20&after=019ab2c3-d4e5-7f60-8a1b-2c3d4e5f6071"
    )]
    next: Option<String>,
}

impl Page {
    /// The `Link` header, unless this is the last page.
    pub(super) fn link(&self) -> Option<HeaderValue> {
        let link = format!("<{}>; rel=\"next\"", self.next.as_ref()?);
        HeaderValue::try_from(link).ok()
    }
}

/// What a client wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) limit: u32,
    pub(super) after: Option<Uuid>,
}

impl Wanted {
    pub(super) fn read(uri: &Uri) -> Result<Self, Error> {
        let [limit, after] = query::parameters(uri, ["limit", "after"])?;
        let limit = match limit {
            None => DEFAULT_LIMIT,
            Some(text) => limit_in(&text).ok_or_else(|| {
                let allowed = format!("limit must be a whole number from 1 to {LARGEST_LIMIT}");
                Error::BadRequest(allowed)
            })?,
        };
        let after = match after {
            None => None,
            Some(text) => Some(super::id::parse(&text).ok_or_else(|| {
                Error::BadRequest("after must come from `next` of another page".to_owned())
            })?),
        };
        Ok(Self { limit, after })
    }

    /// The page that these items make: one item more than wanted says that there is another page.
    pub(super) fn page(self, mut items: Vec<Item>) -> Page {
        let limit = self.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| more);
        let next = last.map(|last| format!("/api/items?limit={limit}&after={}", last.id));
        let items = items.into_iter().map(ItemBody::from).collect();
        Page { items, next }
    }
}

/// A limit as numbers are written: no sign, no leading zero.
fn limit_in(text: &str) -> Option<u32> {
    let limit: u32 = text.parse().ok()?;
    let plain = limit.to_string() == text;
    (plain && (1..=LARGEST_LIMIT).contains(&limit)).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn wanted(uri: &'static str) -> Option<(u32, Option<u128>)> {
        let wanted = Wanted::read(&Uri::from_static(uri)).ok()?;
        Some((wanted.limit, wanted.after.map(|after| after.as_u128())))
    }

    #[test]
    fn a_page_is_asked_for_with_a_limit_and_a_beginning() {
        let cursor = "/api/items?after=00000000-0000-0000-0000-00000000002A";
        for (uri, expected) in [
            ("/api/items", Some((20, None))),
            ("/api/items?limit=1", Some((1, None))),
            ("/api/items?limit=100", Some((100, None))),
            ("/api/items?limit=%31", Some((1, None))),
            (cursor, Some((20, Some(42)))),
            ("/api/items?limit=0", None),
            ("/api/items?limit=101", None),
            ("/api/items?limit=-1", None),
            ("/api/items?limit=+1", None),
            ("/api/items?limit=01", None),
            ("/api/items?limit=1.0", None),
            ("/api/items?limit=", None),
            ("/api/items?limit=4294967297", None),
            ("/api/items?after=", None),
            ("/api/items?after=42", None),
            ("/api/items?after=0000000000000000000000000000002a", None),
            ("/api/items?page=2", None),
            ("/api/items?limit=1&limit=1", None),
        ] {
            assert_eq!(wanted(uri), expected, "{uri}");
        }
    }

    #[test]
    fn a_page_says_where_the_next_one_begins_if_there_is_one() {
        let item = |number: u128| Item {
            id: Uuid::from_u128(number),
            version: 1,
            name: "a".to_owned(),
            description: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        };
        let wanted = Wanted {
            limit: 2,
            after: None,
        };
        for (found, shown, next) in [
            (0, 0, None),
            (2, 2, None),
            (
                3,
                2,
                Some("/api/items?limit=2&after=00000000-0000-0000-0000-000000000002"),
            ),
        ] {
            let page = wanted.page((1..=found).map(item).collect());
            assert_eq!((page.items.len(), page.next.as_deref()), (shown, next));
            let link = page.link();
            assert_eq!(
                link,
                next.map(|next| format!("<{next}>; rel=\"next\"").parse().unwrap())
            );
        }
    }
}
