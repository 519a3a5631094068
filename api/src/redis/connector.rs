//! Opens connections: TCP, TLS if asked for, and the greeting with the password as it is now.

use crate::{
    config::{Password, RedisConfig, RedisTls},
    store::chain,
};
use ::redis::{
    AsyncConnectionConfig, ProtocolVersion, RedisConnectionInfo,
    aio::{AsyncPushSender, MultiplexedConnection},
};
use futures::future::{BoxFuture, FutureExt};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem::PemObject},
};
use std::{io, path::PathBuf, sync::Arc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

/// What `CLIENT LIST` shows of us.
const CLIENT_NAME: (&str, &str) = ("tpstack-api", env!("CARGO_PKG_VERSION"));
/// Commands waiting to be written at most; more wait within their deadline.
const QUEUE: usize = 1024;

/// Why the client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The authorities' file holds no certificate.
    #[error("failed to read REDIS_CA_FILE {}", .0.display())]
    Authorities(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// A certificate in it is not usable.
    #[error("failed to use a certificate of REDIS_CA_FILE {}", .0.display())]
    Certificate(PathBuf, #[source] rustls::Error),
    /// The system has no authorities to offer.
    #[error("failed to load the system's authorities (set REDIS_CA_FILE): {0}")]
    System(String),
    /// No certificate can be made for such a name.
    #[error("failed to use REDIS_HOST as the name of a certificate")]
    Host(#[source] InvalidDnsNameError),
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectError {
    #[error("failed to read the password: {0}")]
    Password(#[source] io::Error),
    #[error("{0}")]
    Socket(#[source] io::Error),
    #[error("{0}")]
    Greeting(#[source] ::redis::RedisError),
}

pub(super) struct Connector {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    user: Option<String>,
    password: Password,
}

/// A connection, and what reads and writes it: to be run by the caller.
pub(super) type Connection = (MultiplexedConnection, BoxFuture<'static, ()>);

impl Connector {
    pub(super) fn new(config: &RedisConfig) -> Result<Self, SetupError> {
        let tls = config.tls.as_ref().map(|tls| {
            let name = ServerName::try_from(config.host.clone()).map_err(SetupError::Host)?;
            let settings = ClientConfig::builder()
                .with_root_certificates(authorities(tls)?)
                .with_no_client_auth();
            Ok((TlsConnector::from(Arc::new(settings)), name))
        });
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            tls: tls.transpose()?,
            user: config.user.clone(),
            password: config.password.clone(),
        })
    }

    /// A greeted connection; `listener` is called for what the server says unasked.
    pub(super) async fn connect(
        &self,
        listener: impl AsyncPushSender,
    ) -> Result<Connection, ConnectError> {
        let greeting = self.greeting()?;
        let socket = TcpStream::connect((self.host.as_str(), self.port))
            .await
            .map_err(ConnectError::Socket)?;
        socket.set_nodelay(true).map_err(ConnectError::Socket)?;
        let Some((tls, name)) = &self.tls else {
            return greet(&greeting, socket, listener).await;
        };
        let socket = tls.connect(name.clone(), socket).await;
        greet(&greeting, socket.map_err(ConnectError::Socket)?, listener).await
    }

    fn greeting(&self) -> Result<RedisConnectionInfo, ConnectError> {
        let mut greeting = RedisConnectionInfo::default()
            .set_protocol(ProtocolVersion::RESP3)
            .set_lib_name(CLIENT_NAME.0, CLIENT_NAME.1);
        if let Some(user) = &self.user {
            greeting = greeting.set_username(user);
        }
        if let Some(password) = self.password.read().map_err(ConnectError::Password)? {
            greeting = greeting.set_password(password.expose());
        }
        Ok(greeting)
    }
}

/// The library retries nothing and knows no deadline here: both are ours.
async fn greet(
    greeting: &RedisConnectionInfo,
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    listener: impl AsyncPushSender,
) -> Result<Connection, ConnectError> {
    let config = AsyncConnectionConfig::new()
        .set_push_sender(listener)
        .set_response_timeout(None)
        .set_connection_timeout(None)
        .set_pipeline_buffer_size(QUEUE);
    let (connection, driver) = MultiplexedConnection::new_with_config(greeting, socket, config)
        .await
        .map_err(ConnectError::Greeting)?;
    Ok((connection, driver.boxed()))
}

fn authorities(tls: &RedisTls) -> Result<RootCertStore, SetupError> {
    let mut authorities = RootCertStore::empty();
    let Some(path) = &tls.ca_file else {
        let found = rustls_native_certs::load_native_certs();
        authorities.add_parsable_certificates(found.certs);
        if authorities.is_empty() {
            let causes: Vec<_> = found.errors.iter().map(|error| chain(error)).collect();
            return Err(SetupError::System(causes.join(", ")));
        }
        return Ok(authorities);
    };
    let unreadable = |error| SetupError::Authorities(path.clone(), error);
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        authorities
            .add(certificate.map_err(unreadable)?)
            .map_err(|error| SetupError::Certificate(path.clone(), error))?;
    }
    if authorities.is_empty() {
        return Err(unreadable(rustls::pki_types::pem::Error::NoItemsFound));
    }
    Ok(authorities)
}
