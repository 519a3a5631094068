//! `spec.api.scheduling`. Required fields of Kubernetes' own types must not be empty: read from JSON, one that is missing
//! is. [pure]

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{
    Affinity, NodeSelectorRequirement, NodeSelectorTerm, PodAffinityTerm, Toleration,
    TopologySpreadConstraint, WeightedPodAffinityTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::super::{Check, words};
use crate::crd::{NODE_OPERATORS, POD_OPERATORS, SchedulingSpec};
use crate::foreign::Labels;

/// Where the API's pods run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scheduling {
    /// Labels that a node must have.
    pub node_selector: Labels,
    /// Taints that are put up with.
    pub tolerations: Vec<Toleration>,
    /// Nodes and neighbours that are wanted or avoided.
    pub affinity: Option<Affinity>,
    /// How pods are spread; empty: over zones and nodes, where it can be had.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Name of a `PriorityClass`.
    pub priority_class_name: Option<String>,
}

const AT: &str = "spec.api.scheduling";

/// What is asked for, checked.
pub(super) fn scheduling(spec: Option<&SchedulingSpec>, check: &mut Check) -> Scheduling {
    let Some(spec) = spec else {
        return Scheduling::default();
    };
    let selector = &spec.node_selector;
    check.that(
        selector.len() <= 20
            && selector
                .iter()
                .all(|(key, value)| words::is_label_key(key) && words::is_label_value(value)),
        &format!("{AT}.nodeSelector"),
        "must be at most 20 labels as Kubernetes knows them: for example kubernetes.io/arch: arm64",
    );
    check.that(
        spec.tolerations.len() <= 20 && spec.tolerations.iter().all(is_toleration),
        &format!("{AT}.tolerations"),
        "must have at most 20 entries, each with a key or operator Exists, no value beside Exists, and tolerationSeconds only with effect NoExecute",
    );
    check.that(
        spec.affinity.as_ref().is_none_or(is_affinity),
        &format!("{AT}.affinity"),
        "must have at least one nodeSelectorTerm where nodes are required, weights between 1 and 100, a topologyKey for each neighbour, and key and operator in each expression; at most 20 of each",
    );
    let spread = &spec.topology_spread_constraints;
    let kinds: BTreeSet<_> = spread
        .iter()
        .map(|constraint| (&constraint.topology_key, &constraint.when_unsatisfiable))
        .collect();
    check.that(
        spread.len() <= 10 && kinds.len() == spread.len() && spread.iter().all(is_spread),
        &format!("{AT}.topologySpreadConstraints"),
        "must have at most 10 entries, each with its own topologyKey and whenUnsatisfiable (DoNotSchedule or ScheduleAnyway), and maxSkew from 1",
    );
    check.that(
        spec.priority_class_name
            .as_deref()
            .is_none_or(words::is_subdomain),
        &format!("{AT}.priorityClassName"),
        "must be the name of a PriorityClass: for example business-critical",
    );
    Scheduling {
        node_selector: selector.clone(),
        tolerations: spec.tolerations.clone(),
        // With nothing in it, it asks for nothing.
        affinity: spec
            .affinity
            .clone()
            .filter(|affinity| *affinity != Affinity::default()),
        topology_spread_constraints: spread.clone(),
        priority_class_name: spec.priority_class_name.clone(),
    }
}

fn is_toleration(toleration: &Toleration) -> bool {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (key, value) = (text(&toleration.key), text(&toleration.value));
    let operator = toleration.operator.as_deref();
    let effect = toleration.effect.as_deref();
    let exists = operator == Some("Exists");
    key.chars().count() <= 317
        && value.chars().count() <= 63
        && operator.is_none_or(|operator| ["Exists", "Equal"].contains(&operator))
        && effect
            .is_none_or(|effect| ["NoSchedule", "PreferNoSchedule", "NoExecute"].contains(&effect))
        && (exists || !key.is_empty())
        && (!exists || value.is_empty())
        && (toleration.toleration_seconds.is_none() || effect == Some("NoExecute"))
}

