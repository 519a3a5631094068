//! What can go wrong with the store, and what it means to whoever asked, to the connection, and to a second try.

use super::MigrateError;
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
    /// The embedded database cannot be brought up to date.
    #[error("failed to migrate the embedded database")]
    Migration(#[source] Box<MigrateError>),
    /// The password file cannot be read any more.
    #[error("failed to read the database password")]
    Password(#[source] std::io::Error),
    /// No connection within the deadline: the server is away, slow, or every connection is busy.
    #[error("no database connection within {} ms", .0.as_millis())]
    NoConnection(Duration),
    /// So many requests wait for a connection that one more would wait in vain.
    #[error("too many requests wait for a database connection")]
    Crowded,
    /// The server was there, then did not answer in time.
    #[error("no answer from the database within {} ms", .0.as_millis())]
    NoAnswer(Duration),
    /// The database is known to take no writes now.
    #[error("the database is read-only")]
    ReadOnly,
    /// Everything the driver or the server said.
    #[error("the database call failed")]
    Driver(#[from] sqlx::Error),
}

/// `SQLite`'s numbers for what passes: busy, locked, out of memory, read-only, interrupted, failing or full disk, cannot open.
const PASSING_IN_SQLITE: &[u32] = &[5, 6, 7, 8, 9, 10, 13, 14];
const READ_ONLY_IN_SQLITE: u32 = 8;

impl StoreError {
    /// Whether trying again later may help: the server is away, starting, full, busy, refusing us, read-only or not
    /// prepared. Anything else is a mistake in our SQL or, [`Self::is_refused`], in the value.
    pub fn is_unavailable(&self) -> bool {
        match self {
            Self::Driver(sqlx::Error::Database(_)) => {
                let code = self.code();
                Self::passes(&code) || self.is_read_only() || self.is_unprepared()
            }
            Self::Driver(error) => matches!(
                error,
                sqlx::Error::Io(_)
                    | sqlx::Error::Tls(_)
                    | sqlx::Error::Protocol(_)
                    | sqlx::Error::PoolTimedOut
                    | sqlx::Error::PoolClosed
                    | sqlx::Error::WorkerCrashed
                    | sqlx::Error::BeginFailed
                    // Somebody purged the key that stood in our way a moment before.
                    | sqlx::Error::RowNotFound
            ),
            Self::File { .. }
            | Self::Migration(_)
            | Self::Password(_)
            | Self::NoConnection(_)
            | Self::Crowded
            | Self::NoAnswer(_)
            | Self::ReadOnly => true,
        }
    }

    /// Whether the database takes no writes, while reads may go on.
    pub fn is_read_only(&self) -> bool {
        match self {
            Self::ReadOnly => true,
            Self::Driver(sqlx::Error::Database(_)) => {
                let code = self.code();
                code == "25006" || primary(&code) == Some(READ_ONLY_IN_SQLITE)
            }
            _ => false,
        }
    }

    /// Whether a table or a column is missing: `api migrate` was not run, or an older release's was.
    pub fn is_unprepared(&self) -> bool {
        matches!(self.code().as_str(), "42P01" | "42703" | "3F000")
    }

    /// Whether the database refuses the value itself: not text it can keep, too long, against a constraint.
    pub fn is_refused(&self) -> bool {
        let code = self.code();
        // Postgres: data, integrity, program limits. SQLite: too big, constraint.
        code.len() == 5
            && ["22", "23", "54"]
                .iter()
                .any(|class| code.starts_with(class))
            || matches!(primary(&code), Some(18 | 19))
    }

    /// A word for the metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoConnection(_) | Self::NoAnswer(_) | Self::Driver(sqlx::Error::PoolTimedOut) => {
                "timeout"
            }
            Self::Crowded => "crowded",
            Self::File { .. } | Self::Migration(_) => "file",
            Self::Password(_) => "password",
            Self::Driver(sqlx::Error::Io(_)) => "connection",
            Self::Driver(sqlx::Error::Tls(_)) => "tls",
            Self::ReadOnly => "read-only",
            Self::Driver(_) if self.is_read_only() => "read-only",
            Self::Driver(_) if self.is_unprepared() => "unprepared",
            Self::Driver(_) if self.code().starts_with("28") => "authentication",
            Self::Driver(_) => "query",
        }
    }

    /// The error with all its causes, on one line.
    pub fn chain(&self) -> String {
        chain(self)
    }

    /// Whether this says something about the server rather than about one statement: connections opened before are not
    /// used again. A statement that the server itself cancelled or refused leaves them alone; and a server that takes no
    /// writes is still there to be read.
    pub(super) fn condemns_connections(&self) -> bool {
        match self {
            Self::NoAnswer(_) => true,
            Self::Driver(sqlx::Error::Database(_)) => {
                let code = self.code();
                // Connection lost; the server stops, crashed or starts; it lost our statements, or the tables changed under
                // them.
                code.starts_with("08")
                    || matches!(
                        code.as_str(),
                        "57P01"
                            | "57P02"
                            | "57P03"
                            | "57P04"
                            | "57P05"
                            | "25P03"
                            | "26000"
                            | "0A000"
                    )
            }
            Self::Driver(error) => matches!(
                error,
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)
            ),
            _ => false,
        }
    }

    /// Whether the operation may run again at once. After most errors of the server nothing of it was kept; after a
    /// broken connection nobody knows.
    pub(super) fn may_be_repeated(&self, is_repeatable: bool) -> bool {
        match self {
            Self::Driver(sqlx::Error::Database(_)) => {
                // Serialization, deadlock; refused before it ran, on a connection of before.
                matches!(
                    self.code().as_str(),
                    "40001" | "40P01" | "57P01" | "57P02" | "26000" | "0A000"
                )
            }
            Self::Driver(sqlx::Error::RowNotFound) => true,
            Self::Driver(_) => is_repeatable && self.condemns_connections(),
            _ => false,
        }
    }

    /// Whether an error of Postgres or `SQLite` with this code passes: connection, resources, operator intervention,
    /// system, authorization, no such database, read-only, serialization, deadlock, a lock not got in time, a
    /// right that is missing.
    pub(super) fn passes(code: &str) -> bool {
        let classes = [
            "08", "53", "57", "58", "28", "3D", "25", "40", "55", "26000", "0A000", "42501", "XX",
        ];
        match primary(code) {
            Some(number) => PASSING_IN_SQLITE.contains(&number),
            None => classes.iter().any(|class| code.starts_with(class)),
        }
    }

    /// The server's code; empty when it was not the server that failed. `SQLite` has one code for all that is wrong with a
    /// statement: a missing table or column gets Postgres' here.
    fn code(&self) -> String {
        let Self::Driver(sqlx::Error::Database(error)) = self else {
            return String::new();
        };
        let message = error.message();
        if message.starts_with("no such table") {
            return "42P01".to_owned();
        }
        if message.starts_with("no such column") || message.contains(" has no column named ") {
            return "42703".to_owned();
        }
        error.code().unwrap_or_default().into_owned()
    }
}

