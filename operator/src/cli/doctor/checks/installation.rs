//! The operator itself: its definition, its rights, whether it looks. [pure]

use serde_json::Value;

use crate::cli::doctor::Finding;
use crate::cli::doctor::facts::{ClusterFacts, StackFacts};

const INSTALL: &str = "kubectl apply --server-side -f manifests/install.yaml";

pub(super) fn of_cluster(facts: &ClusterFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(definition) = &facts.definition
        && schema(definition) != schema(&ours())
    {
        findings.push(Finding::new(
            "DefinitionDiffers",
            "the CustomResourceDefinition of TpStack is not the one of this release: fields may be missing, or mean something else",
            "tpstack crd | kubectl apply --server-side --force-conflicts -f -",
        ));
    }
    if let Some(other) = &facts.other_release {
        findings.push(Finding::new(
            "ReleaseDiffers",
            format!(
                "the operator is of release {other}, and this command of {}",
                env!("CARGO_PKG_VERSION")
            ),
            INSTALL,
        ));
    }
    if let Some(missing) = facts
        .missing_rights
        .as_ref()
        .filter(|missing| !missing.is_empty())
    {
        findings.push(Finding::new(
            "OperatorRightsMissing",
            format!("{} may not {}", account(facts), missing.join(", ")),
            INSTALL,
        ));
    }
    findings
}

pub(super) fn of_stack(facts: &ClusterFacts, own: &StackFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (namespace, name) = &facts.operator;
    if let Some(rights) = own
        .rights
        .as_ref()
        .filter(|rights| !rights.missing.is_empty())
    {
        findings.push(if rights.held == 0 {
            Finding::new(
                "NamespaceNotGranted",
                format!("{} has no rights in namespace {}", account(facts), own.namespace),
                format!(
                    "kubectl create rolebinding tpstack-operator --clusterrole=tpstack-operator-children \
                     --serviceaccount={namespace}:{name} --namespace={}",
                    own.namespace
                ),
            )
        } else {
            Finding::new(
                "OperatorRightsMissing",
                format!(
                    "{} may not {} in namespace {}",
                    account(facts),
                    rights.missing.join(", "),
                    own.namespace
                ),
                INSTALL,
            )
        });
    } else if !own.is_observed {
        // Without rights it would say so: it does not look at all.
        findings.push(Finding::new(
            "NotObserved",
            "the operator has not looked at this spec: it does not run, or does not get to it",
            format!("kubectl --namespace {namespace} get deployment,pod"),
        ));
    }
    findings
}

fn account(facts: &ClusterFacts) -> String {
    let (namespace, name) = &facts.operator;
    format!("ServiceAccount {namespace}/{name}")
}

fn ours() -> Value {
    serde_json::to_value(crate::crd::definition()).expect("a definition is plain data")
}

/// What a definition says of the versions: their schemas, without what the server fills in.
fn schema(definition: &Value) -> Vec<(Option<&Value>, Option<&Value>)> {
    let versions = definition
        .pointer("/spec/versions")
        .and_then(Value::as_array);
    versions
        .into_iter()
        .flatten()
        .map(|version| {
            (
                version.get("name"),
                version.pointer("/schema/openAPIV3Schema"),
            )
        })
        .collect()
}
