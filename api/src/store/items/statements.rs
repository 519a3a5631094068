//! The statements behind the items, one text for both engines.

use super::{Changed, Created, Idempotency, Item, ItemContent};
use crate::store::operation::operation;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::Connection;
use uuid::Uuid;

/// How long a key is remembered.
const KEY_LIFETIME: TimeDelta = TimeDelta::hours(24);

const INSERT: &str = "INSERT INTO items (id, version, name, description, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6)";

/// Takes the key unless somebody holds it; a key that outlived its time belongs to nobody. While another transaction
/// is taking the same key, this waits for its end.
const TAKE_KEY: &str = "INSERT INTO idempotency_keys (key, fingerprint, answer, created_at) \
     VALUES ($1, $2, $3, $4) \
     ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, answer = excluded.answer, \
     created_at = excluded.created_at WHERE idempotency_keys.created_at < $5";

const KEPT_ANSWER: &str = "SELECT fingerprint, answer FROM idempotency_keys WHERE key = $1";

const SELECT: &str =
    "SELECT id, version, name, description, created_at, updated_at FROM items WHERE id = $1";

const SELECT_PAGE: &str = "SELECT id, version, name, description, created_at, updated_at \
     FROM items WHERE id > $1 ORDER BY id LIMIT $2";

const UPDATE: &str = "UPDATE items SET name = $3, description = $4, updated_at = $5, version = version + 1 \
     WHERE id = $1 AND (CAST($2 AS text) IS NULL OR CAST($2 AS text) LIKE '%,' || version || ',%') \
     RETURNING id, version, name, description, created_at, updated_at";

const DELETE: &str = "DELETE FROM items \
     WHERE id = $1 AND (CAST($2 AS text) IS NULL OR CAST($2 AS text) LIKE '%,' || version || ',%')";

const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM items WHERE id = $1)";

const PURGE: &str = "DELETE FROM idempotency_keys WHERE key IN \
     (SELECT key FROM idempotency_keys WHERE created_at < $1 ORDER BY created_at LIMIT $2)";

/// Makes an item, and notes the answer under its key in the same transaction.
pub(super) struct Create {
    item: Item,
    key: Option<Key>,
}

struct Key {
    name: String,
    fingerprint: [u8; 32],
    answer: String,
}

impl Create {
    pub(super) fn new(item: Item, idempotency: Option<Idempotency<'_>>) -> Self {
        let key = idempotency.map(|idempotency| Key {
            name: idempotency.key.to_owned(),
            fingerprint: idempotency.fingerprint,
            answer: serde_json::to_string(&item).expect("an item is text, numbers and times"),
        });
        Self { item, key }
    }
}

operation! {
    Create => Created,
    writes: true,
    // With a key, the second run finds the answer of the first.
    repeatable: |create| create.key.is_some(),
    |this, connection| {
        let Self { item, key } = this;
        let insert = sqlx::query(INSERT)
            .bind(item.id)
            .bind(item.version)
            .bind(&item.name)
            .bind(&item.description)
            .bind(item.created_at)
            .bind(item.updated_at);
        let Some(key) = key else {
            insert.execute(connection).await?;
            return Ok(Created::New(item.clone()));
        };
        let mut transaction = connection.begin().await?;
        let taken = sqlx::query(TAKE_KEY)
            .bind(&key.name)
            .bind(&key.fingerprint[..])
            .bind(&key.answer)
            .bind(item.created_at)
            .bind(item.created_at - KEY_LIFETIME)
            .execute(&mut *transaction)
            .await?;
        if taken.rows_affected() == 1 {
            insert.execute(&mut *transaction).await?;
            transaction.commit().await?;
            return Ok(Created::New(item.clone()));
        }
        let (fingerprint, answer): (Vec<u8>, String) = sqlx::query_as(KEPT_ANSWER)
            .bind(&key.name)
            .fetch_one(&mut *transaction)
            .await?;
        transaction.rollback().await?;
        if fingerprint != key.fingerprint {
            return Ok(Created::KeyReused);
        }
        let item = serde_json::from_str(&answer).map_err(|error| sqlx::Error::Decode(error.into()))?;
        Ok(Created::Replayed(item))
    }
}

/// Reads an item.
pub(super) struct Read {
    pub(super) id: Uuid,
}

operation! {
    Read => Option<Item>,
    writes: false,
    repeatable: |_| true,
    |this, connection| {
        sqlx::query_as(SELECT).bind(this.id).fetch_optional(connection).await
    }
}

/// Reads a page of items.
pub(super) struct List {
    pub(super) after: Uuid,
    pub(super) limit: i64,
}

operation! {
    List => Vec<Item>,
    writes: false,
    repeatable: |_| true,
    |this, connection| {
        sqlx::query_as(SELECT_PAGE)
            .bind(this.after)
            .bind(this.limit)
            .fetch_all(connection)
            .await
    }
}

/// Gives an item another content, if its version is one of `versions`.
pub(super) struct Replace {
    pub(super) id: Uuid,
    pub(super) content: ItemContent,
    pub(super) now: DateTime<Utc>,
    pub(super) versions: Option<String>,
}

operation! {
    Replace => Changed<Item>,
    writes: true,
    // A second run would count as a second change, or take the first for somebody else's.
    repeatable: |_| false,
    |this, connection| {
        let changed = sqlx::query_as(UPDATE)
            .bind(this.id)
            .bind(&this.versions)
            .bind(&this.content.name)
            .bind(&this.content.description)
            .bind(this.now)
            .fetch_optional(&mut *connection)
            .await?;
        if let Some(item) = changed {
            return Ok(Changed::Done(item));
        }
        // It was not there, or had another version, at some moment during this call: both answers were true then.
        let exists: bool = sqlx::query_scalar(EXISTS).bind(this.id).fetch_one(connection).await?;
        Ok(if exists { Changed::Conflict } else { Changed::Absent })
    }
}

/// Removes an item, if its version is one of `versions`.
pub(super) struct Delete {
    pub(super) id: Uuid,
    pub(super) versions: Option<String>,
}

operation! {
    Delete => Changed<()>,
    writes: true,
    // A second run would not find what the first removed.
    repeatable: |_| false,
    |this, connection| {
        let deleted = sqlx::query(DELETE)
            .bind(this.id)
            .bind(&this.versions)
            .execute(&mut *connection)
            .await?;
        if deleted.rows_affected() > 0 {
            return Ok(Changed::Done(()));
        }
        let exists: bool = sqlx::query_scalar(EXISTS).bind(this.id).fetch_one(connection).await?;
        Ok(if exists { Changed::Conflict } else { Changed::Absent })
    }
}

/// Forgets keys that outlived their time; answers how many.
pub(in crate::store) struct Purge {
    pub(in crate::store) now: DateTime<Utc>,
    pub(in crate::store) batch: u32,
}

operation! {
    Purge => u64,
    writes: true,
    repeatable: |_| true,
    |this, connection| {
        let purged = sqlx::query(PURGE)
            .bind(this.now - KEY_LIFETIME)
            .bind(i64::from(this.batch))
            .execute(connection)
            .await?;
        Ok(purged.rows_affected())
    }
}
