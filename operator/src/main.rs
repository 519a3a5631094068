//! `tpstack`: the operator and the command line.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use operator::cli::Answer;
use operator::settings::Settings;
use operator::{cli, controller, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// One stack of a web API, Postgres, Redis, Traefik routes and monitoring, from one Kubernetes object.
#[derive(Parser)]
#[command(name = "tpstack", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator: keep every TpStack of the cluster as its spec says
    Operator(Settings),
    /// Print the CustomResourceDefinition of TpStack
    Crd,
    /// Print the children that the operator would make from a file
    Render(cli::render::Arguments),
    /// Show how stacks are, and what to do next
    Status(cli::status::Arguments),
    /// Show what the operator would change
    Diff(cli::diff::Arguments),
    /// Find what the cluster lacks for its stacks, each with the next command to run
    Doctor(cli::doctor::Arguments),
    /// Show what makes each child, and its counterpart in the Compose stack
    Explain(cli::explain::Arguments),
}

/// Longest wait for threads that block, such as one that looks up a name: an operator that has to end ends.
const LAST_THREADS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let command = arguments().command;
    let failure = command.failure();
    let result = tokio::runtime::Runtime::new()
        .context("failed to start threads")
        .and_then(|runtime| {
            let result = runtime.block_on(run(command));
            runtime.shutdown_timeout(LAST_THREADS);
            result
        });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            // One line with each cause, and no backtrace: what went wrong is for people. Nobody left to tell is no matter.
            _ = writeln!(std::io::stderr(), "tpstack: {error:#}");
            ExitCode::from(failure)
        }
    }
}

/// The arguments, by the name that was typed: kubectl starts `kubectl-tpstack` for `kubectl tpstack`.
fn arguments() -> Arguments {
    let program = std::env::args_os().next().unwrap_or_default();
    let mut command = Arguments::command();
    if Path::new(&program).file_name() == Some(OsStr::new("kubectl-tpstack")) {
        command = command.bin_name("kubectl tpstack");
    }
    Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

impl Command {
    /// The exit code of an error. Where 1 is an answer, as in diff(1), an error is 2.
    fn failure(&self) -> u8 {
        match self {
            Self::Operator(_) | Self::Crd | Self::Render(_) => 1,
            Self::Status(_) | Self::Diff(_) | Self::Doctor(_) | Self::Explain(_) => 2,
        }
    }
}

async fn run(command: Command) -> anyhow::Result<u8> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("a TLS provider was installed before")?;
    let answer = match command {
        Command::Operator(settings) => {
            operator(settings).await?;
            return Ok(0);
        }
        Command::Crd => Answer::of(cli::crd()?),
        Command::Render(arguments) => Answer::of(cli::render::render(&arguments)?),
        Command::Status(arguments) => cli::status::status(&arguments).await?,
        Command::Diff(arguments) => cli::diff::diff(&arguments).await?,
        Command::Doctor(arguments) => cli::doctor::doctor(&arguments).await?,
        Command::Explain(arguments) => cli::explain::explain(&arguments).await?,
    };
    cli::print(&answer.text)?;
    for note in &answer.notes {
        _ = writeln!(std::io::stderr(), "tpstack: {note}");
    }
    Ok(answer.code)
}

async fn operator(settings: Settings) -> anyhow::Result<()> {
    telemetry::start();
    telemetry::log_panics();
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let on_signal = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        on_signal.cancel();
    });
    controller::run(settings, stop).await
}
