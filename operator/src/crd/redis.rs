//! `spec.redis`: the cache and session store.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The cache and session store.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RedisSpec {
    /// Who runs Redis. `BuiltIn`: one server, run by this operator. `Disabled`: none; the workload is removed, its volume and credentials are kept. Default: BuiltIn.
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
}

/// Who runs Redis.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RedisEngine {
    /// One server, run by this operator.
    #[default]
    BuiltIn,
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
