//! The load generator: one thread, epoll, keep-alive connections with one request at a time on each.
//!
//! *Closed loop*: every connection sends its next request when the last answer is there; this fills the server and tells
//! what a request costs it. *Open loop*: requests are due at fixed times, whatever the server does. A latency counts from
//! the moment the request was due, also when every connection was still busy then: a server that stalls cannot hide it by
//! slowing the generator down ("coordinated omission").

use crate::http::{self, Answers};
use anyhow::{Context, Result, ensure};
use rustix::{
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    time::Timespec,
};
use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    os::fd::OwnedFd,
    time::{Duration, Instant},
};

/// An answer in so many may be another than expected: on a busy machine a cached answer may be given up and made anew.
const OTHERS: u32 = 100;
/// Without any answer for this long the server is taken for dead.
const PATIENCE: Duration = Duration::from_secs(10);

/// When requests are sent.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As soon as a connection is free.
    Closed,
    /// One each interval.
    Every(Duration),
}

impl Pace {
    /// So many requests a second.
    pub(crate) fn per_second(rate: u32) -> Self {
        Self::Every(Duration::from_secs(1) / rate)
    }

    /// When request number `index` is due; `None` when it is as soon as possible.
    pub(crate) fn due(self, started: Instant, index: u32) -> Option<Instant> {
        match self {
            Self::Closed => None,
            Self::Every(interval) => Some(started + interval * index),
        }
    }
}

/// What a load found.
pub(crate) struct Outcome {
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// One for each request, in ascending order.
    pub(crate) latencies: Vec<Duration>,
}

/// Open connections to a server.
pub(crate) struct Load {
    epoll: OwnedFd,
    connections: Vec<Connection>,
}

struct Connection {
    stream: TcpStream,
    answers: Answers,
    /// When the request in hand was due.
    due: Option<Instant>,
}

impl Load {
    /// Opens the connections.
    pub(crate) fn open(server: SocketAddr, connections: usize) -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let open = |index: usize| -> Result<Connection> {
            let stream = TcpStream::connect(server).context("failed to connect")?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let index = u64::try_from(index)?;
            epoll::add(&epoll, &stream, EventData::new_u64(index), EventFlags::IN)?;
            Ok(Connection {
                stream,
                answers: Answers::default(),
                due: None,
            })
        };
        let connections = (0..connections).map(open).collect::<Result<_>>()?;
        Ok(Self { epoll, connections })
    }

    /// Sends `count` requests and waits for every answer; `expected` has to be in all but a few.
    pub(crate) fn run(
        &mut self,
        path: &str,
        expected: &str,
        count: u32,
        pace: Pace,
    ) -> Result<Outcome> {
        let request = http::get(path);
        let mut latencies = Vec::with_capacity(usize::try_from(count)?);
        // First in, first out: a slow rate uses every connection all the same.
        let mut free: VecDeque<usize> = (0..self.connections.len()).collect();
        let mut events = Vec::with_capacity(free.len());
        let mut buffer = vec![0; 64 * 1024];
        let (mut sent, mut others) = (0, 0);
        let started = Instant::now();
        while latencies.len() < usize::try_from(count)? {
            // Whatever is due and has a connection goes out.
            let mut next = None;
            while sent < count && !free.is_empty() {
                let now = Instant::now();
                let due = pace.due(started, sent).unwrap_or(now);
                if due > now {
                    next = Some(due - now);
                    break;
                }
                if let Some(connection) = free
                    .pop_front()
                    .and_then(|index| self.connections.get_mut(index))
                {
                    connection.send(&request, due)?;
                }
                sent += 1;
            }
            events.clear();
            let timeout = Timespec::try_from(next.unwrap_or(PATIENCE))?;
            match epoll::wait(
                &self.epoll,
                rustix::buffer::spare_capacity(&mut events),
                Some(&timeout),
            ) {
                Err(rustix::io::Errno::INTR) => continue,
                waited => waited?,
            };
            ensure!(
                next.is_some() || !events.is_empty(),
                "{path}: no answer within {PATIENCE:?}"
            );
            for event in &events {
                let index = usize::try_from(event.data.u64())?;
                let Some(connection) = self.connections.get_mut(index) else {
                    continue;
                };
                let received = connection.receive(&mut buffer, expected);
                if let Some((latency, fits)) = received.context(path.to_owned())? {
                    latencies.push(latency);
                    free.push_back(index);
                    others += u32::from(!fits);
                }
            }
        }
        let elapsed = started.elapsed();
        ensure!(
            others * OTHERS <= count,
            "{path}: {others} of {count} answers lack {expected:?}"
        );
        latencies.sort_unstable();
        Ok(Outcome { elapsed, latencies })
    }
}

