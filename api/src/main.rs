//! `api serve` runs the API, `api migrate` prepares its database, `api config` shows the settings of both,
//! `api healthcheck` asks a running one how it is.

use anyhow::{Context, Result};
use api::{
    app::App,
    config::{Config, in_force, listen_address, variables_help},
    healthcheck,
    router::router,
    server, store, telemetry,
};
use clap::{Parser, Subcommand, ValueEnum};
use std::{io::Write, num::NonZero, process::ExitCode, thread::available_parallelism};
use tokio::runtime::{Builder, Runtime};

/// Instead of musl's, which takes one lock for every call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    /// Bring the database's tables up to date, then end. Replicas may serve meanwhile.
    Migrate,
    /// Print every setting in force, secrets hidden; wrong ones end it as they end `serve`.
    Config {
        /// The form of the list.
        #[arg(long, short, value_enum, default_value_t = Output::Text)]
        output: Output,
    },
    /// Ask GET /health of the API on this machine; the exit code is the answer.
    Healthcheck,
}

#[derive(Clone, Copy, ValueEnum)]
enum Output {
    /// One line a setting: variable, source, value.
    Text,
    /// An array of objects.
    Json,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(),
        Command::Migrate => migrate(),
        Command::Config { output } => show(output),
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

fn serve() -> Result<()> {
    let config = Config::from_environment()?;
    telemetry::start(&config.log);
    runtime()?.block_on(async {
        let listener = server::listen(config.listen)?;
        let app = App::start(&config).await?;
        server::serve(listener, router(&app, config.server), config.server).await;
        app.stop().await;
        Ok(())
    })
}

/// A worker for each core that this process may use. On a single core everything runs on one thread: there is nobody to
/// share work with, and the scheduler that could would cost each request about a tenth more.
fn runtime() -> Result<Runtime> {
    let mut builder = if available_parallelism().is_ok_and(|cores| cores == NonZero::<usize>::MIN) {
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    builder
        .enable_all()
        .build()
        .context("failed to start the runtime")
}

#[tokio::main(flavor = "current_thread")]
async fn migrate() -> Result<()> {
    let config = Config::from_environment()?;
    telemetry::start(&config.log);
    store::migrate(&config.store).await?;
    Ok(())
}

fn show(output: Output) -> Result<()> {
    let settings = in_force()?;
    let mut text = match output {
        Output::Json => serde_json::to_string_pretty(&settings)?,
        Output::Text => settings
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
    };
    text.push('\n');
    std::io::stdout()
        .write_all(text.as_bytes())
        .context("failed to print")
}

fn check() -> Result<()> {
    let address = listen_address()?;
    healthcheck::run(address).with_context(|| format!("no healthy API on port {}", address.port()))
}
