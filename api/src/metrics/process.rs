//! What the kernel says of this process, under the names every Prometheus client library gives it. Read from `/proc` at
//! most once a second, however often somebody scrapes; where there is no `/proc`, these metrics are left out.

use super::exposition::{Exposition, Kind};
use std::{
    fs,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How old a reading may be.
const FRESH: Duration = Duration::from_secs(1);
/// Nanoseconds in a tick of `/proc/self/stat`: 100 a second on every Linux, whatever its own clock does.
const TICK: u64 = 10_000_000;

/// The last reading.
pub(super) struct Process(Mutex<Option<(Instant, Reading)>>);

#[derive(Clone, Copy)]
struct Reading {
    cpu_nanoseconds: u64,
    threads: u64,
    virtual_bytes: u64,
    resident_bytes: u64,
    /// Nanoseconds since 1970.
    started: u64,
    open_files: u64,
    /// Absent when there is no limit.
    most_files: Option<u64>,
}

impl Process {
    pub(super) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    pub(super) fn write(&self, to: &mut Exposition) {
        let Some(reading) = self.reading() else {
            return;
        };
        to.family(
            "process_cpu_seconds",
            Kind::Counter,
            "seconds",
            "Total user and system CPU time spent in seconds.",
        );
        to.seconds("process_cpu_seconds_total", &[], reading.cpu_nanoseconds);
        if let Some(most) = reading.most_files {
            gauge(
                to,
                "process_max_fds",
                "Maximum number of open file descriptors.",
                most,
            );
        }
        for (name, help, value) in [
            (
                "process_open_fds",
                "Number of open file descriptors.",
                reading.open_files,
            ),
            (
                "process_threads",
                "Number of OS threads in the process.",
                reading.threads,
            ),
        ] {
            gauge(to, name, help, value);
        }
        for (name, help, value) in [
            (
                "process_resident_memory_bytes",
                "Resident memory size in bytes.",
                reading.resident_bytes,
            ),
            (
                "process_virtual_memory_bytes",
                "Virtual memory size in bytes.",
                reading.virtual_bytes,
            ),
        ] {
            to.family(name, Kind::Gauge, "bytes", help);
            to.sample(name, &[], value);
        }
        let name = "process_start_time_seconds";
        let help = "Start time of the process since unix epoch in seconds.";
        to.family(name, Kind::Gauge, "seconds", help);
        to.seconds(name, &[], reading.started);
    }

    fn reading(&self) -> Option<Reading> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match *last {
            Some((read, reading)) if read.elapsed() < FRESH => Some(reading),
            _ => {
                let reading = read()?;
                *last = Some((Instant::now(), reading));
                Some(reading)
            }
        }
    }
}

fn gauge(to: &mut Exposition, name: &str, help: &str, value: u64) {
    to.family(name, Kind::Gauge, "", help);
    to.sample(name, &[], value);
}

fn read() -> Option<Reading> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program, in parentheses, may hold anything: what follows its end is numbers.
    let (_, after_name) = stat.rsplit_once(')')?;
    // Numbered as in proc(5), where the field after the name is the third.
    let field = |number: usize| -> Option<u64> {
        after_name
            .split_ascii_whitespace()
            .nth(number - 3)?
            .parse()
            .ok()
    };
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    Some(Reading {
        cpu_nanoseconds: (field(14)? + field(15)?) * TICK,
        threads: field(20)?,
        virtual_bytes: field(23)?,
        resident_bytes: line(&status, "VmRSS:")?.parse::<u64>().ok()? * 1024,
        started: boot_time()? * 1_000_000_000 + field(22)? * TICK,
        open_files: fs::read_dir("/proc/self/fd").ok()?.count() as u64,
        most_files: line(&limits, "Max open files")?.parse().ok(),
    })
}

/// When the machine started, in seconds since 1970.
fn boot_time() -> Option<u64> {
    line(&fs::read_to_string("/proc/stat").ok()?, "btime")?
        .parse()
        .ok()
}

/// The first word after `start` on the line that starts so.
fn line<'a>(text: &'a str, start: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(start))?
        .split_ascii_whitespace()
        .next()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn the_reading_is_of_this_process() {
        let reading = read().unwrap();
        assert!(reading.resident_bytes > 1 << 20 && reading.virtual_bytes > reading.resident_bytes);
        assert!(reading.open_files >= 3 && reading.most_files.is_none_or(|most| most > 3));
        assert!(reading.threads >= 1);
        let now = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap();
        let age = now.abs_diff(Duration::from_nanos(reading.started));
        assert!(age < Duration::from_hours(1), "{age:?}");
    }
}
