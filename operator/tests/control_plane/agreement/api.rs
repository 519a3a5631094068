//! Values for the fields of `spec.api`.

use operator::crd::RESERVED_ENV;
use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
    strategy::{BoxedStrategy, Strategy},
};
use serde_json::{Map, Value, json};

use super::words::{amounts, long, no_object, one_of, shaped, spoilt, texts};

pub(super) fn numbers() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => (-3..=103_i64).prop_map(Value::from),
        1 => select(vec![
            json!(i32::MAX), json!(i32::MIN), json!(i64::MAX), json!(i64::MIN), json!(4_294_967_298_i64), json!(1.5), json!("2"),
        ]),
    ]
    .boxed()
}

pub(super) fn autoscaling() -> BoxedStrategy<Value> {
    let count = || prop_oneof![6 => (1..=100_i64).prop_map(Value::from), 1 => numbers()];
    (
        option::weighted(0.9, count()),
        option::weighted(0.9, count()),
        option::weighted(0.5, count()),
        option::weighted(
            0.3,
            prop_oneof![3 => count(), 1 => select(vec![json!(0), json!(1000), json!(1001)])],
        ),
        option::weighted(0.3, behavior()),
    )
        .prop_map(|(min, max, percentage, memory, behavior)| {
            let mut autoscaling = Map::new();
            autoscaling.extend(min.map(|min| ("minReplicas".to_owned(), min)));
            autoscaling.extend(max.map(|max| ("maxReplicas".to_owned(), max)));
            autoscaling.extend(
                percentage.map(|target| ("targetCPUUtilizationPercentage".to_owned(), target)),
            );
            autoscaling.extend(
                memory.map(|target| ("targetMemoryUtilizationPercentage".to_owned(), target)),
            );
            autoscaling.extend(behavior.map(|behavior| ("behavior".to_owned(), behavior)));
            Value::Object(autoscaling)
        })
        .boxed()
}

fn behavior() -> BoxedStrategy<Value> {
    let window = select(vec![
        json!(0),
        json!(60),
        json!(3600),
        json!(3601),
        json!(-1),
    ]);
    let policy = select(vec![
        json!("Max"),
        json!("Min"),
        json!("Disabled"),
        json!("max"),
        json!(7),
    ]);
    let policies = select(vec![
        json!([]),
        json!([{"type": "Pods", "value": 1, "periodSeconds": 1}]),
        json!([{"type": "Percent", "value": 10_000, "periodSeconds": 1800}]),
        json!([{"type": "Percent", "value": 10_001, "periodSeconds": 1800}]),
        json!([{"type": "Pods", "value": 1, "periodSeconds": 1801}]),
        json!([{"type": "Pods", "value": 0, "periodSeconds": 1}]),
        json!([{"type": "pods", "value": 1, "periodSeconds": 1}]),
        json!([{"type": "Pods", "value": 1}]),
        json!([{"value": 1, "periodSeconds": 1}]),
        json!(vec![
            json!({"type": "Pods", "value": 1, "periodSeconds": 1});
            10
        ]),
        json!(vec![
            json!({"type": "Pods", "value": 1, "periodSeconds": 1});
            11
        ]),
        json!({}),
    ]);
    let rules = (
        option::weighted(0.4, window),
        option::weighted(0.4, policy),
        option::weighted(0.5, policies),
    )
        .prop_map(|(window, policy, policies)| {
            fields([
                ("stabilizationWindowSeconds", window),
                ("selectPolicy", policy),
                ("policies", policies),
            ])
        });
    let rules = || prop_oneof![8 => rules.clone(), 1 => no_object()];
    (
        option::weighted(0.5, rules()),
        option::weighted(0.5, rules()),
    )
        .prop_map(|(up, down)| fields([("scaleUp", up), ("scaleDown", down)]))
        .boxed()
}

/// An object of those fields that have a value.
fn fields<const N: usize>(values: [(&str, Option<Value>); N]) -> Value {
    let there = values.into_iter();
    Value::Object(
        there
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect(),
    )
}

pub(super) fn words() -> BoxedStrategy<Value> {
    let word = prop_oneof![
        6 => shaped("[a-z-]{1,8}"),
        1 => Just(String::new()),
        1 => long(&[4095, 4096, 4097]),
        1 => any::<String>(),
    ];
    prop_oneof![
        6 => vec(word, 0..4).prop_map(Value::from),
        1 => select(vec![99, 100, 101]).prop_map(|length| json!(vec!["a"; length])),
        1 => select(vec![json!("shop"), json!([7]), json!([null]), json!({})]),
    ]
    .boxed()
}

pub(super) fn port() -> BoxedStrategy<Value> {
    prop_oneof![
        3 => (1..=65_535_i64).prop_map(Value::from),
        1 => select(vec![json!(0), json!(1), json!(65_535), json!(65_536), json!("http"), json!(null)]),
        1 => numbers(),
    ]
    .boxed()
}

