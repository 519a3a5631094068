//! The load of misses: before each request the driver deletes the key, which costs the server nothing but what it makes of
//! it (a peer that is told of changed keys pays for being told).

use crate::{
    http::{self, Answers},
    load::{Outcome, Pace},
    peers::Peer,
    redis::Redis,
    scenario::Scenario,
};
use anyhow::{Context, Result, ensure};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread::sleep,
    time::{Duration, Instant},
};

/// The course's key.
pub(crate) const KEY: &str = "data_cache";
/// Between the deletion and the request: time for the news to reach a peer that is told. A request that is faster and
/// still sees the old answer would be a hit.
const NEWS: Duration = Duration::from_micros(100);
/// Hits among the misses, at most: one in so many, and a few in any case, since the news may be late on a busy machine.
/// They are not counted as requests, but what they cost is.
const HITS: u32 = 100;
const FEW: u32 = 3;

/// Sends requests one at a time until `count` were misses.
pub(crate) fn run(
    server: SocketAddr,
    redis: &mut Redis,
    count: u32,
    pace: Pace,
) -> Result<Outcome> {
    let mut stream = TcpStream::connect(server).context("failed to connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let request = http::get(Scenario::Miss.path());
    let (mut latencies, mut hits, mut index) = (Vec::new(), 0, 0);
    let mut elapsed = Duration::ZERO;
    let started = Instant::now();
    while latencies.len() < usize::try_from(count)? {
        redis.delete(KEY)?;
        sleep(NEWS);
        // Late by the answer before, it is due all the same.
        let due = pace.due(started, index).unwrap_or_else(Instant::now);
        sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        stream.write_all(&request)?;
        let missed = receive(&mut stream)?;
        elapsed += sent.elapsed();
        index += 1;
        if missed {
            latencies.push(due.elapsed());
        } else {
            hits += 1;
            ensure!(
                hits <= FEW + count / HITS,
                "too many hits among the misses: deleting the key takes no effect"
            );
        }
    }
    latencies.sort_unstable();
    Ok(Outcome { elapsed, latencies })
}

/// Waits for the answer; tells whether it was a miss.
fn receive(stream: &mut TcpStream) -> Result<bool> {
    let (mut answers, mut buffer) = (Answers::default(), [0; 4096]);
    loop {
        let size = stream.read(&mut buffer).context("failed to receive")?;
        ensure!(size > 0, "the server closed a connection");
        let bytes = buffer.get(..size).unwrap_or_default();
        let is_miss = |body: &str| body.contains(Scenario::Miss.expected(Peer::Ours));
        if let Some(missed) = answers.take(bytes, is_miss)? {
            return Ok(missed);
        }
    }
}
