//! Steps on labels, as Prometheus has them.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One step on the labels of a target or a series, as Prometheus has them.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.action in ['keep', 'drop', 'labelmap', 'labeldrop', 'labelkeep'] || has(self.targetLabel)").message("a relabeling with this action writes or compares a label: set targetLabel"))]
#[x_kube(validation = Rule::new("(self.action == 'hashmod') == has(self.modulus)").message("a relabeling has a modulus with action hashmod, and with no other: set it, or remove it"))]
#[x_kube(validation = Rule::new("!(self.action in ['labeldrop', 'labelkeep']) || (has(self.regex) && !has(self.separator) && !has(self.targetLabel) && !has(self.replacement) && (!has(self.sourceLabels) || size(self.sourceLabels) == 0))").message("a relabeling with action labeldrop or labelkeep has a regex and nothing else: set it, and remove the rest"))]
#[x_kube(validation = Rule::new("!(self.action in ['keepequal', 'dropequal']) || (!has(self.regex) && !has(self.separator) && !has(self.replacement))").message("a relabeling with action keepequal or dropequal has sourceLabels and targetLabel alone: remove regex, separator and replacement"))]
#[x_kube(validation = Rule::new("!(self.action in ['lowercase', 'uppercase']) || !has(self.replacement)").message("a relabeling with action lowercase or uppercase has no replacement: remove it"))]
#[x_kube(validation = Rule::new("!has(self.targetLabel) || !(self.targetLabel in ['namespace', 'stack', 'job'])").message("a relabeling may not write the labels namespace, stack and job: alerts and dashboards know the stack by them; write another label"))]
pub struct RelabelingSpec {
    /// What the step does, in Prometheus' words. Default: replace. Example: drop
    #[serde(default)]
    pub action: RelabelAction,

    /// Labels whose values are joined and looked at: at most 10. Example: `[__meta_kubernetes_pod_node_name]`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "atomic"))]
    #[x_kube(validation = Rule::new("self.all(l, l.matches('^[a-zA-Z_][a-zA-Z0-9_]*$'))").message("sourceLabels of a relabeling must be names of labels: letters, digits and '_', not starting with a digit"))]
    pub source_labels: Vec<String>,

    /// What joins the values. Unset: `;`. Example: /
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub separator: Option<String>,

    /// What the joined values must match, as a whole, in RE2. One that is none keeps prometheus-operator from taking the whole ServiceMonitor. Unset: `(.*)`. Example: go_.*
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub regex: Option<String>,

    /// The label that is written; not namespace, stack or job. Example: node
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    #[x_kube(validation = Rule::new("self.matches('^[a-zA-Z_][a-zA-Z0-9_]*$')").message("targetLabel of a relabeling must be the name of a label: letters, digits and '_', not starting with a digit"))]
    pub target_label: Option<String>,

    /// What is written; `$1` is the first group of the regex. Unset: `$1`. Example: shop-$1
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub replacement: Option<String>,

    /// With action hashmod: by what the hash is divided. Example: 4
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub modulus: Option<i64>,
}

/// What a step does, in Prometheus' words.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum RelabelAction {
    /// Writes the replacement where the regex matches.
    #[default]
    Replace,
    /// Keeps what matches.
    Keep,
    /// Drops what matches.
    Drop,
    /// Writes the rest of a division of the values' hash.
    HashMod,
    /// Copies labels whose names match.
    LabelMap,
    /// Drops labels whose names match.
    LabelDrop,
    /// Drops labels whose names do not match.
    LabelKeep,
    /// Writes the values in lower case.
    Lowercase,
    /// Writes the values in upper case.
    Uppercase,
    /// Keeps what has the same value in the target label.
    KeepEqual,
    /// Drops what has the same value in the target label.
    DropEqual,
}
