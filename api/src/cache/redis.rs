//! Redis behind a client that connects by itself, again and again, and that nobody waits for: while there is no
//! connection a command fails at once. The client never leaves this module.

use super::{Backend, BackendError};
use crate::{
    config::{Password, RedisConfig, RedisTls},
    health::{Condition, Dependency},
};
use async_trait::async_trait;
use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    interfaces::{ClientLike, EventInterface, KeysInterface},
    types::{
        Expiration, RespVersion, Value,
        config::{
            Config, ConnectionConfig, CredentialProvider, Options, ReconnectPolicy, Server,
            ServerConfig, TlsConnector, UnresponsiveConfig,
        },
    },
};
use futures::future::{BoxFuture, FutureExt};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::error::RecvError,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// How long connecting, and then greeting, may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(1);
/// A connection silent for this long is hung up, so that requests stop waiting for it.
const SILENCE: Duration = Duration::from_millis(500);
/// Between two attempts: from the first to the second figure, in milliseconds.
const BACKOFF: (u32, u32) = (50, 1000);
/// Commands waiting for the connection at most.
const QUEUE: usize = 4096;
/// How long stopping waits for a last word.
const CLOSE_DEADLINE: Duration = Duration::from_millis(500);

/// Why the client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The authorities' file holds no certificate.
    #[error("failed to read REDIS_CA_FILE {}", .0.display())]
    Authorities(std::path::PathBuf, #[source] rustls::pki_types::pem::Error),
    /// A certificate in it is not usable.
    #[error("failed to use a certificate of REDIS_CA_FILE {}", .0.display())]
    Certificate(std::path::PathBuf, #[source] rustls::Error),
    /// The system has no authorities to offer.
    #[error("failed to load the system's authorities (set REDIS_CA_FILE)")]
    System(#[source] Error),
}

pub(super) struct Redis {
    client: Client,
    options: Options,
    dependency: Arc<Dependency>,
    tasks: [JoinHandle<()>; 2],
}

impl Redis {
    /// Makes the client and lets it connect in the background.
    pub(super) fn start(config: &RedisConfig, dependency: Dependency) -> Result<Self, SetupError> {
        let connection = ConnectionConfig {
            connection_timeout: CONNECT_DEADLINE,
            internal_command_timeout: CONNECT_DEADLINE,
            max_command_attempts: 1,
            max_command_buffer_len: QUEUE,
            unresponsive: UnresponsiveConfig {
                max_timeout: Some(SILENCE),
                interval: SILENCE / 5,
            },
            // A password changed on the server ends in a new connection, with the password as it is then.
            reconnect_on_auth_error: true,
            ..ConnectionConfig::default()
        };
        let client = Client::new(
            Config {
                fail_fast: false,
                server: ServerConfig::new_centralized(&config.host, config.port),
                version: RespVersion::RESP3,
                tls: config
                    .tls
                    .as_ref()
                    .map(connector)
                    .transpose()?
                    .map(Into::into),
                credential_provider: Some(Arc::new(Credentials {
                    user: config.user.clone(),
                    password: config.password.clone(),
                })),
                ..Config::default()
            },
            None,
            Some(connection),
            // Attempts without end.
            Some(ReconnectPolicy::new_exponential(0, BACKOFF.0, BACKOFF.1, 2)),
        );
        let dependency = Arc::new(dependency);
        let tasks = [
            tokio::spawn(watch(client.clone(), Arc::clone(&dependency))),
            tokio::spawn(stay_connected(client.clone(), Arc::clone(&dependency))),
        ];
        Ok(Self {
            client,
            options: Options {
                timeout: Some(config.deadline),
                max_attempts: Some(1),
                fail_fast: true,
                ..Options::default()
            },
            dependency,
            tasks,
        })
    }
}

impl Backend for Redis {
    fn engine(&self) -> &'static str {
        "redis"
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<String>, BackendError>> {
        async move {
            let value: Value = self
                .client
                .with_options(&self.options)
                .get(key)
                .await
                .map_err(|error| refusal(&error))?;
            text(value)
        }
        .boxed()
    }

    fn set<'a>(
        &'a self,
        key: &'a str,
        value: &'a str,
        lifetime: Duration,
    ) -> BoxFuture<'a, Result<(), BackendError>> {
        let expiration = Expiration::PX(i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX));
        async move {
            self.client
                .with_options(&self.options)
                .set::<(), _, _>(key, value, Some(expiration), None, false)
                .await
                .map_err(|error| refusal(&error))
        }
        .boxed()
    }

    fn condition(&self) -> Condition {
        self.dependency.condition()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            for task in &self.tasks {
                task.abort();
            }
            _ = timeout(CLOSE_DEADLINE, self.client.quit()).await;
        }
        .boxed()
    }
}

