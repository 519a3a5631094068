//! Questions to the stack's Prometheus.

use crate::{http::Connection, stack::Stack};
use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The data of an answer of its API.
pub(crate) fn ask(stack: &Stack, target: &str) -> Result<Value> {
    let mut answer = Connection::plain(stack.prometheus_port)?
        .get("localhost", target)?
        .json()?;
    Ok(answer["data"].take())
}

/// The series that an expression gives now.
pub(crate) fn series(stack: &Stack, expression: &str) -> Result<Vec<Value>> {
    let mut answer = ask(
        stack,
        &format!("/api/v1/query?query={}", encoded(expression)),
    )?;
    match answer["result"].take() {
        Value::Array(series) => Ok(series),
        other => anyhow::bail!("not series: {other}"),
    }
}

/// And their values.
pub(crate) fn query(stack: &Stack, expression: &str) -> Result<Vec<f64>> {
    series(stack, expression)?
        .iter()
        .map(|sample| Ok(sample["value"][1].as_str().context("no value")?.parse()?))
        .collect()
}

/// What is scraped, or should be.
pub(crate) fn targets(stack: &Stack) -> Result<Vec<Value>> {
    match ask(stack, "/api/v1/targets?state=active")?["activeTargets"].take() {
        Value::Array(targets) => Ok(targets),
        other => anyhow::bail!("not a list of targets: {other}"),
    }
}

/// How many targets of the job `api` are up, once none is in another state.
pub(crate) fn targets_up(stack: &Stack) -> Result<usize> {
    let mut api = targets(stack)?;
    api.retain(|target| target["labels"]["job"] == "api");
    ensure!(
        api.iter().all(|target| target["health"] == "up"),
        "not all targets are up: {api:?}"
    );
    Ok(api.len())
}

/// As a query string takes it.
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
