//! A command's end.

use crate::stack::REMEDY;
use anyhow::{Result, bail, ensure};
use std::process::Command;

/// What a command printed, and how it ended.
pub(crate) struct Outcome {
    /// Whether it exited 0.
    pub(crate) success: bool,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard output, then standard error.
    pub(crate) all: String,
}

impl Outcome {
    /// What it printed, if it succeeded.
    pub(crate) fn ok(self, command: &str) -> Result<String> {
        ensure!(self.success, "`{command}` failed:\n{}", self.all);
        Ok(self.stdout)
    }
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command) -> Result<Outcome> {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => bail!("cannot run docker: {error}; {REMEDY}"),
    };
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
    Ok(Outcome {
        success: output.status.success(),
        stdout,
        all,
    })
}
