//! `spec.api`: the web API's workload.

use k8s_openapi::api::core::v1::{EnvVar, ResourceRequirements};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Replicas when none are asked for: two, so that a node may leave without an outage.
pub const DEFAULT_REPLICAS: i32 = 2;

/// Environment variables of the app contract. The operator sets them, so `spec.api.env` may not.
pub const RESERVED_ENV: [&str; 16] = [
    "PORT",
    "DB_HOST",
    "DB_PORT",
    "DB_NAME",
    "DB_USER",
    "DB_PASSWORD",
    "DB_PASSWORD_FILE",
    "DB_SSLMODE",
    "DB_CA_FILE",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_USER",
    "REDIS_PASSWORD",
    "REDIS_PASSWORD_FILE",
    "REDIS_TLS",
    "REDIS_CA_FILE",
];

/// The web API.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ApiSpec {
    /// Container image that fulfils the app contract. Unset: the API of the operator's own release, with its readiness path and its credentials as files. With an image: readiness on /health and credentials as environment variables. Example: registry.example.org/shop:1.4.2
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("self.matches('^[^ \\t\\r\\n]+$')").message("spec.api.image must not contain spaces or line breaks: write it as name:tag or name@digest"))]
    pub image: Option<String>,

    /// Number of pods. `kubectl scale tpstack` sets it too. Default: 2.
    #[serde(default = "default_replicas")]
    #[schemars(range(min = 0, max = 100))]
    pub replicas: i32,

    /// More environment variables, as in a container. The names of the app contract are set by the operator and refused here. Example: `[{name: LOG_LEVEL, value: debug}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    #[x_kube(validation = Rule::new("self.all(e, !(e.name in ['PORT', 'DB_HOST', 'DB_PORT', 'DB_NAME', 'DB_USER', 'DB_PASSWORD', 'DB_PASSWORD_FILE', 'DB_SSLMODE', 'DB_CA_FILE', 'REDIS_HOST', 'REDIS_PORT', 'REDIS_USER', 'REDIS_PASSWORD', 'REDIS_PASSWORD_FILE', 'REDIS_TLS', 'REDIS_CA_FILE']))").message("spec.api.env may not set a variable of the app contract (PORT, DB_*, REDIS_*): the operator sets it; remove the entry"))]
    pub env: Vec<EnvVar>,

    /// CPU and memory of the API's container. Default: requests 50m CPU and 32Mi memory, limit 128Mi memory.
    #[serde(default = "default_resources")]
    pub resources: ResourceRequirements,
}

fn default_replicas() -> i32 {
    DEFAULT_REPLICAS
}

fn default_resources() -> ResourceRequirements {
    serde_json::from_value(serde_json::json!({
        "requests": {"cpu": "50m", "memory": "32Mi"},
        "limits": {"memory": "128Mi"},
    }))
    .expect("a literal of this type")
}

impl Default for ApiSpec {
    fn default() -> Self {
        Self {
            image: None,
            replicas: DEFAULT_REPLICAS,
            env: Vec::new(),
            resources: default_resources(),
        }
    }
}
