//! What comes through Traefik.

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    cluster::{Cluster, HOST, SHOP, text, until},
    http::{Connection, Response},
};

/// Found in the metrics of the API and nowhere else.
const A_METRIC: &str = "app_requests_total";

/// What somebody might write who wants `/metrics` from outside.
const SPELLINGS: [&str; 12] = [
    "/metrics",
    "/Metrics",
    "/METRICS",
    "//metrics",
    "/%6detrics",
    "/%6Detric%73",
    "/./metrics",
    "/metrics/",
    "/metrics?a=b",
    "/health/../metrics",
    "/%2e/metrics",
    "/%2fmetrics",
];

/// Step: the first answer comes from the database, and the next, whichever replica gives it, from Redis.
pub(crate) fn database_then_cache(cluster: &Cluster) -> Result<()> {
    until(60, "Traefik routes /health to the API", || {
        Ok(
            match cluster
                .edge()?
                .https()
                .and_then(|mut connection| connection.get("/health"))
            {
                Ok(response) if response.status == 200 => Ok(()),
                Ok(response) => Err(format!("status {}", response.status)),
                Err(error) => Err(format!("{error:#}")),
            },
        )
    })?;
    let first = first_answer(cluster)?;
    ensure!(
        first == "database",
        "the first answer comes from the {first}"
    );
    // A value that could not be put into Redis in time is a miss at the next request, not an error; so this is not
    // always the second answer.
    until(10, "an answer comes from the cache", || {
        from_the_cache(cluster)
    })
}

/// The source of the first answer. On a machine with too much to do the API may not get to its database within its
/// deadlines: it then says so and when to ask again.
fn first_answer(cluster: &Cluster) -> Result<String> {
    until(
        20,
        "the database answers within the API's deadlines",
        || {
            let response = cluster.edge()?.https()?.get("/api/data")?;
            if response.status == 503 && response.header("retry-after").is_some() {
                return Ok(Err(response.body));
            }
            source(&response).map(Ok)
        },
    )
}

/// Whether the cache answers; otherwise who does.
pub(crate) fn from_the_cache(cluster: &Cluster) -> Result<Result<(), String>> {
    let source = source(&cluster.edge()?.https()?.get("/api/data")?)?;
    Ok(if source == "cache" {
        Ok(())
    } else {
        Err(source)
    })
}

/// Where an answer of `/api/data` says that it comes from.
pub(crate) fn source(response: &Response) -> Result<String> {
    ensure!(
        response.status == 200,
        "/api/data: status {}: {}",
        response.status,
        response.body
    );
    let body: Value = serde_json::from_str(&response.body)
        .with_context(|| format!("not JSON: {}", response.body))?;
    ensure!(
        !text(&body, "/data").is_empty(),
        "/api/data holds no data: {body}"
    );
    Ok(text(&body, "/source").to_owned())
}

/// Step: http leads to https and serves nothing.
pub(crate) fn redirects(cluster: &Cluster) -> Result<()> {
    for path in ["/health", "/api/data", "/"] {
        let response = cluster.edge()?.http()?.get(path)?;
        let location = response.header("location").unwrap_or_default();
        ensure!(
            [301, 308].contains(&response.status) && location == format!("https://{HOST}{path}"),
            "{path}: status {}, location {location:?}",
            response.status
        );
    }
    Ok(())
}

/// Step: the API has metrics, and no spelling of the path gets them from outside on a connection that works.
pub(crate) fn hides_metrics(cluster: &Cluster) -> Result<()> {
    let inside = format!("/api/v1/namespaces/{SHOP}/services/minimal-api:http/proxy/metrics");
    let metrics = cluster.kubectl(&["get", "--raw", &inside])?;
    ensure!(
        metrics.contains(A_METRIC),
        "the API itself has no {A_METRIC}: nothing to hide:\n{metrics}"
    );

    for path in SPELLINGS {
        // A connection each: Traefik may close it over a path that it finds malformed.
        let mut connection = cluster.edge()?.https()?;
        let health = connection.get("/health")?;
        ensure!(
            health.status == 200,
            "/health before {path}: status {}",
            health.status
        );
        gives_no_metrics(&mut connection, "https", path)?;
        gives_no_metrics(&mut cluster.edge()?.http()?, "http", path)?;
    }
    Ok(())
}

fn gives_no_metrics(connection: &mut Connection, scheme: &str, path: &str) -> Result<()> {
    let response = connection.get(path)?;
    ensure!(
        response.status != 200 && !response.body.contains(A_METRIC),
        "{scheme} {path}: status {}: {}",
        response.status,
        response.body
    );
    Ok(())
}
