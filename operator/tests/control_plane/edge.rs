//! What a real Traefik does with the routes: who gets through them, and who does not. These tests bring definitions of
//! Traefik's, so each runs alone.

use serde_json::{Value, json};

use crate::harness::{
    kinds,
    sandbox::Sandbox,
    stack::Stack,
    traefik::{A_METRIC, CERTIFICATE, HOST, Traefik, stand_in_for_the_api},
    wait::{eventually, holds},
};

/// Both are this machine; only the first is let in.
const FRIEND: [u8; 4] = [127, 0, 0, 1];
const STRANGER: [u8; 4] = [127, 0, 0, 2];

/// What somebody might write who wants the metrics.
const SPELLINGS: [&str; 16] = [
    "/metrics",
    "/Metrics",
    "/METRICS",
    "//metrics",
    "///metrics",
    "/metrics/",
    "/metrics//",
    "/./metrics",
    "/health/../metrics",
    "/%6detrics",
    "/%6Detric%73",
    "/%2fmetrics",
    "/%2e/metrics",
    "/metrics?a=b",
    "/metrics;a",
    "/metrics%00",
];

/// Those that Traefik reads as `/metrics` itself, before any rule is asked: the same path, for whom it is open.
const SAME: [&str; 9] = [
    "/metrics",
    "//metrics",
    "///metrics",
    "/./metrics",
    "/health/../metrics",
    "/%6detrics",
    "/%6Detric%73",
    "/%2e/metrics",
    "/metrics?a=b",
];

fn spec(more: &Value) -> Value {
    let mut spec = json!({"ingress": {
        "hosts": [HOST],
        "tls": {"mode": "Secret", "secret": {"name": CERTIFICATE}},
        "metrics": {"allow": ["127.0.0.1/32", "::1"], "ipStrategy": {"depth": 0}},
    }});
    for (name, value) in more.as_object().into_iter().flatten() {
        spec["ingress"][name] = value.clone();
    }
    spec
}

/// Waits until a path is answered with this status, and gives the answer's headers and body.
async fn answers(
    sandbox: &Sandbox,
    traefik: &Traefik,
    (from, path, headers): ([u8; 4], &str, &str),
    status: u16,
) -> crate::harness::http::Response {
    let what = format!("{path} is answered with {status} from {from:?}");
    eventually(sandbox, &what, async || {
        let response = traefik.get(from, path, headers).await?;
        holds(response.status == status, || {
            format!("it is {}: {}", response.status, response.body)
        })?;
        Ok(response)
    })
    .await
}

