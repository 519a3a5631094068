//! Scraping, alerts and dashboards of a stack: one source for both runtimes, and what a stack on Kubernetes has not of it.

mod alerts;
mod dashboards;

use operator::crd::TpStack;
use operator::desired::{Children, Object, Part, Stores, desired};
use operator::kept::Pair;
use operator::migration::Migration;
use operator::observed::{Capabilities, Observed};
use operator::settings::Images;
use operator::validate::validate;
use serde_json::{Value, json};

use dashboards::dashboards;

/// What every selector asks for, of the stack `shop` in `team`.
const OURS: [&str; 2] = [r#"namespace="team""#, r#"stack="shop""#];

fn children(namespace: &str, name: &str, spec: &Value) -> Children {
    let object: TpStack = serde_json::from_value(
        json!({"metadata": {"name": name, "namespace": namespace}, "spec": spec}),
    )
    .unwrap();
    let stores = Stores {
        postgres: Some(Pair::default()),
        redis: Some(Pair::default()),
    };
    let observed = Observed {
        capabilities: Capabilities::all(),
        ..Observed::default()
    };
    desired(
        &validate(&object).unwrap(),
        &Images::default(),
        &observed,
        &stores,
        &Migration::default(),
    )
}

#[test]
fn every_target_says_whose_it_is() {
    let children = children("team", "shop", &json!({}));
    let monitor = serde_json::to_value(children.service_monitors.first().unwrap()).unwrap();
    assert_eq!(
        monitor["spec"]["endpoints"][0]["relabelings"],
        json!([{"action": "replace", "targetLabel": "stack", "replacement": "shop"}])
    );
}

#[test]
fn steps_of_ones_own_come_before_the_one_that_says_whose_a_target_is() {
    let node = json!({"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"});
    let drop = json!({"action": "drop", "sourceLabels": ["__name__"], "regex": "app_http_.*"});
    let spec = json!({"monitoring": {"relabelings": [node], "metricRelabelings": [drop]}});
    let children = children("team", "shop", &spec);
    let monitor = serde_json::to_value(children.service_monitors.first().unwrap()).unwrap();
    let endpoint = &monitor["spec"]["endpoints"][0];
    let steps = endpoint["relabelings"].as_array().unwrap();
    assert_eq!(steps[0]["targetLabel"], "node");
    // prometheus-operator's definition would fill it in, which would look like a change.
    assert_eq!(steps[0]["action"], "replace");
    assert_eq!(steps[1]["targetLabel"], "stack");
    assert_eq!(endpoint["metricRelabelings"], json!([drop]));
}

#[test]
fn a_step_that_prometheus_would_refuse_or_that_hides_the_stack_is_refused() {
    let refused = |step: &Value| {
        let object: TpStack = serde_json::from_value(json!({
            "metadata": {"name": "shop"}, "spec": {"monitoring": {"metricRelabelings": [step]}},
        }))
        .unwrap();
        validate(&object).is_err()
    };
    for sound in [
        json!({"targetLabel": "a"}),
        json!({"action": "keep", "sourceLabels": ["a"], "regex": "b"}),
        json!({"action": "labelmap", "regex": "a_(.*)", "replacement": "b_$1"}),
        json!({"action": "labeldrop", "regex": "a"}),
        json!({"action": "hashmod", "sourceLabels": ["a"], "targetLabel": "b", "modulus": 4}),
        json!({"action": "lowercase", "sourceLabels": ["a"], "targetLabel": "a"}),
        json!({"action": "keepequal", "sourceLabels": ["a"], "targetLabel": "b"}),
    ] {
        assert!(!refused(&sound), "{sound}");
    }
    for wrong in [
        json!({}),
        json!({"targetLabel": ""}),
        json!({"targetLabel": "1a"}),
        json!({"targetLabel": "$1"}),
        json!({"targetLabel": "a", "sourceLabels": ["b-c"]}),
        json!({"targetLabel": "stack"}),
        json!({"action": "lowercase", "targetLabel": "namespace"}),
        json!({"action": "hashmod", "targetLabel": "job", "modulus": 1}),
        json!({"action": "hashmod", "targetLabel": "a"}),
        json!({"action": "hashmod", "targetLabel": "a", "modulus": 0}),
        json!({"targetLabel": "a", "modulus": 2}),
        json!({"action": "labeldrop"}),
        json!({"action": "labelkeep", "regex": "a", "sourceLabels": ["a"]}),
        json!({"action": "labeldrop", "regex": "a", "replacement": ""}),
        json!({"action": "uppercase", "targetLabel": "a", "replacement": "b"}),
        json!({"action": "dropequal", "targetLabel": "a", "regex": "b"}),
        json!({"targetLabel": "a", "separator": "a".repeat(17)}),
        json!({"targetLabel": "a", "regex": ""}),
    ] {
        assert!(refused(&wrong), "{wrong}");
    }
}

#[test]
fn a_stack_that_is_stopped_alerts_nobody_and_keeps_its_dashboards() {
    let stopped = children("team", "shop", &json!({"stopped": true}));
    assert!(stopped.prometheus_rules.is_empty());
    assert_eq!(stopped.service_monitors.len(), 1);
    assert_eq!(dashboards(stopped).len(), 1);
}

#[test]
fn each_can_be_turned_off_alone_and_all_together() {
    let count = |monitoring: Value| {
        let children = children("team", "shop", &json!({"monitoring": monitoring}));
        (
            children.service_monitors.len(),
            children.prometheus_rules.len(),
            dashboards(children).len(),
        )
    };
    assert_eq!(count(json!({})), (1, 1, 1));
    assert_eq!(count(json!({"rules": {"mode": "Disabled"}})), (1, 0, 1));
    assert_eq!(
        count(json!({"dashboards": {"mode": "Disabled"}})),
        (1, 1, 0)
    );
    assert_eq!(count(json!({"mode": "Disabled"})), (0, 0, 0));
}

#[test]
fn labels_that_somebody_selects_by_are_there_and_ours_too() {
    let spec = json!({"monitoring": {
        "labels": {"release": "prometheus"}, "dashboards": {"labels": {"shown-by": "grafana"}},
    }});
    for (object, label) in children("team", "shop", &spec)
        .into_objects()
        .iter()
        .filter_map(|object| Some((object, label(object)?)))
    {
        let labels = &object.value["metadata"]["labels"];
        assert_eq!(
            labels[label],
            if label == "release" {
                "prometheus"
            } else {
                "grafana"
            }
        );
        assert_eq!(labels["app.kubernetes.io/managed-by"], "tpstack-operator");
        assert_eq!(labels.get("grafana_dashboard"), None);
    }
    let dashboard = children("team", "shop", &json!({}));
    let dashboard = dashboard.config_maps.last().unwrap();
    assert_eq!(
        dashboard.metadata.labels.as_ref().unwrap()["grafana_dashboard"],
        "1"
    );
}

/// By which label an object of monitoring is found.
fn label(object: &Object) -> Option<&'static str> {
    let is_dashboard = object.id.name.ends_with("-dashboard");
    (object.part == Part::Monitoring).then_some(if is_dashboard { "shown-by" } else { "release" })
}
