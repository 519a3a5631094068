//! Reads variables one by one and gathers everything that is wrong with them, so that one start tells the whole story.

use super::{
    in_force::{Reading, Readings},
    secret::{Password, Secret},
};
use std::{
    collections::BTreeMap,
    fmt,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

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
///
/// Whatever is read is noted, so that what `api config` prints is what was taken and not a second opinion.
pub(super) struct Reader<'a> {
    variables: &'a Variables,
    readings: Readings,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(variables: &'a Variables) -> Self {
        Self {
            variables,
            readings: Readings::new(),
            problems: Vec::new(),
        }
    }

    /// `value` and what it was read from if nothing was wrong, everything that was otherwise.
    pub(super) fn finish<T>(self, value: T) -> Result<(T, Readings), ConfigError> {
        if self.problems.is_empty() {
            Ok((value, self.readings))
        } else {
            Err(ConfigError(self.problems))
        }
    }

    pub(super) fn problem(&mut self, problem: impl Into<String>) {
        self.problems.push(problem.into());
    }

    /// What a variable says, without a note: for asking whether it is set.
    fn raw(&self, name: &str) -> Option<&'a str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn note(&mut self, name: &str, reading: Reading) {
        self.readings.insert(name.to_owned(), reading);
    }

    /// A text that may be absent.
    pub(super) fn text(&mut self, name: &str) -> Option<&'a str> {
        let value = self.raw(name);
        self.note(name, Reading::Plain(value.map(str::to_owned)));
        value
    }

    /// A text, `default` when unset.
    pub(super) fn text_or(&mut self, name: &str, default: &str) -> String {
        let value = self.raw(name).unwrap_or(default).to_owned();
        self.note(name, Reading::Plain(Some(value.clone())));
        value
    }

    /// A path, `default` when unset; nothing is looked for there.
    pub(super) fn path_or(&mut self, name: &str, default: &str) -> PathBuf {
        self.text_or(name, default).into()
    }

    /// A file that must be readable now.
    pub(super) fn file(&mut self, name: &str) -> Option<PathBuf> {
        let path = self.noted_file(name)?;
        if let Err(error) = std::fs::File::open(&path) {
            self.problem(format!("{name}: cannot read {}: {error}", path.display()));
        }
        Some(path)
    }

    fn noted_file(&mut self, name: &str) -> Option<PathBuf> {
        let path = self.raw(name).map(PathBuf::from);
        let reading = path.as_deref().map(Path::to_path_buf);
        self.note(name, Reading::File(reading));
        path
    }

    /// A value that `parse` understands, `default` when unset, a problem that says what is allowed otherwise.
    pub(super) fn parsed<T: fmt::Display>(
        &mut self,
        name: &str,
        default: T,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
        let value = match self.raw(name) {
            None => default,
            Some(value) => self.understood(name, value, default, allowed, parse),
        };
        self.note(name, Reading::Plain(Some(value.to_string())));
        value
    }

    fn understood<T>(
        &mut self,
        name: &str,
        value: &str,
        default: T,
        allowed: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> T {
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

    /// One of the words for a value, `default` when unset.
    pub(super) fn choice<T: Copy + PartialEq>(
        &mut self,
        name: &str,
        default: T,
        words: &[(&'static str, T)],
    ) -> T {
        let (last, first) = words.split_last().expect("a choice has words");
        let first: Vec<_> = first.iter().map(|(word, _)| *word).collect();
        let allowed = format!("{} or {}", first.join(", "), last.0);
        let named = |wanted: T| Choice {
            word: words
                .iter()
                .find(|(_, value)| *value == wanted)
                .map_or("", |(word, _)| word),
            value: wanted,
        };
        let chosen = self.parsed(name, named(default), &allowed, |said| {
            let (_, value) = words.iter().find(|(word, _)| *word == said)?;
            Some(named(*value))
        });
        chosen.value
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
        let (value, path) = (self.raw(name), self.noted_file(&file_name));
        self.note(name, Reading::Secret(value.is_some()));
        match (value, path) {
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
            .filter(|name| self.raw(name).is_some())
            .copied()
            .collect::<Vec<_>>()
        {
            self.problem(format!(
                "{name} is set but {needed} is not: set {needed}, or unset {name} to use {otherwise}"
            ));
        }
    }
}

/// A value that is told by its word.
struct Choice<T> {
    word: &'static str,
    value: T,
}

impl<T> fmt::Display for Choice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word)
    }
}