pub(super) fn pull_secrets() -> BoxedStrategy<Value> {
    let name = texts(
        shaped("[a-z0-9]([-a-z0-9.]{0,5}[a-z0-9])?"),
        &[252, 253, 254],
    );
    prop_oneof![
        6 => vec(name, 0..3).prop_map(|names| names.into_iter().map(|name| json!({"name": name})).collect()),
        1 => select(vec![9, 10, 11]).prop_map(|length| {
            (0..length).map(|number| json!({"name": format!("s{number}")})).collect::<Value>()
        }),
        1 => select(vec![
            json!([{"name": "a"}, {"name": "a"}]), json!([{}]), json!(["a"]), json!("a"), json!([{"name": 7}]),
        ]),
    ]
    .boxed()
}

pub(super) fn credentials() -> BoxedStrategy<Value> {
    select(vec![
        json!({}),
        json!({"mode": "File"}),
        json!({"mode": "Env"}),
        json!({"mode": null}),
        json!({"mode": "file"}),
        json!({"mode": 7}),
        json!([]),
    ])
    .boxed()
}

pub(super) fn env_from() -> BoxedStrategy<Value> {
    let name = || texts(shaped("[a-z-]{1,8}"), &[252, 253, 254]);
    let prefix = texts(shaped("([A-Za-z_][-A-Za-z0-9_.]{0,5})?"), &[252, 253, 254]);
    let entry = prop_oneof![
        4 => name().prop_map(|name| json!({"secretRef": {"name": name}})),
        4 => (name(), prefix).prop_map(|(name, prefix)| json!({"prefix": prefix, "configMapRef": {"name": name, "optional": true}})),
        1 => select(vec![
            json!({}), json!({"prefix": "A_"}), json!({"secretRef": {}}), json!({"configMapRef": {"optional": true}}),
            json!({"secretRef": {"name": "a"}, "configMapRef": {"name": "a"}}), json!({"prefix": "1", "secretRef": {"name": "a"}}),
            json!({"prefix": "", "secretRef": {"name": "a"}}), json!({"secretRef": "a"}), json!(7),
        ]),
    ];
    prop_oneof![
        8 => vec(entry, 0..3).prop_map(Value::from),
        1 => select(vec![19, 20, 21]).prop_map(|length| {
            (0..length).map(|number| json!({"secretRef": {"name": format!("s{number}")}})).collect::<Value>()
        }),
        1 => select(vec![json!("a"), json!({}), json!([null])]),
    ]
    .boxed()
}

pub(super) fn probe() -> BoxedStrategy<Value> {
    let path = prop_oneof![
        4 => texts(shaped("/[a-z/?=.-]{0,8}"), &[1023, 1024, 1025]),
        1 => long(&[1022, 1023, 1024]).prop_map(|path| json!(format!("/{path}"))),
        1 => select(vec![json!(""), json!("health"), json!("/a b"), json!("/é"), json!("/\n"), json!(7)]),
    ];
    let seconds = || {
        prop_oneof![
            5 => (1..=3600_i64).prop_map(Value::from),
            1 => select(vec![json!(0), json!(3601), json!(null), json!("1")]),
            1 => numbers(),
        ]
    };
    let probe = (
        option::weighted(0.6, path),
        option::weighted(0.2, seconds()),
        option::weighted(0.3, seconds()),
        option::weighted(0.3, seconds()),
        option::weighted(0.3, seconds()),
    )
        .prop_map(|(path, delay, period, timeout, threshold)| {
            fields([
                ("path", path),
                ("initialDelaySeconds", delay),
                ("periodSeconds", period),
                ("timeoutSeconds", timeout),
                ("failureThreshold", threshold),
            ])
        });
    prop_oneof![8 => probe, 1 => no_object()].boxed()
}

pub(super) fn max_unavailable() -> BoxedStrategy<Value> {
    prop_oneof![
        3 => (-2..=102_i64).prop_map(Value::from),
        3 => (0..=102_i64).prop_map(|share| json!(format!("{share}%"))),
        1 => spoilt(shaped("[1-9][0-9]%")).prop_map(Value::from),
        1 => select(vec![
            json!("1"), json!("%"), json!("050%"), json!("00%"), json!("-1%"), json!("1.5%"), json!(null), json!(true), json!({}),
        ]),
    ]
    .boxed()
}

pub(super) fn migrate() -> BoxedStrategy<Value> {
    let word = prop_oneof![
        6 => shaped("[a-z-]{1,8}"),
        1 => Just(String::new()),
        1 => long(&[4095, 4096, 4097]),
        1 => any::<String>(),
    ];
    let commands = prop_oneof![
        6 => vec(word, 0..4).prop_map(Value::from),
        1 => select(vec![99, 100, 101]).prop_map(|length| json!(vec!["a"; length])),
        1 => select(vec![json!("shop"), json!([7]), json!([null]), json!(null)]),
    ];
    prop_oneof![8 => commands.prop_map(|command| json!({"command": command})), 1 => no_object()]
        .boxed()
}

