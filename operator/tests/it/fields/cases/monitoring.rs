//! Scraping, rules and dashboards.

use serde_json::{Value, json};

use super::{Case, case, whole};

pub(super) fn all() -> Vec<Case> {
    let mut cases = plain();
    for (paths, step, value) in steps() {
        for (list, path) in ["relabelings", "metricRelabelings"].into_iter().zip(paths) {
            let base = json!({"monitoring": {"mode": "Enabled", list: [step]}});
            cases.push(case(path, base, value.clone()));
        }
    }
    cases
}

/// A field of a step on labels, in both lists that have such steps; the step before, and the field's value after.
fn steps() -> Vec<([&'static str; 2], Value, Value)> {
    let plain = json!({"targetLabel": "a"});
    vec![
        (
            [
                "monitoring.relabelings[].action",
                "monitoring.metricRelabelings[].action",
            ],
            json!({"action": "keep", "sourceLabels": ["a"]}),
            json!("drop"),
        ),
        (
            [
                "monitoring.relabelings[].sourceLabels",
                "monitoring.metricRelabelings[].sourceLabels",
            ],
            plain.clone(),
            json!(["b"]),
        ),
        (
            [
                "monitoring.relabelings[].separator",
                "monitoring.metricRelabelings[].separator",
            ],
            plain.clone(),
            json!("/"),
        ),
        (
            [
                "monitoring.relabelings[].regex",
                "monitoring.metricRelabelings[].regex",
            ],
            plain.clone(),
            json!("b.*"),
        ),
        (
            [
                "monitoring.relabelings[].targetLabel",
                "monitoring.metricRelabelings[].targetLabel",
            ],
            plain.clone(),
            json!("b"),
        ),
        (
            [
                "monitoring.relabelings[].replacement",
                "monitoring.metricRelabelings[].replacement",
            ],
            plain,
            json!("b"),
        ),
        (
            [
                "monitoring.relabelings[].modulus",
                "monitoring.metricRelabelings[].modulus",
            ],
            json!({"action": "hashmod", "targetLabel": "a", "modulus": 2}),
            json!(3),
        ),
    ]
}

fn plain() -> Vec<Case> {
    vec![
        case("monitoring.mode", whole(), json!("Disabled")),
        case(
            "monitoring.labels",
            whole(),
            json!({"release": "prometheus"}),
        ),
        case("monitoring.interval", whole(), json!("1m")),
        case("monitoring.rules.mode", whole(), json!("Disabled")),
        case(
            "monitoring.rules.runbookBaseUrl",
            whole(),
            json!("https://wiki.example.org/runbooks"),
        ),
        case("monitoring.dashboards.mode", whole(), json!("Disabled")),
        case(
            "monitoring.dashboards.labels",
            whole(),
            json!({"shown-by": "grafana"}),
        ),
    ]
}
