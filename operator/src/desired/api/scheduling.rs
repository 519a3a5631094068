//! Where the API's pods run. [pure]

use k8s_openapi::api::core::v1::{Affinity, TopologySpreadConstraint};

use super::API;
use crate::validate::Stack;

/// Label of a node that tells its zone, and of one that tells its name.
const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";

/// How the pods are spread: as the spec says, or over zones and nodes where that can be had.
///
/// Never `DoNotSchedule` by ourselves: on a cluster of one node, or with a zone that is full, a pod beside another is better
/// than none.
pub(super) fn spread(stack: &Stack) -> Vec<TopologySpreadConstraint> {
    let asked = &stack.api.scheduling.topology_spread_constraints;
    if asked.is_empty() {
        return [ZONE, HOST]
            .map(|key| TopologySpreadConstraint {
                max_skew: 1,
                topology_key: key.to_owned(),
                when_unsatisfiable: "ScheduleAnyway".to_owned(),
                label_selector: Some(API.selector(&stack.name)),
                // Pods of the release before would count while they are replaced, and leave the new ones askew.
                match_label_keys: Some(vec!["pod-template-hash".to_owned()]),
                ..TopologySpreadConstraint::default()
            })
            .into();
    }
    asked
        .iter()
        .map(|constraint| TopologySpreadConstraint {
            // Without one it would be about no pod at all.
            label_selector: constraint
                .label_selector
                .clone()
                .or_else(|| Some(API.selector(&stack.name))),
            ..constraint.clone()
        })
        .collect()
}

/// What of the affinity is about nodes.
pub(super) fn nodes(stack: &Stack) -> Option<Affinity> {
    let affinity = stack.api.scheduling.affinity.as_ref()?;
    Some(Affinity {
        node_affinity: Some(affinity.node_affinity.clone()?),
        ..Affinity::default()
    })
}
