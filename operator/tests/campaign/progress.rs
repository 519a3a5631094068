//! What earlier runs of the large version have shown already, on the same code: it takes hours, and may be ended at any
//! time. A file with a line for each case that held.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};

/// What a case cost that held.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) requests: usize,
    pub(crate) writes: usize,
}

impl std::ops::Sub for Cost {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            writes: self.writes - before.writes,
        }
    }
}

/// The file, and what it said when it was opened.
pub(crate) struct Progress {
    held: BTreeMap<String, Cost>,
    file: Mutex<File>,
    path: PathBuf,
}

impl Progress {
    /// Opens the file, or begins one.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(name)?;
        }
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.with_context(name)?,
        };
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).open(path);
        Ok(Self {
            held: text.lines().filter_map(line).collect(),
            file: Mutex::new(file.with_context(name)?),
            path: path.to_owned(),
        })
    }

    /// Whether a case has held before.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.held.contains_key(id)
    }

    /// The cases of a campaign that held before: how many, and their cost.
    pub(crate) fn before(&self, campaign: &str) -> (usize, Cost) {
        let of_it = |id: &str| {
            id.strip_prefix(campaign)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        let mut sum = (0, Cost::default());
        for (_, cost) in self.held.iter().filter(|(id, _)| of_it(id)) {
            sum.0 += 1;
            sum.1.requests += cost.requests;
            sum.1.writes += cost.writes;
        }
        sum
    }

    /// Notes a case that held.
    pub(crate) fn note(&self, id: &str, cost: Cost) {
        let Cost { requests, writes } = cost;
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writeln!(file, "{id}\t{requests}\t{writes}") {
            crate::runner::say(&format!(
                "{} cannot be written: {error}",
                self.path.display()
            ));
        }
    }
}

/// A line that was cut short, when the run was killed, counts for nothing.
fn line(line: &str) -> Option<(String, Cost)> {
    let mut words = line.split('\t');
    let (id, requests, writes) = (words.next()?, words.next()?, words.next()?);
    let cost = Cost {
        requests: requests.parse().ok()?,
        writes: writes.parse().ok()?,
    };
    Some((id.to_owned(), cost))
}

/// A number of minutes.
pub(crate) fn minutes(text: &str) -> Result<Duration, std::num::ParseIntError> {
    Ok(Duration::from_secs(text.parse::<u64>()? * 60))
}
