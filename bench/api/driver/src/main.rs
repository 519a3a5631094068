//! `bench-api` measures the API beside an Express peer and a floor; `bench/api/run` prepares what it needs. The method is
//! told in `bench/README.md`.

mod http;
mod load;
mod misses;
mod peers;
mod plot;
mod process;
mod redis;
mod rounds;
mod scenario;
mod statistics;
mod table;
mod verdicts;

use anyhow::{Context, Result};
use clap::Parser;
use peers::{Programs, Services};
use rounds::Measured;
use std::{fs, io::Write, num::NonZeroU64, path::PathBuf, process::ExitCode};

/// Measures the API beside an Express peer and a floor.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    programs: Programs,
    /// How often each peer takes its turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A line on what is measured and where, for the page; any number of them.
    #[arg(long)]
    about: Vec<String>,
    /// The folder for the page, the figures and the picture.
    #[arg(long)]
    results: PathBuf,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let services = Services::from_environment()?;
    // Waiting for the next due request ends when it is due, not up to 50 us later.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let mut progress = std::io::stderr();
    let measured = Measured::rounds(arguments.rounds, &arguments.programs, &services, |turn| {
        // Nobody may be listening; the measuring goes on.
        _ = writeln!(progress, "bench-api: {turn}");
    })?;
    let verdicts = verdicts::verdicts(&measured);
    let mut about = arguments.about;
    about.push(format!("Placement: {}", arguments.programs.placement()));
    about.push(format!(
        "The API's program: {:.1} MB",
        arguments.programs.size()?
    ));
    let page = table::page(&measured, &verdicts, &about);
    for (name, content) in [
        ("README.md", &page),
        ("figures.csv", &table::figures(&measured)),
        ("plot.svg", &plot::picture(&measured)),
    ] {
        let path = arguments.results.join(name);
        fs::write(&path, content).with_context(|| format!("failed to write {}", path.display()))?;
    }
    writeln!(std::io::stdout(), "{page}")?;
    let kept = verdicts.iter().all(|verdict| verdict.kept);
    Ok(if kept {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
