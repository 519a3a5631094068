//! Routes.

use serde_json::{Value, json};

use super::{Case, case, mode, whole};

/// A route with these settings beside its host.
fn with(more: &Value) -> Value {
    let mut spec = whole();
    let ingress = spec["ingress"].as_object_mut().unwrap();
    ingress.extend(more.as_object().unwrap().clone());
    spec
}

/// A route with all that may be on it.
fn edge() -> Value {
    with(&json!({
        "metrics": {"allow": ["192.0.2.1"], "ipStrategy": {"depth": 0}},
        "headers": {"hsts": {"maxAgeSeconds": 60}},
        "rateLimit": {"average": 1, "burst": 1},
        "inFlight": {"amount": 1},
        "retry": {"attempts": 2},
        "sticky": {"cookie": {"name": "a"}},
        "basicAuth": {"secretRef": {"name": "a"}},
        "tls": certificate("a"),
    }))
}

fn certificate(issuer: &str) -> Value {
    json!({"mode": "CertManager", "certManager": {"issuerRef": {"name": issuer}}})
}

pub(super) fn all() -> Vec<Case> {
    let mut cases = vec![
        case("ingress.hosts", whole(), json!(["b.example.org"])),
        case("ingress.hosts", json!({}), json!(["b.example.org"])),
        case("ingress.hosts", edge(), json!(["b.example.org"])),
        case("ingress.entryPoints.http", whole(), json!("http")),
        case("ingress.entryPoints.https", whole(), json!("https")),
        case("ingress.entryPoints.https", edge(), json!("https")),
        case("ingress.redirectToHttps", whole(), json!(false)),
        mode(
            "ingress.tls.mode",
            edge(),
            json!("Secret"),
            "ingress.tls",
            json!({"mode": "Secret", "secret": {"name": "a-tls"}}),
        ),
        case(
            "ingress.tls.secret.name",
            tls(&json!({"mode": "Secret", "secret": {"name": "a-tls"}})),
            json!("b-tls"),
        ),
        case(
            "ingress.tls.resolver.name",
            tls(&json!({"mode": "Resolver", "resolver": {"name": "a"}})),
            json!("b"),
        ),
        case("ingress.tls.certManager.issuerRef.name", edge(), json!("b")),
        case(
            "ingress.tls.certManager.issuerRef.kind",
            edge(),
            json!("ClusterIssuer"),
        ),
    ];
    // What is on the route already changes; what was not there comes, and the route names it.
    for base in [edge(), whole()] {
        cases.extend([
            case(
                "ingress.metrics.allow",
                base.clone(),
                json!(["2001:db8::/32"]),
            ),
            case("ingress.metrics.ipStrategy.depth", base.clone(), json!(1)),
            case(
                "ingress.headers.hsts.maxAgeSeconds",
                base.clone(),
                json!(7200),
            ),
            case(
                "ingress.headers.hsts.includeSubdomains",
                base.clone(),
                json!(true),
            ),
            case("ingress.headers.frameDeny", base.clone(), json!(true)),
            case(
                "ingress.headers.contentTypeNosniff",
                base.clone(),
                json!(true),
            ),
            case("ingress.rateLimit.average", base.clone(), json!(7)),
            case("ingress.rateLimit.period", base.clone(), json!("1m")),
            case("ingress.rateLimit.burst", base.clone(), json!(7)),
            case("ingress.inFlight.amount", base.clone(), json!(7)),
            case("ingress.compress", base.clone(), json!(true)),
            case("ingress.retry.attempts", base.clone(), json!(5)),
            case("ingress.retry.initialInterval", base.clone(), json!("1s")),
            case("ingress.sticky.cookie.name", base.clone(), json!("b")),
            case("ingress.basicAuth.secretRef.name", base.clone(), json!("b")),
        ]);
    }
    for case in &mut cases {
        case.along.extend(needed(case.path, &case.base));
    }
    cases
}

/// Two routes with this certificate.
fn tls(tls: &Value) -> Value {
    let metrics = json!({"allow": ["192.0.2.1"], "ipStrategy": {"depth": 0}});
    with(&json!({"tls": tls, "metrics": metrics}))
}

/// What else is asked for where the group of a field was not there before.
fn needed(path: &str, base: &Value) -> Vec<(&'static str, Value)> {
    let ingress = &base["ingress"];
    match path {
        "ingress.metrics.allow" if ingress["metrics"].is_null() => {
            vec![("ingress.metrics.ipStrategy.depth", json!(0))]
        }
        "ingress.metrics.ipStrategy.depth" if ingress["metrics"].is_null() => {
            vec![("ingress.metrics.allow", json!(["192.0.2.1"]))]
        }
        "ingress.headers.hsts.includeSubdomains" if ingress["headers"].is_null() => {
            vec![("ingress.headers.hsts.maxAgeSeconds", json!(60))]
        }
        "ingress.rateLimit.average" | "ingress.rateLimit.period" | "ingress.rateLimit.burst"
            if ingress["rateLimit"].is_null() =>
        {
            vec![
                ("ingress.rateLimit.average", json!(7)),
                ("ingress.rateLimit.burst", json!(7)),
            ]
        }
        "ingress.retry.initialInterval" if ingress["retry"].is_null() => {
            vec![("ingress.retry.attempts", json!(2))]
        }
        _ => Vec::new(),
    }
}
