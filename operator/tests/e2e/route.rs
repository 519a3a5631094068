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
    // A ready API has its connections: the first request does not wait for one.
    let first = source(&cluster.edge()?.https()?.get("/api/data")?)?;
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

/// Step: what is made through Traefik can be read through Traefik: the schema was there before the API.
pub(crate) fn keeps_an_item(cluster: &Cluster) -> Result<()> {
    let path = make_item(cluster, "a first item")?;
    has_name(cluster, &path, "a first item")
}

/// Makes an item; gives its path.
pub(crate) fn make_item(cluster: &Cluster, name: &str) -> Result<String> {
    let body = serde_json::json!({"name": name});
    let response = cluster.edge()?.https()?.post("/api/items", &body)?;
    ensure!(
        response.status == 201,
        "making {name:?}: status {}: {}",
        response.status,
        response.body
    );
    let item: Value = serde_json::from_str(&response.body).context("not JSON")?;
    Ok(format!("/api/items/{}", text(&item, "/id")))
}

/// Fails unless the item at this path has this name.
pub(crate) fn has_name(cluster: &Cluster, path: &str, name: &str) -> Result<()> {
    let response = cluster.edge()?.https()?.get(path)?;
    ensure!(
        response.status == 200,
        "{path}: status {}: {}",
        response.status,
        response.body
    );
    let item: Value = serde_json::from_str(&response.body).context("not JSON")?;
    ensure!(text(&item, "/name") == name, "it is now {item}");
    Ok(())
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
