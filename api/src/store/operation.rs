//! What one call to the store is: statements that run on one connection of either engine.

use sqlx::{PgConnection, SqliteConnection};
use std::future::Future;

/// One call to the store, complete in itself: the engine decides which connection it runs on, for how long, and whether
/// it runs again. Its statements are written once for both engines, by [`operation!`].
pub(super) trait Operation: Send + Sync + 'static {
    /// What the caller gets.
    type Answer: Send + 'static;

    /// Whether it changes anything: a server that has turned read-only need not be asked.
    const WRITES: bool;

    /// Whether running it again does no harm when it is not known if it ran: the connection broke before the answer.
    fn is_repeatable(&self) -> bool;

    /// Runs it on Postgres.
    fn on_postgres(
        &self,
        connection: &mut PgConnection,
    ) -> impl Future<Output = sqlx::Result<Self::Answer>> + Send;

    /// Runs it on `SQLite`.
    fn on_embedded(
        &self,
        connection: &mut SqliteConnection,
    ) -> impl Future<Output = sqlx::Result<Self::Answer>> + Send;
}

/// Implements [`Operation`] from one text for both engines: placeholders are `$n`, and types go by what sqlx knows of
/// both. The closure's first argument is the operation, the second the connection.
macro_rules! operation {
    (
        $name:ty => $answer:ty,
        writes: $writes:literal,
        repeatable: |$asked:pat_param| $repeatable:expr,
        |$this:ident, $connection:ident| $body:block
    ) => {
        impl $crate::store::operation::Operation for $name {
            type Answer = $answer;
            const WRITES: bool = $writes;

            fn is_repeatable(&self) -> bool {
                let $asked = self;
                $repeatable
            }

            async fn on_postgres(
                &self,
                $connection: &mut ::sqlx::PgConnection,
            ) -> ::sqlx::Result<$answer> {
                let $this = self;
                $body
            }

            async fn on_embedded(
                &self,
                $connection: &mut ::sqlx::SqliteConnection,
            ) -> ::sqlx::Result<$answer> {
                let $this = self;
                $body
            }
        }
    };
}
pub(super) use operation;
