//! Runs the campaigns in order, prints the table, and counts in the words of the standard test runner.
#![expect(
    clippy::print_stdout,
    reason = "this is the test runner: its output is the result"
)]

use std::{fmt::Write as _, io::Write as _, pin::Pin, process::ExitCode, sync::Arc, time::Instant};

use crate::{
    bench::Bench,
    campaigns::{
        Counts, Options, Tally, drift, faults, interrupted, reference, rivals, sensitivity, specs,
        transitions,
    },
    logs,
};

type Work = fn(Arc<Bench>, Arc<Tally>) -> Pin<Box<dyn Future<Output = ()>>>;

/// Every campaign: its name and what it does.
fn campaigns() -> Vec<(&'static str, Work)> {
    vec![
        // Before all else: it needs no reference, and by its end the garbage collector knows all kinds.
        ("transitions", |bench, tally| {
            Box::pin(transitions::run(bench, tally))
        }),
        // The others compare with it.
        ("reference", |bench, tally| {
            Box::pin(reference::run(bench, tally))
        }),
        ("crash", |bench, tally| {
            Box::pin(faults::crashes(bench, tally))
        }),
        ("pair", |bench, tally| Box::pin(faults::pairs(bench, tally))),
        ("answer", |bench, tally| {
            Box::pin(faults::answers(bench, tally))
        }),
        ("drift", |bench, tally| Box::pin(drift::run(bench, tally))),
        ("undo", |bench, tally| Box::pin(specs::undo(bench, tally))),
        ("mend", |bench, tally| Box::pin(specs::mend(bench, tally))),
        ("rivals", |bench, tally| Box::pin(rivals::run(bench, tally))),
        ("deletion", |bench, tally| {
            Box::pin(interrupted::deletion(bench, tally))
        }),
        ("sensitivity", |bench, tally| {
            Box::pin(sensitivity::run(bench, tally))
        }),
        ("stale", |bench, tally| {
            Box::pin(interrupted::stale(bench, tally))
        }),
    ]
}

pub(crate) async fn run(options: Options) -> ExitCode {
    if options.list {
        for (name, _) in campaigns() {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let begin = Instant::now();
    logs::start();
    let bench = match Bench::start(options.clone()).await {
        Ok(bench) => bench,
        Err(error) => {
            println!("the campaigns cannot run: {error:#}");
            println!("\ntest result: FAILED. 0 passed; 1 failed");
            return ExitCode::FAILURE;
        }
    };
    println!("seed {}, {} lanes", options.seed, options.lanes);
    let mut rows = Vec::new();
    for (name, work) in campaigns() {
        let replayed = options.replay.as_deref();
        let is_replayed = replayed.is_none_or(|id| id.starts_with(&format!("{name}/")));
        let is_named =
            options.campaigns.is_empty() || options.campaigns.iter().any(|word| word == name);
        if name != "reference" && !(is_replayed && is_named) {
            continue;
        }
        let tally = Arc::new(Tally::new(options.seed));
        let started = Instant::now();
        work(Arc::clone(&bench), Arc::clone(&tally)).await;
        let mut counts = tally.counts();
        if let Some(progress) = &bench.progress
            && name != "reference"
        {
            counts.held_before(progress.before(name));
        }
        let row = (name, counts, started.elapsed().as_secs_f64());
        println!("{}", line(&row));
        rows.push(row);
    }
    if let Err(error) = logs::hold_no_password(&bench) {
        println!("FAILED O5: {error:#}");
        rows.push(("logs", Counts::failed(format!("{error:#}")), 0.0));
    }
    table(&rows);
    if bench.is_over() {
        println!(
            "\nThe time is up, and not every case was tried: the same command goes on from here."
        );
    }
    figures(&bench);
    let cases: usize = rows.iter().map(|(_, counts, _)| counts.cases).sum();
    let failed: usize = rows
        .iter()
        .map(|(_, counts, _)| counts.failures.len())
        .sum();
    println!(
        "\ntest result: {}. {} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        if failed == 0 { "ok" } else { "FAILED" },
        cases.saturating_sub(failed),
        begin.elapsed().as_secs_f64(),
    );
    if failed == 0 && cases > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What one convergence costs, for the table that the level prints.
fn figures(bench: &Bench) {
    let Some(file) = std::env::var_os("TESTBED_FIGURES") else {
        return;
    };
    let mut lines = String::new();
    for (name, reference) in bench.references() {
        if let Some(name) = name.strip_suffix("/there") {
            let (writes, requests, runs) =
                (reference.writes.len(), reference.requests, reference.runs);
            writeln!(
                lines,
                "{name}\t{writes} writes, {requests} requests in {runs} runs"
            )
            .expect("a String takes everything");
        }
    }
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(file);
    if let Err(error) = file.and_then(|mut file| file.write_all(lines.as_bytes())) {
        println!("the figures could not be noted: {error}");
    }
}

type Row = (&'static str, Counts, f64);

fn table(rows: &[Row]) {
    println!(
        "\n{:<14} {:>7} {:>9} {:>9} {:>9} {:>8} {:>8}",
        "campaign", "cases", "requests", "writes", "failures", "seconds", "longest"
    );
    for row in rows {
        println!("{}", line(row));
    }
    let sum =
        |of: fn(&Counts) -> usize| rows.iter().map(|(_, counts, _)| of(counts)).sum::<usize>();
    println!(
        "{:<14} {:>7} {:>9} {:>9} {:>9} {:>8.1}",
        "total",
        sum(|counts| counts.cases),
        sum(|counts| counts.requests),
        sum(|counts| counts.writes),
        sum(|counts| counts.failures.len()),
        rows.iter().map(|(.., seconds)| seconds).sum::<f64>(),
    );
}

fn line((name, counts, seconds): &Row) -> String {
    format!(
        "{name:<14} {:>7} {:>9} {:>9} {:>9} {seconds:>8.1} {:>7.2}s",
        counts.cases,
        counts.requests,
        counts.writes,
        counts.failures.len(),
        counts.longest.as_secs_f64(),
    )
}

/// Tells of a failure at once: its case, what is wrong, and the line that repeats it.
pub(crate) fn report(seed: u64, failure: &str) {
    let (id, what) = failure.split_once('\n').unwrap_or((failure, ""));
    println!(
        "FAILED {id}\n    {}\n    again: make campaign-replay SEED={seed} CASE='{id}'",
        what.replace('\n', "\n    ")
    );
}

/// Tells something beside the cases.
pub(crate) fn say(what: &str) {
    println!("{what}");
}

/// Tells how far a campaign is.
pub(crate) fn progress(id: &str, cases: usize) {
    println!("... {cases} cases, the last one {id}");
}