/// An empty value is no value to the course's app either.
fn text(value: Value) -> Result<Option<String>, BackendError> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text.to_string())),
        Value::Bytes(bytes) => String::from_utf8(bytes.to_vec())
            .map(Some)
            .map_err(|_| BackendError::Unusable),
        _ => Err(BackendError::Unusable),
    }
}

/// Sorts the client's errors. A wrong type is the fault of what is stored, not of the server.
fn refusal(error: &Error) -> BackendError {
    match error.kind() {
        ErrorKind::InvalidArgument | ErrorKind::Parse => BackendError::Unusable,
        ErrorKind::Timeout => BackendError::Unavailable("timeout"),
        ErrorKind::Auth => BackendError::Unavailable("authentication"),
        ErrorKind::IO | ErrorKind::Canceled => BackendError::Unavailable("connection"),
        ErrorKind::Tls => BackendError::Unavailable("tls"),
        ErrorKind::Backpressure => BackendError::Unavailable("busy"),
        _ => BackendError::Unavailable("reply"),
    }
}

/// Runs the client's connection task, which retries by itself; should it end all the same, starts it anew.
async fn stay_connected(client: Client, dependency: Arc<Dependency>) {
    loop {
        match client.connect().await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => dependency.down(&error.to_string()),
            Err(error) => dependency.down(&error.to_string()),
        }
        sleep(Duration::from_millis(BACKOFF.1.into())).await;
    }
}

/// Turns the client's events into the dependency's condition.
async fn watch(client: Client, dependency: Arc<Dependency>) {
    let (mut errors, mut connections) = (client.error_rx(), client.reconnect_rx());
    loop {
        tokio::select! {
            biased;
            error = errors.recv() => match error {
                Ok((error, _)) => dependency.down(&error.to_string()),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            server = connections.recv() => match server {
                Ok(_) => dependency.up(),
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
        }
    }
}

/// Asked for each new connection.
#[derive(Debug)]
struct Credentials {
    user: Option<String>,
    password: Password,
}

#[async_trait]
impl CredentialProvider for Credentials {
    async fn fetch(&self, _: Option<&Server>) -> Result<(Option<String>, Option<String>), Error> {
        let password = self.password.read().map_err(|error| {
            Error::new(
                ErrorKind::Auth,
                format!("failed to read the password: {error}"),
            )
        })?;
        Ok((
            self.user.clone(),
            password.map(|password| password.expose().to_owned()),
        ))
    }
}

fn connector(tls: &RedisTls) -> Result<TlsConnector, SetupError> {
    let Some(path) = &tls.ca_file else {
        return TlsConnector::default_rustls().map_err(SetupError::System);
    };
    let mut authorities = RootCertStore::empty();
    let unreadable = |error| SetupError::Authorities(path.clone(), error);
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        authorities
            .add(certificate.map_err(unreadable)?)
            .map_err(|error| SetupError::Certificate(path.clone(), error))?;
    }
    if authorities.is_empty() {
        return Err(unreadable(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(authorities)
        .with_no_client_auth()
        .into())
}
