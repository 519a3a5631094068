//! What the operator logs while the campaigns run, and the search for passwords in it (O5).

use std::{fs::File, sync::Mutex};

use anyhow::{Context, Result, ensure};
use tracing_subscriber::EnvFilter;

use crate::{bench::Bench, harness::environment::ENVIRONMENT};

const FILE: &str = "campaign.log";

/// Writes all that is logged to a file.
pub(crate) fn start() {
    let file =
        File::create(ENVIRONMENT.folder.join(FILE)).expect("the run folder can be written to");
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("info,operator=debug"))
        .with_ansi(false)
        .with_writer(Mutex::new(file))
        .init();
}

/// No password that was drawn is in the log.
pub(crate) fn hold_no_password(bench: &Bench) -> Result<()> {
    let path = ENVIRONMENT.folder.join(FILE);
    let log = std::fs::read_to_string(&path).context("the log can be read")?;
    let passwords = bench.passwords();
    ensure!(!passwords.is_empty(), "no password was drawn at all");
    let words = log.split(|c: char| !c.is_ascii_hexdigit());
    let leak = words
        .filter(|word| word.len() == 64)
        .any(|word| passwords.contains(word));
    ensure!(!leak, "a password stands in the operator's log");
    Ok(())
}
