//! Every setting of the API. Settings come from environment variables only, so that one contract serves Compose, the
//! operator and a shell, and so that no secret is ever on a command line. Nothing else reads the environment.
//!
//! Reading is a function of the variables: what starts the API can be checked by a test without starting it.

mod in_force;
mod reader;
mod secret;
mod variables;

pub use self::{
    in_force::{Setting, Source, in_force},
    reader::{ConfigError, Variables},
    secret::{Password, Secret},
    variables::variables_help,
};

use self::{in_force::Readings, reader::Reader, variables::VARIABLES};
use std::{
    env::VarError,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

/// The whole configuration of `api serve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the data lives.
    pub store: StoreConfig,
    /// Where copies live.
    pub cache: CacheConfig,
    /// How long sessions live, and what their cookie is marked with.
    pub sessions: SessionsConfig,
    /// How to stop, and how long clients may dawdle.
    pub server: ServerConfig,
    /// What to log, and how.
    pub log: LogConfig,
}

/// The engine behind the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreConfig {
    /// `DB_HOST` is set.
    Postgres(PostgresConfig),
    /// A `SQLite` file of our own: nothing else is needed to run.
    Embedded {
        /// The database file, made with its folder when absent.
        path: PathBuf,
    },
}

/// How to reach Postgres, and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostgresConfig {
    /// Host name, address, or the folder of a Unix socket.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database name.
    pub database: String,
    /// Role.
    pub user: String,
    /// The role's password.
    pub password: Password,
    /// How much TLS to ask for.
    pub ssl_mode: SslMode,
    /// Authorities to trust beside the public ones (the driver always trusts those).
    pub ca_file: Option<PathBuf>,
    /// Connections at most.
    pub pool_size: u32,
    /// How long a request waits for a connection.
    pub acquire_deadline: Duration,
    /// How long opening a connection may take, no request waiting for it.
    pub connect_deadline: Duration,
    /// How long a statement may take, told to the server too.
    pub statement_deadline: Duration,
    /// How long `api migrate` waits for the database and for whoever else migrates.
    pub migrate_deadline: Duration,
}

/// libpq's `sslmode` values, without `allow`: trying plain text first and TLS second protects nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Plain text.
    Disable,
    /// TLS if the server offers it, its certificate unchecked.
    Prefer,
    /// TLS, its certificate unchecked.
    Require,
    /// TLS with a certificate signed by a trusted authority, for whatever name: a public one signs for anybody.
    VerifyCa,
    /// The same, and made for the host's name.
    VerifyFull,
}

/// The engine behind the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheConfig {
    /// `REDIS_HOST` is set.
    Redis(RedisConfig),
    /// In this process.
    Memory,
}

/// How to reach Redis, and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisConfig {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// ACL user, `default` when absent.
    pub user: Option<String>,
    /// The user's password.
    pub password: Password,
    /// How to encrypt, if at all.
    pub tls: Option<RedisTls>,
    /// How long a command may take before it counts as a miss.
    pub deadline: Duration,
}

/// TLS towards Redis; the server's certificate is always verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisTls {
    /// Authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
}

/// Sessions and their cookie. Where they are kept follows the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionsConfig {
    /// How long a session outlives its last use.
    pub ttl: Duration,
    /// Whether the cookie is for TLS only.
    pub secure: CookieSecurity,
}

/// When the session cookie is marked `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookieSecurity {
    /// When the proxy in front says that the client came over TLS (`X-Forwarded-Proto: https`).
    Auto,
    /// On every answer.
    Always,
    /// On none: for a proxy that forgets to say how clients came.
    Never,
}

/// How the server behaves towards clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// How long a client may take to send a request's head, and as long for the body; three times that to read answers.
    pub header_deadline: Duration,
    /// Bytes of a request's body at most.
    pub largest_body: usize,
    /// Connections open at once, at most; more are answered 503 and closed.
    pub connections: usize,
    /// How long to keep accepting after SIGTERM, unready, so that load balancers look away first.
    pub drain_delay: Duration,
    /// How long a stop may take in all.
    pub drain_deadline: Duration,
}

