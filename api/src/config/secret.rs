//! A password and where it comes from. Its value never reaches a log, an error or `Debug`.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// A secret value. Only [`Secret::expose`] shows it, so that every use can be found.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value that must not be printed.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the driver that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Where a password is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Password {
    /// None: the server trusts this client, or asks for nothing.
    Absent,
    /// Given in the environment.
    Value(Secret),
    /// In a file, read again for each new connection, so that a rotated password needs no restart.
    File(PathBuf),
}

impl Password {
    /// The password as it is now. Blocking, but the file is one line on a local or memory file system.
    pub fn read(&self) -> io::Result<Option<Secret>> {
        match self {
            Self::Absent => Ok(None),
            Self::Value(secret) => Ok(Some(secret.clone())),
            Self::File(path) => read_file(path).map(Some),
        }
    }
}

/// Editors and `echo` end a file with a newline that is not part of the password; anything else is.
fn read_file(path: &Path) -> io::Result<Secret> {
    let mut value = fs::read_to_string(path).map_err(|error| {
        io::Error::new(
            error.kind(),
            format!("cannot read {}: {error}", path.display()),
        )
    })?;
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    if value.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{} is empty", path.display()),
        ));
    }
    Ok(Secret(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_value() {
        let password = Password::Value(Secret::new("hunter2"));
        assert_eq!(format!("{password:?}"), "Value([redacted])");
    }

    #[test]
    fn one_final_newline_is_not_part_of_the_password() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        for (written, expected) in [
            ("pa ss\n", "pa ss"),
            ("pass\r\n", "pass"),
            ("pass\n\n", "pass\n"),
            (" pass ", " pass "),
        ] {
            fs::write(&file, written).unwrap();
            let secret = Password::File(file.clone()).read().unwrap().unwrap();
            assert_eq!(secret.expose(), expected);
        }
    }

    #[test]
    fn a_rotated_file_is_seen_by_the_next_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let password = Password::File(file.clone());
        fs::write(&file, "old").unwrap();
        assert_eq!(password.read().unwrap(), Some(Secret::new("old")));
        fs::write(&file, "new").unwrap();
        assert_eq!(password.read().unwrap(), Some(Secret::new("new")));
    }

    #[test]
    fn an_empty_or_missing_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let missing = Password::File(file.clone()).read().unwrap_err().to_string();
        assert!(missing.contains("password"), "{missing}");
        fs::write(&file, "\n").unwrap();
        let empty = Password::File(file).read().unwrap_err().to_string();
        assert!(empty.ends_with("is empty"), "{empty}");
    }
}
