//! The operator's process: started, asked, ended.

use std::{
    fs::{File, OpenOptions},
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{
    environment::{ENVIRONMENT, TPSTACK},
    identity::kubeconfig,
    leashed::Leashed,
};

/// How often the operator looks for optional APIs and granted namespaces in these tests.
pub(crate) const DISCOVERY_INTERVAL: Duration = Duration::from_secs(1);

/// How long the admin address may take to answer.
const ANSWER: Duration = Duration::from_secs(3);

/// A running operator.
pub(crate) struct Operator {
    program: Leashed,
    admin: SocketAddr,
}

impl Operator {
    /// Starts the binary with the shipped identity.
    pub(crate) fn start() -> Self {
        Self::start_with(&[], &kubeconfig())
    }

    /// The same, with more arguments and another kubeconfig.
    pub(crate) fn start_with(arguments: &[&str], kubeconfig: &Path) -> Self {
        let admin = free_address();
        let program = Leashed::start(TPSTACK, |command| {
            command
                .arg("operator")
                .args(arguments)
                .args(["--admin-address", &admin.to_string()])
                .args([
                    "--discovery-interval",
                    &format!("{}s", DISCOVERY_INTERVAL.as_secs()),
                ])
                .env("KUBECONFIG", kubeconfig)
                .env("RUST_LOG", "info,operator=debug,kube_client=error")
                .stdout(log_file())
                .stderr(log_file());
        });
        Self { program, admin }
    }

    /// Whether the process still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        self.program
            .process
            .try_wait()
            .expect("it is our child")
            .is_none()
    }

    /// Ends it as a node that loses power does.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// Asks it to stop, as the kubelet does, and waits.
    pub(crate) async fn terminate(self, patience: Duration) -> ExitStatus {
        self.signal("TERM");
        self.ended(patience).await
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.program.process.id().to_string()])
            .status()
            .expect("kill runs");
        assert!(sent.success(), "the operator had ended before SIG{name}");
    }

    /// Waits for its end.
    pub(crate) async fn ended(mut self, patience: Duration) -> ExitStatus {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.program.process.try_wait().expect("it is our child") {
                return status;
            }
            assert!(
                Instant::now() < deadline,
                "the operator did not end within {patience:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// GET on the admin address: the status and the body.
    pub(crate) async fn ask(&self, path: &str) -> Result<(u16, String), String> {
        ask(self.admin, path).await
    }
}

/// GET on an admin address: the status and the body.
pub(crate) async fn ask(admin: SocketAddr, path: &str) -> Result<(u16, String), String> {
    let answer = tokio::time::timeout(ANSWER, exchange(admin, path)).await;
    let answer = answer.map_err(|_| format!("no answer within {ANSWER:?}"))?;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
    let body = answer
        .split_once("\r\n\r\n")
        .map(|(_, body)| body.to_owned());
    status
        .zip(body)
        .ok_or_else(|| format!("not HTTP: {answer}"))
}

async fn exchange(admin: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(admin).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {admin}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// All that every operator of this run has logged.
pub(crate) fn log() -> String {
    std::fs::read_to_string(log_path()).unwrap_or_default()
}

fn log_path() -> PathBuf {
    ENVIRONMENT.folder.join("operator.log")
}

fn log_file() -> File {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log_path())
        .expect("the run folder can be written to")
}

/// An address that nobody listens on.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}
