//! What the outside sees: TLS, the routes, and no metrics.

use crate::{
    http::{Authority, Connection},
    stack::{HOST, Stack},
};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;

/// Ways to write /metrics, for Traefik, for the API, or for something between that reads paths in its own way.
const SPELLINGS: [&str; 34] = [
    "/metrics",
    "/Metrics",
    "/METRICS",
    "/mEtRiCs",
    "//metrics",
    "///metrics",
    "/metrics/",
    "/metrics//",
    "//Metrics//",
    "/%6detrics",
    "/%6Detrics",
    "/%4d%45%54%52%49%43%53",
    "/metric%73",
    "/./metrics",
    "/././metrics",
    "/x/../metrics",
    "/../metrics",
    "/%2e/metrics",
    "/%2E%2e/metrics",
    "/x/%2e%2e/metrics",
    "/health/../metrics",
    "/%2fmetrics",
    "/%2Fmetrics",
    "/metrics%2f",
    "/%5cmetrics",
    "/\\metrics",
    "/metrics?",
    "/metrics?a=b",
    "/metrics;a=b",
    "/metrics%3ba",
    "/metrics%00",
    "/metrics%20",
    "/metrics%0a",
    "/metrics/prometheus",
];

/// A connection over TLS that checked who answers.
pub(crate) fn connect(stack: &Stack) -> Result<Connection> {
    Connection::tls(stack.tls_port, HOST, &stack.authority()?)
}

pub(crate) fn plain_http_is_redirected_to_https(stack: &Stack) -> Result<()> {
    let target = format!("https://{HOST}:{}/api/data?x=1", stack.tls_port);
    for (method, status) in [("GET", 301), ("POST", 308)] {
        let answer = Connection::plain(stack.plain_port)?.request(method, HOST, "/api/data?x=1")?;
        ensure!(answer.status == status, "{method} gives {}", answer.status);
        ensure!(
            answer.header("location") == Some(&target),
            "{method} leads to {:?}",
            answer.header("location")
        );
    }
    Ok(())
}

pub(crate) fn https_is_verified_against_the_exported_authority(stack: &Stack) -> Result<()> {
    let authority = stack.authority()?;
    Connection::tls(stack.tls_port, HOST, &authority)?;
    Connection::tls(stack.tls_port, "localhost", &authority)?;

    let refused = |host: &str, authority: &Authority| {
        let error = Connection::tls(stack.tls_port, host, authority).err();
        error
            .map(|error| format!("{error:#}"))
            .with_context(|| format!("{host} was believed"))
    };
    let other_name = refused("shop.example", &authority)?;
    ensure!(other_name.contains("not valid for name"), "{other_name}");
    let stranger = stack.run_in_init(
        "printf '[req]\\ndistinguished_name=n\\nprompt=no\\n[n]\\nCN=stranger\\n' >/tmp/conf
         openssl ecparam -name prime256v1 -genkey -noout -out /tmp/key
         openssl req -new -x509 -config /tmp/conf -key /tmp/key -days 2",
    )?;
    let unknown = refused(HOST, &Authority::from_pem(&stranger)?)?;
    ensure!(
        unknown.contains("UnknownIssuer") || unknown.contains("BadSignature"),
        "{unknown}"
    );
    Ok(())
}

pub(crate) fn health_answers_200(stack: &Stack) -> Result<()> {
    let health = connect(stack)?.get(HOST, "/health")?.json()?;
    ensure!(health["status"] == "healthy", "it says {health}");
    Ok(())
}

pub(crate) fn data_comes_from_the_database_then_from_the_cache(stack: &Stack) -> Result<()> {
    let mut connection = connect(stack)?;
    let first = connection.get(HOST, "/api/data")?.json()?;
    let second = connection.get(HOST, "/api/data")?.json()?;
    ensure!(first["source"] == "database", "the first says {first}");
    ensure!(
        second["source"] == "cache" && second["data"] == first["data"],
        "{first}, then {second}"
    );
    Ok(())
}

