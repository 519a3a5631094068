//! What a set of NetworkPolicies lets through, by the rules of Kubernetes' documentation of NetworkPolicy: no code of the
//! operator's, and none of any cluster network's.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

pub(super) type Labels = BTreeMap<String, String>;

/// One end of a connection: a pod, or an address that is none.
#[derive(Clone, Debug)]
pub(super) struct End {
    pub(super) address: IpAddr,
    /// Namespace and labels of the pod.
    pub(super) pod: Option<(String, Labels)>,
    /// The pod's named ports.
    pub(super) ports: BTreeMap<String, u16>,
}

/// Where a connection arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Port {
    pub(super) number: u16,
    pub(super) protocol: &'static str,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Cluster {
    /// Labels of each namespace.
    pub(super) namespaces: BTreeMap<String, Labels>,
    pub(super) policies: Vec<NetworkPolicy>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Ingress,
    Egress,
}

impl Cluster {
    /// Whether a connection is let through: out of the one end and into the other.
    pub(super) fn lets(&self, from: &End, to: &End, port: Port) -> bool {
        // A pod cannot be kept from itself.
        from.address == to.address
            || (self.lets_out(from, to, port) && self.lets_in(from, to, port))
    }

    /// Policies that restrict this end: those of the pod's own namespace that select it.
    pub(super) fn selecting(&self, end: &End, direction: Direction) -> Vec<&NetworkPolicy> {
        let Some((namespace, labels)) = &end.pod else {
            return Vec::new();
        };
        let selects = |policy: &&NetworkPolicy| {
            policy.metadata.namespace.as_ref() == Some(namespace)
                && concerns(policy, direction)
                && selector(policy).is_none_or(|selector| matches(selector, labels))
        };
        self.policies.iter().filter(selects).collect()
    }

    fn lets_out(&self, from: &End, to: &End, port: Port) -> bool {
        let policies = self.selecting(from, Direction::Egress);
        let allows = |policy: &NetworkPolicy, rule: &NetworkPolicyEgressRule| {
            self.any_peer(policy, rule.to.as_deref(), to)
                && any_port(rule.ports.as_deref(), to, port)
        };
        policies.is_empty()
            || policies.iter().any(|policy| {
                let rules = policy.spec.iter().flat_map(|spec| spec.egress.iter());
                rules.flatten().any(|rule| allows(policy, rule))
            })
    }

    fn lets_in(&self, from: &End, to: &End, port: Port) -> bool {
        let policies = self.selecting(to, Direction::Ingress);
        let allows = |policy: &NetworkPolicy, rule: &NetworkPolicyIngressRule| {
            self.any_peer(policy, rule.from.as_deref(), from)
                && any_port(rule.ports.as_deref(), to, port)
        };
        policies.is_empty()
            || policies.iter().any(|policy| {
                let rules = policy.spec.iter().flat_map(|spec| spec.ingress.iter());
                rules.flatten().any(|rule| allows(policy, rule))
            })
    }

    /// No list, or an empty one, is everybody.
    fn any_peer(
        &self,
        policy: &NetworkPolicy,
        peers: Option<&[NetworkPolicyPeer]>,
        end: &End,
    ) -> bool {
        let peers = peers.unwrap_or_default();
        peers.is_empty() || peers.iter().any(|peer| self.is_peer(policy, peer, end))
    }

    fn is_peer(&self, policy: &NetworkPolicy, peer: &NetworkPolicyPeer, end: &End) -> bool {
        if let Some(block) = &peer.ip_block {
            let excepted = block.except.iter().flatten();
            return contains(&block.cidr, end.address)
                && !excepted.into_iter().any(|cidr| contains(cidr, end.address));
        }
        let Some((namespace, labels)) = &end.pod else {
            return false;
        };
        let in_namespace = match &peer.namespace_selector {
            Some(selector) => self
                .namespaces
                .get(namespace)
                .is_some_and(|labels| matches(selector, labels)),
            None => policy.metadata.namespace.as_ref() == Some(namespace),
        };
        let is_selected = match &peer.pod_selector {
            Some(selector) => matches(selector, labels),
            None => peer.namespace_selector.is_some(),
        };
        in_namespace && is_selected
    }
}

fn selector(policy: &NetworkPolicy) -> Option<&LabelSelector> {
    policy.spec.as_ref()?.pod_selector.as_ref()
}

/// Without types a policy is about what comes in, and about what goes out if it has rules on it.
fn concerns(policy: &NetworkPolicy, direction: Direction) -> bool {
    let Some(spec) = &policy.spec else {
        return false;
    };
    match &spec.policy_types {
        Some(types) if !types.is_empty() => types.contains(&format!("{direction:?}")),
        _ => direction == Direction::Ingress || spec.egress.iter().any(|rules| !rules.is_empty()),
    }
}

/// No list, or an empty one, is every port.
fn any_port(ports: Option<&[NetworkPolicyPort]>, to: &End, port: Port) -> bool {
    let ports = ports.unwrap_or_default();
    let is_it = |allowed: &NetworkPolicyPort| {
        let number = i32::from(port.number);
        let same = match (&allowed.port, allowed.end_port) {
            (None, _) => true,
            (Some(IntOrString::Int(first)), Some(last)) => (*first..=last).contains(&number),
            (Some(IntOrString::Int(only)), None) => *only == number,
            (Some(IntOrString::String(name)), _) => to.ports.get(name) == Some(&port.number),
        };
        same && allowed.protocol.as_deref().unwrap_or("TCP") == port.protocol
    };
    ports.is_empty() || ports.iter().any(is_it)
}

/// An empty selector selects everything.
fn matches(selector: &LabelSelector, labels: &Labels) -> bool {
    let mut wanted = selector.match_labels.iter().flatten();
    let mut expressions = selector.match_expressions.iter().flatten();
    wanted.all(|(key, value)| labels.get(key) == Some(value))
        && expressions.all(|expression| {
            let found = labels.get(&expression.key);
            let values = expression.values.as_deref().unwrap_or_default();
            match expression.operator.as_str() {
                "In" => found.is_some_and(|found| values.contains(found)),
                "NotIn" => found.is_none_or(|found| !values.contains(found)),
                "Exists" => found.is_some(),
                "DoesNotExist" => found.is_none(),
                other => panic!("{other} is no operator of a selector"),
            }
        })
}

/// Whether an address is in a block such as `192.0.2.0/24`.
fn contains(cidr: &str, address: IpAddr) -> bool {
    let (base, length) = cidr.split_once('/').unwrap();
    let length: u32 = length.parse().unwrap();
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (u128::from(v4.to_bits()) << 96, 4),
        IpAddr::V6(v6) => (v6.to_bits(), 6),
    };
    let (base, family) = bits(base.parse().unwrap());
    let (address, of_address) = bits(address);
    let mask = u128::MAX.checked_shl(128 - length).unwrap_or_default();
    family == of_address && (base & mask) == (address & mask)
}
