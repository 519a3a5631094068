//! Runs sentences one after the other, prints what became of each, and counts.
#![expect(
    clippy::print_stdout,
    reason = "this is the test runner: its output is the result"
)]

use crate::{figures, stack::Stack};
use anyhow::{Error, Result, anyhow};
use std::{
    env,
    process::ExitCode,
    time::{Duration, Instant},
};

/// A name that says what holds, and what shows it.
pub(crate) type Named<Check> = (&'static str, Check);

/// What shows it from the files alone.
pub(crate) type FileCheck = fn() -> Result<()>;

/// What shows it on a stack.
pub(crate) type StackCheck = fn(&Stack) -> Result<()>;

/// What to run, and how it went so far.
pub(crate) struct Runner {
    words: Vec<String>,
    list_only: bool,
    passed: usize,
    failed: Vec<&'static str>,
    skipped: usize,
    started: Instant,
}

impl Runner {
    /// Words choose sentences; `--list` only names them; other options of the standard test runner are let pass.
    pub(crate) fn from_arguments() -> Self {
        let arguments: Vec<String> = env::args().skip(1).collect();
        Self {
            list_only: arguments.iter().any(|argument| argument == "--list"),
            words: arguments
                .into_iter()
                .filter(|argument| !argument.starts_with('-'))
                .collect(),
            passed: 0,
            failed: Vec::new(),
            skipped: 0,
            started: Instant::now(),
        }
    }

    /// Runs sentences that need no engine.
    pub(crate) fn without_a_stack(&mut self, sentences: &[Named<FileCheck>]) {
        for (name, sentence) in self.chosen(sentences) {
            self.report(name, sentence);
        }
    }

    /// Runs sentences on a stack that is there for them alone, started by these words to Compose, and gone after them. If it
    /// does not start, each of them has failed, so that the count is the same on good days and bad.
    pub(crate) fn with(&mut self, name: &str, start: &[&str], sentences: &[Named<StackCheck>]) {
        self.with_stack(|| Stack::new(name), start, sentences);
    }

    /// The same, on a stack that is made in another way.
    pub(crate) fn with_stack(
        &mut self,
        make: impl FnOnce() -> Result<Stack>,
        start: &[&str],
        sentences: &[Named<StackCheck>],
    ) {
        let chosen = self.chosen(sentences);
        if chosen.is_empty() {
            return;
        }
        let failed_before = self.failed.len();
        let stack = match make() {
            Ok(stack) => stack,
            Err(error) => return self.fail_all(&chosen, &error),
        };
        let began = Instant::now();
        let started = if start.is_empty() {
            Ok(String::new())
        } else {
            stack.compose(start)
        };
        match started {
            Ok(_) => {
                if !start.is_empty() {
                    let table = figures::table(&stack).unwrap_or_else(|error| format!("{error:#}"));
                    let seconds = began.elapsed().as_secs_f64();
                    println!("from nothing to all healthy: {seconds:.1} s\n{table}");
                }
                for (name, sentence) in chosen {
                    self.report(name, || sentence(&stack));
                }
            }
            Err(error) => self.fail_all(&chosen, &error),
        }
        if self.failed.len() > failed_before {
            println!("{}", stack.diagnosis());
        }
    }

    /// Prints the count in the words of the standard test runner.
    pub(crate) fn finish(self) -> ExitCode {
        if self.list_only {
            return ExitCode::SUCCESS;
        }
        for name in &self.failed {
            println!("failed: {name}");
        }
        let all_passed = self.failed.is_empty();
        println!(
            "test result: {}. {} passed; {} failed; 0 ignored; 0 measured; {} filtered out; finished in {:.2}s",
            if all_passed { "ok" } else { "FAILED" },
            self.passed,
            self.failed.len(),
            self.skipped,
            self.started.elapsed().as_secs_f64(),
        );
        if all_passed {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn chosen<Check: Copy>(&mut self, sentences: &[Named<Check>]) -> Vec<Named<Check>> {
        if self.list_only {
            for (name, _) in sentences {
                println!("{name}: test");
            }
            return Vec::new();
        }
        let matches = |name: &str| {
            self.words.is_empty() || self.words.iter().any(|word| name.contains(word.as_str()))
        };
        let chosen: Vec<_> = sentences
            .iter()
            .copied()
            .filter(|(name, _)| matches(name))
            .collect();
        self.skipped += sentences.len() - chosen.len();
        chosen
    }

    fn fail_all(&mut self, chosen: &[Named<StackCheck>], error: &Error) {
        for (name, _) in chosen {
            self.report(name, || Err(anyhow!("the stack it needs did not start")));
        }
        println!("{error:#}");
    }

    fn report(&mut self, name: &'static str, sentence: impl FnOnce() -> Result<()>) {
        let start = Instant::now();
        let outcome = sentence();
        let seconds = Duration::as_secs_f64(&start.elapsed());
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("test {name} ... ok <{seconds:.1}s>");
            }
            Err(error) => {
                self.failed.push(name);
                println!("test {name} ... FAILED <{seconds:.1}s>\n    {error:#}");
            }
        }
    }
}
