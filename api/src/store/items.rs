//! Items: what the API keeps for its users. Types, and what may be asked of them.

mod statements;

pub(super) use self::statements::Purge;

use self::statements::{Create, Delete, List, Read, Replace};
use super::{Store, StoreError};
use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What both engines keep of a second.
const DECIMALS_OF_A_SECOND: u16 = 6;

/// An item as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Item {
    /// A `UUIDv7`: ids sort by creation.
    pub id: Uuid,
    /// Which content this is, counted from 1.
    pub version: i64,
    /// Its name.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When its content last changed.
    pub updated_at: DateTime<Utc>,
}

/// What a user may say of an item. Whoever makes one has checked it: no NUL character, and lengths within the contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemContent {
    /// Its name.
    pub name: String,
    /// More about it.
    pub description: Option<String>,
}

/// What makes a creation happen once, however often it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Idempotency<'a> {
    /// The client's key.
    pub key: &'a str,
    /// A digest of the request.
    pub fingerprint: [u8; 32],
}

/// How a creation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Created {
    /// The item was made now.
    New(Item),
    /// It was made before, under the same key: the item as it was then, whatever became of it since.
    Replayed(Item),
    /// The key belongs to another request.
    KeyReused,
}

/// Which version a change is meant for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever is there.
    Anything,
    /// One of these.
    OneOf(Vec<i64>),
    /// Any, as long as the item exists.
    Existing,
}

/// How a change ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed<T> {
    /// As asked.
    Done(T),
    /// There is no such item.
    Absent,
    /// The item has another version than expected; nothing was changed.
    Conflict,
}

impl Store {
    /// Makes an item.
    pub async fn create_item(
        &self,
        content: &ItemContent,
        idempotency: Option<Idempotency<'_>>,
    ) -> Result<Created, StoreError> {
        let now = now();
        let item = Item {
            id: Uuid::now_v7(),
            version: 1,
            name: content.name.clone(),
            description: content.description.clone(),
            created_at: now,
            updated_at: now,
        };
        self.call(Create::new(item, idempotency)).await
    }

    /// One item.
    pub async fn item(&self, id: Uuid) -> Result<Option<Item>, StoreError> {
        self.call(Read { id }).await
    }

    /// At most `limit` items in the order of their ids, those after `after`.
    pub async fn items(&self, after: Option<Uuid>, limit: u32) -> Result<Vec<Item>, StoreError> {
        self.call(List {
            // No item has this id: a UUIDv7 is never all zeros.
            after: after.unwrap_or(Uuid::nil()),
            limit: i64::from(limit),
        })
        .await
    }

    /// Gives an item another content, and the next version.
    pub async fn replace_item(
        &self,
        id: Uuid,
        content: &ItemContent,
        expected: &Expected,
    ) -> Result<Changed<Item>, StoreError> {
        self.call(Replace {
            id,
            content: content.clone(),
            now: now(),
            versions: versions(expected),
        })
        .await
    }

    /// Removes an item.
    pub async fn delete_item(
        &self,
        id: Uuid,
        expected: &Expected,
    ) -> Result<Changed<()>, StoreError> {
        self.call(Delete {
            id,
            versions: versions(expected),
        })
        .await
    }
}

/// The time, as precisely as both engines keep it.
fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(DECIMALS_OF_A_SECOND)
}

/// The versions a change accepts in the form the statements search, `,1,2,`; any when absent. A list of values would be
/// written differently on the two engines.
fn versions(expected: &Expected) -> Option<String> {
    match expected {
        Expected::Anything | Expected::Existing => None,
        Expected::OneOf(versions) => Some(
            versions
                .iter()
                .fold(",".to_owned(), |list, version| format!("{list}{version},")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_versions_are_found_whole_and_none_matches_nothing() {
        assert_eq!(versions(&Expected::Anything), None);
        assert_eq!(versions(&Expected::Existing), None);
        assert_eq!(versions(&Expected::OneOf(vec![3, 12])).unwrap(), ",3,12,");
        assert_eq!(versions(&Expected::OneOf(vec![])).unwrap(), ",");
    }
}
