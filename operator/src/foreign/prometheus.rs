//! prometheus-operator's kinds: what is scraped, and what is made of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use serde::{Deserialize, Serialize};

use super::Labels;
use crate::crd::RelabelAction;

/// What Prometheus scrapes, as prometheus-operator reads it.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "monitoring.coreos.com",
    version = "v1",
    kind = "ServiceMonitor",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct ServiceMonitorSpec {
    /// Label of the Service whose value becomes the job's name.
    pub job_label: String,
    /// Which Services.
    pub selector: LabelSelector,
    /// Which of their ports, and how.
    pub endpoints: Vec<ScrapeEndpoint>,
}

/// One scraped port.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ScrapeEndpoint {
    /// Name of the Service's port.
    pub port: String,
    /// Path of the metrics.
    pub path: String,
    /// Time between two scrapes.
    pub interval: String,
    /// What is done to the labels of targets, in order.
    pub relabelings: Vec<Relabeling>,
    /// What is done to the labels of what was scraped, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metric_relabelings: Vec<Relabeling>,
}

/// One step on the labels of a target or a series.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Relabeling {
    /// What it does. Always sent: the definition has a default, which would look like a change.
    pub action: RelabelAction,
    /// Labels whose values are looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_labels: Vec<String>,
    /// What joins them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<String>,
    /// What they must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// The label that is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_label: Option<String>,
    /// What is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement: Option<String>,
    /// By what the hash is divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modulus: Option<i64>,
}

/// Rules that Prometheus evaluates.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "monitoring.coreos.com",
    version = "v1",
    kind = "PrometheusRule",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct PrometheusRuleSpec {
    /// Groups, each evaluated in order.
    pub groups: Vec<RuleGroup>,
}

/// Rules that are evaluated one after the other. Prometheus' own files spell it the same.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RuleGroup {
    /// Its name, once per object.
    pub name: String,
    /// The rules.
    pub rules: Vec<Rule>,
}

/// An alert or a recording rule.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Name of the alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<String>,
    /// Name of the series that is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// What is asked.
    pub expr: String,
    /// How long it must hold before the alert fires.
    #[serde(rename = "for", default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// How long the alert goes on firing once it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_firing_for: Option<String>,
    /// Labels of the alert or the series.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Texts for people.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
}
