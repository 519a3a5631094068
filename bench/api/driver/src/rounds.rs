//! The measuring itself: rounds in which the peers take turns, so that whatever else the machine does meets all of them.

use crate::{
    load::{Load, Outcome, Pace},
    misses,
    peers::{Peer, Programs, Services},
    process::Server,
    redis::Redis,
    scenario::{CONNECTIONS, Scenario},
    statistics::{megabytes, percentile},
};
use anyhow::{Context, Result};
use std::{thread::sleep, time::Duration};

/// Between the first answer and the look at the memory: connections to Postgres and Redis are made meanwhile.
const REST: Duration = Duration::from_millis(1500);
/// A thread that ends while it is measured spoils a load, which is then repeated.
const TRIES: usize = 3;

/// One peer under one kind of request in one round.
pub(crate) struct Sample {
    /// From 1.
    pub(crate) round: usize,
    pub(crate) peer: Peer,
    pub(crate) scenario: Scenario,
    /// CPU time for each request, in microseconds.
    pub(crate) cpu: f64,
    /// Requests answered each second in the closed loop.
    pub(crate) per_second: f64,
    /// Latencies of the open loop, ascending.
    pub(crate) latencies: Vec<Duration>,
}

impl Sample {
    /// A percentile of its latencies, in microseconds.
    pub(crate) fn latency(&self, quantile: f64) -> f64 {
        percentile(&self.latencies, quantile).as_secs_f64() * 1e6
    }
}

/// One peer as a process in one round.
pub(crate) struct Life {
    pub(crate) round: usize,
    pub(crate) peer: Peer,
    /// From exec to the first 200, in milliseconds.
    pub(crate) first_answer: f64,
    /// Megabytes (of a million bytes) in memory before any load.
    pub(crate) at_rest: f64,
    /// And at most, until the end.
    pub(crate) peak: f64,
}

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Measured {
    pub(crate) samples: Vec<Sample>,
    pub(crate) lives: Vec<Life>,
}

impl Measured {
    /// Lets each peer take its turn in each round; `tell` hears what comes next.
    pub(crate) fn rounds(
        count: usize,
        programs: &Programs,
        services: &Services,
        mut tell: impl FnMut(&str),
    ) -> Result<Self> {
        let mut measured = Self::default();
        for round in 1..=count {
            for peer in Peer::ALL {
                tell(&format!("round {round} of {count}: {}", peer.name()));
                measured
                    .turn(round, peer, programs, services)
                    .with_context(|| format!("round {round}, {}", peer.name()))?;
            }
        }
        Ok(measured)
    }

    /// What one peer did under one kind of request, round by round.
    pub(crate) fn of(&self, peer: Peer, scenario: Scenario) -> impl Iterator<Item = &Sample> {
        let wanted = move |sample: &&Sample| sample.peer == peer && sample.scenario == scenario;
        self.samples.iter().filter(wanted)
    }

    fn turn(
        &mut self,
        round: usize,
        peer: Peer,
        programs: &Programs,
        services: &Services,
    ) -> Result<()> {
        let server = programs.start(peer, services)?;
        let mut redis = services.redis()?;
        sleep(REST);
        let (at_rest, _) = server.memory()?;
        for scenario in Scenario::ALL
            .into_iter()
            .filter(|scenario| scenario.is_for(peer))
        {
            let (cpu, closed) = repeated(&server, &mut redis, scenario)?;
            let open_loop = Pace::per_second(scenario.rate());
            let seconds = Duration::from_secs(3);
            let count = u32::try_from(seconds.as_secs())? * scenario.rate();
            let open = send(&server, &mut redis, scenario, count, open_loop)?;
            self.samples.push(Sample {
                round,
                peer,
                scenario,
                cpu: cpu.as_secs_f64() * 1e6 / f64::from(scenario.requests()),
                per_second: f64::from(scenario.requests()) / closed.elapsed.as_secs_f64(),
                latencies: open.latencies,
            });
        }
        let (_, peak) = server.memory()?;
        self.lives.push(Life {
            round,
            peer,
            first_answer: server.first_answer.as_secs_f64() * 1e3,
            at_rest: megabytes(at_rest),
            peak: megabytes(peak),
        });
        server.stop()
    }
}

/// The closed loop with the CPU time it took.
fn repeated(server: &Server, redis: &mut Redis, scenario: Scenario) -> Result<(Duration, Outcome)> {
    let mut failed = None;
    for _ in 0..TRIES {
        match closed(server, redis, scenario)? {
            (Ok(cpu), outcome) => return Ok((cpu, outcome)),
            (Err(error), _) => failed = Some(error),
        }
    }
    Err(failed.context("at least one try")?)
}

fn closed(
    server: &Server,
    redis: &mut Redis,
    scenario: Scenario,
) -> Result<(Result<Duration>, Outcome)> {
    send(server, redis, scenario, scenario.warm_up(), Pace::Closed)?;
    let before = server.cpu()?;
    let outcome = send(server, redis, scenario, scenario.requests(), Pace::Closed)?;
    Ok((server.cpu()?.since(&before), outcome))
}

fn send(
    server: &Server,
    redis: &mut Redis,
    scenario: Scenario,
    count: u32,
    pace: Pace,
) -> Result<Outcome> {
    if scenario == Scenario::Miss {
        return misses::run(server.address(), redis, count, pace);
    }
    let mut load = Load::open(server.address(), CONNECTIONS)?;
    if scenario == Scenario::Cached {
        // A fresh copy, written by this very peer, lives longer than the load that follows.
        redis.delete(misses::KEY)?;
        misses::run(server.address(), redis, 1, Pace::Closed)?;
    }
    load.run(scenario.path(), scenario.expected(), count, pace)
}
