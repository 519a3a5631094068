//! What is measured: how each peer is started, on the same Postgres and Redis.

use crate::{process::Server, redis::Redis, statistics::megabytes};
use anyhow::{Context, Result};
use std::{
    env,
    fs::File,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Command, Stdio},
};

/// One of the three.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Peer {
    /// The smallest responder: what a request costs when there is nothing to do.
    Floor,
    /// The API of this repository.
    Ours,
    /// The course's contract in Express.
    Express,
}

impl Peer {
    /// In the order in which they take turns.
    pub(crate) const ALL: [Self; 3] = [Self::Floor, Self::Ours, Self::Express];

    /// Its name in tables.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Ours => "ours",
            Self::Express => "Express",
        }
    }
}

/// Where the programs are.
#[derive(clap::Args)]
pub(crate) struct Programs {
    /// The compiled floor.
    #[arg(long)]
    floor: PathBuf,
    /// The API, as it goes into the image.
    #[arg(long)]
    api: PathBuf,
    /// The folder of the Express peer, its packages installed.
    #[arg(long)]
    express: PathBuf,
    /// Node.js.
    #[arg(long, default_value = "node")]
    node: PathBuf,
    /// The core for the server; everything else is expected on others. Unset: the system chooses.
    #[arg(long)]
    server_core: Option<String>,
    /// Where the servers' output goes.
    #[arg(long)]
    logs: PathBuf,
}

impl Programs {
    /// The API's size in megabytes.
    pub(crate) fn size(&self) -> Result<f64> {
        Ok(megabytes(self.api.metadata()?.len()))
    }

    /// The core of the server, in words.
    pub(crate) fn placement(&self) -> String {
        let chosen = |core: &String| {
            format!("the server alone on core {core}, everything else on the others")
        };
        self.server_core
            .as_ref()
            .map_or_else(|| "not pinned: there is one core only".to_owned(), chosen)
    }

    /// Starts a peer on a free port.
    pub(crate) fn start(&self, peer: Peer, services: &Services) -> Result<Server> {
        let address = free_address()?;
        let port = address.port().to_string();
        let mut words: Vec<PathBuf> = Vec::new();
        if let Some(core) = &self.server_core {
            words.extend(["taskset".into(), "--cpu-list".into(), core.into()]);
        }
        match peer {
            Peer::Floor => words.extend([self.floor.clone(), port.clone().into()]),
            Peer::Ours => words.extend([self.api.clone(), "serve".into()]),
            Peer::Express => words.extend([self.node.clone(), self.express.join("app.js")]),
        }
        let (program, arguments) = words.split_first().context("a program")?;
        let mut command = Command::new(program);
        let log = File::create(self.logs.join(format!("{}.log", peer.name())))?;
        command
            .args(arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("PORT", port)
            .env("BIND_ADDRESS", "127.0.0.1")
            .env("NODE_ENV", "production")
            .envs(services.variables())
            .stdin(Stdio::null())
            .stderr(log.try_clone()?)
            .stdout(log);
        Server::start(&mut command, address)
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// The Postgres and the Redis that `testbed/with` started.
pub(crate) struct Services {
    variables: Vec<(&'static str, String)>,
}

impl Services {
    /// From the testbed's variables.
    pub(crate) fn from_environment() -> Result<Self> {
        let read = |name: &str| {
            env::var(name).with_context(|| {
                format!("{name} is not set: run bench/api/run, which uses testbed/with")
            })
        };
        let variables = vec![
            ("DB_HOST", read("TESTBED_POSTGRES_HOST")?),
            ("DB_PORT", read("TESTBED_POSTGRES_PORT")?),
            ("DB_USER", read("TESTBED_POSTGRES_USER")?),
            ("DB_PASSWORD", read("TESTBED_POSTGRES_PASSWORD")?),
            ("DB_NAME", "postgres".to_owned()),
            // The testbed's server has no TLS; asking for it would only cost a round trip for each connection.
            ("DB_SSLMODE", "disable".to_owned()),
            ("REDIS_HOST", read("TESTBED_REDIS_HOST")?),
            ("REDIS_PORT", read("TESTBED_REDIS_PORT")?),
            ("REDIS_PASSWORD", read("TESTBED_REDIS_PASSWORD")?),
        ];
        Ok(Self { variables })
    }

    fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// A connection to the Redis.
    pub(crate) fn redis(&self) -> Result<Redis> {
        let value = |wanted: &str| {
            self.variables()
                .find_map(|(name, value)| (name == wanted).then_some(value))
                .unwrap_or_default()
        };
        Redis::connect(
            value("REDIS_HOST"),
            value("REDIS_PORT").parse()?,
            value("REDIS_PASSWORD"),
        )
    }
}
