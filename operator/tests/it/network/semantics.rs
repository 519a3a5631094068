//! The evaluator against what the documentation of NetworkPolicy says, one sentence at a time.

use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};

use super::evaluator::{Cluster, End, Labels, Port};

const WEB: Port = Port {
    number: 80,
    protocol: "TCP",
};

fn labels(pairs: &[(&str, &str)]) -> Labels {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn pod(address: &str, namespace: &str, app: &str) -> End {
    End {
        address: address.parse().unwrap(),
        pod: Some((namespace.to_owned(), labels(&[("app", app)]))),
        ports: [("web".to_owned(), 80)].into(),
    }
}

fn outside(address: &str) -> End {
    End {
        address: address.parse().unwrap(),
        pod: None,
        ports: [].into(),
    }
}

fn a() -> End {
    pod("10.0.0.1", "one", "a")
}

fn b() -> End {
    pod("10.0.0.2", "one", "b")
}

fn c() -> End {
    pod("10.0.1.1", "two", "c")
}

/// A cluster with these policies, all in namespace `one`.
fn cluster(specs: &[Value]) -> Cluster {
    let policy = |spec: &Value| -> NetworkPolicy {
        serde_json::from_value(json!({"metadata": {"namespace": "one"}, "spec": spec})).unwrap()
    };
    Cluster {
        namespaces: [
            ("one".to_owned(), labels(&[("team", "x")])),
            ("two".to_owned(), labels(&[("team", "y")])),
        ]
        .into(),
        policies: specs.iter().map(policy).collect(),
    }
}

/// `b` takes connections by this rule alone.
fn into_b(rule: &Value) -> Cluster {
    let b = json!({"matchLabels": {"app": "b"}});
    cluster(&[json!({"podSelector": b, "policyTypes": ["Ingress"], "ingress": [rule]})])
}

#[test]
fn a_pod_that_no_policy_selects_is_open_both_ways() {
    let cluster = into_b(&json!({"from": [{"podSelector": {"matchLabels": {"app": "none"}}}]}));
    assert!(cluster.lets(&c(), &a(), WEB) && cluster.lets(&a(), &c(), WEB));
    assert!(!cluster.lets(&a(), &b(), WEB), "b is selected");
    assert!(cluster.lets(&b(), &a(), WEB), "but not for what goes out");
}

#[test]
fn policies_select_pods_of_their_own_namespace_alone() {
    let all = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    let cluster = cluster(&[all]);
    assert!(!cluster.lets(&c(), &a(), WEB) && !cluster.lets(&outside("192.0.2.1"), &b(), WEB));
    assert!(cluster.lets(&a(), &c(), WEB), "c is in another namespace");
}

#[test]
fn policies_add_up_and_never_take_away() {
    let closed = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    let open = json!({"podSelector": {"matchLabels": {"app": "b"}}, "ingress": [{}]});
    let cluster = cluster(&[closed, open]);
    assert!(cluster.lets(&c(), &b(), WEB) && !cluster.lets(&c(), &a(), WEB));
}

#[test]
fn both_ends_must_agree() {
    let out = json!({"podSelector": {"matchLabels": {"app": "a"}}, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]});
    let within = json!({"podSelector": {"matchLabels": {"app": "b"}}, "policyTypes": ["Ingress"]});
    let cluster = cluster(&[out, within]);
    assert!(!cluster.lets(&a(), &b(), WEB), "b takes nothing");
    assert!(
        !cluster.lets(&a(), &c(), WEB),
        "a may not leave the namespace"
    );
}

#[test]
fn without_types_a_policy_is_about_ingress_and_about_egress_if_it_has_rules() {
    let silent = cluster(&[json!({"podSelector": {}})]);
    assert!(!silent.lets(&c(), &a(), WEB) && silent.lets(&a(), &c(), WEB));
    let both = cluster(&[json!({"podSelector": {}, "egress": [{"ports": [{"port": 443}]}]})]);
    assert!(!both.lets(&a(), &c(), WEB));
}

