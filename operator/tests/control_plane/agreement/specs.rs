//! Whole TpStacks: a sound one with up to three fields changed.

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
    strategy::{BoxedStrategy, Strategy, Union},
};
use serde_json::{Value, json};

use super::words::{amounts, long, no_object, no_text, one_of, shaped, spoilt, texts};
use super::{api, ingress, monitoring, network::network, scheduling, stores};

pub(super) const LABEL: &str = "[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?";

/// A TpStack, with `metadata` and `spec`.
pub(super) fn stack() -> impl Strategy<Value = Value> {
    // Mostly one: of two that are wrong, the one hides whether the other is seen.
    let changes = prop_oneof![
        1 => vec(change(), 0),
        6 => vec(change(), 1),
        2 => vec(change(), 2..=3),
    ];
    (sound(), changes).prop_map(|(mut stack, changes)| {
        for (path, value) in changes {
            put(&mut stack, path, value);
        }
        stack
    })
}

fn sound() -> BoxedStrategy<Value> {
    let api = prop_oneof![
        Just(json!({})),
        (0..=100).prop_map(|replicas| json!({"replicas": replicas})),
        Just(json!({"image": "shop:1", "migrate": {"command": ["shop", "migrate"]}})),
        Just(json!({"image": "shop:1", "command": ["shop"], "args": ["serve"]})),
        Just(
            json!({"env": [{"name": "LOG_LEVEL", "value": "debug"}], "resources": {"limits": {"cpu": 2}}})
        ),
    ];
    let ingress = option::of(select(vec![
        json!({"hosts": ["shop.example.org"]}),
        json!({"hosts": ["a", "b.c"], "redirectToHttps": false, "tls": {"mode": "Secret", "secret": {"name": "shop-tls"}}}),
        json!({"hosts": ["a"], "compress": true, "metrics": {"allow": ["::1"], "ipStrategy": {"depth": 0}}, "headers": {"frameDeny": true}}),
    ]));
    let name = shaped("[a-z][-a-z0-9]{0,8}[a-z0-9]");
    (name, api, ingress)
        .prop_map(|(name, api, ingress)| {
            let mut stack = json!({"metadata": {"name": name}, "spec": {"api": api}});
            if let Some(ingress) = ingress {
                stack["spec"]["ingress"] = ingress;
            }
            stack
        })
        .boxed()
}

