//! Values for the fields of `spec.api.scheduling`: Kubernetes' own types, sound ones and ones that lack what they need.

use proptest::{collection::btree_map, prelude::*, sample::select, strategy::BoxedStrategy};
use serde_json::{Value, json};

use super::words::{long, shaped, spoilt, texts};

pub(super) fn node_selector() -> BoxedStrategy<Value> {
    let key = prop_oneof![
        6 => shaped("([a-z]{1,4}([.][a-z]{1,4})?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,6}[A-Za-z0-9])?"),
        2 => spoilt(shaped("[a-z]{1,4}/[a-z]{1,4}")),
        1 => long(&[62, 63, 64, 300]),
    ];
    let value = texts(shaped("[a-z]{1,6}"), &[62, 63, 64]);
    prop_oneof![
        8 => btree_map(key, value, 0..3).prop_map(|map| json!(map)),
        1 => select(vec![19, 20, 21]).prop_map(|count| {
            Value::Object((0..count).map(|number| (format!("k{number}"), json!("v"))).collect())
        }),
    ]
    .boxed()
}

pub(super) fn tolerations() -> BoxedStrategy<Value> {
    let one = select(vec![
        json!({"operator": "Exists"}),
        json!({"key": "a"}),
        json!({"key": "a", "operator": "Equal", "value": "b", "effect": "NoSchedule"}),
        json!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 7}),
        json!({"key": "a", "operator": "Exists", "value": ""}),
        json!({"key": "a".repeat(317), "value": "b".repeat(63)}),
        json!({"key": "a".repeat(318)}),
        json!({"key": "a", "value": "b".repeat(64)}),
        json!({}),
        json!({"key": ""}),
        json!({"value": "b", "operator": "Equal"}),
        json!({"key": "a", "operator": "Exists", "value": "b"}),
        json!({"key": "a", "operator": "exists"}),
        json!({"key": "a", "operator": ""}),
        json!({"key": "a", "effect": "NoRun"}),
        json!({"key": "a", "effect": "NoSchedule", "tolerationSeconds": 7}),
        json!({"key": "a", "tolerationSeconds": 7}),
        json!({"key": 7}),
        json!(7),
    ]);
    prop_oneof![
        8 => proptest::collection::vec(one, 0..2).prop_map(Value::from),
        1 => select(vec![19, 20, 21]).prop_map(|length| json!(vec![json!({"key": "a"}); length])),
    ]
    .boxed()
}

pub(super) fn spread() -> BoxedStrategy<Value> {
    let of = |key: &str, when: &str| json!({"topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": when});
    let with = |field: &str, value: Value| {
        let mut constraint = of("zone", "DoNotSchedule");
        constraint[field] = value;
        json!([constraint])
    };
    let many = move |count: usize| {
        (0..count)
            .map(|number| of(&format!("k{number}"), "ScheduleAnyway"))
            .collect::<Value>()
    };
    select(vec![
        json!([]),
        json!([of("zone", "DoNotSchedule"), of("zone", "ScheduleAnyway")]),
        json!([of("zone", "DoNotSchedule"), of("zone", "DoNotSchedule")]),
        with("maxSkew", json!(0)),
        with("maxSkew", json!(i64::MAX)),
        with("minDomains", json!(1)),
        with("minDomains", json!(0)),
        with("topologyKey", json!("")),
        with("topologyKey", json!("a".repeat(317))),
        with("topologyKey", json!("a".repeat(318))),
        with("whenUnsatisfiable", json!("Never")),
        with("nodeAffinityPolicy", json!("Honor")),
        with("nodeTaintsPolicy", json!("honor")),
        with("matchLabelKeys", json!(["pod-template-hash"])),
        with("labelSelector", json!({"matchLabels": {"a": "b"}})),
        with("labelSelector", expressions("In")),
        with("labelSelector", expressions("Gt")),
        with("labelSelector", json!({"matchExpressions": [{"key": "a"}]})),
        json!([{"topologyKey": "zone", "maxSkew": 1}]),
        json!([{"topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]),
        json!([{"maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]),
        many(10),
        many(11),
    ])
    .boxed()
}

fn expressions(operator: &str) -> Value {
    json!({"matchExpressions": [{"key": "a", "operator": operator, "values": ["b"]}]})
}

pub(super) fn affinity() -> BoxedStrategy<Value> {
    const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
    const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";
    let nodes = |terms: Value| json!({"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": terms}}});
    let wish = |wish: Value| json!({"nodeAffinity": {PREFERRED: [wish]}});
    let pods = |term: Value| json!({"podAffinity": {REQUIRED: [term]}});
    let avoid = |wish: Value| json!({"podAntiAffinity": {PREFERRED: [wish]}});
    let host = || json!({"topologyKey": "host"});
    select(vec![
        json!({}),
        json!({"nodeAffinity": {}}),
        json!({"nodeAffinity": {REQUIRED: {}}}),
        nodes(json!([])),
        nodes(json!([{}])),
        nodes(json!([expressions("Gt")])),
        nodes(json!([expressions("gt")])),
        nodes(json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}])),
        nodes(json!([{"matchExpressions": [{"operator": "In"}]}])),
        nodes(json!([{"matchExpressions": vec![json!({"key": "a", "operator": "Exists"}); 20]}])),
        nodes(json!([{"matchExpressions": vec![json!({"key": "a", "operator": "Exists"}); 21]}])),
        nodes(json!(vec![expressions("In"); 20])),
        nodes(json!(vec![expressions("In"); 21])),
        wish(json!({"weight": 1, "preference": expressions("In")})),
        wish(json!({"weight": 0, "preference": expressions("In")})),
        wish(json!({"weight": 101, "preference": expressions("In")})),
        wish(json!({"preference": expressions("In")})),
        wish(json!({"weight": 1})),
        wish(json!({"weight": 1, "preference": {}})),
        wish(json!({"weight": 1, "preference": {"matchExpressions": []}})),
        pods(host()),
        pods(json!({})),
        pods(json!({"topologyKey": ""})),
        pods(json!({"topologyKey": "host", "labelSelector": expressions("NotIn"), "namespaces": ["a"]})),
        pods(json!({"topologyKey": "host", "namespaceSelector": expressions("Lt")})),
        avoid(json!({"weight": 100, "podAffinityTerm": host()})),
        avoid(json!({"weight": 100})),
        avoid(json!({"podAffinityTerm": host()})),
        avoid(json!({"weight": 100, "podAffinityTerm": {}})),
        json!({"podAffinity": {REQUIRED: vec![host(); 20]}}),
        json!({"podAffinity": {REQUIRED: vec![host(); 21]}}),
        json!([]),
        json!(7),
    ])
    .boxed()
}
