//! `spec.redis`: the cache and session store.

use k8s_openapi::api::core::v1::ResourceRequirements;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ExternalSpec;

/// The cache and session store.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.engine == 'External' ? has(self.external) : !has(self.external)").message("spec.redis: engine External needs external.secretRef, and any other engine excludes external: set engine to External, or remove external"))]
pub struct RedisSpec {
    /// Who runs Redis. `BuiltIn`: one server, run by this operator. `External`: somebody else; `external` says where it is, and maxMemory, persistence and resources have no effect. `Disabled`: none. Under both the operator's own workload is removed, its volume and credentials are kept. Default: BuiltIn.
    #[serde(default)]
    pub engine: RedisEngine,

    /// Memory for data, in bytes with a unit; the least soon expiring keys are evicted beyond it. The container's limit is derived from it. Default: 64Mi. Example: 256Mi
    #[serde(default = "default_max_memory")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]{0,14}(Ki|Mi|Gi|Ti|k|M|G|T)?$')").message("spec.redis.maxMemory must be a whole number with a unit such as Mi or Gi: for example 64Mi"))]
    pub max_memory: String,

    /// What outlives the pod.
    #[serde(default)]
    pub persistence: RedisPersistence,

    /// How clients log in.
    #[serde(default)]
    pub auth: RedisAuth,

    /// CPU and memory of the server's container. The limit must hold more than maxMemory: buffers, and a second copy while the file is rewritten. Default: requests 50m CPU and 32Mi memory, a limit of memory that is made from maxMemory. Example: `{limits: {memory: 256Mi}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,

    /// With engine External: the server. The Secret's keys: host, port, tls (true or false), username and password (neither with auth.mode None) and, where `authority` says so, ca.crt. Example: `{secretRef: {name: shop-redis}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalSpec>,
}

/// How clients log in.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RedisAuth {
    /// `Password`: by a user and a password of its own. `None`: not at all, for images that cannot; every client is the default user, who may do what the application's user may, and only NetworkPolicies keep others out, so that network.isolation may not be Disabled. A change restarts Redis and the API. Default: Password. Example: None
    #[serde(default)]
    pub mode: AuthMode,
}

/// How clients log in.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMode {
    /// By a user and a password.
    #[default]
    Password,
    /// Not at all.
    None,
}

/// Who runs Redis.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedisEngine {
    /// One server, run by this operator.
    #[default]
    BuiltIn,
    /// Somebody else.
    External,
    /// No Redis: the API works without a shared cache.
    Disabled,
}

/// What outlives the Redis pod.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RedisPersistence {
    /// `AppendOnly`: every write goes to a file on a volume, synced each second. `None`: cache and sessions are lost with the pod. Default: AppendOnly.
    #[serde(default)]
    pub mode: PersistenceMode,

    /// Size of the volume in bytes, with a unit. It may grow where the storage class allows it, never shrink. Default: 256Mi. Example: 1Gi
    #[serde(default = "default_size")]
    #[schemars(length(min = 1, max = 20))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]{0,14}(Ki|Mi|Gi|Ti|k|M|G|T)?$')").message("spec.redis.persistence.size must be a whole number with a unit such as Mi or Gi: for example 256Mi"))]
    #[x_kube(validation = Rule::new("!isQuantity(self) || !isQuantity(oldSelf) || quantity(self).compareTo(quantity(oldSelf)) >= 0").message("spec.redis.persistence.size may only grow: a volume cannot shrink; keep the present size"))]
    pub size: String,
}

/// What outlives the Redis pod.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PersistenceMode {
    /// Every write goes to a file on a volume, synced each second.
    #[default]
    AppendOnly,
    /// Cache and sessions are lost with the pod.
    None,
}

fn default_max_memory() -> String {
    "64Mi".to_owned()
}

fn default_size() -> String {
    "256Mi".to_owned()
}

impl Default for RedisSpec {
    fn default() -> Self {
        Self {
            engine: RedisEngine::default(),
            max_memory: default_max_memory(),
            persistence: RedisPersistence::default(),
            auth: RedisAuth::default(),
            resources: None,
            external: None,
        }
    }
}

impl Default for RedisPersistence {
    fn default() -> Self {
        Self {
            mode: PersistenceMode::default(),
            size: default_size(),
        }
    }
}