fn is_affinity(affinity: &Affinity) -> bool {
    let weighs = |weight: i32| (1..=100).contains(&weight);
    let nodes = affinity.node_affinity.as_ref().is_none_or(|nodes| {
        let required = nodes
            .required_during_scheduling_ignored_during_execution
            .as_ref();
        let preferred = nodes
            .preferred_during_scheduling_ignored_during_execution
            .as_deref()
            .unwrap_or_default();
        required.is_none_or(|selector| {
            (1..=20).contains(&selector.node_selector_terms.len())
                && selector.node_selector_terms.iter().all(is_node_term)
        }) && preferred.len() <= 20
            && preferred.iter().all(|wish| {
                weighs(wish.weight)
                    && wish.preference != NodeSelectorTerm::default()
                    && is_node_term(&wish.preference)
            })
    });
    let pods = |required: Option<&[PodAffinityTerm]>,
                preferred: Option<&[WeightedPodAffinityTerm]>| {
        let (required, preferred) = (required.unwrap_or_default(), preferred.unwrap_or_default());
        required.len() <= 20
            && preferred.len() <= 20
            && required.iter().all(is_pod_term)
            && preferred
                .iter()
                .all(|wish| weighs(wish.weight) && is_pod_term(&wish.pod_affinity_term))
    };
    nodes
        && affinity.pod_affinity.as_ref().is_none_or(|wanted| {
            pods(
                wanted
                    .required_during_scheduling_ignored_during_execution
                    .as_deref(),
                wanted
                    .preferred_during_scheduling_ignored_during_execution
                    .as_deref(),
            )
        })
        && affinity.pod_anti_affinity.as_ref().is_none_or(|avoided| {
            pods(
                avoided
                    .required_during_scheduling_ignored_during_execution
                    .as_deref(),
                avoided
                    .preferred_during_scheduling_ignored_during_execution
                    .as_deref(),
            )
        })
}

fn is_node_term(term: &NodeSelectorTerm) -> bool {
    let are_sound = |list: &Option<Vec<NodeSelectorRequirement>>| {
        let list = list.as_deref().unwrap_or_default();
        list.len() <= 20
            && list
                .iter()
                .all(|of| is_expression(&of.key, &of.operator, &NODE_OPERATORS))
    };
    are_sound(&term.match_expressions) && are_sound(&term.match_fields)
}

fn is_pod_term(term: &PodAffinityTerm) -> bool {
    is_key(&term.topology_key)
        && is_selector(term.label_selector.as_ref())
        && is_selector(term.namespace_selector.as_ref())
}

fn is_spread(constraint: &TopologySpreadConstraint) -> bool {
    let is_policy = |policy: &Option<String>| {
        policy
            .as_deref()
            .is_none_or(|policy| ["Honor", "Ignore"].contains(&policy))
    };
    constraint.max_skew >= 1
        && constraint.min_domains.is_none_or(|domains| domains >= 1)
        && is_key(&constraint.topology_key)
        && ["DoNotSchedule", "ScheduleAnyway"].contains(&constraint.when_unsatisfiable.as_str())
        && is_policy(&constraint.node_affinity_policy)
        && is_policy(&constraint.node_taints_policy)
        && is_selector(constraint.label_selector.as_ref())
}

fn is_selector(selector: Option<&LabelSelector>) -> bool {
    let expressions = selector.and_then(|selector| selector.match_expressions.as_deref());
    expressions.is_none_or(|list| {
        list.len() <= 20
            && list
                .iter()
                .all(|of| is_expression(&of.key, &of.operator, &POD_OPERATORS))
    })
}

fn is_expression(key: &str, operator: &str, operators: &[&str]) -> bool {
    is_key(key) && operators.contains(&operator)
}

fn is_key(key: &str) -> bool {
    (1..=317).contains(&key.chars().count())
}
