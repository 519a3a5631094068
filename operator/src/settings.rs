//! The operator's own settings: flags and environment variables. Nothing else reads the environment.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use crate::lease::Timing;

/// Our own API, of this release.
const API_IMAGE: &str = concat!("tpstack/api:", env!("CARGO_PKG_VERSION"));
/// Debian-based, for life: Alpine sorts text differently, and a data directory that moves between them gets corrupt indexes.
const POSTGRES_IMAGE: &str =
    "postgres:16.15-trixie@sha256:f1c3376c26f2609ab9f29f71f824103fe2fcd8ee0346485cb6122a4f93df6f94";
const REDIS_IMAGE: &str =
    "redis:7.4.9-bookworm@sha256:a8f08480e1f88f2647fed492d1178c06abb0d0c1fbf02c682a61e2f483fb3954";

/// Images of the stack's containers: a mirror is an operator setting, not a field of every TpStack.
#[derive(Args, Clone, Debug)]
pub struct Images {
    /// Image of the API where a TpStack names none
    #[arg(long = "api-image", env = "TPSTACK_API_IMAGE", default_value = API_IMAGE, value_name = "IMAGE")]
    pub api: String,
    /// Image of Postgres: Debian-based, with the entry point of the official one
    #[arg(long = "postgres-image", env = "TPSTACK_POSTGRES_IMAGE", default_value = POSTGRES_IMAGE, value_name = "IMAGE")]
    pub postgres: String,
    /// Image of Redis
    #[arg(long = "redis-image", env = "TPSTACK_REDIS_IMAGE", default_value = REDIS_IMAGE, value_name = "IMAGE")]
    pub redis: String,
}

impl Default for Images {
    fn default() -> Self {
        Self {
            api: API_IMAGE.to_owned(),
            postgres: POSTGRES_IMAGE.to_owned(),
            redis: REDIS_IMAGE.to_owned(),
        }
    }
}

/// Settings of `tpstack operator`.
#[derive(Args, Clone, Debug)]
pub struct Settings {
    /// Images of the stack's containers.
    #[command(flatten)]
    pub images: Images,
    /// Address of /livez, /readyz and /metrics
    #[arg(
        long,
        env = "TPSTACK_ADMIN_ADDRESS",
        default_value = "127.0.0.1:8080",
        value_name = "IP:PORT"
    )]
    pub admin_address: SocketAddr,
    /// The operator's own `ServiceAccount`, as namespace/name; messages name it in the command that grants a namespace
    #[arg(long, env = "TPSTACK_SERVICE_ACCOUNT", default_value = "tpstack-system/tpstack-operator", value_name = "NAMESPACE/NAME", value_parser = service_account)]
    pub service_account: ServiceAccountName,
    /// How often optional APIs and granted namespaces are looked at again, such as 30s
    #[arg(long, env = "TPSTACK_DISCOVERY_INTERVAL", default_value = "30s", value_name = "DURATION", value_parser = duration)]
    pub discovery_interval: Duration,
    /// How often a settled stack is compared with the cluster again, such as 10m
    #[arg(long, env = "TPSTACK_RESYNC_INTERVAL", default_value = "10m", value_name = "DURATION", value_parser = duration)]
    pub resync_interval: Duration,
    /// Wait until no other operator works, by a Lease in the namespace of --service-account
    #[arg(long, env = "TPSTACK_LEADER_ELECTION")]
    pub leader_election: bool,
    /// How long leading, renewing and waiting take.
    #[command(flatten)]
    pub lease: Timing,
    /// The pod's name, by which the Lease and events tell this process from others
    #[arg(
        long,
        env = "POD_NAME",
        default_value = "tpstack-operator",
        value_name = "NAME"
    )]
    pub pod_name: String,
    /// How long a task of the operator may give no sign of life before /livez says so, such as 3m
    #[arg(long, env = "TPSTACK_SILENCE_LIMIT", default_value = "3m", value_name = "DURATION", value_parser = duration)]
    pub silence_limit: Duration,
}

/// A `ServiceAccount` and its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceAccountName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A `ServiceAccount` as people write it on the command line.
pub fn service_account(text: &str) -> Result<ServiceAccountName, String> {
    match text.split_once('/') {
        Some((namespace, name))
            if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
        {
            Ok(ServiceAccountName {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            })
        }
        _ => Err("must be namespace/name, such as tpstack-system/tpstack-operator".to_owned()),
    }
}

/// A duration as people write it on the command line.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(
        text.find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len()),
    );
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 0,
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(milliseconds))
        .filter(|milliseconds| *milliseconds > 0)
        .map(Duration::from_millis)
        .ok_or_else(|| {
            "must be a whole number above zero and one of ms, s, m, h: for example 30s".to_owned()
        })
}

#[cfg(test)]
mod tests {
    use super::{duration, service_account};
    use std::time::Duration;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10m"), Ok(Duration::from_mins(10)));
        for wrong in [
            "",
            "30",
            "s",
            "0s",
            "-1s",
            "1d",
            "99999999999999999999h",
            "18446744073709551615h",
        ] {
            assert!(duration(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_service_account_has_a_namespace() {
        assert!(service_account("a/b").is_ok());
        for wrong in ["", "a", "/b", "a/", "a/b/c"] {
            assert!(service_account(wrong).is_err(), "{wrong:?}");
        }
    }
}
