//! Where the API's pods run, and how many of them may be away.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration, TopologySpreadConstraint};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// How many of the API's pods may be away while nodes are drained.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DisruptionBudgetSpec {
    /// As a number of pods, at most 100, or in percent. 0 keeps nodes from being drained; `100%` sets no bound. Default: 1. Example: 25%
    #[serde(default = "one")]
    #[schemars(extend("minimum" = 0, "maximum" = 100, "maxLength" = 4, "pattern" = "^(100|[1-9]?[0-9])%$"))]
    pub max_unavailable: IntOrString,
}

/// Where the API's pods run.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SchedulingSpec {
    /// Labels that a node must have, at most 20. Example: `{kubernetes.io/arch: arm64}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    #[x_kube(validation = Rule::new("self.all(k, k.indexOf('/') <= 253 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && self[k].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))").message("spec.api.scheduling.nodeSelector must be labels as Kubernetes knows them: for example kubernetes.io/arch: arm64"))]
    pub node_selector: BTreeMap<String, String>,

    /// Taints of nodes that the pods put up with, as in a pod, at most 20. Example: `[{key: dedicated, value: web, effect: NoSchedule}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new("self.all(t, (has(t.key) && t.key != '') || (has(t.operator) && t.operator == 'Exists'))").message("an entry of spec.api.scheduling.tolerations without a key is for every taint: give it a key, or operator: Exists"))]
    #[x_kube(validation = Rule::new("self.all(t, !(has(t.operator) && t.operator == 'Exists' && has(t.value) && t.value != ''))").message("an entry of spec.api.scheduling.tolerations with operator Exists takes any value: remove value"))]
    #[x_kube(validation = Rule::new("self.all(t, !has(t.tolerationSeconds) || (has(t.effect) && t.effect == 'NoExecute'))").message("an entry of spec.api.scheduling.tolerations with tolerationSeconds needs effect: NoExecute, since nothing else sends pods away"))]
    pub tolerations: Vec<Toleration>,

    /// Nodes and neighbours that the pods want or avoid, as in a pod. A migration's pod takes the part about nodes. Example: `{nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: disk, operator: In, values: [ssd]}]}]}}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,

    /// How the pods are spread, as in a pod, at most 10; one without a labelSelector is about the API's pods. Default: over zones and over nodes, as evenly as it goes, without keeping any pod from starting. Example: `[{topologyKey: topology.kubernetes.io/zone, maxSkew: 1, whenUnsatisfiable: DoNotSchedule}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["topologyKey", "whenUnsatisfiable"]))]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,

    /// Name of a priority class of the cluster. Example: business-critical
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("spec.api.scheduling.priorityClassName must be the name of a PriorityClass: for example business-critical"))]
    pub priority_class_name: Option<String>,
}

fn one() -> IntOrString {
    IntOrString::Int(1)
}

impl Default for DisruptionBudgetSpec {
    fn default() -> Self {
        Self {
            max_unavailable: one(),
        }
    }
}
