//! The settings in force, for whoever asks what this API runs with: `api config`. No secret is in it.

use super::{Config, ConfigError, VARIABLES, environment, reader::Variables};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

/// What stands for the value of a secret.
const HIDDEN: &str = "[hidden]";

/// What was taken for each variable that the settings asked for.
pub(super) type Readings = BTreeMap<String, Reading>;

/// What was taken for a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// A value that may be shown, if there is one.
    Plain(Option<String>),
    /// A secret, and whether there is one. The value does not come this far.
    Secret(bool),
    /// A file that is read, if there is one.
    File(Option<PathBuf>),
}

/// A setting as it is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// Its variable.
    pub name: &'static str,
    /// Its value; none when it has none. A secret's is never shown.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: Source,
    /// For a file that is read: whether that is possible now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readable: Option<bool>,
}

/// Where the value of a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The variable is set.
    Environment,
    /// It is not.
    Default,
    /// Nothing asks for it with these settings: `DATA_FILE` beside `DB_HOST`, `REDIS_PORT` without `REDIS_HOST`.
    Unused,
}

/// Every setting of this process's environment as `api serve` would take it.
pub fn in_force() -> Result<Vec<Setting>, ConfigError> {
    settings(&environment()?)
}

/// One setting for each variable, in the order of the help.
fn settings(variables: &Variables) -> Result<Vec<Setting>, ConfigError> {
    let (_, readings) = Config::read(variables)?;
    let set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
    Ok(VARIABLES
        .iter()
        .map(|(name, ..)| Setting::new(name, set(name), readings.get(*name)))
        .collect())
}

impl Setting {
    fn new(name: &'static str, set: bool, reading: Option<&Reading>) -> Self {
        let (value, readable) = match reading {
            None => (None, None),
            Some(Reading::Plain(value)) => (value.clone(), None),
            Some(Reading::Secret(given)) => (given.then(|| HIDDEN.to_owned()), None),
            Some(Reading::File(path)) => {
                let shown = path.as_deref().map(Path::display);
                let readable = path
                    .as_deref()
                    .map(|path| std::fs::File::open(path).is_ok());
                (shown.map(|path| path.to_string()), readable)
            }
        };
        let source = match reading {
            None => Source::Unused,
            Some(_) if set => Source::Environment,
            Some(_) => Source::Default,
        };
        Self {
            name,
            value,
            source,
            readable,
        }
    }
}

/// One line: the variable, where its value comes from, the value.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Environment => "environment",
            Source::Default => "default",
            Source::Unused => "unused",
        };
        // A value with a line break in it must not look like two settings.
        let value = self.value.as_deref().unwrap_or("-").escape_debug();
        write!(f, "{:<24} {source:<12} {value}", self.name)?;
        match self.readable {
            Some(true) => f.write_str(" (readable)"),
            Some(false) => f.write_str(" (not readable)"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