/// A field and what is put there, with how often.
type Weighted = (u32, BoxedStrategy<(&'static str, Value)>);

/// A field and what is put there: now and then what is of another type.
pub(super) fn at(
    path: &'static str,
    values: BoxedStrategy<Value>,
) -> BoxedStrategy<(&'static str, Value)> {
    prop_oneof![12 => values, 1 => no_text()]
        .prop_map(move |value| (path, value))
        .boxed()
}

fn object(path: &'static str) -> BoxedStrategy<(&'static str, Value)> {
    no_object().prop_map(move |value| (path, value)).boxed()
}

fn word(words: &'static [&'static str]) -> BoxedStrategy<Value> {
    prop_oneof![3 => one_of(words), 1 => spoilt(one_of(words))]
        .prop_map(Value::from)
        .boxed()
}

fn size() -> BoxedStrategy<Value> {
    prop_oneof![6 => amounts(), 1 => spoilt(amounts()), 1 => long(&[15, 16, 20, 21])]
        .prop_map(Value::from)
        .boxed()
}

fn subdomain() -> BoxedStrategy<String> {
    shaped(&format!("{LABEL}([.]{LABEL}){{0,3}}"))
}

fn change() -> BoxedStrategy<(&'static str, Value)> {
    let mut changes = of_stores();
    changes.extend(of_api());
    changes.extend(of_the_rest());
    Union::new_weighted(changes).boxed()
}

fn of_stores() -> Vec<Weighted> {
    vec![
        (
            1,
            at(
                "/spec/postgres/engine",
                word(&["BuiltIn", "BuiltIn", "builtin", "External"]),
            ),
        ),
        (
            1,
            at("/spec/postgres/version", word(&["16", "16", "15", "16.1"])),
        ),
        (3, at("/spec/postgres/database", database())),
        (3, at("/spec/postgres/storage/size", size())),
        (
            2,
            at(
                "/spec/postgres/storage/storageClassName",
                texts(subdomain(), &[63, 64, 252, 253, 254]),
            ),
        ),
        (
            1,
            at(
                "/spec/redis/engine",
                word(&["BuiltIn", "Disabled", "External"]),
            ),
        ),
        (2, at("/spec/redis/maxMemory", size())),
        (
            1,
            at(
                "/spec/redis/persistence/mode",
                word(&["AppendOnly", "None"]),
            ),
        ),
        (2, at("/spec/redis/persistence/size", size())),
        (3, at("/spec/postgres", stores::postgres())),
        (3, at("/spec/redis", stores::redis())),
        (3, at("/spec/postgres/parameters", stores::parameters())),
        (1, at("/spec/postgres/resources", api::resources())),
        (1, at("/spec/redis/resources", api::resources())),
        (
            1,
            at("/spec/redis/auth/mode", word(&["Password", "None", "none"])),
        ),
    ]
}

fn of_api() -> Vec<Weighted> {
    vec![
        (2, at("/spec/api/replicas", api::numbers())),
        (3, at("/spec/api/autoscaling", api::autoscaling())),
        (
            2,
            at(
                "/spec/api/image",
                texts(shaped("[a-z0-9./:@-]{1,20}"), &[511, 512, 513]),
            ),
        ),
        (2, at("/spec/api/migrate", api::migrate())),
        (4, at("/spec/api/env", api::env())),
        (2, at("/spec/api/resources", api::resources())),
        (
            1,
            at(
                "/spec/api/imagePullPolicy",
                word(&["Always", "IfNotPresent", "Never", "always"]),
            ),
        ),
        (1, at("/spec/api/imagePullSecrets", api::pull_secrets())),
        (2, at("/spec/api/command", api::words())),
        (1, at("/spec/api/args", api::words())),
        (1, at("/spec/api/port", api::port())),
        (1, at("/spec/api/credentials", api::credentials())),
        (2, at("/spec/api/envFrom", api::env_from())),
        (1, at("/spec/api/probes/liveness", api::probe())),
        (1, at("/spec/api/probes/readiness", api::probe())),
        (1, at("/spec/api/probes/startup", api::probe())),
        (
            2,
            at(
                "/spec/api/disruptionBudget/maxUnavailable",
                api::max_unavailable(),
            ),
        ),
        (
            1,
            at(
                "/spec/api/scheduling/nodeSelector",
                scheduling::node_selector(),
            ),
        ),
        (
            2,
            at(
                "/spec/api/scheduling/tolerations",
                scheduling::tolerations(),
            ),
        ),
        (
            2,
            at(
                "/spec/api/scheduling/topologySpreadConstraints",
                scheduling::spread(),
            ),
        ),
        (
            3,
            at("/spec/api/scheduling/affinity", scheduling::affinity()),
        ),
        (
            1,
            at(
                "/spec/api/scheduling/priorityClassName",
                texts(subdomain(), &[63, 64, 252, 253, 254]),
            ),
        ),
    ]
}

fn of_the_rest() -> Vec<Weighted> {
    vec![
        (3, name()),
        (1, at("/spec/deletionPolicy", word(&["Retain", "Delete"]))),
        (
            1,
            at("/spec/paused", any::<bool>().prop_map(Value::from).boxed()),
        ),
        (
            1,
            at("/spec/stopped", any::<bool>().prop_map(Value::from).boxed()),
        ),
        (18, ingress::change()),
        (20, monitoring::change()),
        (4, at("/spec/network", network())),
        (1, Union::new(PARTS.iter().copied().map(object)).boxed()),
    ]
}

/// Every object in the spec.
const PARTS: &[&str] = &[
    "/spec",
    "/spec/api",
    "/spec/api/autoscaling",
    "/spec/api/credentials",
    "/spec/api/disruptionBudget",
    "/spec/api/migrate",
    "/spec/api/probes",
    "/spec/api/scheduling",
    "/spec/api/resources",
    "/spec/ingress",
    "/spec/ingress/entryPoints",
    "/spec/ingress/tls",
    "/spec/ingress/metrics",
    "/spec/ingress/metrics/ipStrategy",
    "/spec/ingress/headers",
    "/spec/ingress/rateLimit",
    "/spec/ingress/inFlight",
    "/spec/ingress/retry",
    "/spec/ingress/sticky",
    "/spec/ingress/sticky/cookie",
    "/spec/ingress/basicAuth",
    "/spec/postgres",
    "/spec/postgres/storage",
    "/spec/postgres/resources",
    "/spec/redis",
    "/spec/redis/auth",
    "/spec/redis/persistence",
    "/spec/monitoring",
    "/spec/network",
    "/spec/network/strict",
    "/spec/monitoring/rules",
    "/spec/monitoring/dashboards",
];

fn name() -> BoxedStrategy<(&'static str, Value)> {
    texts(
        prop_oneof![
            shaped("[a-z][-a-z0-9]{0,38}[a-z0-9]"),
            shaped("[a-z0-9]{1,4}[.][a-z]{1,3}")
        ]
        .boxed(),
        &[1, 39, 40, 41, 63, 64, 253, 254],
    )
    .prop_map(|value| ("/metadata/name", value))
    .boxed()
}

fn database() -> BoxedStrategy<Value> {
    prop_oneof![
        4 => texts(shaped("[a-z_][a-z0-9_]{0,10}"), &[62, 63, 64]),
        1 => one_of(&["postgres", "template0", "template1", "template2", "POSTGRES", "1db", "_", "app-db"]).prop_map(Value::from),
    ]
    .boxed()
}

pub(super) fn labels() -> BoxedStrategy<Value> {
    let key = prop_oneof![
        6 => shaped("([a-z]{1,4}([.][a-z]{1,4})?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,6}[A-Za-z0-9])?"),
        2 => spoilt(shaped("[a-z]{1,4}/[a-z]{1,4}")),
        1 => one_of(&["app.kubernetes.io/instance", "app.kubernetes.io/", "app.kubernetes.io", "x.app.kubernetes.io/a"]),
        1 => one_of(&["/a", "a/", "a/b/c"]),
        1 => long(&[62, 63, 64, 300]),
        1 => (long(&[251, 252, 253, 254]), long(&[1, 63, 64])).prop_map(|(prefix, name)| format!("{prefix}/{name}")),
    ];
    let value = prop_oneof![
        6 => shaped("([A-Za-z0-9]([-A-Za-z0-9_.]{0,6}[A-Za-z0-9])?)?").prop_map(Value::from),
        2 => texts(shaped("[a-z]{1,6}"), &[62, 63, 64]),
        1 => no_text(),
    ];
    prop_oneof![
        8 => btree_map(key, value, 0..3).prop_map(|map| json!(map)),
        1 => select(vec![19_usize, 20, 21]).prop_map(|count| {
            Value::Object((0..count).map(|number| (format!("k{number}"), json!("v"))).collect())
        }),
    ]
    .boxed()
}

/// Puts a value at a path, and objects on the way that a sound spec would have there.
fn put(stack: &mut Value, path: &str, value: Value) {
    let (parent, field) = path.rsplit_once('/').expect("a path has a slash");
    if !parent.is_empty()
        && stack
            .pointer(parent)
            .is_none_or(|parent| !parent.is_object())
    {
        let base = match parent {
            "/spec/ingress" => json!({"hosts": ["shop.example.org"]}),
            _ => json!({}),
        };
        put(stack, parent, base);
    }
    if let Some(parent) = stack.pointer_mut(parent).and_then(Value::as_object_mut) {
        parent.insert(field.to_owned(), value);
    }
}
