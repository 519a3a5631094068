//! Runs the steps in order, prints what became of each with its time, and counts in the words of the standard test runner.
#![expect(
    clippy::print_stdout,
    reason = "this is the test runner: its output is the result"
)]

use anyhow::{Result, anyhow};
use std::{env, process::ExitCode, time::Instant};

use crate::cluster::Cluster;

/// One sentence and what shows it.
pub(crate) struct Step {
    name: &'static str,
    run: fn(&Cluster) -> Result<()>,
    essential: bool,
}

/// A step that those after it need: when it fails, they have failed too.
pub(crate) const fn essential(name: &'static str, run: fn(&Cluster) -> Result<()>) -> Step {
    Step {
        name,
        run,
        essential: true,
    }
}

/// A step that may fail by itself.
pub(crate) const fn independent(name: &'static str, run: fn(&Cluster) -> Result<()>) -> Step {
    Step {
        name,
        run,
        essential: false,
    }
}

/// Runs all steps; after a failure prints the state of the cluster. A word on the command line that no step's name
/// holds leaves all of them out; choosing some is not possible, since each needs what came before.
pub(crate) fn run(
    steps: &[Step],
    start: fn() -> Result<Cluster>,
    diagnose: fn(&Cluster),
) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for step in steps {
            println!("{}: test", step.name);
        }
        return ExitCode::SUCCESS;
    }
    let mut words = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .peekable();
    let meant = words.peek().is_none()
        || words.any(|word| steps.iter().any(|step| step.name.contains(word.as_str())));
    let steps = if meant { steps } else { &[] };

    println!("\nrunning {} tests", steps.len());
    let begin = Instant::now();
    let mut failed = Vec::new();
    if !steps.is_empty() {
        match start() {
            Ok(cluster) => {
                failed = run_on(&cluster, steps);
                if !failed.is_empty() {
                    diagnose(&cluster);
                }
            }
            Err(error) => {
                println!("the cluster level cannot run: {error:#}");
                failed = steps.iter().map(|step| step.name).collect();
            }
        }
    }
    for name in &failed {
        println!("failed: {name}");
    }
    println!(
        "\ntest result: {}. {} passed; {} failed; 0 ignored; 0 measured; 0 filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        steps.len() - failed.len(),
        failed.len(),
        begin.elapsed().as_secs_f64(),
    );
    if failed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn run_on(cluster: &Cluster, steps: &[Step]) -> Vec<&'static str> {
    let mut failed = Vec::new();
    let mut obstacle = None;
    for step in steps {
        let begin = Instant::now();
        let outcome = match obstacle {
            Some(name) => Err(anyhow!("not run: it needs {name}")),
            None => (step.run)(cluster),
        };
        let seconds = begin.elapsed().as_secs_f64();
        match outcome {
            Ok(()) => println!("test {} ... ok <{seconds:.1}s>", step.name),
            Err(error) => {
                println!(
                    "test {} ... FAILED <{seconds:.1}s>\n    {error:#}",
                    step.name
                );
                failed.push(step.name);
                if step.essential && obstacle.is_none() {
                    obstacle = Some(step.name);
                }
            }
        }
    }
    failed
}
