//! What a failed wait shows.

use std::fmt::Write;

use serde_json::Value;

use super::{kinds, operator, sandbox::Sandbox, traefik};

const LOG_LINES: usize = 40;

/// The namespace's stacks with their status, its objects with their versions, and the end of the operator's log.
pub(crate) async fn of(sandbox: &Sandbox) -> String {
    let mut text = String::new();
    for stack in sandbox.list(&kinds::TPSTACK).await {
        let stack = serde_json::to_string_pretty(&masked_managers(stack)).unwrap_or_default();
        writeln!(text, "--- TpStack\n{stack}").expect("a String takes everything");
    }
    writeln!(text, "--- objects of namespace {}", sandbox.namespace)
        .expect("a String takes everything");
    for object in sandbox.everything().await {
        let field = |path| {
            object
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or("-")
                .to_owned()
        };
        writeln!(
            text,
            "{}/{} uid={} resourceVersion={} deletion={}",
            field("/kind"),
            field("/metadata/name"),
            field("/metadata/uid"),
            field("/metadata/resourceVersion"),
            field("/metadata/deletionTimestamp"),
        )
        .expect("a String takes everything");
    }
    let log = operator::log();
    // Lines about this namespace say more than the newest ones, which may be another test's.
    let mine: Vec<&str> = log
        .lines()
        .filter(|line| line.contains(&sandbox.namespace))
        .collect();
    let tail = &mine[mine.len().saturating_sub(LOG_LINES)..];
    writeln!(
        text,
        "--- operator's log, lines on {}\n{}",
        sandbox.namespace,
        tail.join("\n")
    )
    .expect("a String takes everything");
    let all: Vec<&str> = log.lines().collect();
    let tail = &all[all.len().saturating_sub(LOG_LINES / 2)..];
    writeln!(text, "--- operator's log, end\n{}", tail.join("\n"))
        .expect("a String takes everything");
    let log = traefik::log();
    // Other namespaces' routes are no concern of the Traefik of this one.
    if log.contains(&sandbox.namespace) {
        writeln!(text, "--- Traefik's log\n{log}").expect("a String takes everything");
    }
    text
}

fn masked_managers(mut object: Value) -> Value {
    if let Some(metadata) = object
        .pointer_mut("/metadata")
        .and_then(Value::as_object_mut)
    {
        metadata.remove("managedFields");
    }
    object
}
