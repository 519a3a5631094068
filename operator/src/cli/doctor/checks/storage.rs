//! Storage classes: what a claim that names none is given. [pure]

use kube::ResourceExt;

use crate::cli::doctor::Finding;
use crate::cli::doctor::facts::{ClusterFacts, StackFacts, StorageClassFacts};
use crate::desired::metadata::Component;
use crate::desired::storage::wanted_volume;
use crate::kind::Kind;
use crate::validate::Stack;

pub(super) fn check(facts: &ClusterFacts, own: &StackFacts, stack: &Stack) -> Vec<Finding> {
    let (Some(classes), Some(claims)) = (&facts.storage_classes, &own.claims) else {
        return Vec::new();
    };
    let mut relies_on_default = false;
    let mut findings = Vec::new();
    for component in [Component::Postgres, Component::Redis] {
        let name = component.volume_name(&stack.name);
        // Whoever else runs the store has the volume.
        let is_made = own
            .children
            .iter()
            .any(|child| child.id.kind == Kind::PersistentVolumeClaim && child.id.name == name);
        let Some((_, wanted)) = wanted_volume(stack, component).filter(|_| is_made) else {
            continue;
        };
        let claim = claims.iter().find(|claim| claim.name_any() == name);
        let given = claim.and_then(|claim| claim.spec.as_ref()?.storage_class_name.clone());
        match given.or(wanted) {
            // An empty class is one: it asks for a volume that somebody made by hand.
            Some(class) if class.is_empty() => {}
            Some(class) if classes.iter().any(|of| of.name == class) => {}
            // What is bound needs its class no more.
            Some(_) if claim.is_some_and(is_bound) => {}
            Some(class) => findings.push(Finding::new(
                "StorageClassMissing",
                format!("PersistentVolumeClaim {name} asks for storage class {class}, which is not there"),
                "kubectl get storageclass",
            )),
            None => relies_on_default |= !claim.is_some_and(is_bound),
        }
    }
    if relies_on_default {
        findings.extend(default_class(classes));
    }
    findings
}

fn is_bound(claim: &k8s_openapi::api::core::v1::PersistentVolumeClaim) -> bool {
    let phase = claim
        .status
        .as_ref()
        .and_then(|status| status.phase.as_deref());
    phase == Some("Bound")
}

fn default_class(classes: &[StorageClassFacts]) -> Option<Finding> {
    let mut defaults = classes.iter().filter(|class| class.is_default);
    match (defaults.next(), defaults.next()) {
        (None, _) => {
            let any = classes.first().map_or("NAME", |class| class.name.as_str());
            Some(Finding::new(
                "DefaultStorageClassMissing",
                "the volumes name no storage class, and no class is the default: they wait for ever",
                format!(
                    "kubectl annotate storageclass {any} storageclass.kubernetes.io/is-default-class=true"
                ),
            ))
        }
        (Some(first), Some(second)) => Some(Finding::new(
            "SeveralDefaultStorageClasses",
            format!(
                "the volumes name no storage class, and several are the default ({}, {}): the newest is taken",
                first.name, second.name
            ),
            format!(
                "kubectl annotate storageclass {} storageclass.kubernetes.io/is-default-class-",
                second.name
            ),
        )),
        (Some(_), None) => None,
    }
}
