//! `api serve` runs the API, `api healthcheck` asks a running one how it is.

use anyhow::{Context, Result};
use api::{
    app::App,
    config::{Config, listen_address, variables_help},
    healthcheck,
    router::router,
    server, telemetry,
};
use clap::{Parser, Subcommand};
use std::{io::Write, process::ExitCode};

/// The reference API of a stack. Every setting is an environment variable.
#[derive(Parser)]
#[command(version, after_help = variables_help())]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Serve the API until SIGTERM or SIGINT (what happens without a subcommand).
    Serve,
    /// Ask GET /health of the API on this machine; the exit code is the answer.
    Healthcheck,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(),
        Command::Healthcheck => check(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Said before there is a log, or without one. If even this cannot be said, the exit code still tells.
            _ = writeln!(std::io::stderr(), "api: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn serve() -> Result<()> {
    let config = Config::from_environment()?;
    telemetry::start(&config.log);
    let listener = server::listen(config.listen)?;
    let app = App::start(&config).await?;
    server::serve(listener, router(app.clone()), &app.health, config.server).await;
    app.stop().await;
    Ok(())
}

fn check() -> Result<()> {
    let address = listen_address()?;
    healthcheck::run(address).with_context(|| format!("no healthy API on port {}", address.port()))
}
