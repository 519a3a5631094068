//! `tpstack`: the operator and the command line.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};
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
}

/// Longest wait for threads that block, such as one that looks up a name: an operator that has to end ends.
const LAST_THREADS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let result = tokio::runtime::Runtime::new()
        .context("failed to start threads")
        .and_then(|runtime| {
            let result = runtime.block_on(run(command));
            runtime.shutdown_timeout(LAST_THREADS);
            result
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line with each cause, and no backtrace: what went wrong is for people. Nobody left to tell is no matter.
            _ = writeln!(std::io::stderr(), "tpstack: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Operator(settings) => {
            telemetry::start();
            telemetry::log_panics();
            rustls::crypto::ring::default_provider()
                .install_default()
                .ok()
                .context("a TLS provider was installed before")?;
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
        Command::Crd => cli::print(&cli::crd()?),
        Command::Render(arguments) => cli::print(&cli::render::render(&arguments)?),
    }
}
