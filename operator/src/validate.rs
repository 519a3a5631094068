//! Parses a spec once into values that cannot be wrong; the raw spec stops here. [pure]
//!
//! The API server has checked the same rules (`crd`), but an object may have been stored under an older schema, and
//! `render` reads files that no server has seen.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::crd::{
    AuthMode, DeletionPolicy, MonitoringSpec, PersistenceMode, PostgresSpec, RedisEngine,
    RedisSpec, TpStack,
};
use crate::quantity::Size;

mod api;
mod autoscaling;
mod edge;
mod external;
mod ingress;
mod monitoring;
mod network;
mod parameters;
mod tls;
mod words;

pub(crate) use words::is_subdomain;

pub use api::{Api, Probe, Probes, Scheduling};
pub use autoscaling::Autoscaling;
pub use edge::{Edge, Headers, MetricsAccess, RateLimit, Retry};
pub use external::{External, Externals};
pub use ingress::Ingress;
pub use network::{Network, Strict};
pub use tls::{Issuer, Tls};

/// A validated TpStack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// Its name: a DNS-1035 label of at most 40 characters.
    pub name: String,
    /// Its namespace: a DNS label.
    pub namespace: String,
    /// Its UID; empty for a file that was only rendered.
    pub uid: String,
    /// Whether nothing is to be written but the status.
    pub paused: bool,
    /// Whether it is to have no pods.
    pub stopped: bool,
    /// What happens to kept objects when it is deleted.
    pub deletion_policy: DeletionPolicy,
    /// The web API.
    pub api: Api,
    /// Routes from outside.
    pub ingress: Option<Ingress>,
    /// The database.
    pub postgres: Postgres,
    /// The cache; `None` when it is turned off, or somebody else's.
    pub redis: Option<Redis>,
    /// The stores that somebody else runs.
    pub external: Externals,
    /// Scraping, rules and dashboards.
    pub monitoring: MonitoringSpec,
    /// Who may reach its pods, and what they may reach.
    pub network: Network,
}

/// The database.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// Major version.
    pub version: String,
    /// Name of the application's database.
    pub database: String,
    /// Size of the volume.
    pub size: Size,
    /// Class of the volume; `None` for the cluster's default.
    pub storage_class_name: Option<String>,
    /// Settings of the server: none can end its line, none is the operator's own.
    pub parameters: BTreeMap<String, String>,
    /// CPU and memory; `None` for the operator's own amounts.
    pub resources: Option<ResourceRequirements>,
}

/// The cache.
#[derive(Clone, Debug)]
pub struct Redis {
    /// Memory for data.
    pub max_memory: Size,
    /// Size of the volume; `None` when nothing is persisted.
    pub storage: Option<Size>,
    /// Whether clients log in.
    pub has_password: bool,
    /// CPU and memory; `None` for the operator's own amounts.
    pub resources: Option<ResourceRequirements>,
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field. Example: `spec.api.replicas`
    pub field: String,
    /// What is wrong and what is allowed.
    pub message: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Validates a TpStack, or names everything that is wrong with it.
pub fn validate(stack: &TpStack) -> Result<Stack, Vec<Violation>> {
    let mut check = Check::default();
    let metadata = &stack.metadata;
    let name = metadata.name.clone().unwrap_or_default();
    check.that(
        words::is_name(&name),
        "metadata.name",
        "must be at most 40 lower-case letters, digits and '-', starting with a letter",
    );
    let namespace = metadata.namespace.as_deref().unwrap_or("default");
    check.that(
        words::is_label(namespace),
        "metadata.namespace",
        "must be the name of a namespace: at most 63 lower-case letters, digits and '-'",
    );
    let spec = &stack.spec;
    let api = api::api(&spec.api, &mut check);
    let ingress = spec
        .ingress
        .as_ref()
        .map(|ingress| ingress::ingress(ingress, &mut check));
    let postgres = postgres(&spec.postgres, &mut check);
    let redis = redis(&spec.redis, &mut check);
    monitoring::check(&spec.monitoring, &mut check);
    let network = network::network(&spec.network, &mut check);
    let external = external::externals(spec, &mut check);
    external::together(spec, &mut check);
    match (postgres, redis) {
        (Some(postgres), Some(redis)) if check.violations.is_empty() => Ok(Stack {
            name,
            namespace: namespace.to_owned(),
            uid: metadata.uid.clone().unwrap_or_default(),
            paused: spec.paused,
            stopped: spec.stopped,
            deletion_policy: spec.deletion_policy,
            api,
            ingress,
            postgres,
            external,
            redis: (spec.redis.engine == RedisEngine::BuiltIn).then_some(redis),
            monitoring: spec.monitoring.clone(),
            network,
        }),
        _ => Err(check.violations),
    }
}

#[derive(Default)]
struct Check {
    violations: Vec<Violation>,
}

impl Check {
    fn that(&mut self, holds: bool, field: &str, message: &str) {
        if !holds {
            self.violations.push(Violation {
                field: field.to_owned(),
                message: message.to_owned(),
            });
        }
    }

    fn size(&mut self, text: &str, field: &str) -> Option<Size> {
        let size = Size::parse(text);
        self.that(
            size.is_some(),
            field,
            "must be a whole number with a unit such as Mi or Gi: for example 20Gi",
        );
        size
    }
}

fn postgres(spec: &PostgresSpec, check: &mut Check) -> Option<Postgres> {
    check.that(
        spec.version == "16",
        "spec.postgres.version",
        "must be \"16\"",
    );
    let database = &spec.database;
    check.that(
        words::is_database(database),
        "spec.postgres.database",
        "must be lower-case letters, digits and '_', not starting with a digit",
    );
    let free = !["postgres", "template0", "template1"].contains(&database.as_str());
    check.that(
        free,
        "spec.postgres.database",
        "may not be one of Postgres' own databases: choose another name",
    );
    let class = spec.storage.storage_class_name.as_deref();
    check.that(
        class.is_none_or(words::is_subdomain),
        "spec.postgres.storage.storageClassName",
        "must be the name of a storage class, such as standard",
    );
    parameters::check(&spec.parameters, check);
    if let Some(resources) = &spec.resources {
        api::resources(resources, "spec.postgres.resources", check);
    }
    let size = check.size(&spec.storage.size, "spec.postgres.storage.size")?;
    Some(Postgres {
        version: spec.version.clone(),
        database: database.clone(),
        size,
        storage_class_name: spec.storage.storage_class_name.clone(),
        parameters: spec.parameters.clone(),
        resources: spec.resources.clone(),
    })
}

fn redis(spec: &RedisSpec, check: &mut Check) -> Option<Redis> {
    let max_memory = check.size(&spec.max_memory, "spec.redis.maxMemory");
    let size = check.size(&spec.persistence.size, "spec.redis.persistence.size");
    if let Some(resources) = &spec.resources {
        api::resources(resources, "spec.redis.resources", check);
    }
    Some(Redis {
        has_password: spec.auth.mode == AuthMode::Password,
        resources: spec.resources.clone(),
        max_memory: max_memory?,
        storage: match spec.persistence.mode {
            PersistenceMode::AppendOnly => Some(size?),
            PersistenceMode::None => None,
        },
    })
}

#[cfg(test)]
mod tests;
