//! The embedded engine: one `SQLite` file, so that the API runs with no service beside it.

use super::StoreError;
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

/// The same text as Postgres' answer: see `postgres::CURRENT_TIME`.
const CURRENT_TIME: &str = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')";

/// How long one writer waits for another.
const BUSY_DEADLINE: Duration = Duration::from_secs(5);

pub(super) struct Embedded {
    pool: SqlitePool,
}

impl Embedded {
    /// Opens the file, made when absent; other users of the machine may not read it.
    pub(super) async fn open(path: &Path) -> Result<Self, StoreError> {
        let refused = |source: Box<dyn Error + Send + Sync>| StoreError::File {
            path: path.to_owned(),
            source,
        };
        create_private(path).map_err(|error| refused(error.into()))?;
        // The journal files take the main file's permissions.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(BUSY_DEADLINE)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .connect_with(options)
            .await
            .map_err(|error| refused(error.into()))?;
        Ok(Self { pool })
    }

    pub(super) async fn current_time(&self) -> Result<String, StoreError> {
        Ok(sqlx::query_scalar(CURRENT_TIME)
            .fetch_one(&self.pool)
            .await?)
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
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
    use std::{fs, os::unix::fs::PermissionsExt};

    #[tokio::test]
    async fn the_file_and_its_journals_are_readable_by_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/api.db");
        let store = Embedded::open(&path).await.unwrap();
        store.current_time().await.unwrap();
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
