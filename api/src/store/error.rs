//! What can go wrong with the store, and what it means to whoever asked.

use std::{error::Error, fmt::Write, path::PathBuf, time::Duration};

/// A failed call to the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The embedded database file cannot be made or opened.
    #[error("cannot use the database file {} (DATA_FILE)", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The password file cannot be read any more.
    #[error("failed to read the database password")]
    Password(#[source] std::io::Error),
    /// No connection within the deadline: the server is away, slow, or every connection is busy.
    #[error("no database connection within {} ms", .0.as_millis())]
    NoConnection(Duration),
    /// The server was there, then did not answer in time.
    #[error("no answer from the database within {} ms", .0.as_millis())]
    NoAnswer(Duration),
    /// Everything the driver or the server said.
    #[error("the database call failed")]
    Driver(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether trying again later may help: the server is away, starting, full, refusing us or read-only. Anything else
    /// is a mistake in our SQL.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Driver(sqlx::Error::Database(error)) => {
                let code = error.code().unwrap_or_default();
                // Connection, resources, operator intervention, system, authorization, no such database, read-only.
                ["08", "53", "57", "58", "28", "3D", "25006"]
                    .iter()
                    .any(|class| code.starts_with(class))
            }
            Self::Driver(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
            ),
            Self::File { .. } | Self::Password(_) | Self::NoConnection(_) | Self::NoAnswer(_) => {
                true
            }
        }
    }

    /// A word for the metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoConnection(_) | Self::NoAnswer(_) | Self::Driver(sqlx::Error::PoolTimedOut) => {
                "timeout"
            }
            Self::File { .. } => "file",
            Self::Password(_) => "password",
            Self::Driver(sqlx::Error::Io(_)) => "connection",
            Self::Driver(sqlx::Error::Tls(_)) => "tls",
            Self::Driver(sqlx::Error::Database(error))
                if error.code().is_some_and(|code| code.starts_with("28")) =>
            {
                "authentication"
            }
            Self::Driver(_) => "query",
        }
    }

    /// The error with all its causes, on one line.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error with all its causes, on one line. A cause already said by the one above it is not said twice.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !line.ends_with(&said) {
            _ = write!(line, ": {said}");
        }
        next = cause.source();
    }
    line.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_server_is_unavailable_and_bad_sql_is_not() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        assert!(StoreError::from(sqlx::Error::Io(refused)).is_unavailable());
        assert!(StoreError::NoConnection(Duration::from_millis(200)).is_unavailable());
        assert!(!StoreError::from(sqlx::Error::RowNotFound).is_unavailable());
        assert!(!StoreError::from(sqlx::Error::ColumnNotFound("x".into())).is_unavailable());
    }

    #[test]
    fn a_chain_is_one_line_with_each_cause_once() {
        let error = StoreError::Password(std::io::Error::other("line one\nline two"));
        assert_eq!(
            error.chain(),
            "failed to read the database password: line one line two"
        );
    }
}
