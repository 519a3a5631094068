//! Both runtimes run the same stack: what `compose.yaml` says of a service beside what the operator makes of `spec: {}`.
//! A difference that is not in [`EXCEPTIONS`] fails, and so does an exception that is none any more.

mod compose;
mod operator;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// What differs, and why it may.
const EXCEPTIONS: &[(&str, &str)] = &[
    (
        "api DB_HOST",
        "services have their own names in each runtime",
    ),
    (
        "api REDIS_HOST",
        "services have their own names in each runtime",
    ),
    (
        "api DB_SSLMODE",
        "said in Kubernetes since External databases may ask for more; the API's default is the same",
    ),
    (
        "api DRAIN_DELAY_SECONDS",
        "Kubernetes waits before it asks the container to end (preStop), Docker cannot",
    ),
    (
        "migrate DRAIN_DELAY_SECONDS",
        "as for the API, whose environment it has",
    ),
    (
        "postgres stop, seconds",
        "a person waits for `docker compose down`; nobody for a pod that shuts down cleanly",
    ),
    (
        "postgres POSTGRES_DB",
        "both make `postgres` only; Kubernetes says so, the image's default is the superuser's name, the same",
    ),
    (
        "redis memory, MiB",
        "computed from maxMemory by the operator, a knob beside it in Compose",
    ),
    (
        "redis health",
        "a user of its own in Compose; in Kubernetes the application's, whose password is mounted anyway",
    ),
    ("exporters", "the operator has none yet"),
    (
        "alert rules",
        "what is not the stack's own, or has no exporter yet, is left out: monitoring/alerts.rs lists it with reasons",
    ),
    ("dashboards", "as for the alert rules"),
    (
        "edge headers referrerPolicy",
        "no field: an application's own pages say it, as ours do",
    ),
    (
        "edge headers permissionsPolicy",
        "no field: an application's own pages say it, as ours do",
    ),
    (
        "edge rateLimit period",
        "said in Kubernetes; Traefik's default is the same",
    ),
];

/// A fact of a stack, by name. What one side does not have is empty.
type Facts = BTreeMap<String, [String; 2]>;
const COMPOSE: usize = 0;
const OPERATOR: usize = 1;

#[test]
fn compose_and_the_operator_run_the_same_stack() {
    let mut facts = Facts::new();
    compose::facts(&mut |name, value| facts.entry(name).or_default()[COMPOSE] = value);
    operator::facts(&mut |name, value| facts.entry(name).or_default()[OPERATOR] = value);
    assert!(facts.len() > 40, "only {} facts are compared", facts.len());

    let excepted: BTreeSet<&str> = EXCEPTIONS.iter().map(|(name, _)| *name).collect();
    let mut wrong = Vec::new();
    for (name, [compose, operator]) in &facts {
        match (compose == operator, excepted.contains(name.as_str())) {
            (false, false) => wrong.push(format!(
                "{name}: Compose has {compose:?}, the operator {operator:?}"
            )),
            (true, true) => wrong.push(format!(
                "{name}: the same by now, {compose:?}: no exception"
            )),
            _ => {}
        }
    }
    for name in excepted {
        if !facts.contains_key(name) {
            wrong.push(format!("{name}: there is no such fact"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `${NAME:-default}` becomes the default, and `$$` a dollar sign: a stack whose `.env` is empty.
fn resolved(value: &Value) -> Value {
    match value {
        Value::String(text) => {
            let mut out = String::new();
            let mut rest = text.as_str();
            while let Some((before, after)) = rest.split_once('$') {
                out.push_str(before);
                rest = if let Some(after) = after.strip_prefix('$') {
                    out.push('$');
                    after
                } else {
                    let (name, after) = after.trim_start_matches('{').split_once('}').unwrap();
                    out.push_str(name.split_once(":-").map_or("", |(_, default)| default));
                    after
                };
            }
            out.push_str(rest);
            Value::String(out)
        }
        Value::Array(values) => values.iter().map(resolved).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.clone(), resolved(value)))
            .collect(),
        other => other.clone(),
    }
}

/// In whole MiB, of `128m`, `64mb` and `128Mi`.
fn mebibytes(value: &Value) -> String {
    let text = text_of(value).to_ascii_lowercase();
    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
    let bytes = match text.trim_start_matches(|c: char| c.is_ascii_digit()) {
        "m" | "mb" | "mi" => 1024 * 1024,
        "g" | "gb" | "gi" => 1024 * 1024 * 1024,
        "" => 1,
        unit => panic!("{text}: what is {unit}?"),
    };
    (digits.parse::<u64>().unwrap() * bytes / (1024 * 1024)).to_string()
}

/// Lines that say something, without the place of files, which is each runtime's own.
fn redis_settings(text: &str, add: &mut dyn FnMut(String, String)) {
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.split_once(' ') else {
            continue;
        };
        match name {
            // The first is in a place of its own, the others are what Redis does if nothing is said.
            "aclfile" | "port" | "protected-mode" => {}
            "maxmemory" => add("redis maxmemory, MiB".to_owned(), mebibytes(&json!(value))),
            _ => add(format!("redis {name}"), value.to_owned()),
        }
    }
}

/// What a user may do, without its password.
fn acl(line: &str) -> String {
    line.split(' ')
        .filter(|word| !word.starts_with('#'))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Traefik's steps, each an object with its type for a key.
fn edge(steps: impl Iterator<Item = Value>, add: &mut dyn FnMut(String, String)) {
    let mut order = Vec::new();
    for step in steps {
        let (kind, settings) = step.as_object().unwrap().iter().next().unwrap();
        for (name, value) in settings.as_object().unwrap() {
            add(format!("edge {kind} {name}"), text_of(value));
        }
        order.push(kind.clone());
    }
    add("edge order".to_owned(), order.join(", "));
}

fn environment(
    pairs: impl Iterator<Item = (String, String)>,
    service: &str,
    add: &mut dyn FnMut(String, String),
) {
    for (name, value) in pairs {
        // Where a secret is mounted is each runtime's own; that it is a file is not.
        let value = if name.ends_with("_FILE") {
            "a file".to_owned()
        } else {
            value
        };
        add(format!("{service} {name}"), value);
    }
}

/// What differs there differs for the API too, where it is told.
fn unless_the_apis_own_differs(add: &mut dyn FnMut(String, String)) -> impl FnMut(String, String) {
    |name, value| {
        if !name.ends_with("_HOST") && !name.ends_with("_SSLMODE") {
            add(name, value);
        }
    }
}
