//! What stands between a stack and the outside: Traefik and Prometheus.

use serde_json::{Value, json};

use super::{found, healthy, only, scraper, stack, stack_with};
use crate::cli::doctor::ClusterFacts;
use crate::observed::Capabilities;

#[test]
fn a_traefik_is_to_read_the_routes_and_have_the_entry_points() {
    let with = |arguments: &[&str]| {
        let mut facts = healthy();
        facts.workloads.as_mut().unwrap()[0].arguments =
            arguments.iter().map(ToString::to_string).collect();
        facts
    };
    let (web, secure, provider) = (
        "--entryPoints.web.address=:80",
        "--entryPoints.websecure.address=:443",
        "--providers.kubernetescrd=true",
    );
    only(&with(&[web, secure]), &stack(), "TraefikProviderMissing");
    let missing = only(&with(&[web, provider]), &stack(), "EntryPointMissing");
    assert!(
        missing.problem.contains("entryPoints.https is websecure"),
        "{missing:?}"
    );
    only(&with(&[secure, provider]), &stack(), "EntryPointMissing");
    only(
        &with(&[web, secure, "--providers.kubernetescrd.namespaces=other"]),
        &stack(),
        "TraefikNamespaceMissing",
    );
    only(
        &with(&[web, secure, "--providers.kubernetescrd.ingressclass=inner"]),
        &stack(),
        "TraefikIngressClass",
    );
    assert_eq!(
        found(&with(&[]), &stack()),
        [],
        "its settings cannot be seen"
    );
    let without_redirect =
        stack_with(&json!({"ingress": {"hosts": ["a.example.org"], "redirectToHttps": false}}));
    assert_eq!(found(&with(&[secure, provider]), &without_redirect), []);
}

#[test]
fn of_two_traefiks_one_is_enough() {
    let mut facts = healthy();
    let workloads = facts.workloads.as_mut().unwrap();
    let mut other = workloads[0].clone();
    other.arguments = vec!["--providers.kubernetesingress".to_owned()];
    workloads.insert(0, other);
    assert_eq!(found(&facts, &stack()), []);
}

#[test]
fn routes_without_a_traefik_are_told_and_without_routes_none_is_needed() {
    let mut facts = healthy();
    facts.workloads.as_mut().unwrap().remove(0);
    only(&facts, &stack(), "TraefikNotRunning");
    assert_eq!(found(&facts, &stack_with(&json!({}))), []);
    let facts = ClusterFacts {
        capabilities: Capabilities::default(),
        ..healthy()
    };
    only(
        &facts,
        &stack_with(
            &json!({"ingress": {"hosts": ["a.example.org"]}, "monitoring": {"mode": "Disabled"}}),
        ),
        "TraefikMissing",
    );
}

#[test]
fn a_monitor_is_to_be_selected_by_its_labels_and_its_namespace() {
    let with = |monitors: Value, namespaces: Value| ClusterFacts {
        scrapers: Some(vec![scraper(monitors, namespaces)]),
        ..healthy()
    };
    let release = json!({"matchLabels": {"release": "main"}});
    let labels = only(
        &with(release.clone(), json!({})),
        &stack(),
        "MonitorNotSelected",
    );
    assert!(
        labels
            .next
            .ends_with(r#"--patch='{"spec":{"monitoring":{"labels":{"release":"main"}}}}'"#),
        "{labels:?}"
    );
    only(
        &with(Value::Null, json!({})),
        &stack(),
        "MonitorNotSelected",
    );
    let team = json!({"matchLabels": {"kubernetes.io/metadata.name": "other"}});
    let namespace = only(
        &with(json!({}), team),
        &stack(),
        "MonitorNamespaceNotSelected",
    );
    assert_eq!(
        namespace.next,
        "kubectl label namespace team kubernetes.io/metadata.name=other"
    );
    only(
        &with(json!({}), Value::Null),
        &stack(),
        "MonitorNamespaceNotSelected",
    );
    let labelled = stack_with(&json!({"monitoring": {"labels": {"release": "main"}}}));
    assert_eq!(
        found(
            &with(
                release.clone(),
                json!({"matchLabels": {"kubernetes.io/metadata.name": "team"}})
            ),
            &labelled
        ),
        []
    );
    assert_eq!(
        found(
            &with(release, json!({})),
            &stack_with(&json!({"monitoring": {"mode": "Disabled"}}))
        ),
        []
    );
    only(
        &ClusterFacts {
            scrapers: Some(Vec::new()),
            ..healthy()
        },
        &stack(),
        "PrometheusMissing",
    );
}

#[test]
fn a_label_that_a_shell_would_take_for_more_is_in_no_command() {
    let hostile = json!({"matchLabels": {"a": "'; touch x; '"}});
    let facts = ClusterFacts {
        scrapers: Some(vec![scraper(hostile, json!({}))]),
        ..healthy()
    };
    let finding = only(&facts, &stack(), "MonitorNotSelected");
    assert!(!finding.next.contains("touch"), "{finding:?}");
}