/// `SQLite`'s code without what it adds to tell apart. Its codes are short numbers, those of Postgres five characters.
fn primary(code: &str) -> Option<u32> {
    let number: u32 = (code.len() < 5).then(|| code.parse().ok())??;
    Some(number & 0xff)
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
        assert!(StoreError::ReadOnly.is_unavailable() && StoreError::ReadOnly.is_read_only());
        assert!(!StoreError::from(sqlx::Error::ColumnNotFound("x".into())).is_unavailable());
    }

    #[test]
    fn codes_of_both_engines_are_told_apart() {
        for (code, passes) in [
            ("57014", true),
            ("40P01", true),
            ("25006", true),
            ("53300", true),
            ("42601", false),
            ("22021", false),
            ("23505", false),
            ("5", true),
            ("517", true),
            ("1032", true),
            ("1", false),
            ("19", false),
            ("", false),
        ] {
            assert_eq!(StoreError::passes(code), passes, "{code:?}");
        }
    }

    #[test]
    fn only_what_left_no_trace_is_repeated_when_a_second_run_could_harm() {
        let broken = || {
            let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            StoreError::from(sqlx::Error::Io(reset))
        };
        assert!(broken().may_be_repeated(true));
        assert!(!broken().may_be_repeated(false));
        assert!(!StoreError::NoAnswer(Duration::from_secs(1)).may_be_repeated(true));
        assert!(!StoreError::Crowded.may_be_repeated(true));
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
