//! Rules of `spec.network`. [pure]

use k8s_openapi::api::networking::v1::NetworkPolicyEgressRule;

use super::{Check, words};
use crate::crd::{Isolation, NamespaceSelector, NetworkSpec, StrictSpec};
use crate::foreign::Labels;

/// Who may reach the stack's pods, and what they may reach.
#[derive(Clone, Debug, PartialEq)]
pub enum Network {
    /// Postgres and Redis are the stack's own pods' alone.
    Data,
    /// Every pod is closed, but for this.
    Strict(Strict),
    /// Whatever the cluster allows.
    Disabled,
}

/// What is open besides the stack's own connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Strict {
    /// Labels of the namespaces that may reach the API; at least one.
    pub ingress: Labels,
    /// Labels of the namespaces that may scrape it; at least one.
    pub monitoring: Labels,
    /// What the API's pods may reach besides.
    pub egress: Vec<NetworkPolicyEgressRule>,
}

/// Checks all of `spec.network`; what is refused is never used.
pub(super) fn network(spec: &NetworkSpec, check: &mut Check) -> Network {
    check.that(
        (spec.isolation == Isolation::Strict) == spec.strict.is_some(),
        "spec.network",
        "isolation Strict needs strict with its namespaces, and any other isolation excludes it",
    );
    let strict = spec.strict.as_ref().map(|spec| strict(spec, check));
    match (spec.isolation, strict) {
        (Isolation::Disabled, _) => Network::Disabled,
        (Isolation::Strict, Some(strict)) => Network::Strict(strict),
        (Isolation::Strict | Isolation::Data, _) => Network::Data,
    }
}

fn strict(spec: &StrictSpec, check: &mut Check) -> Strict {
    let names_something = |rule: &NetworkPolicyEgressRule| {
        rule.to.as_ref().is_some_and(|to| !to.is_empty())
            || rule.ports.as_ref().is_some_and(|ports| !ports.is_empty())
    };
    let is_short = |rule: &NetworkPolicyEgressRule| {
        rule.to.as_ref().is_none_or(|to| to.len() <= 20)
            && rule.ports.as_ref().is_none_or(|ports| ports.len() <= 20)
    };
    check.that(
        spec.egress.len() <= 20 && spec.egress.iter().all(is_short),
        "spec.network.strict.egress",
        "must have at most 20 rules, each with at most 20 peers and 20 ports",
    );
    check.that(
        spec.egress.iter().all(names_something),
        "spec.network.strict.egress",
        "must name ports, peers or both in each rule: an empty rule would open everything",
    );
    Strict {
        ingress: namespaces(&spec.ingress_namespaces, "ingressNamespaces", check),
        monitoring: namespaces(&spec.monitoring_namespaces, "monitoringNamespaces", check),
        egress: spec.egress.clone(),
    }
}

fn namespaces(selector: &NamespaceSelector, field: &str, check: &mut Check) -> Labels {
    let labels = &selector.match_labels;
    let field = format!("spec.network.strict.{field}.matchLabels");
    check.that(
        (1..=10).contains(&labels.len()),
        &field,
        "must have between 1 and 10 labels: none would be every namespace",
    );
    check.that(
        labels
            .iter()
            .all(|(key, value)| words::is_label_key(key) && words::is_label_value(value)),
        &field,
        "must be labels as Kubernetes knows them: for example kubernetes.io/metadata.name: traefik",
    );
    labels.clone()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Check, Network, network};

    fn check(spec: &Value) -> (Network, Vec<String>) {
        let mut check = Check::default();
        let network = network(&serde_json::from_value(spec.clone()).unwrap(), &mut check);
        let fields = check.violations.into_iter().map(|v| v.field).collect();
        (network, fields)
    }

    fn strict(egress: &Value) -> Value {
        let traefik = json!({"matchLabels": {"kubernetes.io/metadata.name": "traefik"}});
        json!({"isolation": "Strict", "strict": {
            "ingressNamespaces": traefik, "monitoringNamespaces": traefik, "egress": egress,
        }})
    }

    #[test]
    fn nothing_said_protects_the_data() {
        assert_eq!(check(&json!({})), (Network::Data, Vec::new()));
    }

    #[test]
    fn strict_and_its_member_go_together() {
        let mut other = strict(&json!([]));
        assert!(matches!(check(&other), (Network::Strict(_), none) if none.is_empty()));
        for isolation in ["Data", "Disabled"] {
            other["isolation"] = json!(isolation);
            assert_eq!(check(&other).1, ["spec.network"], "{isolation}");
        }
        assert_eq!(check(&json!({"isolation": "Strict"})).1, ["spec.network"]);
    }

    #[test]
    fn what_would_open_everything_is_refused() {
        for egress in [json!([{}]), json!([{"to": [], "ports": []}])] {
            assert_eq!(check(&strict(&egress)).1, ["spec.network.strict.egress"]);
        }
        let port = json!([{"ports": [{"port": 443}]}]);
        assert!(check(&strict(&port)).1.is_empty());
        let mut everywhere = strict(&json!([]));
        everywhere["strict"]["ingressNamespaces"]["matchLabels"] = json!({});
        assert_eq!(
            check(&everywhere).1,
            ["spec.network.strict.ingressNamespaces.matchLabels"]
        );
    }
}