/// What is logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// The form of a line.
    pub format: LogFormat,
    /// A level, or `tracing` directives.
    pub filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// Readable lines.
    Text,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_environment() -> Result<Self, ConfigError> {
        Self::parse(&environment()?)
    }

    /// Reads settings from given variables. Variables that are not settings are ignored.
    pub fn parse(variables: &Variables) -> Result<Self, ConfigError> {
        Self::read(variables).map(|(config, _)| config)
    }

    /// The settings, and what was taken for each variable that was asked for.
    fn read(variables: &Variables) -> Result<(Self, Readings), ConfigError> {
        let mut reader = Reader::new(variables);
        let config = Self {
            listen: listen(&mut reader),
            store: store(&mut reader),
            cache: cache(&mut reader),
            sessions: sessions(&mut reader),
            server: server(&mut reader),
            log: log(&mut reader),
        };
        reader.finish(config)
    }
}

/// Where this machine's API listens: all that a health check needs to know.
pub fn listen_address() -> Result<SocketAddr, ConfigError> {
    let variables = environment()?;
    let mut reader = Reader::new(&variables);
    let address = listen(&mut reader);
    reader.finish(address).map(|(address, _)| address)
}

/// The process's environment, as far as it is about us.
fn environment() -> Result<Variables, ConfigError> {
    let mut variables = Variables::new();
    let mut unreadable = Vec::new();
    for (name, ..) in VARIABLES {
        match std::env::var(name) {
            Ok(value) => _ = variables.insert((*name).to_owned(), value),
            Err(VarError::NotPresent) => {}
            Err(VarError::NotUnicode(_)) => unreadable.push(format!("{name}: expected UTF-8 text")),
        }
    }
    if unreadable.is_empty() {
        Ok(variables)
    } else {
        Err(ConfigError(unreadable))
    }
}

fn listen(reader: &mut Reader<'_>) -> SocketAddr {
    // All addresses by default, as the course's app: in a container, loopback would be reachable by nobody.
    let address = reader.parsed(
        "BIND_ADDRESS",
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        "an IP address such as 127.0.0.1 or ::",
        |value| value.parse().ok(),
    );
    SocketAddr::new(address, reader.number("PORT", 5000, 0..=u16::MAX))
}

fn store(reader: &mut Reader<'_>) -> StoreConfig {
    let Some(host) = reader.text("DB_HOST") else {
        // Half a database setting means that data would land somewhere nobody expects.
        reader.refuse_without(
            "DB_HOST",
            &[
                "DB_NAME",
                "DB_USER",
                "DB_PASSWORD",
                "DB_PASSWORD_FILE",
                "DB_SSLMODE",
                "DB_CA_FILE",
            ],
            "the embedded store",
        );
        return StoreConfig::Embedded {
            path: reader.path_or("DATA_FILE", "./data/api.db"),
        };
    };
    let ca_file = reader.file("DB_CA_FILE");
    let default_mode = if ca_file.is_some() {
        SslMode::VerifyFull
    } else {
        SslMode::Prefer
    };
    let ssl_mode = reader.choice(
        "DB_SSLMODE",
        default_mode,
        &[
            ("disable", SslMode::Disable),
            ("prefer", SslMode::Prefer),
            ("require", SslMode::Require),
            ("verify-ca", SslMode::VerifyCa),
            ("verify-full", SslMode::VerifyFull),
        ],
    );
    if ca_file.is_some() && !matches!(ssl_mode, SslMode::VerifyCa | SslMode::VerifyFull) {
        reader.problem("DB_CA_FILE is set but DB_SSLMODE checks no certificate: use verify-ca or verify-full, or unset DB_CA_FILE");
    }
    StoreConfig::Postgres(PostgresConfig {
        host: host.to_owned(),
        port: reader.number("DB_PORT", 5432, 1..=u16::MAX),
        database: reader.text_or("DB_NAME", "appdb"),
        user: reader.text_or("DB_USER", "appuser"),
        password: reader.password("DB_PASSWORD"),
        ssl_mode,
        ca_file,
        pool_size: reader.number("DB_POOL_SIZE", 10, 1..=1000),
        acquire_deadline: reader.milliseconds("DB_ACQUIRE_TIMEOUT_MS", 200, 1..=60_000),
        connect_deadline: reader.milliseconds("DB_CONNECT_TIMEOUT_MS", 1000, 1..=60_000),
        statement_deadline: reader.milliseconds("DB_STATEMENT_TIMEOUT_MS", 800, 1..=60_000),
        migrate_deadline: reader.seconds("MIGRATE_TIMEOUT_SECONDS", 60, 1..=3600),
    })
}

