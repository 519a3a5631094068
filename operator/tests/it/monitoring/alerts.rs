//! Alerts: those of Compose that are a stack's, and the others with the reason.

use std::collections::BTreeSet;

use operator::desired::Children;
use serde_json::{Value, json};

use super::{OURS, children};
use crate::repository;

/// Alerts of Compose that no stack on Kubernetes has: what they look at, or who looks at it there.
const LEFT_OUT: &[(&[&str], &str)] = &[
    (
        &[
            "ContainerHighMemory",
            "ContainerRestarting",
            "ContainerCPUThrottled",
            "CAdvisorDown",
            "ContainerNamesMissing",
        ],
        "pods are watched by the cluster's own kubelet and kube-state-metrics; the labels here are Docker's",
    ),
    (
        &[
            "HostDiskSpaceLow",
            "HostDiskSpaceCritical",
            "HostDiskFillingUp",
            "HostInodesLow",
            "HostMemoryLow",
            "HostOOMKill",
            "HostClockNotSynchronised",
            "NodeExporterDown",
        ],
        "nodes are the cluster's: each stack would tell of all of them",
    ),
    (
        &[
            "Watchdog",
            "MonitoringTargetMissing",
            "PrometheusReloadFailed",
            "PrometheusRulesFailing",
            "PrometheusStorageFailing",
            "PrometheusNotificationsFailing",
            "AlertmanagerDown",
            "AlertmanagerReloadFailed",
            "AlertmanagerNotificationsFailing",
        ],
        "Prometheus and Alertmanager are the cluster's, and watch themselves",
    ),
    (
        &[
            "TraefikDown",
            "TraefikHighErrorRate",
            "CertificateExpiresSoon",
            "CertificateExpiresThisWeek",
        ],
        "Traefik is the cluster's: its series have its own namespace and no stack",
    ),
    (
        &["SocketProxyDown", "DockerUnreachable"],
        "there is no Docker: Traefik asks the API server",
    ),
    (
        &[
            "PostgresDown",
            "PostgresExporterDown",
            "PostgresMetricsIncomplete",
            "PostgresConnectionsHigh",
            "PostgresArchiveFailing",
            "PostgresWALGrowing",
            "PostgresDeadlocks",
            "PostgresLongTransaction",
            "PostgresTransactionIDsAging",
            "RedisDown",
            "RedisExporterDown",
            "RedisMemoryHigh",
            "RedisEvictingKeys",
            "RedisOutOfMemory",
            "RedisRejectingConnections",
            "RedisPersistenceFailing",
        ],
        "the operator has no exporters yet: these would be blind, and those on the exporters always firing",
    ),
];

/// The rules of every `PrometheusRule`, in order.
pub(super) fn rules(children: Children) -> Vec<Value> {
    let objects = children.prometheus_rules.into_iter();
    objects
        .flat_map(|object| object.spec.groups)
        .flat_map(|group| group.rules)
        .map(|rule| serde_json::to_value(rule).unwrap())
        .collect()
}

/// Every rule of Compose, by file.
fn written() -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(repository("compose/prometheus/rules")).unwrap() {
        let path = entry.unwrap().path();
        let file: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for group in file["groups"].as_array().unwrap() {
            for rule in group["rules"].as_array().unwrap() {
                all.push((
                    path.file_stem().unwrap().to_string_lossy().into_owned(),
                    rule.clone(),
                ));
            }
        }
    }
    all
}

#[test]
fn every_alert_of_compose_is_a_stacks_or_left_out_for_a_reason() {
    let ours: BTreeSet<String> = rules(children("team", "shop", &json!({})))
        .iter()
        .filter_map(|rule| Some(rule["alert"].as_str()?.to_owned()))
        .collect();
    let left_out: Vec<&str> = LEFT_OUT
        .iter()
        .flat_map(|(alerts, _)| *alerts)
        .copied()
        .collect();
    let written: BTreeSet<String> = written()
        .iter()
        .filter_map(|(_, rule)| Some(rule["alert"].as_str()?.to_owned()))
        .collect();
    assert_eq!(written.len(), 54, "{written:?}");
    for alert in &written {
        assert_ne!(
            ours.contains(alert),
            left_out.contains(&alert.as_str()),
            "{alert} is a stack's or left out, one of both"
        );
    }
    assert_eq!(
        ours.len() + left_out.len(),
        written.len(),
        "one is named that is not written"
    );
}

#[test]
fn a_stacks_rules_are_those_of_compose_but_for_its_labels() {
    let ours = rules(children("team", "shop", &json!({})));
    let mut written: Vec<Value> = written()
        .into_iter()
        .filter(|(file, _)| file == "api")
        .map(|(_, rule)| rule)
        .collect();
    assert_eq!(ours.len(), written.len());
    for (ours, written) in ours.iter().zip(&mut written) {
        let expression = ours["expr"].as_str().unwrap();
        for label in OURS {
            assert!(expression.contains(label), "{expression}");
        }
        written["expr"] = ours["expr"].clone();
        if written.get("labels").is_none() {
            written["labels"] = json!({});
        }
        written["labels"]["namespace"] = json!("team");
        written["labels"]["stack"] = json!("shop");
        assert_eq!(ours, written);
    }
}

#[test]
fn runbooks_are_read_where_the_spec_says() {
    for (base, expected) in [
        (
            "",
            "https://github.com/tpstack/tpstack/blob/main/docs/runbooks/APIDown.md",
        ),
        (
            "https://wiki.example.org",
            "https://wiki.example.org/APIDown.md",
        ),
        (
            "https://wiki.example.org/r/",
            "https://wiki.example.org/r/APIDown.md",
        ),
    ] {
        let spec = json!({"monitoring": {"rules": {"runbookBaseUrl": base}}});
        let rules = rules(children("team", "shop", &spec));
        let down = rules
            .iter()
            .find(|rule| rule["alert"] == "APIDown")
            .unwrap();
        assert_eq!(down["annotations"]["runbook_url"], expected);
        assert!(rules.iter().all(
            |rule| rule["annotations"].get("runbook_url").is_none() == rule["alert"].is_null()
        ));
    }
}
