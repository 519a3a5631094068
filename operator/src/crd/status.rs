//! `status`: what the operator tells. Written by `status.rs` alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Observed state of one stack.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct TpStackStatus {
    /// Generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// One word for people; the conditions are the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,

    /// Pods of the API, for the scale subresource.
    #[serde(default)]
    pub replicas: i32,

    /// Label selector of the API's pods, for the scale subresource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,

    /// Where the API answers from outside the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub endpoints: Vec<Endpoint>,

    /// The database that is in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<PostgresStatus>,

    /// UID of the Redis volume that holds data; kept after its loss until the loss is accepted.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        rename = "redisVolumeUID"
    )]
    pub redis_volume_uid: Option<String>,

    /// Texts for the columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<Summary>,

    /// Ready, Reconciling and Stalled, and one condition per component.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

/// One word for people.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Some component is not there yet.
    Progressing,
    /// Every component is ready.
    Running,
    /// Stopped as the spec says: no pod is left.
    Stopped,
    /// Left as it is, as the spec says.
    Paused,
    /// Nothing goes on until somebody acts; the condition Stalled says how.
    Stalled,
}

/// Where the API answers.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// What answers there: api.
    pub name: String,
    /// Its URL. Example: <https://shop.example.org>
    pub url: String,
}

/// The database that is in use.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PostgresStatus {
    /// Who runs it.
    pub engine: String,
    /// Its major version; absent for an External one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Name of the volume claim; absent for an External one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub volume: String,
    /// UID of the volume claim that holds data; kept after its loss until the loss is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "volumeUID")]
    pub volume_uid: Option<String>,
}

/// Texts for the columns of `kubectl get`.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Ready pods and wanted pods. Example: 2/2
    pub api: String,
    /// Version, where it is ours, and engine. Example: 16 `BuiltIn`
    pub postgres: String,
    /// Engine. Example: `BuiltIn`
    pub redis: String,
}

/// One aspect of the stack's state, as Kubernetes conditions are.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Which aspect. Example: Ready
    #[serde(rename = "type")]
    pub type_: String,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// One word in `CamelCase`, for programs. Example: `AllComponentsReady`
    pub reason: String,
    /// A sentence for people: what is the matter and what to do.
    #[serde(default)]
    pub message: String,
    /// Generation of the spec that this condition describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When `status` last changed.
    pub last_transition_time: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time,
}

/// Whether a condition holds.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told.
    Unknown,
}
