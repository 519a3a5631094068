//! How the API's container is started: its registry's password, its credentials, its probes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// When the image is pulled.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullPolicy {
    /// At each start of a pod.
    Always,
    /// Where it is not there yet.
    IfNotPresent,
    /// Never: it has to be there.
    Never,
}

/// A Secret with the password of a registry, in the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PullSecret {
    /// Its name. Example: registry-password
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("spec.api.imagePullSecrets[].name must be the name of a Secret in this namespace: for example registry-password"))]
    pub name: String,
}

/// How the API gets the passwords of Postgres and Redis.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ApiCredentialsSpec {
    /// `File`: DB_PASSWORD_FILE and REDIS_PASSWORD_FILE name files with them. `Env`: DB_PASSWORD and REDIS_PASSWORD hold them. Default: File without spec.api.image, Env with one. Example: File
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<CredentialsMode>,
}

/// How the API gets passwords.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum CredentialsMode {
    /// As files.
    File,
    /// As environment variables.
    Env,
}

/// How the API is asked whether it is well.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProbesSpec {
    /// Whether the container still works; it is started anew if not. Must not depend on Postgres or Redis. Default: /health, every 10 seconds, 3 times within 3 seconds each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub liveness: Option<ProbeSpec>,

    /// Whether the pod gets requests. Default: /health/ready without spec.api.image, /health with one; every 2 seconds, 3 times within 3 seconds each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readiness: Option<ProbeSpec>,

    /// Whether the container has started; the other probes wait for it. Default: the path of liveness, every second, 120 times within 3 seconds each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup: Option<ProbeSpec>,
}

/// One probe: GET on the API's port, well if the answer is 2xx or 3xx.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ProbeSpec {
    /// Path that is asked for. Example: /healthz
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.matches('^/[!-~]*$')").message("a path of spec.api.probes must start with '/' and be ASCII without spaces: for example /healthz"))]
    pub path: Option<String>,

    /// Seconds between the container's start and the first question, at least 1. Unset: it is asked at once. Example: 5
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub initial_delay_seconds: Option<i32>,

    /// Seconds between two questions. Example: 10
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub period_seconds: Option<i32>,

    /// Seconds within which an answer must come. Example: 3
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub timeout_seconds: Option<i32>,

    /// How many answers in a row must be missing or wrong. Example: 3
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 3600))]
    pub failure_threshold: Option<i32>,
}
