//! Values for stores that somebody else runs, and for the settings of ours.

use proptest::{
    collection::btree_map, option, prelude::*, sample::select, strategy::BoxedStrategy,
};
use serde_json::{Map, Value, json};

use super::words::{long, no_object, no_text, one_of, shaped, spoilt, texts};

/// A whole `spec.postgres`.
pub(super) fn postgres() -> BoxedStrategy<Value> {
    engine(Just(None).boxed())
}

/// A whole `spec.redis`.
pub(super) fn redis() -> BoxedStrategy<Value> {
    engine(option::of(select(vec![json!({"mode": "None"}), json!({})])).boxed())
}

fn engine(auth: BoxedStrategy<Option<Value>>) -> BoxedStrategy<Value> {
    let engine = select(vec![
        json!("External"),
        json!("External"),
        json!("BuiltIn"),
        json!("external"),
        json!(null),
    ]);
    (
        option::weighted(0.9, engine),
        option::weighted(0.7, external()),
        auth,
    )
        .prop_map(|(engine, external, auth)| {
            let mut store = Map::new();
            store.extend(engine.map(|engine| ("engine".to_owned(), engine)));
            store.extend(external.map(|external| ("external".to_owned(), external)));
            store.extend(auth.map(|auth| ("auth".to_owned(), auth)));
            Value::Object(store)
        })
        .boxed()
}

fn external() -> BoxedStrategy<Value> {
    let name = prop_oneof![
        6 => texts(shaped("[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?([.][a-z0-9]{1,4})?"), &[252, 253, 254]),
        1 => no_text(),
    ];
    let reference = prop_oneof![
        8 => name.prop_map(|name| json!({"name": name})),
        1 => no_object(),
        1 => Just(json!({})),
    ];
    let authority = select(vec![
        json!("Public"),
        json!("Secret"),
        json!("secret"),
        json!(null),
    ]);
    let whole = (reference, option::weighted(0.4, authority)).prop_map(|(reference, authority)| {
        let mut external = json!({"secretRef": reference});
        if let Some(authority) = authority {
            external["authority"] = authority;
        }
        external
    });
    prop_oneof![
        12 => whole.boxed(),
        1 => no_object(),
        1 => Just(json!({})).boxed(),
    ]
    .boxed()
}

/// Settings of the server.
pub(super) fn parameters() -> BoxedStrategy<Value> {
    let reserved: Vec<String> = operator::crd::RESERVED_PARAMETERS
        .iter()
        .map(|name| (*name).to_owned())
        .collect();
    let name = prop_oneof![
        6 => shaped("[a-z][a-z0-9_]{0,12}([.][a-z][a-z0-9_]{0,6})?"),
        2 => spoilt(shaped("[a-z]{1,6}")),
        1 => select(reserved),
        1 => one_of(&["ssl_key_file", "ssl_", "unix_socket_group", "recovery_target", "recovery_targe", "ports", "a.b.c", ".a", "a."]),
        1 => long(&[62, 63, 64, 127]),
        1 => (long(&[62, 63, 64]), long(&[62, 63, 64])).prop_map(|(one, two)| format!("{one}.{two}")),
    ];
    let value = prop_oneof![
        6 => shaped("[ -~]{0,12}").prop_map(Value::from),
        2 => texts(shaped("[a-z]{1,6}"), &[199, 200, 201]),
        1 => one_of(&["a\nb", "\t", "é", "\u{7f}", "it's \\ '", "$(PGDATA)"]).prop_map(Value::from),
        1 => no_text(),
    ];
    prop_oneof![
        8 => btree_map(name, value, 0..3).prop_map(|map| json!(map)),
        1 => select(vec![49_usize, 50, 51]).prop_map(|count| {
            Value::Object((0..count).map(|number| (format!("k{number}"), json!("v"))).collect())
        }),
    ]
    .boxed()
}