impl Connection {
    fn send(&mut self, request: &[u8], due: Instant) -> Result<()> {
        // A hundred bytes always fit: the last request was answered.
        self.stream.write_all(request).context("failed to send")?;
        self.due = Some(due);
        Ok(())
    }

    /// Reads what is there; once the answer is whole, the latency and whether it is as expected.
    fn receive(&mut self, buffer: &mut [u8], expected: &str) -> Result<Option<(Duration, bool)>> {
        let size = match self.stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            read => read.context("failed to receive")?,
        };
        ensure!(size > 0, "the server closed a connection");
        let bytes = buffer.get(..size).unwrap_or_default();
        let fits = self.answers.take(bytes, |body| body.contains(expected))?;
        let Some(fits) = fits else { return Ok(None) };
        let due = self.due.take().context("an answer that nobody asked for")?;
        Ok(Some((due.elapsed(), fits)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    /// Answers each request after the pause it is given, on every connection.
    fn server(
        connections: usize,
        pause: impl Fn(u32) -> Duration + Send + Copy + 'static,
    ) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for _ in 0..connections {
                let (mut stream, _) = listener.accept().unwrap();
                thread::spawn(move || {
                    let mut buffer = [0; 1024];
                    for index in 0.. {
                        if stream.read(&mut buffer).unwrap_or(0) == 0 {
                            return;
                        }
                        thread::sleep(pause(index));
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
                            .unwrap();
                    }
                });
            }
        });
        address
    }

    #[test]
    fn a_stall_counts_for_every_request_that_was_due_meanwhile() {
        const STALL: Duration = Duration::from_millis(200);
        let address = server(1, |index| if index == 0 { STALL } else { Duration::ZERO });
        let mut load = Load::open(address, 1).unwrap();
        // Due at 0, 10, ... 190 ms: while the first is not answered, all wait, each 10 ms less than the one before.
        let outcome = load
            .run("/", "ok", 20, Pace::Every(Duration::from_millis(10)))
            .unwrap();
        assert_eq!(outcome.latencies.len(), 20);
        for (index, latency) in outcome.latencies.iter().rev().enumerate() {
            let least =
                STALL.saturating_sub(Duration::from_millis(10) * u32::try_from(index).unwrap());
            assert!(*latency >= least, "{index}: {latency:?} < {least:?}");
        }
    }

    #[test]
    fn requests_of_an_open_loop_are_due_at_even_times() {
        let started = Instant::now();
        let pace = Pace::per_second(2000);
        assert_eq!(pace.due(started, 0), Some(started));
        assert_eq!(
            pace.due(started, 2000),
            Some(started + Duration::from_secs(1))
        );
        assert_eq!(Pace::Closed.due(started, 7), None);
    }

    #[test]
    fn a_closed_loop_sends_as_many_as_asked() {
        let address = server(3, |_| Duration::ZERO);
        let mut load = Load::open(address, 3).unwrap();
        for count in [1, 2, 50] {
            let outcome = load.run("/", "ok", count, Pace::Closed).unwrap();
            assert_eq!(outcome.latencies.len(), usize::try_from(count).unwrap());
            assert!(outcome.latencies.is_sorted());
        }
        assert!(load.run("/", "another body", 1, Pace::Closed).is_err());
    }
}
