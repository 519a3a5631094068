//! A running `api` binary, black box: its environment in, its socket and its log lines out.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Nothing here takes this long unless it is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A child process that serves; killed when dropped.
pub(crate) struct Api {
    child: Child,
    pub(crate) address: SocketAddr,
    log: Lines,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

/// What the API answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: String,
    pub(crate) took: Duration,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("the header is text"))
    }

    /// `source` of an answer of `/api/data`.
    pub(crate) fn source(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.json()["source"]
            .as_str()
            .expect("source is a string")
            .to_owned()
    }
}

/// Lines a process wrote so far, both streams together.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no reader panics").clone()
    }

    fn follow(&self, stream: impl Read + Send + 'static) {
        let lines = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                lines.0.lock().expect("no reader panics").push(line);
            }
        });
    }
}

/// The binary with these variables and no others, its output not yet connected.
pub(crate) fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
    command
        .env_clear()
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    command
}

impl Api {
    /// Starts the API on a free port of loopback and waits until it listens.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder for the embedded store");
        let data_file = folder.path().join("api.db");
        let data_file = data_file.to_str().expect("the folder's name is text");
        let mut child = command(&[
            ("PORT", "0"),
            ("BIND_ADDRESS", "127.0.0.1"),
            ("DATA_FILE", data_file),
        ])
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
        let log = Lines::default();
        log.follow(child.stdout.take().expect("stdout is piped"));
        log.follow(child.stderr.take().expect("stderr is piped"));
        let address = eventually("the API listens", async || {
            if let Some(status) = child.try_wait().expect("the child is ours") {
                return Err(format!("it ended with {status}: {:#?}", log.all()));
            }
            let listening = log.all().iter().find_map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).ok()?;
                (line["message"] == "listening").then(|| line["address"].as_str()?.parse().ok())?
            });
            listening.ok_or_else(|| format!("{:#?}", log.all()))
        })
        .await;
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .no_proxy()
            .build()
            .expect("the client is built from constants");
        Self {
            child,
            address,
            log,
            client,
            _folder: folder,
        }
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.all()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[]).await
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.send(method, path, headers, "").await
    }

    /// A request with a body; an empty one is none.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let method = method.parse().expect("a method");
        let mut request = self
            .client
            .request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.into();
        if !body.is_empty() {
            request = request.body(body);
        }
        let started = Instant::now();
        let response = request.send().await.unwrap_or_else(|error| {
            panic!("{path} got no answer: {error:?}\nlog: {:#?}", self.log());
        });
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.text().await.expect("the body is text");
        Answer {
            status,
            headers,
            body,
            took: started.elapsed(),
        }
    }

    /// The value of one series of `/metrics`, 0 when it is not there.
    pub(crate) async fn metric(&self, series: &str) -> f64 {
        let text = self.get("/metrics").await.body;
        let value = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map_or(0.0, |value| value.parse().expect("a sample is a number"))
    }

    /// Asks until the answer is as wanted.
    pub(crate) async fn until(
        &self,
        path: &str,
        what: &str,
        wanted: impl Fn(&Answer) -> bool,
    ) -> Answer {
        eventually(what, async || {
            let answer = self.get(path).await;
            if wanted(&answer) {
                Ok(answer)
            } else {
                Err(format!("{answer:?}\nlog: {:#?}", self.log()))
            }
        })
        .await
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(self.child.id(), name);
    }

    /// Waits for the end of the process.
    pub(crate) async fn end(&mut self) -> ExitStatus {
        eventually("the API ends", async || {
            self.child
                .try_wait()
                .expect("the child is ours")
                .ok_or_else(|| "still running".to_owned())
        })
        .await
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Tries until `attempt` succeeds; the last failure is told when patience ends.
pub(crate) async fn eventually<T>(
    what: &str,
    mut attempt: impl AsyncFnMut() -> Result<T, String>,
) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(last) => assert!(
                Instant::now() < deadline,
                "gave up waiting until {what}: {last}"
            ),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Sends a signal by number of process; the process may be gone already.
pub(crate) fn signal(pid: u32, name: &str) {
    _ = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .stderr(Stdio::null())
        .status();
}