pub(super) fn env() -> BoxedStrategy<Value> {
    let names = prop_oneof![
        6 => texts(shaped("[A-Za-z_][-A-Za-z0-9_.]{0,8}"), &[252, 253, 254]),
        1 => select(&RESERVED_ENV[..]).prop_map(Value::from),
        1 => one_of(&["port", "DB", "REDIS_", "DB_HOST ", "PATH", "A", "A", "B"]).prop_map(Value::from),
    ];
    let source = prop_oneof![
        select(vec![
            json!({"secretKeyRef": {"name": "mail", "key": "password"}}),
            json!({"configMapKeyRef": {"name": "mail", "key": "host", "optional": true}}),
            json!({"fieldRef": {"fieldPath": "metadata.name"}}),
            json!({"fieldRef": {"fieldPath": "metadata.name", "apiVersion": "v1"}}),
            json!({"resourceFieldRef": {"resource": "limits.cpu", "divisor": 1}}),
            json!({"resourceFieldRef": {"resource": "limits.cpu", "divisor": null, "containerName": "api"}}),
        ]),
        select(vec![
            json!({}),
            json!({"unknownRef": {}}),
            json!({"secretKeyRef": {"name": "mail"}}),
            json!({"secretKeyRef": {"key": "password"}}),
            json!({"configMapKeyRef": {}}),
            json!({"fieldRef": {}}),
            json!({"fieldRef": {"fieldPath": ""}}),
            json!({"resourceFieldRef": {"resource": ""}}),
            json!({"resourceFieldRef": {"containerName": "api"}}),
            json!({"secretKeyRef": null}),
            json!({"fieldRef": {"fieldPath": "metadata.name"}, "secretKeyRef": {"name": "a", "key": "b"}}),
            json!(7),
        ]),
        (
            texts(shaped("[a-z-]{1,8}"), &[253, 254]),
            texts(shaped("[-._a-zA-Z0-9]{1,8}"), &[253, 254])
        )
            .prop_map(|(name, key)| json!({"secretKeyRef": {"name": name, "key": key}})),
    ];
    let value = prop_oneof![
        Just(json!("debug")),
        Just(json!("")),
        any::<String>().prop_map(Value::from),
        Just(json!(7)),
        Just(json!(null)),
    ];
    let entry = (
        names,
        option::weighted(0.7, value),
        option::weighted(0.3, source),
    )
        .prop_map(|(name, value, source)| {
            let mut entry = Map::new();
            entry.insert("name".to_owned(), name);
            entry.extend(value.map(|value| ("value".to_owned(), value)));
            entry.extend(source.map(|source| ("valueFrom".to_owned(), source)));
            Value::Object(entry)
        });
    prop_oneof![
        10 => vec(entry, 0..3).prop_map(Value::from),
        1 => select(vec![99_usize, 100, 101]).prop_map(|length| {
            (0..length).map(|number| json!({"name": format!("A{number}")})).collect::<Value>()
        }),
        1 => select(vec![json!([{}]), json!([{"value": "a"}]), json!([null]), json!(["A"]), json!("A"), json!({})]),
    ]
    .boxed()
}

pub(super) fn resources() -> BoxedStrategy<Value> {
    let amount = prop_oneof![
        4 => amounts().prop_map(Value::from),
        1 => spoilt(amounts()).prop_map(Value::from),
        1 => (-2..=64_i64).prop_map(Value::from),
        1 => long(&[31, 32, 33]).prop_map(Value::from),
        1 => select(vec![json!(null), json!(true), json!([]), json!({})]),
    ];
    let kind = one_of(&["cpu", "memory", "ephemeral-storage", "example.org/device"]);
    let amounts = || btree_map(kind.clone(), amount.clone(), 0..3).prop_map(|map| json!(map));
    let many = |count: usize| {
        let devices = (0..count).map(|number| (format!("example.org/{number}"), json!("1")));
        Value::Object(devices.collect())
    };
    prop_oneof![
        4 => amounts().prop_map(|limits| json!({"limits": limits})),
        2 => (amounts(), amounts()).prop_map(|(limits, requests)| json!({"limits": limits, "requests": requests})),
        1 => select(vec![20, 21]).prop_map(move |count| json!({"requests": many(count)})),
        1 => select(vec![
            json!({}), json!({"claims": []}), json!({"claims": null}),
            json!({"claims": [{"name": "gpu"}]}), json!({"claims": [{}]}),
            json!({"limits": null}), json!({"limits": "1Gi"}), json!({"limits": []}),
        ]),
    ]
    .boxed()
}