fn cache(reader: &mut Reader<'_>) -> CacheConfig {
    let Some(host) = reader.text("REDIS_HOST") else {
        reader.refuse_without(
            "REDIS_HOST",
            &[
                "REDIS_USER",
                "REDIS_PASSWORD",
                "REDIS_PASSWORD_FILE",
                "REDIS_TLS",
                "REDIS_CA_FILE",
            ],
            "the cache in this process",
        );
        return CacheConfig::Memory;
    };
    let ca_file = reader.file("REDIS_CA_FILE");
    let tls = reader.boolean("REDIS_TLS", ca_file.is_some());
    if ca_file.is_some() && !tls {
        reader.problem("REDIS_CA_FILE is set but REDIS_TLS is false: drop one of them");
    }
    let password = reader.password("REDIS_PASSWORD");
    let user = reader.text("REDIS_USER").map(str::to_owned);
    if user.is_some() && password == Password::Absent {
        reader.problem(
            "REDIS_USER is set without a password: set REDIS_PASSWORD or REDIS_PASSWORD_FILE",
        );
    }
    CacheConfig::Redis(RedisConfig {
        host: host.to_owned(),
        port: reader.number("REDIS_PORT", 6379, 1..=u16::MAX),
        user,
        password,
        tls: tls.then_some(RedisTls { ca_file }),
        deadline: reader.milliseconds("REDIS_TIMEOUT_MS", 50, 1..=10_000),
    })
}

fn sessions(reader: &mut Reader<'_>) -> SessionsConfig {
    SessionsConfig {
        ttl: reader.seconds("SESSION_TTL_SECONDS", 1800, 60..=86_400),
        secure: reader.choice(
            "SESSION_COOKIE_SECURE",
            CookieSecurity::Auto,
            &[
                ("auto", CookieSecurity::Auto),
                ("always", CookieSecurity::Always),
                ("never", CookieSecurity::Never),
            ],
        ),
    }
}

fn server(reader: &mut Reader<'_>) -> ServerConfig {
    let server = ServerConfig {
        header_deadline: reader.seconds("HEADER_TIMEOUT_SECONDS", 10, 1..=300),
        largest_body: reader.number("MAX_BODY_BYTES", 65_536, 1024..=1_048_576),
        connections: reader.number("MAX_CONNECTIONS", 10_000, 1..=1_000_000),
        drain_delay: reader.seconds("DRAIN_DELAY_SECONDS", 1, 0..=300),
        drain_deadline: reader.seconds("DRAIN_TIMEOUT_SECONDS", 10, 1..=3600),
    };
    if server.drain_delay > server.drain_deadline {
        reader.problem("DRAIN_DELAY_SECONDS is longer than DRAIN_TIMEOUT_SECONDS: the delay is part of the whole");
    }
    server
}

fn log(reader: &mut Reader<'_>) -> LogConfig {
    let format = reader.choice(
        "LOG_FORMAT",
        LogFormat::Auto,
        &[
            ("auto", LogFormat::Auto),
            ("text", LogFormat::Text),
            ("json", LogFormat::Json),
        ],
    );
    let filter = reader.parsed(
        "LOG_LEVEL",
        "info".to_owned(),
        "error, warn, info, debug, trace, or directives such as info,api=debug",
        |value| {
            // A bare unknown word would be taken for a target's name and switch everything else off.
            let names_a_level = value.contains(['=', ','])
                || value.parse::<tracing::level_filters::LevelFilter>().is_ok();
            let parses = value.parse::<tracing_subscriber::filter::Targets>().is_ok();
            (names_a_level && parses).then(|| value.to_owned())
        },
    );
    LogConfig { format, filter }
}

#[cfg(test)]
mod tests;
