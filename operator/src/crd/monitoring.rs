//! `spec.monitoring`: scraping by Prometheus.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Scraping by Prometheus.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MonitoringSpec {
    /// `Auto`: a ServiceMonitor where prometheus-operator is installed. `Enabled`: the same, and its absence is a failure. `Disabled`: none. Default: Auto.
    #[serde(default)]
    pub mode: MonitoringMode,

    /// Labels on the ServiceMonitor: what the Prometheus in use selects by. Example: `{release: kube-prometheus-stack}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 20, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    #[x_kube(validation = Rule::new("self.all(k, !k.startsWith('app.kubernetes.io/'))").message("spec.monitoring.labels may not set app.kubernetes.io/ labels: the operator knows its own objects by them; remove the entry"))]
    #[x_kube(validation = Rule::new("self.all(k, k.indexOf('/') <= 253 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && self[k].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))").message("spec.monitoring.labels must be labels as Kubernetes knows them: for example release: kube-prometheus-stack"))]
    pub labels: BTreeMap<String, String>,

    /// Time between two scrapes. Default: 15s. Example: 1m
    #[serde(default = "fifteen_seconds")]
    #[schemars(length(min = 2, max = 10))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]{0,5}(ms|s|m|h)$')").message("spec.monitoring.interval must be a whole number and one of ms, s, m, h: for example 15s"))]
    pub interval: String,
}

/// Whether a ServiceMonitor is made.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MonitoringMode {
    /// Where prometheus-operator is installed.
    #[default]
    Auto,
    /// Always; the absence of prometheus-operator is a failure.
    Enabled,
    /// Never.
    Disabled,
}

fn fifteen_seconds() -> String {
    "15s".to_owned()
}

impl Default for MonitoringSpec {
    fn default() -> Self {
        Self {
            mode: MonitoringMode::default(),
            labels: BTreeMap::new(),
            interval: fifteen_seconds(),
        }
    }
}
