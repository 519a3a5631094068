use serde_json::{Value, json};

use super::{Asked, Data, Reading, Sources, Variables, names, sources};
use crate::crd::TpStack;
use crate::kind::{Kind, ObjectId};
use crate::validate::validate;

fn raw(api: &Value) -> TpStack {
    let spec = json!({"api": api});
    serde_json::from_value(json!({"metadata": {"name": "shop"}, "spec": spec})).unwrap()
}

fn sources_of(api: &Value) -> Sources {
    sources(&validate(&raw(api)).unwrap())
}

fn secret(name: &str) -> ObjectId {
    ObjectId::new(Kind::Secret, name)
}

/// Environment of the examples: a key of a Secret that is needed, one that is not, and all of a config map.
fn api() -> Value {
    json!({
        "env": [
            {"name": "A", "valueFrom": {"secretKeyRef": {"name": "mail", "key": "password"}}},
            {"name": "B", "valueFrom": {"secretKeyRef": {"name": "mail", "key": "user", "optional": true}}},
            {"name": "C", "value": "mail"},
            {"name": "D", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "settings"}}],
    })
}

fn data(pairs: &[(&str, &str)]) -> Data {
    pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect()
}

/// What is found where the user's two objects hold this, and the stack's own credentials always the same.
fn found(mail: Option<&[(&str, &str)]>, settings: Option<&[(&str, &str)]>) -> Variables {
    let mut reading = Reading::default();
    for (id, asked) in sources_of(&api()) {
        let there = match id.name.as_str() {
            "mail" => mail.map(data),
            "settings" => settings.map(data),
            _ => Some(
                asked
                    .keys
                    .keys()
                    .map(|key| (key.clone(), "own".to_owned()))
                    .collect(),
            ),
        };
        reading.take(id, &asked, there.as_ref());
    }
    reading.finish()
}

const MAIL: &[(&str, &str)] = &[("password", "cGFzcw=="), ("user", "dXNlcg==")];
const SETTINGS: &[(&str, &str)] = &[("currency", "EUR")];

#[test]
fn the_stacks_own_credentials_are_always_among_the_sources() {
    for api in [
        json!({}),
        json!({"image": "a:1"}),
        json!({"image": "a:1", "credentials": {"mode": "File"}}),
    ] {
        let sources = sources_of(&api);
        for name in ["shop-postgres-credentials", "shop-redis-credentials"] {
            let asked = &sources[&secret(name)];
            assert!(asked.keys["password"], "{api}: {name}");
            assert!(asked.keys["host"], "{api}: {name}");
        }
        assert_eq!(sources.len(), 2);
    }
}

#[test]
fn what_the_spec_refers_to_is_asked_for_as_a_pod_would() {
    let sources = sources_of(&api());
    let mail = &sources[&secret("mail")];
    let keys = [("password".to_owned(), true), ("user".to_owned(), false)];
    assert_eq!(
        *mail,
        Asked {
            keys: keys.into(),
            all: false,
            required: true
        }
    );
    let settings = &sources[&ObjectId::new(Kind::ConfigMap, "settings")];
    assert!(settings.all && settings.required && settings.keys.is_empty());
    assert_eq!(sources.len(), 4);
    let spec = raw(&api()).spec;
    assert!(names(&spec, &secret("mail")));
    assert!(names(&spec, &ObjectId::new(Kind::ConfigMap, "settings")));
    assert!(!names(&spec, &secret("settings")));
    assert!(!names(&spec, &ObjectId::new(Kind::ConfigMap, "mail")));
}

#[test]
fn other_data_is_another_digest() {
    let before = found(Some(MAIL), Some(SETTINGS));
    assert_eq!(before, found(Some(MAIL), Some(SETTINGS)));
    assert!(before.missing.is_empty());
    let changed = [("password", "bmV3"), ("user", "dXNlcg==")];
    let more = [("currency", "EUR"), ("country", "FR")];
    for other in [
        found(Some(&changed), Some(SETTINGS)),
        found(Some(MAIL), Some(&more)),
        found(Some(MAIL), Some(&[("currency", "CHF")])),
        found(Some(MAIL), Some(&[])),
        found(Some(MAIL), None),
        found(None, Some(SETTINGS)),
    ] {
        assert_ne!(other.digest, before.digest, "{other:?}");
    }
}

#[test]
fn a_key_that_nobody_asks_for_does_not_count() {
    let more = [
        ("password", "cGFzcw=="),
        ("user", "dXNlcg=="),
        ("signature", "eA=="),
    ];
    assert_eq!(
        found(Some(&more), Some(SETTINGS)),
        found(Some(MAIL), Some(SETTINGS))
    );
}

#[test]
fn what_pods_wait_for_is_named() {
    let nothing = found(None, None);
    assert_eq!(nothing.missing, ["Secret mail", "ConfigMap settings"]);
    let keyless = found(Some(&[("other", "")]), Some(SETTINGS));
    assert_eq!(keyless.missing, ["key password of Secret mail"]);
}

#[test]
fn what_is_empty_is_not_what_is_missing() {
    let empty = found(Some(MAIL), Some(&[]));
    assert_ne!(empty.digest, found(Some(MAIL), None).digest);
}

#[test]
fn values_do_not_run_into_one_another() {
    let one = found(Some(MAIL), Some(&[("a", "b"), ("c", "d")]));
    let other = found(Some(MAIL), Some(&[("a", "bc"), ("", "d")]));
    assert_ne!(one.digest, other.digest);
}
