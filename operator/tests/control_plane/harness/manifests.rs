//! What is installed before any test: the shipped roles and the CRDs of other projects.

use std::fs;

use super::{environment::ENVIRONMENT, identity::OPERATOR_NAMESPACE};

/// The projects whose CRDs may be missing: the file in the testbed's folder, and the CRDs that we use of it.
pub(crate) const TRAEFIK: (&str, &[&str]) = (
    "traefik.yaml",
    &["ingressroutes.traefik.io", "middlewares.traefik.io"],
);
pub(crate) const PROMETHEUS_OPERATOR: (&str, &[&str]) = (
    "prometheus-operator.yaml",
    &[
        "servicemonitors.monitoring.coreos.com",
        "prometheusrules.monitoring.coreos.com",
    ],
);

pub(crate) const CERT_MANAGER: (&str, &[&str]) =
    ("cert-manager.yaml", &["certificates.cert-manager.io"]);

/// All, with their names on the command line of `tpstack render`.
pub(crate) const OPTIONAL: [((&str, &[&str]), &str); 3] = [
    (TRAEFIK, "traefik"),
    (PROMETHEUS_OPERATOR, "prometheus-operator"),
    (CERT_MANAGER, "cert-manager"),
];

/// Those CRDs of a project that a stack uses. (All of them would only make discovery slower.)
pub(crate) fn optional((file, names): (&str, &[&str])) -> String {
    let path = ENVIRONMENT.crds.join(file);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let wanted = |document: &&str| {
        document.lines().any(|line| {
            names
                .iter()
                .any(|name| line.trim() == format!("name: {name}"))
        })
    };
    let documents: Vec<&str> = documents(&text).filter(wanted).collect();
    assert_eq!(
        documents.len(),
        names.len(),
        "{} should define each of {names:?} once",
        path.display()
    );
    documents.join("\n---\n")
}

/// The shipped manifests but the workload and the CRD: what gives the operator its identity and its rights.
pub(crate) fn roles() -> String {
    let path = ENVIRONMENT.repository.join("manifests/install.yaml");
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let left_out = ["kind: Deployment", "kind: CustomResourceDefinition"];
    let kept: Vec<&str> = documents(&text)
        .filter(|document| !document.lines().any(|line| left_out.contains(&line)))
        .collect();
    for kind in [
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ] {
        let line = format!("kind: {kind}");
        assert!(
            kept.iter()
                .any(|document| document.lines().any(|l| l == line)),
            "{} has no {kind}",
            path.display()
        );
    }
    // The namespace first: server-side apply of the ServiceAccount needs it.
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {OPERATOR_NAMESPACE}}}\n---\n{}",
        kept.join("\n---\n")
    )
}

fn documents(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n---")
        .filter(|document| document.lines().any(|line| line.starts_with("kind:")))
}
