//! Credentials: strong, different for each stack, and nowhere but in Secrets.

use std::collections::BTreeSet;

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN, Child},
    operator,
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, everything_on},
};

const POSTGRES: Child = (kinds::SECRET, "postgres-credentials");
const REDIS: Child = (kinds::SECRET, "redis-credentials");
const LEAST_BITS: f64 = 128.0;

#[tokio::test]
async fn the_secrets_tell_all_that_is_needed_to_connect() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox
        .stack("shop", json!({"postgres": {"database": "shopdb"}}))
        .await;
    stack.applied([POSTGRES, REDIS].into_iter()).await;
    let postgres = stack.must_child(POSTGRES).await;
    for (key, value) in [
        ("host", "shop-postgres"),
        ("port", "5432"),
        ("database", "shopdb"),
        ("username", "appuser"),
    ] {
        assert_eq!(
            text(&postgres, key),
            value,
            "{key} of the Postgres credentials"
        );
    }
    assert!(!text(&postgres, "sslmode").is_empty());
    let redis = stack.must_child(REDIS).await;
    for (key, value) in [("host", "shop-redis"), ("port", "6379")] {
        assert_eq!(text(&redis, key), value, "{key} of the Redis credentials");
    }
    assert!(text(&redis, "users.acl").contains(&text(&redis, "username")));
}

#[tokio::test]
async fn passwords_are_strong_and_no_two_are_equal() {
    let sandbox = Sandbox::shared().await;
    let mut passwords = BTreeSet::new();
    for name in ["shop", "mart", "store"] {
        let stack = sandbox.stack(name, json!({})).await;
        stack.applied([POSTGRES, REDIS].into_iter()).await;
        for password in passwords_of(&stack).await {
            assert!(
                bits(&password) >= LEAST_BITS,
                "a password of {} characters has about {} bits",
                password.len(),
                bits(&password)
            );
            assert!(passwords.insert(password), "a password was used twice");
        }
    }
    assert_eq!(
        passwords.len(),
        9,
        "application, superuser and Redis, for each of three stacks"
    );
}

#[tokio::test]
async fn passwords_are_nowhere_but_in_secrets() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", everything_on()).await;
    stack.ready().await;
    // Every path on which a password might slip out: a rollout, a conflict, a loss.
    stack.change(json!({"redis": {"engine": "Disabled"}})).await;
    stack.ready().await;
    stack.change(json!({"redis": {"engine": "BuiltIn"}})).await;
    stack.ready().await;
    let mut secrets: Vec<String> = passwords_of(&stack).await;
    for secret in [POSTGRES, REDIS] {
        let data = stack.must_child(secret).await["data"].clone();
        let data = data.as_object().expect("a Secret has data");
        secrets.extend(
            data.iter()
                .filter(|(key, _)| key.contains("password"))
                .filter_map(|(_, value)| value.as_str().map(str::to_owned)),
        );
    }
    sandbox
        .destroy(&kinds::SECRET, "shop-postgres-credentials")
        .await;
    stack.stalled("CredentialsLost").await;
    assert!(
        secrets.len() >= 6,
        "each password, plain and as Secrets show it"
    );

    let log = operator::log();
    assert!(
        log.contains(&sandbox.namespace),
        "the log should speak of this stack, or its silence proves nothing"
    );
    let objects: Vec<Value> = sandbox
        .everything()
        .await
        .into_iter()
        .filter(|object| object["kind"] != "Secret")
        .collect();
    assert!(objects.len() >= CHILDREN.len());
    let status = stack.object().await.to_string();
    for secret in &secrets {
        assert!(!log.contains(secret), "a password is in the operator's log");
        assert!(!status.contains(secret), "a password is in the TpStack");
        for object in &objects {
            assert!(
                !object.to_string().contains(secret),
                "a password is in {} {}",
                object["kind"],
                object["metadata"]["name"]
            );
        }
    }
}

async fn passwords_of(stack: &Stack<'_>) -> Vec<String> {
    let (postgres, redis) = (
        stack.must_child(POSTGRES).await,
        stack.must_child(REDIS).await,
    );
    vec![
        text(&postgres, "password"),
        text(&postgres, "superuser-password"),
        text(&redis, "password"),
    ]
}

fn text(secret: &Value, key: &str) -> String {
    let value = secret["data"]
        .get(key)
        .unwrap_or_else(|| panic!("the Secret {} has no key {key}", secret["metadata"]["name"]));
    let bytes: ByteString =
        serde_json::from_value(value.clone()).expect("a Secret's values are base64");
    String::from_utf8(bytes.0).expect("our credentials are text")
}

/// Whether a character is of a kind.
type Class = fn(char) -> bool;

/// At most this much randomness can be in a password of such characters.
fn bits(password: &str) -> f64 {
    let classes: [(Class, f64); 4] = [
        (|c| c.is_ascii_digit(), 10.0),
        (|c| matches!(c, 'a'..='f'), 6.0),
        (|c| matches!(c, 'g'..='z'), 20.0),
        (|c| c.is_ascii_uppercase(), 26.0),
    ];
    let alphabet: f64 = classes
        .iter()
        .filter(|(has, _)| password.chars().any(has))
        .map(|(_, size)| size)
        .sum();
    let length = f64::from(u32::try_from(password.len()).expect("a short text"));
    length * alphabet.max(1.0).log2()
}
