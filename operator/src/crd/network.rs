//! `spec.network`: who may reach the stack's pods, and what they may reach.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicyEgressRule;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who may reach the stack's pods, and what they may reach, by NetworkPolicies. They hold only where the cluster's network enforces them, and never for what comes from a pod's own node: the kubelet's probes always pass.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.isolation == 'Strict' ? has(self.strict) : !has(self.strict)").message("spec.network: isolation Strict needs strict with its namespaces, and any other isolation excludes it: set isolation to Strict, or remove strict"))]
pub struct NetworkSpec {
    /// `Data`: Postgres and Redis can be reached by the API's and the migration's pods of this stack alone, the API by everybody. `Strict`: the API too can be reached from the namespaces in `strict` alone, and no pod reaches more than DNS, Postgres, Redis and what `strict.egress` lists. `Disabled`: no NetworkPolicy is made. Default: Data.
    #[serde(default)]
    pub isolation: Isolation,

    /// With isolation Strict: what is open besides the stack's own connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strict: Option<StrictSpec>,
}

/// How far the stack's pods are closed.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// Postgres and Redis can be reached by the stack's own pods alone.
    #[default]
    Data,
    /// Every pod is closed, both ways, but for what is named.
    Strict,
    /// No NetworkPolicy.
    Disabled,
}

/// What is open besides the stack's own connections.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct StrictSpec {
    /// Namespaces whose pods may reach the API: those of Traefik. A Traefik on the node's own network is in no namespace as policies see it. Example: `{matchLabels: {kubernetes.io/metadata.name: traefik}}`.
    pub ingress_namespaces: NamespaceSelector,

    /// Namespaces whose pods may scrape the API: those of Prometheus. Example: `{matchLabels: {kubernetes.io/metadata.name: monitoring}}`.
    pub monitoring_namespaces: NamespaceSelector,

    /// What the pods of the API and of its migrations may reach besides DNS, the stack's Postgres and its Redis, as in a NetworkPolicy; each rule names ports, peers or both. An External store belongs here. Default: none. Example: `[{to: [{ipBlock: {cidr: 192.0.2.0/24}}], ports: [{port: 443}]}]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new("self.all(rule, (has(rule.to) && size(rule.to) > 0) || (has(rule.ports) && size(rule.ports) > 0))").message("a rule of spec.network.strict.egress must name ports, peers (to) or both: an empty one would open everything; remove it, or say what it opens"))]
    pub egress: Vec<NetworkPolicyEgressRule>,
}

/// Namespaces, by their labels. One that names no label would be every namespace and is refused.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that a namespace must have, all of them; every namespace has its name as kubernetes.io/metadata.name. Example: `{kubernetes.io/metadata.name: traefik}`.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 10, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    #[x_kube(validation = Rule::new("self.all(k, k.indexOf('/') <= 253 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && self[k].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))").message("matchLabels of a namespace must be labels as Kubernetes knows them: for example kubernetes.io/metadata.name: traefik"))]
    pub match_labels: BTreeMap<String, String>,
}