/// No spelling gets the metrics, on connections that work.
async fn shut(traefik: &Traefik, from: [u8; 4], spellings: &[&str], headers: &str) {
    for path in spellings {
        let health = traefik.get(from, "/health", headers).await;
        let health = health.expect("Traefik answers").status;
        assert_eq!(health, 200, "/health before {path}");
        // A connection that is closed over a malformed path gives nothing away either.
        if let Ok(response) = traefik.get(from, path, headers).await {
            assert!(
                response.status != 200 && !response.body.contains(A_METRIC),
                "{path} from {from:?}: {response:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_metrics_are_open_to_whom_they_are_allowed_and_to_nobody_else() {
    let sandbox = Sandbox::alone().await;
    let traefik = Traefik::start(&sandbox).await;
    let stack = sandbox.stack("shop", spec(&json!({}))).await;
    stand_in_for_the_api(&sandbox, "shop-api");

    let metrics = answers(&sandbox, &traefik, (FRIEND, "/metrics", ""), 200).await;
    assert!(metrics.body.contains(A_METRIC), "{metrics:?}");
    answers(&sandbox, &traefik, (STRANGER, "/health", ""), 200).await;
    answers(&sandbox, &traefik, (STRANGER, "/metrics", ""), 403).await;
    shut(&traefik, STRANGER, &SPELLINGS, "").await;
    // Whom nobody trusts cannot say where he comes from.
    shut(
        &traefik,
        STRANGER,
        &SPELLINGS,
        "X-Forwarded-For: 127.0.0.1\r\n",
    )
    .await;
    let other: Vec<&str> = SPELLINGS
        .into_iter()
        .filter(|path| !SAME.contains(path))
        .collect();
    shut(&traefik, FRIEND, &other, "").await;

    without_its_gate(&sandbox, &stack, &traefik).await;

    stack.change(json!({"ingress": {"metrics": null}})).await;
    sandbox
        .gone(&kinds::INGRESS_ROUTE, "shop-api-metrics")
        .await;
    answers(&sandbox, &traefik, (FRIEND, "/metrics", ""), 404).await;
    shut(&traefik, FRIEND, &SPELLINGS, "").await;
    traefik.end(&sandbox).await;
}

/// The Middleware that guards the metrics goes, or is one that Traefik refuses, while nobody mends it.
async fn without_its_gate(sandbox: &Sandbox, stack: &Stack<'_>, traefik: &Traefik) {
    const GATE: &str = "shop-api-metrics";
    stack.change(json!({"paused": true})).await;
    stack.becomes("Ready", "Unknown", "Paused").await;
    sandbox.delete(&kinds::MIDDLEWARE, GATE).await;
    answers(sandbox, traefik, (FRIEND, "/metrics", ""), 404).await;
    for from in [FRIEND, STRANGER] {
        shut(traefik, from, &SPELLINGS, "").await;
    }
    for refused in [json!([]), json!(["nobody"])] {
        let gate = json!({
            "metadata": {"name": GATE},
            "spec": {"ipAllowList": {"sourceRange": refused, "ipStrategy": {"depth": 0}}},
        });
        sandbox.create(&kinds::MIDDLEWARE, gate).await;
        // Traefik takes notice of the one after it too.
        sandbox
            .merge(
                &kinds::INGRESS_ROUTE,
                "shop-api",
                json!({"metadata": {"annotations": {"example.org/seen": refused.to_string()}}}),
            )
            .await;
        answers(sandbox, traefik, (FRIEND, "/metrics", ""), 404).await;
        for from in [FRIEND, STRANGER] {
            shut(traefik, from, &SPELLINGS, "").await;
        }
        sandbox.delete(&kinds::MIDDLEWARE, GATE).await;
    }
    stack.change(json!({"paused": false})).await;
    answers(sandbox, traefik, (FRIEND, "/metrics", ""), 200).await;
    answers(sandbox, traefik, (STRANGER, "/metrics", ""), 403).await;
}

#[tokio::test]
async fn clients_meet_what_is_set_on_the_route() {
    const USERS: &str = "shop-users";
    // shop:secret
    const KNOWN: &str = "Authorization: Basic c2hvcDpzZWNyZXQ=\r\n";
    let sandbox = Sandbox::alone().await;
    let traefik = Traefik::start(&sandbox).await;
    let users = json!({
        "metadata": {"name": USERS}, "type": "kubernetes.io/basic-auth",
        "stringData": {"username": "shop", "password": "secret"},
    });
    sandbox.create(&kinds::SECRET, users).await;
    let edge = json!({
        "headers": {"hsts": {"maxAgeSeconds": 3600, "includeSubdomains": true}, "frameDeny": true, "contentTypeNosniff": true},
        "rateLimit": {"average": 1, "period": "1h", "burst": 60},
        "inFlight": {"amount": 100},
        "compress": true,
        "retry": {"attempts": 2},
        "sticky": {"cookie": {"name": "shop"}},
        "basicAuth": {"secretRef": {"name": USERS}},
    });
    let stack = sandbox.stack("shop", spec(&edge)).await;
    stand_in_for_the_api(&sandbox, "shop-api");

    let known = answers(&sandbox, &traefik, (FRIEND, "/health", KNOWN), 200).await;
    assert!(
        !known.body.to_ascii_lowercase().contains("authorization"),
        "the API is shown the password: {}",
        known.body
    );
    let cookie = known.header("set-cookie").unwrap_or_default();
    for part in ["shop=", "HttpOnly", "Secure", "SameSite=Lax"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let unknown = answers(&sandbox, &traefik, (FRIEND, "/health", ""), 401).await;
    for response in [&known, &unknown] {
        for (name, value) in [
            (
                "strict-transport-security",
                "max-age=3600; includeSubDomains",
            ),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
        ] {
            assert_eq!(response.header(name), Some(value), "{response:?}");
        }
    }
    let packed = format!("{KNOWN}Accept-Encoding: gzip\r\n");
    let packed = answers(&sandbox, &traefik, (FRIEND, "/health", &packed), 200).await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));

    // The metrics ask for the address first and then for the password.
    answers(&sandbox, &traefik, (STRANGER, "/metrics", KNOWN), 403).await;
    answers(&sandbox, &traefik, (FRIEND, "/metrics", ""), 401).await;
    answers(&sandbox, &traefik, (FRIEND, "/metrics", KNOWN), 200).await;

    let mut refused = false;
    for _ in 0..100 {
        let response = traefik.get(FRIEND, "/health", KNOWN).await;
        refused |= response.expect("Traefik answers").status == 429;
    }
    assert!(refused, "a hundred requests are more than sixty");

    // Without its users nobody gets in, and neither is anything served without asking.
    stack.change(json!({"ingress": {"rateLimit": null}})).await;
    answers(&sandbox, &traefik, (FRIEND, "/health", KNOWN), 200).await;
    sandbox.delete(&kinds::SECRET, USERS).await;
    for headers in ["", KNOWN] {
        for path in ["/health", "/metrics"] {
            answers(&sandbox, &traefik, (FRIEND, path, headers), 404).await;
        }
    }
    traefik.end(&sandbox).await;
}
