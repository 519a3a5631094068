//! The measuring itself: rounds in which all peers run and take short turns, so that whatever else the machine does meets
//! all of them.

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
use std::{net::SocketAddr, thread::sleep, time::Duration};

/// Between the first answer and the look at the memory: connections to Postgres and Redis are made meanwhile.
const REST: Duration = Duration::from_millis(1500);
/// The closed loop of a round comes in so many slices, and the peers take turns slice by slice: a machine's speed changes
/// within seconds.
const SLICES: u32 = 10;
/// A thread that ends while it is measured spoils a slice, which is then repeated.
const TRIES: usize = 3;
/// How long the open loop of a round lasts.
const OPEN_LOOP: Duration = Duration::from_secs(3);

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

/// A peer that runs, in one round.
struct Player {
    peer: Peer,
    server: Server,
    /// Bytes in memory before any load.
    at_rest: u64,
}

/// The closed loop of one peer so far.
#[derive(Default)]
struct Closed {
    cpu: Duration,
    elapsed: Duration,
    requests: u32,
}

impl Measured {
    /// Lets the peers take their turns, round by round; `tell` hears what comes next.
    pub(crate) fn rounds(
        count: usize,
        programs: &Programs,
        services: &Services,
        mut tell: impl FnMut(&str),
    ) -> Result<Self> {
        let mut measured = Self::default();
        for round in 1..=count {
            tell(&format!("round {round} of {count}"));
            measured
                .round(round, programs, services)
                .with_context(|| format!("round {round}"))?;
        }
        Ok(measured)
    }

    /// What one peer did under one kind of request, round by round.
    pub(crate) fn of(&self, peer: Peer, scenario: Scenario) -> impl Iterator<Item = &Sample> {
        let wanted = move |sample: &&Sample| sample.peer == peer && sample.scenario == scenario;
        self.samples.iter().filter(wanted)
    }

    fn round(&mut self, round: usize, programs: &Programs, services: &Services) -> Result<()> {
        let mut players = Vec::new();
        for peer in Peer::ALL {
            let server = programs.start(peer, services)?;
            sleep(REST);
            let (at_rest, _) = server.memory()?;
            players.push(Player {
                peer,
                server,
                at_rest,
            });
        }
        let mut redis = services.redis()?;
        for scenario in Scenario::ALL {
            let takes_part = |player: &&Player| scenario.is_for(player.peer);
            let players: Vec<&Player> = players.iter().filter(takes_part).collect();
            for (player, closed) in players.iter().zip(closed(&players, &mut redis, scenario)?) {
                self.samples
                    .push(sample(round, player, &mut redis, scenario, &closed)?);
            }
        }
        for player in players {
            let (_, peak) = player.server.memory()?;
            self.lives.push(Life {
                round,
                peer: player.peer,
                first_answer: player.server.first_answer.as_secs_f64() * 1e3,
                at_rest: megabytes(player.at_rest),
                peak: megabytes(peak),
            });
            player.server.stop()?;
        }
        Ok(())
    }
}

/// The closed loops of these peers, slice by slice in turn, and what each took.
fn closed(players: &[&Player], redis: &mut Redis, scenario: Scenario) -> Result<Vec<Closed>> {
    for player in players {
        let requests = scenario.warm_up(player.peer);
        Turn::prepare(player, redis, scenario)?.load(redis, requests, Pace::Closed)?;
    }
    let mut sums: Vec<Closed> = players.iter().map(|_| Closed::default()).collect();
    for _ in 0..SLICES {
        for (player, sum) in players.iter().zip(&mut sums) {
            let requests = scenario.requests(player.peer) / SLICES;
            let (cpu, outcome) = slice(player, redis, scenario, requests)
                .with_context(|| format!("{}, {}", player.peer.name(), scenario.name()))?;
            sum.cpu += cpu;
            sum.elapsed += outcome.elapsed;
            sum.requests += requests;
        }
    }
    Ok(sums)
}

/// One slice, with the CPU time it took.
fn slice(
    player: &Player,
    redis: &mut Redis,
    scenario: Scenario,
    requests: u32,
) -> Result<(Duration, Outcome)> {
    let mut failed = None;
    for _ in 0..TRIES {
        let mut turn = Turn::prepare(player, redis, scenario)?;
        let before = player.server.cpu()?;
        let outcome = turn.load(redis, requests, Pace::Closed)?;
        match player.server.cpu()?.since(&before) {
            Ok(cpu) => return Ok((cpu, outcome)),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.context("at least one try")?)
}

/// What a peer did in a round, with the open loop, which it has to itself.
fn sample(
    round: usize,
    player: &Player,
    redis: &mut Redis,
    scenario: Scenario,
    closed: &Closed,
) -> Result<Sample> {
    let count = u32::try_from(OPEN_LOOP.as_secs())? * scenario.rate();
    let pace = Pace::per_second(scenario.rate());
    let open = Turn::prepare(player, redis, scenario)?.load(redis, count, pace)?;
    let requests = f64::from(closed.requests);
    Ok(Sample {
        round,
        peer: player.peer,
        scenario,
        cpu: closed.cpu.as_secs_f64() * 1e6 / requests,
        per_second: requests / closed.elapsed.as_secs_f64(),
        latencies: open.latencies,
    })
}

/// A peer that is about to be asked.
struct Turn {
    peer: Peer,
    address: SocketAddr,
    scenario: Scenario,
    /// Open connections; a miss brings its own.
    load: Option<Load>,
}

impl Turn {
    /// Connects, and sees to it that what is to be cached is.
    fn prepare(player: &Player, redis: &mut Redis, scenario: Scenario) -> Result<Self> {
        let address = player.server.address();
        let load = match scenario {
            Scenario::Miss => None,
            _ => Some(Load::open(address, CONNECTIONS)?),
        };
        if scenario == Scenario::Cached && player.peer != Peer::Floor {
            // A fresh copy, written by this very peer, lives longer than the load that follows.
            redis.delete(misses::KEY)?;
            misses::run(address, redis, 1, Pace::Closed)?;
        }
        Ok(Self {
            peer: player.peer,
            address,
            scenario,
            load,
        })
    }

    fn load(&mut self, redis: &mut Redis, count: u32, pace: Pace) -> Result<Outcome> {
        match &mut self.load {
            None => misses::run(self.address, redis, count, pace),
            Some(load) => load.run(
                self.scenario.path(),
                self.scenario.expected(self.peer),
                count,
                pace,
            ),
        }
    }
}
