//! The identity under which all this runs.

use anyhow::{Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;

use crate::{
    cluster::{Cluster, SHOP, SYSTEM, items, name, text},
    install::OPERATOR,
};

/// Step: nothing but the chart's bindings names the operator's account, and the server's answers match what the roles' comments say.
pub(crate) fn are_those_of_the_chart(cluster: &Cluster) -> Result<()> {
    let bindings = cluster.json(&[
        "get",
        "clusterrolebindings,rolebindings",
        "--all-namespaces",
    ])?;
    let found: BTreeSet<String> = items(&bindings, "/items")
        .iter()
        .filter(|binding| names_the_operator(binding))
        .map(|binding| {
            format!(
                "{} {}/{}",
                text(binding, "/kind"),
                text(binding, "/metadata/namespace"),
                name(binding)
            )
        })
        .collect();
    let expected = [
        format!("ClusterRoleBinding /{OPERATOR}"),
        format!("RoleBinding {SHOP}/{OPERATOR}"),
        format!("RoleBinding {SYSTEM}/{OPERATOR}-lease"),
    ];
    ensure!(
        found == BTreeSet::from(expected),
        "the operator's account is bound by {found:?}"
    );

    for (answer, verb, resource, namespace) in [
        ("yes", "patch", "deployments.apps", SHOP),
        ("yes", "create", "secrets", SHOP),
        ("yes", "list", "tpstacks.tpstack.dev", "default"),
        ("yes", "create", "events.events.k8s.io", "default"),
        ("yes", "create", "leases.coordination.k8s.io", SYSTEM),
        ("no", "update", "leases.coordination.k8s.io", SYSTEM),
        ("no", "create", "leases.coordination.k8s.io", SHOP),
        ("no", "delete", "secrets", SHOP),
        ("no", "delete", "persistentvolumeclaims", SHOP),
        ("no", "patch", "tpstacks.tpstack.dev", SHOP),
        ("no", "get", "secrets", "default"),
        ("no", "get", "secrets", SYSTEM),
        ("no", "create", "deployments.apps", "default"),
        ("no", "create", "pods", SHOP),
    ] {
        let account = format!("--as=system:serviceaccount:{SYSTEM}:{OPERATOR}");
        // `no` is status 1 with the word on standard output.
        let output = cluster.try_kubectl(&[
            "auth",
            "can-i",
            verb,
            resource,
            "--namespace",
            namespace,
            &account,
        ])?;
        ensure!(
            output.stdout.trim() == answer,
            "may the operator {verb} {resource} in {namespace}? expected {answer}, the server says {}{}",
            output.stdout,
            output.stderr
        );
    }
    Ok(())
}

fn names_the_operator(binding: &Value) -> bool {
    items(binding, "/subjects")
        .iter()
        .any(|subject| text(subject, "/name") == OPERATOR && text(subject, "/namespace") == SYSTEM)
}
