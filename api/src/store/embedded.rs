//! The embedded engine: one `SQLite` file, so that the API runs with no service beside it.

use super::{
    StoreError,
    migrations::{self, MigrateError},
    operation::Operation,
};
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    error::Error,
    fs::{DirBuilder, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};
use tokio::time::timeout;

/// How long one writer waits for another: another process, since this one has a single connection that writes.
const BUSY_DEADLINE: Duration = Duration::from_millis(500);
/// How long a request waits for a connection.
const ACQUIRE_DEADLINE: Duration = Duration::from_millis(500);
/// How long an operation may take.
const DEADLINE: Duration = Duration::from_millis(900);
/// How long a migration waits for another process's.
const MIGRATION_DEADLINE: Duration = Duration::from_mins(1);
/// Connections that read, at most. Each has a thread.
const READERS: u32 = 4;

/// The engine. Cloning shares it.
#[derive(Clone)]
pub(super) struct Embedded {
    /// One connection: more would only wait for each other, and lose that wait to chance.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Embedded {
    /// Opens the file, made when absent, and brings its tables up to date; other users of the machine may not read it.
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        migrate(path).await?;
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(ACQUIRE_DEADLINE)
                // A file does not hang up.
                .test_before_acquire(false)
        };
        let options = options(path).busy_timeout(BUSY_DEADLINE);
        let refused = |error: sqlx::Error| unusable(path, error);
        let writer = pool(1)
            .connect_with(options.clone())
            .await
            .map_err(refused)?;
        let readers = pool(READERS)
            .connect_with(options.read_only(true))
            .await
            .map_err(refused)?;
        Ok(Self { writer, readers })
    }

    /// Runs the operation in a task of its own: a client that goes away leaves no transaction open.
    pub(super) async fn call<O: Operation>(&self, operation: O) -> Result<O::Answer, StoreError> {
        let pool = if O::WRITES {
            &self.writer
        } else {
            &self.readers
        };
        let mut connection = pool.acquire().await?;
        let run = async move {
            timeout(DEADLINE, operation.on_embedded(&mut connection))
                .await
                .map_err(|_| StoreError::NoAnswer(DEADLINE))?
                .map_err(StoreError::from)
        };
        tokio::spawn(run)
            .await
            .map_err(|_| sqlx::Error::WorkerCrashed)?
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Makes the file when absent and brings its tables up to date.
pub(super) async fn migrate(path: &Path) -> Result<(), StoreError> {
    create_private(path).map_err(|error| unusable(path, error))?;
    migrations::migrate_embedded(options(path).busy_timeout(MIGRATION_DEADLINE))
        .await
        .map_err(|error| match error {
            MigrateError::Database(error) => unusable(path, error),
            error => StoreError::Migration(Box::new(error)),
        })
}

fn options(path: &Path) -> SqliteConnectOptions {
    // The journal files take the main file's permissions.
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .foreign_keys(true)
}

fn unusable(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        source: source.into(),
    }
}

/// Makes the file and its folder, for this user alone; what is already there keeps its permissions.
fn create_private(path: &Path) -> io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::CurrentTime;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[tokio::test]
    async fn the_file_and_its_journals_are_readable_by_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/api.db");
        let store = Embedded::open(&path).await.unwrap();
        store.call(CurrentTime).await.unwrap();
        let files: Vec<_> = fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(files.iter().any(|file| file.file_name() == "api.db"));
        for file in files {
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{:?}", file.file_name());
        }
        store.close().await;
    }

    #[tokio::test]
    async fn a_file_that_is_no_database_is_refused_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notes.txt");
        let notes = "not a database, and long enough to have a header ".repeat(40);
        fs::write(&path, &notes).unwrap();
        let error = Embedded::open(&path).await.err().expect("it is refused");
        assert!(error.chain().contains("notes.txt"), "{}", error.chain());
        assert_eq!(fs::read_to_string(&path).unwrap(), notes);
    }
}
