//! `spec.monitoring`: scraping by Prometheus, alert rules and dashboards.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::RelabelingSpec;

/// Scraping by Prometheus, alert rules and dashboards.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct MonitoringSpec {
    /// `Auto`: a ServiceMonitor, rules and dashboards where prometheus-operator is installed. `Enabled`: the same, and its absence is a failure. `Disabled`: none. Default: Auto.
    #[serde(default)]
    pub mode: MonitoringMode,

    /// Labels on the ServiceMonitor and the PrometheusRule: what the Prometheus in use selects by. Example: `{release: kube-prometheus-stack}`.
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

    /// Steps on the labels of targets before they are scraped, in order: at most 20. The operator's own step, which writes the label stack, comes after them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub relabelings: Vec<RelabelingSpec>,

    /// Steps on the labels of series after they were scraped, in order: at most 20. A step that drops series, or the labels of the app contract, blinds the alerts on them. Example: `[{action: drop, sourceLabels: [__name__], regex: "app_http_.*"}]`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub metric_relabelings: Vec<RelabelingSpec>,

    /// Recorded series and alerts of this stack, as a PrometheusRule.
    #[serde(default)]
    pub rules: RulesSpec,

    /// Grafana dashboards of this stack, as ConfigMaps.
    #[serde(default)]
    pub dashboards: DashboardsSpec,
}

/// Recorded series and alerts of this stack, as a PrometheusRule.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RulesSpec {
    /// `Enabled`: a PrometheusRule wherever there is a ServiceMonitor, but while the stack is stopped. `Disabled`: none; the dashboards' panels on the error budget stay empty. Default: Enabled.
    #[serde(default)]
    pub mode: Switch,

    /// Where the alerts' runbooks are read: each alert links to `<runbookBaseUrl>/<alert>.md`. Empty: this project's own pages. Default: empty. Example: `https://wiki.example.org/runbooks`
    #[serde(default)]
    #[schemars(length(max = 255))]
    #[x_kube(validation = Rule::new("self == '' || self.matches('^https?://[A-Za-z0-9][-A-Za-z0-9.]*(:[0-9]{1,5})?(/[-A-Za-z0-9._~/]*)?$')").message("spec.monitoring.rules.runbookBaseUrl must be empty, or an http or https URL of letters, digits and '-._~/' without a query: for example https://wiki.example.org/runbooks"))]
    pub runbook_base_url: String,
}

/// Grafana dashboards of this stack, as ConfigMaps.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DashboardsSpec {
    /// `Enabled`: dashboards wherever there is a ServiceMonitor. `Disabled`: none. Default: Enabled.
    #[serde(default)]
    pub mode: Switch,

    /// Labels on the ConfigMaps: what Grafana's sidecar selects by. Default: `{grafana_dashboard: "1"}`, as kube-prometheus-stack has it.
    #[serde(default = "sidecar")]
    #[schemars(extend("maxProperties" = 20, "additionalProperties" = {"type": "string", "maxLength": 63}))]
    #[x_kube(validation = Rule::new("self.all(k, !k.startsWith('app.kubernetes.io/'))").message("spec.monitoring.dashboards.labels may not set app.kubernetes.io/ labels: the operator knows its own objects by them; remove the entry"))]
    #[x_kube(validation = Rule::new("self.all(k, k.indexOf('/') <= 253 && k.matches('^([a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$') && self[k].matches('^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$'))").message("spec.monitoring.dashboards.labels must be labels as Kubernetes knows them: for example grafana_dashboard: \"1\""))]
    pub labels: BTreeMap<String, String>,
}

/// Whether something is made.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Switch {
    /// It is made.
    #[default]
    Enabled,
    /// It is not.
    Disabled,
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

fn sidecar() -> BTreeMap<String, String> {
    BTreeMap::from([("grafana_dashboard".to_owned(), "1".to_owned())])
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
            relabelings: Vec::new(),
            metric_relabelings: Vec::new(),
            rules: RulesSpec::default(),
            dashboards: DashboardsSpec::default(),
        }
    }
}

impl Default for DashboardsSpec {
    fn default() -> Self {
        Self {
            mode: Switch::default(),
            labels: sidecar(),
        }
    }
}
