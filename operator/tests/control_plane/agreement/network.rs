//! Values for `spec.network`.

use proptest::{collection::vec, option, prelude::*, sample::select, strategy::BoxedStrategy};
use serde_json::{Map, Value, json};

use super::specs::labels;
use super::words::no_object;

/// A whole `spec.network`: a mode, and beside it, or not, what goes with Strict.
pub(super) fn network() -> BoxedStrategy<Value> {
    let isolation = select(vec![
        json!("Strict"),
        json!("Strict"),
        json!("Strict"),
        json!("Data"),
        json!("Disabled"),
        json!("strict"),
        json!(null),
        json!(7),
    ]);
    (
        option::weighted(0.9, isolation),
        option::weighted(0.7, strict()),
    )
        .prop_map(|(isolation, strict)| {
            let mut network = Map::new();
            network.extend(isolation.map(|isolation| ("isolation".to_owned(), isolation)));
            network.extend(strict.map(|strict| ("strict".to_owned(), strict)));
            Value::Object(network)
        })
        .boxed()
}

fn strict() -> BoxedStrategy<Value> {
    (namespaces(), namespaces(), option::of(egress()))
        .prop_map(|(ingress, monitoring, egress)| {
            let mut strict =
                json!({"ingressNamespaces": ingress, "monitoringNamespaces": monitoring});
            if let Some(egress) = egress {
                strict["egress"] = egress;
            }
            strict
        })
        .boxed()
}

fn namespaces() -> BoxedStrategy<Value> {
    let sound = json!({"matchLabels": {"kubernetes.io/metadata.name": "traefik"}});
    prop_oneof![
        6 => Just(sound),
        2 => labels().prop_map(|labels| json!({"matchLabels": labels})),
        1 => no_object(),
        1 => select(vec![json!({}), json!({"matchLabels": {}}), json!({"matchLabels": null})]),
        1 => select(vec![9_usize, 10, 11]).prop_map(|count| {
            let labels: Map<String, Value> = (0..count).map(|number| (format!("k{number}"), json!("v"))).collect();
            json!({"matchLabels": labels})
        }),
    ]
    .boxed()
}

/// Rules whose addresses and ports are sound: what is wrong with those, the NetworkPolicy's own admission says.
fn egress() -> BoxedStrategy<Value> {
    let peer = select(vec![
        json!({"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.1/32"]}}),
        json!({"namespaceSelector": {"matchLabels": {"a": "b"}}, "podSelector": {}}),
    ]);
    let port = select(vec![
        json!({"port": 443}),
        json!({"port": "https", "protocol": "TCP"}),
        json!({"port": 8000, "endPort": 9000}),
        json!({}),
    ]);
    let lengths =
        |most: usize| prop_oneof![8 => 0..3_usize, 1 => select(vec![most - 1, most, most + 1])];
    let list = |item: BoxedStrategy<Value>| {
        lengths(20)
            .prop_flat_map(move |length| vec(item.clone(), length))
            .prop_map(Value::from)
            .boxed()
    };
    let rule = (
        option::weighted(0.6, list(peer.boxed())),
        option::weighted(0.6, list(port.boxed())),
    )
        .prop_map(|(to, ports)| {
            let mut rule = Map::new();
            rule.extend(to.map(|to| ("to".to_owned(), to)));
            rule.extend(ports.map(|ports| ("ports".to_owned(), ports)));
            Value::Object(rule)
        });
    let sound = Just(json!({"ports": [{"port": 443}]}));
    prop_oneof![
        4 => vec(prop_oneof![6 => sound.clone().boxed(), 1 => rule.boxed()], 0..4).prop_map(Value::from),
        1 => select(vec![19_usize, 20, 21]).prop_flat_map(move |length| vec(sound.clone(), length)).prop_map(Value::from),
    ]
    .boxed()
}
