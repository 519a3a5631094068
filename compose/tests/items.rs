//! The tables are there before the API is, and what people put into them stays.

use crate::{
    data::sql,
    edge::connect,
    stack::{HOST, Stack},
    wait::eventually,
};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// Makes an item over TLS; gives its path.
pub(crate) fn make(stack: &Stack, name: &str) -> Result<String> {
    let answer = connect(stack)?.post(HOST, "/api/items", &json!({"name": name}))?;
    ensure!(
        answer.status == 201,
        "making {name:?}: status {}: {}",
        answer.status,
        answer.body
    );
    let item: Value = serde_json::from_str(&answer.body)?;
    let id = item["id"].as_str().context("the item has no id")?;
    Ok(format!("/api/items/{id}"))
}

/// Fails unless the item at `path` has this name.
pub(crate) fn has_name(stack: &Stack, path: &str, name: &str) -> Result<()> {
    let answer = connect(stack)?.get(HOST, path)?.json();
    // Traefik's log has the failed requests, and what became of them.
    let item = answer.with_context(|| {
        let log = ["logs", "--no-log-prefix", "--tail", "5", "traefik"];
        stack.compose(&log).unwrap_or_default()
    })?;
    ensure!(item["name"] == name, "it is now {item}");
    Ok(())
}

pub(crate) fn an_item_is_kept_and_a_second_up_replaces_nothing(stack: &Stack) -> Result<()> {
    let path = make(stack, "from before")?;
    has_name(stack, &path, "from before")?;
    let identities = || -> Result<Vec<String>> {
        let containers = stack.containers()?;
        Ok(containers.iter().map(|c| c["Id"].to_string()).collect())
    };
    let before = identities()?;
    stack.compose(&["up", "--wait"])?;
    ensure!(identities()? == before, "a container was replaced");
    has_name(stack, &path, "from before")
}

pub(crate) fn a_migration_that_fails_is_named_and_the_api_stays(stack: &Stack) -> Result<()> {
    stack.compose(&["up", "--wait"])?;
    let path = make(stack, "through it all")?;
    // The tables are there, and nothing says so any more: they cannot be made a second time.
    sql(stack, "ALTER TABLE _sqlx_migrations RENAME TO aside")?;
    let api = stack.compose(&["ps", "--quiet", "api"])?;
    let up = stack.compose_with(&[], &["up", "--wait"])?;
    ensure!(
        !up.success && up.all.contains("\"migrate\""),
        "`up` did not fail naming migrate:\n{}",
        up.all
    );
    let said = stack.compose(&["logs", "--no-log-prefix", "migrate"])?;
    ensure!(
        said.contains("already exists"),
        "the log does not say why:\n{said}"
    );
    ensure!(
        stack.compose(&["ps", "--quiet", "api"])? == api,
        "the API was replaced"
    );
    has_name(stack, &path, "through it all")?;
    // An API that does not run is not started either.
    stack.compose(&["stop", "api"])?;
    let up = stack.compose_with(&[], &["up", "--wait"])?;
    ensure!(!up.success, "`up` did not fail");
    let running = stack.compose(&["ps", "--services", "--status", "running"])?;
    ensure!(
        !running.lines().any(|service| service == "api"),
        "the API was started: {running}"
    );

    sql(
        stack,
        "DROP TABLE IF EXISTS _sqlx_migrations; ALTER TABLE aside RENAME TO _sqlx_migrations",
    )?;
    stack.compose(&["up", "--wait"])?;
    // Traefik takes a moment to learn of the new container.
    eventually(|| has_name(stack, &path, "through it all"))
}