#[test]
fn a_pod_selector_alone_is_this_namespace_and_beside_another_selector_both_must_hold() {
    let app = |app: &str| json!({"matchLabels": {"app": app}});
    let y = json!({"matchLabels": {"team": "y"}});
    assert!(!into_b(&json!({"from": [{"podSelector": {}}]})).lets(&c(), &b(), WEB));
    assert!(into_b(&json!({"from": [{"namespaceSelector": y}]})).lets(&c(), &b(), WEB));
    assert!(!into_b(&json!({"from": [{"namespaceSelector": y}]})).lets(&a(), &b(), WEB));
    let both = |pods: &str| json!({"from": [{"namespaceSelector": y, "podSelector": app(pods)}]});
    assert!(into_b(&both("c")).lets(&c(), &b(), WEB));
    assert!(!into_b(&both("a")).lets(&c(), &b(), WEB));
    // Two peers in one list are alternatives.
    let either = json!({"from": [{"namespaceSelector": y}, {"podSelector": app("a")}]});
    assert!(into_b(&either).lets(&a(), &b(), WEB) && into_b(&either).lets(&c(), &b(), WEB));
}

#[test]
fn an_empty_rule_is_everything_and_no_rule_nothing() {
    assert!(into_b(&json!({})).lets(&outside("192.0.2.1"), &b(), WEB));
    let none = cluster(&[json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": []})]);
    assert!(!none.lets(&outside("192.0.2.1"), &b(), WEB));
}

#[test]
fn ports_are_numbers_ranges_or_names_of_one_protocol() {
    let opens = |port: Value, number, protocol| {
        into_b(&json!({"ports": [port]})).lets(&a(), &b(), Port { number, protocol })
    };
    assert!(opens(json!({"port": 80}), 80, "TCP"));
    assert!(!opens(json!({"port": 80}), 81, "TCP"));
    assert!(!opens(json!({"port": 80}), 80, "UDP"), "TCP unless said");
    assert!(opens(json!({"protocol": "UDP"}), 7, "UDP"));
    assert!(opens(json!({"port": 80, "endPort": 90}), 90, "TCP"));
    assert!(!opens(json!({"port": 80, "endPort": 90}), 91, "TCP"));
    assert!(opens(json!({"port": "web"}), 80, "TCP"));
    assert!(!opens(json!({"port": "other"}), 80, "TCP"));
}

#[test]
fn address_blocks_have_holes_and_a_family() {
    let rule =
        json!({"from": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.128/25"]}}]});
    let cluster = into_b(&rule);
    assert!(cluster.lets(&outside("192.0.2.1"), &b(), WEB));
    assert!(!cluster.lets(&outside("192.0.2.200"), &b(), WEB));
    assert!(!cluster.lets(&outside("2001:db8::1"), &b(), WEB));
    let all = into_b(&json!({"from": [{"ipBlock": {"cidr": "::/0"}}]}));
    assert!(all.lets(&outside("2001:db8::1"), &b(), WEB));
    assert!(!all.lets(&outside("192.0.2.1"), &b(), WEB));
}

#[test]
fn expressions_select_as_they_do_elsewhere() {
    let by = |expression: Value| {
        let rule = json!({"from": [{"podSelector": {"matchExpressions": [expression]}}]});
        into_b(&rule).lets(&a(), &b(), WEB)
    };
    assert!(by(
        json!({"key": "app", "operator": "In", "values": ["a", "x"]})
    ));
    assert!(!by(
        json!({"key": "app", "operator": "NotIn", "values": ["a"]})
    ));
    assert!(by(
        json!({"key": "none", "operator": "NotIn", "values": ["a"]})
    ));
    assert!(by(json!({"key": "app", "operator": "Exists"})));
    assert!(by(json!({"key": "none", "operator": "DoesNotExist"})));
}

#[test]
fn a_pod_reaches_itself_whatever_is_said() {
    let closed = cluster(&[json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]})]);
    assert!(closed.lets(&a(), &a(), WEB) && !closed.lets(&a(), &b(), WEB));
}