/// Each between two answers of /health on the same connection: it is the path that is refused, not the client.
pub(crate) fn no_spelling_of_metrics_gets_metrics(stack: &Stack) -> Result<()> {
    let mut connection = connect(stack)?;
    let whole_url = format!("https://{HOST}/metrics");
    for spelling in SPELLINGS.into_iter().chain([whole_url.as_str()]) {
        let before = connection.get(HOST, "/health")?.status;
        let answer = connection.get(HOST, spelling)?;
        let after = connection.get(HOST, "/health")?.status;
        ensure!(
            answer.status == 404,
            "{spelling} gives {}: {}",
            answer.status,
            answer.body
        );
        ensure!(
            answer.body.trim() == NOT_ROUTED,
            "{spelling} reached the API: {}",
            answer.body
        );
        ensure!(
            (before, after) == (200, 200),
            "/health gave {before} before {spelling} and {after} after"
        );
    }
    Ok(())
}

/// What Traefik says itself when no rule matches.
const NOT_ROUTED: &str = "404 page not found";

pub(crate) fn paths_that_only_look_like_metrics_reach_the_api(stack: &Stack) -> Result<()> {
    let mut connection = connect(stack)?;
    for path in [
        "/metrics-of-mine",
        "/metrics.txt",
        "/metricsx",
        "/api/metrics",
        "/my/metrics/here",
    ] {
        let answer = connection.get(HOST, path)?;
        ensure!(
            answer.status == 404 && answer.body.trim() != NOT_ROUTED,
            "{path} did not reach the API: {answer:?}"
        );
    }
    Ok(())
}

pub(crate) fn answers_carry_security_headers_and_are_compressed(stack: &Stack) -> Result<()> {
    let mut connection = connect(stack)?;
    let page = connection.get_with(HOST, "/openapi.json", "Accept-Encoding: identity")?;
    for (name, value) in [
        ("strict-transport-security", "max-age=3600"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        (
            "permissions-policy",
            "camera=(), geolocation=(), microphone=()",
        ),
    ] {
        let found = page.header(name);
        ensure!(found == Some(value), "{name}: {found:?}");
    }
    ensure!(
        page.header("content-encoding").is_none(),
        "compressed for nobody"
    );
    ensure!(page.body.len() > 2048, "too small to be compressed");
    for encoding in ["gzip", "br", "zstd"] {
        let header = format!("Accept-Encoding: {encoding}");
        let answer = connection.get_with(HOST, "/openapi.json", &header)?;
        let found = answer.header("content-encoding");
        ensure!(found == Some(encoding), "{encoding}: {found:?}");
    }
    Ok(())
}

/// And the others are served meanwhile: the limit is each address's own.
pub(crate) fn who_asks_too_often_is_told_to_wait(stack: &Stack) -> Result<()> {
    let limits = [("RATE_LIMIT_AVERAGE", "5"), ("RATE_LIMIT_BURST", "10")];
    let limited = stack.compose_with(&limits, &["up", "--wait", "--no-deps", "traefik"])?;
    ensure!(limited.success, "{}", limited.all);
    let mut connection = connect(stack)?;
    let mut statuses = BTreeMap::new();
    for _ in 0..100 {
        let answer = connection.get(HOST, "/health")?;
        if answer.status == 429 {
            ensure!(answer.header("retry-after").is_some(), "how long?");
        }
        *statuses.entry(answer.status).or_insert(0) += 1;
    }
    let counted = |status: u16| statuses.get(&status).copied().unwrap_or(0);
    ensure!(
        counted(200) >= 10 && counted(429) >= 50 && counted(200) + counted(429) == 100,
        "{statuses:?}"
    );
    stack.compose(&["up", "--wait", "--no-deps", "traefik"])?;
    let mut connection = connect(stack)?;
    for _ in 0..100 {
        let status = connection.get(HOST, "/health")?.status;
        ensure!(status == 200, "without a limit: {status}");
    }
    Ok(())
}

pub(crate) fn another_host_reaches_nothing(stack: &Stack) -> Result<()> {
    let mut connection = connect(stack)?;
    for host in ["localhost", "shop.example", "api", "127.0.0.1"] {
        let answer = connection.get(host, "/health")?;
        ensure!(
            answer.status == 404 && answer.body.trim() == NOT_ROUTED,
            "{host} gives {answer:?}"
        );
    }
    Ok(())
}
