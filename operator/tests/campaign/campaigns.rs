//! The campaigns: what each of them tries, in the order in which they run.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Parser;
use futures::StreamExt;

use crate::{bench::Bench, progress::Cost};

pub(crate) mod drift;
pub(crate) mod faults;
pub(crate) mod interrupted;
pub(crate) mod reference;
pub(crate) mod rivals;
pub(crate) mod sensitivity;
pub(crate) mod specs;
pub(crate) mod transitions;

/// Command line.
#[derive(Clone, Debug, Parser)]
pub(crate) struct Options {
    /// Campaigns to run; all of them unless said
    pub(crate) campaigns: Vec<String>,
    /// Chooses samples and interleavings
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Runs that case alone, as a failure prints it
    #[arg(long)]
    pub(crate) replay: Option<String>,
    /// Every pair of crashes, every write with every fault
    #[arg(long)]
    pub(crate) large: bool,
    /// Begins no more cases after so many minutes
    #[arg(long, value_parser = crate::progress::minutes)]
    pub(crate) minutes: Option<Duration>,
    /// Leaves out the cases that held according to this file, and notes those that hold now
    #[arg(long)]
    pub(crate) progress: Option<PathBuf>,
    /// Lanes that are worked on at once
    #[arg(long, default_value_t = 8)]
    pub(crate) lanes: usize,
    /// Prints the campaigns and ends
    #[arg(long)]
    pub(crate) list: bool,
}

/// What a campaign counts.
#[derive(Debug)]
pub(crate) struct Tally {
    seed: u64,
    counts: Mutex<Counts>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) cases: usize,
    pub(crate) writes: usize,
    pub(crate) requests: usize,
    pub(crate) failures: Vec<String>,
    /// Cases that were run, by their identifiers.
    pub(crate) visited: BTreeSet<String>,
    /// Slowest case.
    pub(crate) longest: Duration,
}

impl Counts {
    /// Adds what an earlier run has shown.
    pub(crate) fn held_before(&mut self, (cases, cost): (usize, Cost)) {
        self.cases += cases;
        self.requests += cost.requests;
        self.writes += cost.writes;
    }

    /// A failure without a case.
    pub(crate) fn failed(what: String) -> Self {
        Self {
            failures: vec![what],
            ..Self::default()
        }
    }
}

impl Tally {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            counts: Mutex::default(),
        }
    }

    /// Notes a case.
    pub(crate) fn case(&self, id: &str, cost: Cost, took: Duration, result: &anyhow::Result<()>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.cases += 1;
        counts.writes += cost.writes;
        counts.requests += cost.requests;
        counts.longest = counts.longest.max(took);
        counts.visited.insert(id.to_owned());
        if counts.cases.is_multiple_of(250) {
            crate::runner::progress(id, counts.cases);
        }
        if let Err(error) = result {
            let failure = format!("{id}\n{error:#}");
            crate::runner::report(self.seed, &failure);
            counts.failures.push(failure);
        }
    }

    /// Notes what is wrong beside the cases.
    pub(crate) fn fails(&self, what: String) {
        crate::runner::report(self.seed, &what);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.failures.push(what);
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

/// Works on all units, as many at once as there are lanes.
pub(crate) async fn spread<U, F>(bench: &Arc<Bench>, units: Vec<U>, work: impl Fn(U) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    futures::stream::iter(units)
        .take_while(|_| std::future::ready(!bench.is_over()))
        .map(|unit| tokio::spawn(work(unit)))
        .buffer_unordered(bench.options.lanes)
        .for_each(|end| async move {
            if let Err(error) = end {
                std::panic::resume_unwind(error.into_panic());
            }
        })
        .await;
}

/// Whether a case is asked for, and has not been shown to hold already.
pub(crate) fn is_asked_for(bench: &Bench, id: &str) -> bool {
    let progress = bench.progress.as_ref();
    bench.options.replay.as_deref().map_or_else(
        || !progress.is_some_and(|progress| progress.has(id)),
        |only| only == id,
    )
}

/// Runs one case and notes it; says whether its lane can be used again.
pub(crate) async fn case<'a>(
    tally: &Tally,
    lane: &'a mut crate::lane::Lane,
    id: &str,
    work: impl AsyncFnOnce(&mut crate::lane::Lane) -> anyhow::Result<()>,
) -> bool {
    let begin = Instant::now();
    let before = lane.wire.spent();
    let result = work(lane).await;
    let cost = lane.wire.spent() - before;
    note(&lane.bench, tally, id, cost, begin.elapsed(), &result);
    result.is_ok()
}

/// Notes how a case ended.
pub(crate) fn note(
    bench: &Bench,
    tally: &Tally,
    id: &str,
    cost: Cost,
    took: Duration,
    result: &anyhow::Result<()>,
) {
    tally.case(id, cost, took, result);
    if result.is_ok()
        && let Some(progress) = &bench.progress
    {
        progress.note(id, cost);
    }
}
