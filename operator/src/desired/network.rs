//! NetworkPolicies: who may reach the stack's pods, and what they may reach. [pure]
//!
//! The table of edges is in `docs/network.md`; a test holds the policies to it. Probes and the node's own traffic pass
//! whatever is said here.

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::metadata::Component;
use super::{Children, postgres, redis};
use crate::foreign::Labels;
use crate::validate::{Network, Stack, Strict};

/// Port of DNS.
const DNS: u16 = 53;

/// Where OpenShift's DNS runs, and the port on which its pods listen: policies see a connection as it arrives there.
const OPENSHIFT_DNS: (&str, u16) = ("openshift-dns", 5353);

/// Adds the policies.
pub fn add(stack: &Stack, children: &mut Children) {
    let strict = match &stack.network {
        Network::Disabled => return,
        Network::Data => None,
        Network::Strict(strict) => Some(strict),
    };
    let stores = stores(stack);
    for (store, port) in &stores {
        let clients = vec![own(stack, Component::Api), own(stack, Component::Migrate)];
        let ingress = vec![NetworkPolicyIngressRule {
            from: Some(clients),
            ports: Some(vec![tcp(*port)]),
        }];
        // A store answers and never calls.
        let egress = strict.map(|_| Vec::new());
        let policy = policy(stack, *store, ingress, egress);
        children.network_policies.push(policy);
    }
    let Some(strict) = strict else { return };
    let outwards = egress(stack, &stores, strict);
    let into_api = [&strict.ingress, &strict.monitoring].map(|labels| NetworkPolicyIngressRule {
        from: Some(vec![namespaces(labels)]),
        ports: Some(vec![tcp(stack.api.port)]),
    });
    children.network_policies.extend([
        policy(
            stack,
            Component::Api,
            into_api.into(),
            Some(outwards.clone()),
        ),
        policy(stack, Component::Migrate, Vec::new(), Some(outwards)),
    ]);
}

/// The stores that have pods of ours, and their ports.
fn stores(stack: &Stack) -> Vec<(Component, u16)> {
    let redis = stack
        .redis
        .as_ref()
        .map(|_| (Component::Redis, redis::PORT));
    let is_ours = stack.external.postgres.is_none();
    let postgres = is_ours.then_some((Component::Postgres, postgres::PORT));
    postgres.into_iter().chain(redis).collect()
}

/// What the API's pods and the migration's may reach.
fn egress(
    stack: &Stack,
    stores: &[(Component, u16)],
    strict: &Strict,
) -> Vec<NetworkPolicyEgressRule> {
    let (openshift, openshift_port) = OPENSHIFT_DNS;
    let namespace = Labels::from([(
        "kubernetes.io/metadata.name".to_owned(),
        openshift.to_owned(),
    )]);
    // Port 53 of anywhere: DNS may be pods, a cache on the node, or a server outside, and each cluster has its own.
    let dns = [
        NetworkPolicyEgressRule {
            to: None,
            ports: Some(vec![port(DNS, "UDP"), port(DNS, "TCP")]),
        },
        NetworkPolicyEgressRule {
            to: Some(vec![namespaces(&namespace)]),
            ports: Some(vec![
                port(openshift_port, "UDP"),
                port(openshift_port, "TCP"),
            ]),
        },
    ];
    let data = stores.iter().map(|(store, port)| NetworkPolicyEgressRule {
        to: Some(vec![own(stack, *store)]),
        ports: Some(vec![tcp(*port)]),
    });
    let more = strict.egress.iter().cloned().map(canonical);
    dns.into_iter().chain(data).chain(more).collect()
}

/// As the API server would complete it.
fn canonical(rule: NetworkPolicyEgressRule) -> NetworkPolicyEgressRule {
    let with_protocol = |port: NetworkPolicyPort| NetworkPolicyPort {
        protocol: port.protocol.or_else(|| Some("TCP".to_owned())),
        ..port
    };
    NetworkPolicyEgressRule {
        to: rule.to,
        ports: rule
            .ports
            .map(|ports| ports.into_iter().map(with_protocol).collect()),
    }
}

/// A policy about one component's pods; without `egress` their own calls are not restricted.
fn policy(
    stack: &Stack,
    component: Component,
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Option<Vec<NetworkPolicyEgressRule>>,
) -> NetworkPolicy {
    let mut types = vec!["Ingress".to_owned()];
    types.extend(egress.as_ref().map(|_| "Egress".to_owned()));
    // Nothing open is an empty list that is left out: the type alone closes.
    let ingress = (!ingress.is_empty()).then_some(ingress);
    let egress = egress.filter(|rules| !rules.is_empty());
    NetworkPolicy {
        metadata: component.owned(stack, component.name(&stack.name)),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(pods(stack, component)),
            policy_types: Some(types),
            ingress,
            egress,
        }),
    }
}

/// All of our pods' labels, `managed-by` too: others of the same instance or component are none of ours.
fn pods(stack: &Stack, component: Component) -> LabelSelector {
    LabelSelector {
        match_labels: Some(component.labels(&stack.name)),
        ..LabelSelector::default()
    }
}

/// A component's pods; without a namespace in it, those of this one.
fn own(stack: &Stack, component: Component) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(pods(stack, component)),
        ..NetworkPolicyPeer::default()
    }
}

fn namespaces(labels: &Labels) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector {
            match_labels: Some(labels.clone()),
            ..LabelSelector::default()
        }),
        ..NetworkPolicyPeer::default()
    }
}

fn tcp(number: impl Into<i32>) -> NetworkPolicyPort {
    port(number, "TCP")
}

fn port(number: impl Into<i32>, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(number.into())),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    }
}
