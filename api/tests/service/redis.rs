//! A Redis server of a test's own, to fill, break and mend.

use crate::{
    api::eventually,
    testbed::{Server, free_port, run, variable},
    tls::{Authority, Identity},
};
use std::process::{Command, Stdio};

pub(crate) const PASSWORD: &str = "redis-Secret-1";

pub(crate) struct Redis {
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    server: Option<Server>,
    identity: Option<Identity>,
}

impl Redis {
    /// A server that may be started later.
    pub(crate) fn absent() -> Self {
        Self {
            port: free_port(),
            folder: tempfile::tempdir().unwrap(),
            server: None,
            identity: None,
        }
    }

    pub(crate) async fn start() -> Self {
        let mut redis = Self::absent();
        redis.bring_up().await;
        redis
    }

    /// A server that speaks TLS only.
    pub(crate) async fn start_with_tls(authority: &Authority) -> Self {
        let mut redis = Self::absent();
        redis.identity = Some(authority.identify(redis.folder.path()));
        redis.bring_up().await;
        redis
    }

    pub(crate) async fn bring_up(&mut self) {
        let mut command = Command::new(variable("TESTBED_REDIS_SERVER"));
        command
            .args(["--bind", "127.0.0.1"])
            .args([
                "--requirepass",
                PASSWORD,
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .current_dir(self.folder.path())
            .stdout(Stdio::null());
        let port = self.port.to_string();
        match &self.identity {
            None => _ = command.args(["--port", &port]),
            Some(identity) => {
                command.args([
                    "--port",
                    "0",
                    "--tls-port",
                    &port,
                    "--tls-auth-clients",
                    "no",
                ]);
                command.arg("--tls-cert-file").arg(&identity.certificate);
                command.arg("--tls-key-file").arg(&identity.key);
                command.arg("--tls-ca-cert-file").arg(&identity.authority);
            }
        }
        self.server = Some(Server::spawn(&mut command));
        eventually("Redis answers", async || {
            let output = self.client().arg("PING").output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            if said.trim() == "PONG" {
                Ok(())
            } else {
                Err(said)
            }
        })
        .await;
    }

    pub(crate) async fn kill(&mut self) {
        self.server.take().expect("it runs").kill().await;
    }

    pub(crate) fn signal(&self, name: &str) {
        self.server.as_ref().expect("it runs").signal(name);
    }

    /// What a command answers.
    pub(crate) fn command(&self, words: &[&str]) -> String {
        run(self.client().args(words))
    }

    fn client(&self) -> Command {
        let mut command = Command::new(variable("TESTBED_REDIS_CLI"));
        command
            .args([
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
                "--no-auth-warning",
            ])
            .env("REDISCLI_AUTH", PASSWORD);
        if let Some(identity) = &self.identity {
            command
                .arg("--tls")
                .arg("--cacert")
                .arg(&identity.authority);
        }
        command
    }
}
