//! Runs programs: their output in full, a deadline for each, and an error that says what was run and what it said.

use anyhow::{Context, Result, bail};
use std::{
    io::{Read, Write},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(20);

/// What a program left behind.
pub(crate) struct Output {
    status: ExitStatus,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

impl Output {
    /// Whether it ended with status 0.
    pub(crate) fn succeeded(&self) -> bool {
        self.status.success()
    }
}

/// Runs a program that has to succeed and gives its standard output. The input never shows in an error: secrets travel by
/// it rather than by arguments.
pub(crate) fn succeed(command: &mut Command, input: &str, seconds: u64) -> Result<String> {
    let output = run(command, input, seconds)?;
    if !output.succeeded() {
        bail!(
            "{} ended with {}:\n{}{}",
            shown(command),
            output.status,
            output.stdout,
            output.stderr
        );
    }
    Ok(output.stdout)
}

/// Runs a program to its end, or ends it after `seconds`.
pub(crate) fn run(command: &mut Command, input: &str, seconds: u64) -> Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} could not be started: is it on PATH?", shown(command)))?;
    let mut stdin = child.stdin.take().context("no pipe to the program")?;
    let stdout = collect(child.stdout.take().context("no pipe from the program")?);
    let stderr = collect(child.stderr.take().context("no pipe from the program")?);
    let input = input.to_owned();
    // A thread of its own, since the program may fill its output before it has read all input. What it does not read
    // is its own affair, so a broken pipe is no error.
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()).ok());
    let status = wait(&mut child, seconds).with_context(|| shown(command))?;
    writer.join().ok();
    let text = |reader: thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
    };
    Ok(Output {
        status,
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

fn collect(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is what there is to show.
        pipe.read_to_end(&mut bytes).ok();
        bytes
    })
}

fn wait(child: &mut Child, seconds: u64) -> Result<ExitStatus> {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("did not end within {seconds} s");
        }
        thread::sleep(POLL);
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| word.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
