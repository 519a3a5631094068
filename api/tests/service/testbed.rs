//! What the testbed told us, and what both kinds of servers need.

use crate::api::{eventually, signal};
use std::{
    env,
    io::Write,
    net::TcpListener,
    process::{self, Child, Command, Output},
    sync::atomic::{AtomicU16, Ordering},
    thread,
};

/// A variable of the testbed; without it this level cannot run, and says how it can.
pub(crate) fn variable(name: &str) -> String {
    env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run this level with `make test-service`"))
}

/// A port nobody listens on, below the range that outgoing connections take theirs from. It is given out once, so that
/// a server may be stopped and started again on it.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(process::id() % 10_000).expect("a remainder of 10,000 fits");
    loop {
        let port = 20_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Runs a command to its end; its output when it fails is the message.
pub(crate) fn run(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(
        status.success(),
        "{command:?} ended with {status}\n{stdout}\n{stderr}"
    );
    stdout.trim().to_owned()
}

/// A server process of a test's own, with its children.
pub(crate) struct Server {
    child: Child,
}

impl Server {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self {
            child: command
                .spawn()
                .unwrap_or_else(|error| panic!("{command:?}: {error}")),
        }
    }

    /// Sends a signal to the server and to its children (Postgres has one for each connection).
    pub(crate) fn signal(&self, name: &str) {
        let own = self.child.id();
        // Listed first: children of a process that was killed belong to nobody, and stopped ones would stay for ever.
        let children = children(own);
        signal(own, name);
        for child in children {
            signal(child, name);
        }
    }

    /// Ends it as a power cut would, and waits until all of it is gone.
    pub(crate) async fn kill(&mut self) {
        let left = children(self.child.id());
        self.signal("KILL");
        _ = self.child.wait();
        eventually("the server's children are gone", async || {
            let alive: Vec<_> = left.iter().filter(|pid| exists(**pid)).collect();
            if alive.is_empty() {
                Ok(())
            } else {
                Err(format!("{alive:?}"))
            }
        })
        .await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("KILL");
        _ = self.child.wait();
    }
}

fn children(parent: u32) -> Vec<u32> {
    let table = run(Command::new("ps").args(["-A", "-o", "pid=,ppid="]));
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u32>().ok());
    table
        .lines()
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let (pid, of) = (number(columns.next())?, number(columns.next())?);
            (of == parent).then_some(pid)
        })
        .collect()
}

fn exists(pid: u32) -> bool {
    let state = Command::new("ps")
        .args(["-o", "stat=", "-p", &pid.to_string()])
        .output()
        .expect("ps runs");
    // A zombie holds nothing any more.
    let state = String::from_utf8_lossy(&state.stdout).into_owned();
    !state.trim().is_empty() && !state.starts_with('Z')
}

/// Something on a server's port that is not the server.
#[derive(Clone, Copy)]
pub(crate) enum Stranger {
    /// Takes connections and never says a word.
    Silent,
    /// Hangs up at once.
    Hangs,
    /// Answers, in no language that is expected.
    Babbles,
}

impl Stranger {
    /// Listens until the test's process ends; the port.
    pub(crate) fn listen(self) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let port = listener.local_addr().expect("it is bound").port();
        thread::spawn(move || {
            let mut kept = Vec::new();
            for mut stream in listener.incoming().map_while(Result::ok) {
                match self {
                    Self::Silent => kept.push(stream),
                    Self::Hangs => drop(stream),
                    Self::Babbles => {
                        // Its listener may be gone already, which is all the same.
                        _ = stream
                            .write_all(b"\x16\x03HTTP/1.1 400 What?\r\n$-99\r\n*1000000000\r\n");
                        kept.push(stream);
                    }
                }
            }
        });
        port
    }
}
