//! Routes that nobody can have meant.

use serde_json::{Value, json};

use super::{hosts, refused_when_created, tls};

#[tokio::test]
async fn two_exclusive_choices_are_refused_with_the_way_to_choose() {
    let elsewhere = json!({"mode": "Secret", "secret": {"name": "other/shop-tls"}});
    refused_when_created(&[
        (
            "shop",
            tls(&json!({"mode": "Secret"})),
            &["mode Secret needs secret.name"],
        ),
        (
            "shop",
            tls(&json!({"secret": {"name": "shop-tls"}})),
            &["set mode to Secret, or remove secret"],
        ),
        (
            "shop",
            json!({"api": {"migrate": {"command": ["shop", "migrate"]}}}),
            &["spec.api.migrate needs spec.api.image", "remove migrate"],
        ),
        (
            "shop",
            tls(&elsewhere),
            &["name of a Secret in this namespace"],
        ),
        (
            "shop",
            tls(&json!({"mode": "Resolver"})),
            &["mode Resolver needs resolver.name"],
        ),
        (
            "shop",
            tls(&json!({"mode": "Secret", "secret": {"name": "a"}, "certManager": {"issuerRef": {"name": "a"}}})),
            &["set mode to CertManager, or remove certManager"],
        ),
    ])
    .await;
}

/// What would open more than was meant, or take the route down.
#[tokio::test]
async fn a_setting_of_the_edge_that_means_nothing_or_everything_is_refused() {
    let edge = |name: &str, value: Value| {
        let mut spec = hosts(&json!(["shop.example.org"]));
        spec["ingress"][name] = value;
        spec
    };
    refused_when_created(&[
        (
            "shop",
            edge("metrics", json!({"allow": [], "ipStrategy": {"depth": 0}})),
            &["spec.ingress.metrics.allow", "at least 1"],
        ),
        (
            "shop",
            edge("metrics", json!({"allow": ["192.0.2.1"]})),
            &["spec.ingress.metrics.ipStrategy", "Required value"],
        ),
        (
            "shop",
            edge(
                "metrics",
                json!({"allow": ["192.0.2.0/33"], "ipStrategy": {"depth": 0}}),
            ),
            &["spec.ingress.metrics.allow[0]"],
        ),
        (
            "shop",
            edge("headers", json!({})),
            &["at least one of hsts, frameDeny and contentTypeNosniff"],
        ),
        (
            "shop",
            edge("retry", json!({"attempts": 1})),
            &["spec.ingress.retry.attempts", "greater than or equal to 2"],
        ),
        (
            "shop",
            edge("sticky", json!({"cookie": {"name": "session"}})),
            &["the API keeps its own sessions", "choose another"],
        ),
    ])
    .await;
}
