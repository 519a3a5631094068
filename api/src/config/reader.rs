//! Reads variables one by one and gathers everything that is wrong with them, so that one start tells the whole story.

use super::secret::{Password, Secret};
use std::{collections::BTreeMap, fmt, ops::RangeInclusive, path::PathBuf, time::Duration};

/// The variables a process was started with.
pub type Variables = BTreeMap<String, String>;

/// Everything that is wrong with the settings: one line each, naming the variable, its value and what is allowed.
#[derive(Debug, PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the settings are wrong")?;
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        write!(f, "\n`api --help` lists every variable")
    }
}

impl std::error::Error for ConfigError {}

/// Reads settings from variables; an empty variable counts as unset, since that is what Compose makes of `NAME=`.
pub(super) struct Reader<'a> {
    variables: &'a Variables,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(variables: &'a Variables) -> Self {
        Self {
            variables,
            problems: Vec::new(),
        }
    }

    /// `value` if nothing was wrong, everything that was otherwise.
    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.problems.is_empty() {
            Ok(value)
        } else {
            Err(ConfigError(self.problems))
        }
    }

    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// A value that `parse` understands, `default` when unset, a problem that says what is allowed otherwise.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        default: T,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let Some(value) = self.text(name) else {
            return default;
        };
        parse(value).unwrap_or_else(|| {
            // A Service named `db` or `redis` in the same namespace makes Kubernetes set such a value.
            let hint = if value.contains("://") {
                " (if Kubernetes set it for a Service of that name, set enableServiceLinks: false)"
            } else {
                ""
            };
            self.problem(format!("{name}={value:?}: expected {allowed}{hint}"));
            default
        })
    }

    pub(super) fn number<T>(&mut self, name: &str, default: T, allowed: RangeInclusive<T>) -> T
    where
        T: std::str::FromStr + PartialOrd + fmt::Display,
    {
        let expected = format!(
            "a whole number from {} to {}",
            allowed.start(),
            allowed.end()
        );
        self.parsed(name, default, &expected, |value| {
            value.parse().ok().filter(|number| allowed.contains(number))
        })
    }

    pub(super) fn milliseconds(
        &mut self,
        name: &str,
        default: u64,
        allowed: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_millis(self.number(name, default, allowed))
    }

    pub(super) fn seconds(
        &mut self,
        name: &str,
        default: u64,
        allowed: RangeInclusive<u64>,
    ) -> Duration {
        Duration::from_secs(self.number(name, default, allowed))
    }

    pub(super) fn boolean(&mut self, name: &str, default: bool) -> bool {
        self.parsed(name, default, "true or false", |value| {
            match value.to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => None,
            }
        })
    }

    /// `<name>` or `<name>_FILE`. The file is tried once now: a wrong path is a mistake to tell at once.
    pub(super) fn password(&mut self, name: &str) -> Password {
        let file_name = format!("{name}_FILE");
        match (self.text(name), self.path(&file_name)) {
            (None, None) => Password::Absent,
            (Some(value), None) => Password::Value(Secret::new(value)),
            (None, Some(path)) => {
                let password = Password::File(path);
                if let Err(error) = password.read() {
                    self.problem(format!("{file_name}: {error}"));
                }
                password
            }
            (Some(_), Some(_)) => {
                self.problem(format!("{name} and {file_name} are both set: keep one"));
                Password::Absent
            }
        }
    }

    /// `names` mean something only beside `needed`: said, rather than ignored.
    pub(super) fn refuse_without(&mut self, needed: &str, names: &[&str], otherwise: &str) {
        for name in names
            .iter()
            .filter(|name| self.text(name).is_some())
            .copied()
            .collect::<Vec<_>>()
        {
            self.problem(format!(
                "{name} is set but {needed} is not: set {needed}, or unset {name} to use {otherwise}"
            ));
        }
    }
}
