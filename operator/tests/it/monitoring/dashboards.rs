//! Dashboards: those of Compose that are a stack's, and the others with the reason.

use std::collections::BTreeSet;

use operator::desired::Children;
use serde_json::{Value, json};

use super::{OURS, children};
use crate::{repository, text};

/// Dashboards of Compose that no stack on Kubernetes has.
const DASHBOARDS_LEFT_OUT: &[(&str, &str)] = &[
    ("home", "half of it is Traefik's, which is the cluster's"),
    (
        "alerts",
        "of Prometheus and Alertmanager, which are the cluster's",
    ),
    ("containers", "of Docker's containers"),
    ("host", "of nodes, which are the cluster's"),
    ("traefik", "of Traefik, which is the cluster's"),
    ("postgres", "the operator has no exporters yet"),
    ("redis", "the operator has no exporters yet"),
];

/// The content of every dashboard.
pub(super) fn dashboards(children: Children) -> Vec<Value> {
    let maps = children.config_maps.into_iter().filter(|map| {
        let name = map.metadata.name.as_deref().unwrap();
        name.ends_with("-dashboard")
    });
    maps.flat_map(|map| map.data.unwrap())
        .map(|(_, text)| serde_json::from_str(&text).unwrap())
        .collect()
}

#[test]
fn every_dashboard_of_compose_is_a_stacks_or_left_out_for_a_reason() {
    let ours: Vec<String> = dashboards(children("team", "shop", &json!({})))
        .iter()
        .map(|dashboard| {
            let uid = dashboard["uid"].as_str().unwrap();
            uid.rsplit('-').next().unwrap().to_owned()
        })
        .collect();
    let mut written = 0;
    for entry in std::fs::read_dir(repository("compose/grafana/dashboards")).unwrap() {
        let name = entry
            .unwrap()
            .path()
            .file_stem()
            .unwrap()
            .to_string_lossy()
            .into_owned();
        written += 1;
        assert_ne!(
            ours.contains(&name),
            DASHBOARDS_LEFT_OUT
                .iter()
                .any(|(left_out, _)| *left_out == name),
            "{name} is a stack's or left out, one of both"
        );
    }
    assert_eq!(ours.len() + DASHBOARDS_LEFT_OUT.len(), written);
}

#[test]
fn a_stacks_dashboard_is_that_of_compose_but_for_its_name_and_its_labels() {
    let [ours] = &dashboards(children("team", "shop", &json!({})))[..] else {
        panic!("one dashboard")
    };
    let mut written: Value =
        serde_json::from_str(&text("compose/grafana/dashboards/api.json")).unwrap();
    let mut expressions = Vec::new();
    take(&mut written, &mut expressions);
    let mut of_ours = Vec::new();
    let mut rest = ours.clone();
    take(&mut rest, &mut of_ours);
    assert_eq!(of_ours.len(), expressions.len());
    assert!(expressions.len() > 30, "only {} panels", expressions.len());
    for (ours, written) in of_ours.iter().zip(&expressions) {
        let count = |text: &str, word: &str| text.matches(word).count();
        for word in ["$__rate_interval", r#"job="api""#, "rate(", "sum", "$"] {
            assert_eq!(
                count(ours, word),
                count(written, word),
                "{written} became {ours}"
            );
        }
        for label in OURS {
            assert_eq!(
                count(ours, label),
                count(written, r#"job="api""#),
                "{written} became {ours}"
            );
        }
    }
    written["uid"] = ours["uid"].clone();
    written["title"] = json!("TpStack: API (team/shop)");
    for tags in ["/tags", "/links/0/tags"] {
        let tags = written.pointer_mut(tags).unwrap().as_array_mut().unwrap();
        tags.push(json!("team/shop"));
    }
    assert_eq!(rest, written);
    // Nothing else in it asks Prometheus.
    assert_eq!(ours["templating"]["list"].as_array().unwrap().len(), 1);
    assert_eq!(ours["templating"]["list"][0]["type"], "datasource");
    assert!(ours.get("annotations").is_none());
}

/// Takes all expressions out.
fn take(value: &mut Value, expressions: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == "expr" => {
                        expressions.push(std::mem::take(text));
                    }
                    value => take(value, expressions),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| take(value, expressions)),
        _ => {}
    }
}

/// Grafana knows a dashboard by its uid of forty characters at most, its sidecar a file by its name.
#[test]
fn dashboards_of_all_stacks_stand_side_by_side() {
    let longest = "a".repeat(40);
    let (mut uids, mut files) = (BTreeSet::new(), BTreeSet::new());
    let stacks = [
        ("team", "shop"),
        ("team-shop", "a"),
        ("team", "shop-a"),
        ("other", "shop"),
        ("team", &longest),
    ];
    for (namespace, name) in stacks {
        for map in children(namespace, name, &json!({})).config_maps {
            if !map.metadata.name.unwrap().ends_with("-dashboard") {
                continue;
            }
            for (file, content) in map.data.unwrap() {
                // The API server takes a MiB.
                assert!(content.len() < 256 * 1024, "{} bytes", content.len());
                let dashboard: Value = serde_json::from_str(&content).unwrap();
                let uid = dashboard["uid"].as_str().unwrap().to_owned();
                assert!(uid.len() <= 40, "{uid}");
                assert!(uids.insert(uid) && files.insert(file), "{namespace}/{name}");
            }
        }
    }
    assert_eq!(files.len(), stacks.len());
}
