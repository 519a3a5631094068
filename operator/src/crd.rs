//! What a user writes and reads: the `TpStack` kind, its schema, its defaults and its admission rules.
//! No behaviour lives here. The same rules hold in `validate`, since a stored object may be older than its schema.
#![expect(
    unreachable_pub,
    reason = "the KubeSchema derive repeats each struct inside a function"
)]

use kube::CustomResource;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

mod api;
mod external;
mod ingress;
mod monitoring;
mod network;
mod postgres;
mod read;
mod redis;
mod relabeling;
mod schema;
mod status;

pub use api::{
    ApiCredentialsSpec, ApiSpec, AutoscalingSpec, BehaviorSpec, CredentialsMode, DEFAULT_PORT,
    DEFAULT_REPLICAS, DisruptionBudgetSpec, MigrateSpec, ProbeSpec, ProbesSpec, PullPolicy,
    PullSecret, RESERVED_ENV, ScalingPolicySpec, ScalingPolicyType, ScalingRulesSpec,
    SchedulingSpec, SelectPolicy,
};
pub use external::{Authority, ExternalSpec, SecretRef};
pub use ingress::{
    BasicAuthSpec, CertManagerSpec, EntryPoints, HeadersSpec, HstsSpec, InFlightSpec, IngressSpec,
    IpStrategySpec, IssuerKind, IssuerRef, MetricsAccessSpec, RateLimitSpec, ResolverSpec,
    RetrySpec, StickyCookie, StickySpec, TlsMode, TlsSecret, TlsSpec,
};
pub use monitoring::{DashboardsSpec, MonitoringMode, MonitoringSpec, RulesSpec, Switch};
pub use network::{Isolation, NamespaceSelector, NetworkSpec, StrictSpec};
pub use postgres::{PostgresEngine, PostgresSpec, PostgresStorage, RESERVED_PARAMETERS};
pub use read::read;
pub use redis::{AuthMode, PersistenceMode, RedisAuth, RedisEngine, RedisPersistence, RedisSpec};
pub use relabeling::{RelabelAction, RelabelingSpec};
pub use schema::{EMBEDDED, NODE_OPERATORS, POD_OPERATORS, definition};
pub use status::{
    Condition, ConditionStatus, Endpoint, Phase, PostgresStatus, Summary, TpStackStatus,
};

/// API group of everything this project defines; also the prefix of its annotations.
pub const GROUP: &str = "tpstack.dev";

/// Longest name of a TpStack: `<name>-postgres-credentials` and the labels of its pods must still fit 63 characters.
pub const MAX_NAME_LENGTH: usize = 40;

/// Desired state of one stack. `{}` is a working stack without a route.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "tpstack.dev",
    version = "v1alpha1",
    kind = "TpStack",
    namespaced,
    status = "TpStackStatus",
    derive = "Default",
    derive = "PartialEq",
    shortname = "tps",
    doc = "A web API with Postgres, Redis, Traefik routes and Prometheus monitoring, as one object.",
    scale(
        spec_replicas_path = ".spec.api.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "URL", type_ = "string", json_path = ".status.endpoints[0].url"),
    printcolumn(name = "API", type_ = "string", json_path = ".status.summary.api"),
    printcolumn(name = "Postgres", type_ = "string", json_path = ".status.summary.postgres"),
    printcolumn(name = "Redis", type_ = "string", json_path = ".status.summary.redis"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("size(self.metadata.name) <= 40")
        .message("metadata.name must have at most 40 characters, since the names of the children are made from it: choose a shorter name"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
        .message("metadata.name must be lower-case letters, digits and '-', starting with a letter (no dots), since Services are named after it: for example shop"),
    validation = Rule::new("self.spec.redis.engine != 'BuiltIn' || self.spec.redis.auth.mode != 'None' || self.spec.network.isolation != 'Disabled'")
        .message("spec.redis.auth.mode None needs spec.network.isolation Data or Strict: without a password and without a NetworkPolicy every pod of the cluster could read and change what Redis holds; set the isolation, or auth.mode to Password"),
    validation = Rule::new("(self.spec.postgres.engine != 'External' && self.spec.redis.engine != 'External') || !has(self.spec.network.strict) || (has(self.spec.network.strict.egress) && size(self.spec.network.strict.egress) > 0)")
        .message("spec.network.strict.egress must open the way to a store whose engine is External: add a rule with its address and port")
)]
#[serde(rename_all = "camelCase")]
pub struct TpStackSpec {
    /// Whether the operator leaves everything as it is: while true it writes nothing but the status, and mends nothing. What the spec asks for meanwhile, deletionPolicy included, takes effect when it is false again. Default: false. Example: true
    #[serde(default)]
    pub paused: bool,

    /// Whether the stack is stopped: while true the API, Postgres and Redis have no pods, the autoscaler is set aside and no migration is started; volumes, credentials, Services and routes stay. Default: false. Example: true
    #[serde(default)]
    pub stopped: bool,

    /// What happens to volumes and credentials when the TpStack is deleted: `Retain` keeps them, `Delete` removes them with it. Deleting the namespace deletes everything in both cases. Default: Retain.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,

    /// The web API.
    #[serde(default)]
    pub api: ApiSpec,

    /// Traefik routes from outside. Unset: no route is made. Example: `{hosts: [shop.example.org]}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<IngressSpec>,

    /// The database.
    #[serde(default)]
    pub postgres: PostgresSpec,

    /// The cache and session store.
    #[serde(default)]
    pub redis: RedisSpec,

    /// Scraping by Prometheus, alert rules and dashboards.
    #[serde(default)]
    pub monitoring: MonitoringSpec,

    /// Who may reach the stack's pods, and what they may reach, by NetworkPolicies. Example: `{isolation: Disabled}`.
    #[serde(default)]
    pub network: NetworkSpec,
}

/// What happens to volumes and credentials when a TpStack is deleted.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// Volumes and credentials stay, and a TpStack created again under the same name adopts them.
    #[default]
    Retain,
    /// Volumes and credentials are deleted with the TpStack.
    Delete,
}
