//! What else a stack needs of its cluster: metrics, a network that enforces policies, an issuer, pods that are admitted.
//! [pure]

use serde_json::Value;

use crate::cli::doctor::Finding;
use crate::cli::doctor::facts::{ClusterFacts, StackFacts, Workload};
use crate::kind::Kind;
use crate::validate::Stack;

/// Words in names and images of what enforces network policies.
const ENFORCERS: [&str; 12] = [
    "antrea",
    "aws-network-policy-agent",
    "anetd",
    "azure-npm",
    "calico",
    "canal",
    "cilium",
    "kindnet",
    "kube-network-policies",
    "kube-router",
    "ovnkube",
    "weave",
];

pub(super) fn check(facts: &ClusterFacts, own: &StackFacts, stack: &Stack) -> Vec<Finding> {
    let mut findings = Vec::new();
    if stack.api.autoscaling.is_some() && !facts.groups.contains("metrics.k8s.io") {
        findings.push(Finding::new(
            "MetricsServerMissing",
            "spec.api.autoscaling is set, and nothing serves metrics.k8s.io: the number of pods does not follow their load",
            "kubectl apply -f https://github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml",
        ));
    }
    findings.extend(network(facts, own));
    findings.extend(issuer(facts, own));
    for (workload, words) in own.refused_pods.iter().flatten() {
        findings.push(refused(own, workload, words));
    }
    findings
}

fn network(facts: &ClusterFacts, own: &StackFacts) -> Option<Finding> {
    let has_policy = own
        .children
        .iter()
        .any(|child| child.id.kind == Kind::NetworkPolicy);
    let enforces = |workload: &Workload| {
        let words = workload.images.iter().chain([&workload.name]);
        words
            .into_iter()
            .any(|word| ENFORCERS.iter().any(|known| word.contains(known)))
    };
    let is_enforced = facts.workloads.as_ref()?.iter().any(enforces);
    (has_policy && !is_enforced).then(|| {
        Finding::new(
            "NoPolicyEnforcement",
            "NetworkPolicies are made, and nothing that is known to enforce them runs here: Postgres and Redis may be open to every pod",
            "kubectl --namespace kube-system get daemonset",
        )
    })
}

fn issuer(facts: &ClusterFacts, own: &StackFacts) -> Option<Finding> {
    let issuer = own.spec.pointer("/ingress/tls/certManager/issuerRef")?;
    let text = |key: &str| issuer.get(key).and_then(Value::as_str).unwrap_or_default();
    if !facts.groups.contains("cert-manager.io") {
        return Some(Finding::new(
            "CertManagerMissing",
            "spec.ingress.tls asks cert-manager for a certificate, and it is not installed",
            "helm install cert-manager oci://quay.io/jetstack/charts/cert-manager --namespace cert-manager \
             --create-namespace --set crds.enabled=true",
        ));
    }
    (own.issuer == Some(false)).then(|| {
        Finding::new(
            "IssuerMissing",
            format!(
                "spec.ingress.tls names {} {}, which is not there",
                text("kind"),
                text("name")
            ),
            format!(
                "kubectl --namespace {} get issuers,clusterissuers",
                own.namespace
            ),
        )
    })
}

fn refused(own: &StackFacts, workload: &str, words: &str) -> Finding {
    let level = own
        .namespace_labels
        .as_ref()
        .and_then(|labels| labels.get("pod-security.kubernetes.io/enforce"));
    match level {
        Some(level) if words.contains("violates PodSecurity") => Finding::new(
            "PodSecurity",
            format!(
                "namespace {} enforces Pod Security {level}, which refuses pods of {workload}: {words}",
                own.namespace
            ),
            format!(
                "kubectl --namespace {} get {workload} --output=yaml",
                own.namespace
            ),
        ),
        _ => Finding::new(
            "PodsRefused",
            format!("pods of {workload} are refused: {words}"),
            format!("kubectl --namespace {} describe {workload}", own.namespace),
        ),
    }
}
