//! A server as a process: started, timed, asked by the kernel's accounts what it used, stopped.

use crate::http::{self, Answers};
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long a server may take to answer for the first time, or to stop.
const PATIENCE: Duration = Duration::from_secs(20);
/// Between two tries to reach a server that is starting.
const TRY_AGAIN: Duration = Duration::from_micros(200);

/// A running server; killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    /// From exec to the first 200 of `/health`.
    pub(crate) first_answer: Duration,
}

impl Server {
    /// Starts the command, which is to listen on `address`, and waits for its first good answer.
    pub(crate) fn start(command: &mut Command, address: SocketAddr) -> Result<Self> {
        let started = Instant::now();
        let child = command
            .spawn()
            .with_context(|| format!("failed to start {}", command.get_program().display()))?;
        let mut server = Self {
            child,
            address,
            first_answer: Duration::ZERO,
        };
        while !is_healthy(address) {
            if let Some(status) = server.child.try_wait()? {
                bail!(
                    "{} ended at once: {status}",
                    command.get_program().display()
                );
            }
            ensure!(
                started.elapsed() < PATIENCE,
                "no answer on {address} within {PATIENCE:?}"
            );
            sleep(TRY_AGAIN);
        }
        server.first_answer = started.elapsed();
        Ok(server)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// CPU time used so far by all its threads and by its children.
    pub(crate) fn cpu(&self) -> Result<Cpu> {
        Cpu::of(self.child.id())
    }

    /// Bytes in memory now, and at most since its start: `VmRSS` and `VmHWM`.
    pub(crate) fn memory(&self) -> Result<(u64, u64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        Ok((kilobytes(&status, "VmRSS:")?, kilobytes(&status, "VmHWM:")?))
    }

    /// Asks it to stop and waits.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a process number")?, Signal::TERM)?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            ensure!(
                asked.elapsed() < PATIENCE,
                "it did not stop within {PATIENCE:?}"
            );
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn is_healthy(address: SocketAddr) -> bool {
    let ask = || -> Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(&http::get("/health"))?;
        let (mut answers, mut buffer) = (Answers::default(), [0; 4096]);
        loop {
            let size = stream.read(&mut buffer)?;
            ensure!(size > 0, "closed");
            if answers
                .take(buffer.get(..size).unwrap_or_default(), |_| ())?
                .is_some()
            {
                return Ok(true);
            }
        }
    };
    ask().unwrap_or(false)
}

/// The value of a line of `/proc/PID/status`, in bytes.
fn kilobytes(status: &str, name: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(value
        .with_context(|| format!("no {name} in /proc"))?
        .parse::<u64>()?
        * 1024)
}

/// A reading of the kernel's accounts.
pub(crate) struct Cpu {
    /// Nanoseconds on a CPU by thread, from `schedstat`: exact, but a thread that ended is no longer there.
    threads: Vec<(String, u64)>,
}

impl Cpu {
    fn of(process: u32) -> Result<Self> {
        let mut threads = Vec::new();
        add_threads(process, &mut threads)?;
        Ok(Self { threads })
    }

    /// What was used since an earlier reading. A thread that ended in between took its account along: an error, because
    /// leaving it out would flatter.
    pub(crate) fn since(&self, earlier: &Self) -> Result<Duration> {
        let now = |id: &String| self.threads.iter().find(|(other, _)| other == id);
        if let Some((id, _)) = earlier.threads.iter().find(|(id, _)| now(id).is_none()) {
            bail!("thread {id} ended while it was measured");
        }
        let sum = |cpu: &Self| cpu.threads.iter().map(|(_, nanos)| nanos).sum::<u64>();
        Ok(Duration::from_nanos(sum(self) - sum(earlier)))
    }
}

fn add_threads(process: u32, threads: &mut Vec<(String, u64)>) -> Result<()> {
    let folder = format!("/proc/{process}/task");
    for entry in fs::read_dir(&folder).with_context(|| format!("failed to read {folder}"))? {
        let task = entry?.path();
        let Ok(schedstat) = fs::read_to_string(task.join("schedstat")) else {
            continue; // it ended between the listing and now
        };
        let nanos = schedstat
            .split_whitespace()
            .next()
            .context("an empty schedstat")?
            .parse()?;
        threads.push((task.display().to_string(), nanos));
        for child in children(&task)? {
            add_threads(child, threads)?;
        }
    }
    Ok(())
}

/// The children that a thread started. Kernels without this file tell none; no peer here has any.
fn children(task: &Path) -> Result<Vec<u32>> {
    let list = fs::read_to_string(task.join("children")).unwrap_or_default();
    list.split_whitespace()
        .map(|child| Ok(child.parse()?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(threads: &[(&str, u64)]) -> Cpu {
        let threads = threads.iter().map(|&(id, nanos)| (id.to_owned(), nanos));
        Cpu {
            threads: threads.collect(),
        }
    }

    #[test]
    fn time_used_is_the_sum_over_threads_new_ones_included() {
        let (before, after) = (
            cpu(&[("1", 100), ("2", 50)]),
            cpu(&[("1", 130), ("2", 50), ("3", 7)]),
        );
        assert_eq!(after.since(&before).unwrap(), Duration::from_nanos(37));
    }

    #[test]
    fn a_thread_that_ended_is_not_left_out_in_silence() {
        assert!(
            cpu(&[("1", 130)])
                .since(&cpu(&[("1", 100), ("2", 50)]))
                .is_err()
        );
    }

    #[test]
    fn this_process_has_accounts() {
        let most = || {
            let cpu = Cpu::of(std::process::id()).unwrap();
            cpu.threads
                .into_iter()
                .map(|(_, nanos)| nanos)
                .max()
                .unwrap()
        };
        let (before, started) = (most(), Instant::now());
        while most() <= before {
            assert!(
                started.elapsed() < PATIENCE,
                "time passes and no account grows"
            );
        }
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tapi\nVmHWM:\t   2048 kB\nVmRSS:\t   1024 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:").unwrap(), 1024 * 1024);
        assert!(kilobytes(status, "VmSwap:").is_err());
    }
}
