//! What each service of a stack that has just come up took.

use crate::stack::Stack;
use anyhow::{Context, Result};
use chrono::DateTime;
use serde_json::Value;
use std::{collections::BTreeMap, fmt::Write as _};

/// A line for each service: seconds from its start to its first good health check, and memory in use.
pub(crate) fn table(stack: &Stack) -> Result<String> {
    let containers = stack.containers()?;
    let ids = containers
        .iter()
        .filter(|container| container["State"]["Running"] == true)
        .filter_map(|container| container["Id"].as_str());
    let mut arguments = vec![
        "stats",
        "--no-stream",
        "--no-trunc",
        "--format",
        "{{.ID}} {{.MemUsage}}",
    ];
    arguments.extend(ids);
    let used = stack.docker(&arguments)?;
    let used: BTreeMap<&str, &str> = used
        .lines()
        .filter_map(|line| line.split_once(' '))
        .filter_map(|(id, usage)| Some((id, usage.split(" / ").next()?)))
        .collect();
    let mut rows = BTreeMap::new();
    for container in &containers {
        let service = container["Config"]["Labels"]["com.docker.compose.service"]
            .as_str()
            .context("a container without a service")?;
        let id = container["Id"].as_str().unwrap_or_default();
        let healthy = healthy_after(container).map_or_else(
            || "one shot".to_owned(),
            |seconds| format!("{seconds:.1} s"),
        );
        rows.insert(service, (healthy, used.get(id).copied().unwrap_or("")));
    }
    let mut table = format!(
        "{:<20} {:>12} {:>12}\n",
        "service", "healthy after", "memory"
    );
    for (service, (healthy, memory)) in rows {
        writeln!(table, "{service:<20} {healthy:>12} {memory:>12}")?;
    }
    Ok(table)
}

/// In seconds, by Docker's own notes.
fn healthy_after(container: &Value) -> Option<f64> {
    let at = |value: &Value| DateTime::parse_from_rfc3339(value.as_str()?).ok();
    let started = at(&container["State"]["StartedAt"])?;
    let checks = container["State"]["Health"]["Log"].as_array()?;
    let first = checks.iter().find(|check| check["ExitCode"] == 0)?;
    Some((at(&first["End"])? - started).as_seconds_f64())
}
