//! `spec.api.autoscaling`: how the number of pods follows the load.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the number of pods follows the load.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.minReplicas <= self.maxReplicas").message("spec.api.autoscaling.minReplicas must not be larger than maxReplicas: lower the one or raise the other"))]
pub struct AutoscalingSpec {
    /// Least number of pods, at least 1. To have none, set spec.stopped. Example: 2
    #[schemars(range(min = 1, max = 100))]
    pub min_replicas: i32,

    /// Largest number of pods, at most 100. Example: 10
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: i32,

    /// Use of CPU that is aimed at, over all pods, in percent of spec.api.resources.requests.cpu. Default: 80. Example: 70
    #[serde(
        default = "default_utilization",
        rename = "targetCPUUtilizationPercentage"
    )]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_utilization_percentage: i32,

    /// Use of memory that is aimed at as well, over all pods, in percent of spec.api.resources.requests.memory; the larger number of pods counts. Unset: memory is not looked at. Example: 85
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_memory_utilization_percentage: Option<i32>,

    /// How fast the number may change. What is unset is Kubernetes' own default. Example: `{scaleDown: {stabilizationWindowSeconds: 600}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behavior: Option<BehaviorSpec>,
}

/// How fast the number of pods may change.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BehaviorSpec {
    /// Upwards. Default: at once, by 4 pods or to twice as many within 15 seconds, whichever is more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_up: Option<ScalingRulesSpec>,

    /// Downwards. Default: to the largest number that was recommended in the last 5 minutes, by as many as need be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale_down: Option<ScalingRulesSpec>,
}

/// How fast the number of pods may change in one direction.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ScalingRulesSpec {
    /// How long recommendations are looked back at before the number changes, in seconds, at most 3600. Default: 0 upwards, the cluster's own (300) downwards. Example: 600
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3600))]
    pub stabilization_window_seconds: Option<i32>,

    /// Which of the policies counts: `Max` the one that changes most, `Min` the one that changes least, `Disabled`: the number does not change in this direction. Default: Max.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select_policy: Option<SelectPolicy>,

    /// How much the number may change within a time, at most 10 ways. Default: that of the direction. Example: `[{type: Pods, value: 2, periodSeconds: 60}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "atomic"))]
    pub policies: Vec<ScalingPolicySpec>,
}

/// Which of several policies counts.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelectPolicy {
    /// The one that changes the number most.
    Max,
    /// The one that changes it least.
    Min,
    /// None: the number does not change in this direction.
    Disabled,
}

/// How much the number of pods may change within a time.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ScalingPolicySpec {
    /// What `value` counts. Example: Pods
    #[serde(rename = "type")]
    pub type_: ScalingPolicyType,

    /// By how much, in pods or in percent of those that are there, at least 1. Example: 2
    #[schemars(range(min = 1, max = 10000))]
    pub value: i32,

    /// Within how long, in seconds, at most 1800. Example: 60
    #[schemars(range(min = 1, max = 1800))]
    pub period_seconds: i32,
}

/// What a policy counts.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalingPolicyType {
    /// Pods.
    Pods,
    /// Percent of the pods that are there.
    Percent,
}

fn default_utilization() -> i32 {
    80
}
