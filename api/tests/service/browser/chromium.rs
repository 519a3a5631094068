//! A headless Chromium and its `DevTools` protocol. They speak through a pipe, one JSON message after the other: no port that
//! others could reach, no WebSocket library, and a browser that ends when the test does.

use crate::{api::PATIENCE, testbed::variable};
use serde_json::{Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::MetadataExt,
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::Instant,
};

/// The browser.
pub(crate) struct Chromium {
    child: Child,
    commands: ChildStdin,
    messages: Receiver<Value>,
    asked: u64,
    /// What the browser told unasked, since somebody last looked.
    events: Vec<Value>,
    _profile: tempfile::TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder for the profile");
        // It reads its commands from descriptor 3 and writes to descriptor 4.
        let mut command = Command::new("sh");
        command
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#])
            .arg(variable("TESTBED_CHROMIUM"))
            .args(["--headless", "--remote-debugging-pipe", "--no-first-run"])
            .args([
                "--disable-background-networking",
                "--disable-component-update",
            ])
            .args([
                "--disable-sync",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
            ])
            // A page that asks for another host is to fail here, not to depend on the network.
            .arg("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1")
            .arg(format!("--user-data-dir={}", profile.path().display()));
        if is_root(profile.path()) {
            // Its sandbox refuses to be root's. What it loads here is ours alone.
            command.arg("--no-sandbox");
        }
        let mut child = command
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let commands = child.stdin.take().expect("it is piped");
        let answers = BufReader::new(child.stdout.take().expect("it is piped"));
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            for message in answers.split(0).map_while(Result::ok) {
                let message = serde_json::from_slice(&message).expect("messages are JSON");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            commands,
            messages,
            asked: 0,
            events: Vec::new(),
            _profile: profile,
        }
    }

    /// Asks and waits for the answer. `session` is the tab that is meant, if one is.
    pub(crate) fn ask(&mut self, session: Option<&str>, method: &str, parameters: &Value) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.commands
            .write_all(&bytes)
            .expect("the browser reads its commands");
        let id = self.asked;
        let mut answer = self.next(method, |message| message["id"] == id);
        assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
        answer["result"].take()
    }

    /// Waits for an event of a tab, which may have come already.
    pub(crate) fn event(&mut self, session: &str, what: &str, wanted: impl Fn(&Value) -> bool) {
        let wanted = |message: &Value| message["sessionId"] == session && wanted(message);
        if !self.events.iter().any(wanted) {
            let event = self.next(what, wanted);
            self.events.push(event);
        }
    }

    /// All that a tab told since the last time.
    pub(crate) fn take_events(&mut self, session: &str) -> Vec<Value> {
        let (taken, kept) = std::mem::take(&mut self.events)
            .into_iter()
            .partition(|event| event["sessionId"] == session);
        self.events = kept;
        taken
    }

    /// The next message that is wanted; those before it are kept.
    fn next(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = self.messages.recv_timeout(left).unwrap_or_else(|error| {
                let state = self.child.try_wait();
                panic!(
                    "{what}: {error}, the browser is {state:?}, last told {:?}",
                    self.events.last()
                )
            });
            if wanted(&message) {
                return message;
            }
            self.events.push(message);
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Its other processes end with it.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn is_root(own: &Path) -> bool {
    // A folder that was just made is its maker's.
    fs::metadata(own).is_ok_and(|folder| folder.uid() == 0)
}
