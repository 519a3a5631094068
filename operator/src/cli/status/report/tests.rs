use serde_json::{Value, json};

use super::{Report, Seen, report};
use crate::cli::status::text;

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

fn told(status: &Value, seen: &Seen) -> Report {
    let stack = serde_json::from_value(json!({
        "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack",
        "metadata": {"name": "shop", "namespace": "team", "generation": 3}, "status": status,
    }))
    .unwrap();
    report(&stack, seen)
}

fn not_ready(parts: &[Value]) -> Value {
    let mut conditions = vec![
        condition("Ready", "False", "ComponentsNotReady", "waiting"),
        condition("Stalled", "False", "NotStalled", ""),
    ];
    conditions.extend_from_slice(parts);
    json!({"observedGeneration": 3, "phase": "Progressing", "conditions": conditions})
}

#[test]
fn a_ready_stack_leaves_nothing_to_do() {
    let ready = json!({
        "observedGeneration": 3, "phase": "Running", "endpoints": [{"name": "api", "url": "https://shop.example.org"}],
        "conditions": [condition("Ready", "True", "AllComponentsReady", "")],
    });
    let told = told(&ready, &Seen::default());
    assert!(told.is_ready());
    assert!(told.next.is_empty(), "{:?}", told.next);
    let screen = text(&told);
    assert!(
        screen.contains("Running") && screen.contains("https://shop.example.org"),
        "{screen}"
    );
    assert!(!screen.contains("next"), "{screen}");
}

#[test]
fn readiness_of_an_older_spec_is_no_readiness() {
    let older = json!({
        "observedGeneration": 2, "phase": "Running",
        "conditions": [condition("Ready", "True", "AllComponentsReady", "")],
    });
    let told = told(&older, &Seen::default());
    assert!(!told.is_ready());
    assert!(text(&told).contains("as of generation 2; the spec is at 3"));
    assert_eq!(told.next.len(), 1);
}

#[test]
fn a_stack_that_nobody_has_looked_at_says_so() {
    let told = told(&Value::Null, &Seen::default());
    assert!(!told.is_ready());
    assert!(text(&told).contains("not looked at yet"));
    assert!(
        told.next[0].contains("tpstack doctor shop --namespace team"),
        "{:?}",
        told.next
    );
}

#[test]
fn what_stalls_gives_the_commands_and_leaves_the_story_out() {
    let message = "Secret x is gone; a new password would not open it, so none is made. To restore: kubectl apply -f x. \
                   To give the data up: kubectl annotate y";
    let stalled = json!({
        "observedGeneration": 3, "phase": "Stalled",
        "conditions": [condition("Ready", "False", "CredentialsLost", message), condition("Stalled", "True", "CredentialsLost", message)],
    });
    assert_eq!(
        told(&stalled, &Seen::default()).next,
        [
            "To restore: kubectl apply -f x",
            "To give the data up: kubectl annotate y"
        ]
    );
    let words = "spec.api.replicas is too large";
    let invalid = json!({
        "observedGeneration": 3,
        "conditions": [condition("Stalled", "True", "InvalidSpec", words)],
    });
    assert_eq!(told(&invalid, &Seen::default()).next, [words]);
}

#[test]
fn what_is_waited_for_is_looked_at_where_it_is() {
    let waiting = not_ready(&[
        condition(
            "ApiReady",
            "False",
            "Progressing",
            "1 of 2 pods are available",
        ),
        condition("PostgresReady", "True", "Available", ""),
        condition(
            "IngressReady",
            "False",
            "CRDNotInstalled",
            "install Traefik with its CRDs",
        ),
    ]);
    let next = told(&waiting, &Seen::default()).next;
    assert_eq!(next.len(), 3, "{next:?}");
    assert!(
        next[0].contains("describe pods --selector") && next[0].contains("component=api"),
        "{next:?}"
    );
    assert_eq!(next[1], "install Traefik with its CRDs");
    assert!(next[2].contains("tpstack doctor"), "{next:?}");
}

#[test]
fn pods_and_volumes_are_those_of_the_stack_alone() {
    let labels = |stack: &str| json!({"app.kubernetes.io/instance": stack});
    let deployment = |namespace: &str, stack: &str| {
        serde_json::from_value(json!({
            "metadata": {"name": format!("{stack}-api"), "namespace": namespace, "labels": labels(stack)},
            "spec": {"replicas": 2, "selector": {}, "template": {}}, "status": {"readyReplicas": 1},
        }))
        .unwrap()
    };
    let claim = serde_json::from_value(json!({
        "metadata": {"name": "shop-postgres-data", "namespace": "team", "labels": labels("shop")},
        "spec": {"resources": {"requests": {"storage": "1Gi"}}}, "status": {"phase": "Pending"},
    }))
    .unwrap();
    let seen = Seen {
        deployments: vec![
            deployment("team", "shop"),
            deployment("team", "other"),
            deployment("else", "shop"),
        ],
        claims: vec![claim],
        unread: vec!["statefulsets is forbidden".to_owned()],
        ..Seen::default()
    };
    let told = told(&Value::Null, &seen);
    assert_eq!(told.pods.len(), 1);
    let screen = text(&told);
    for line in [
        "shop-api 1 of 2 ready",
        "shop-postgres-data Pending 1Gi",
        "not read     statefulsets is forbidden",
    ] {
        assert!(screen.contains(line), "{line} in {screen}");
    }
}

#[test]
fn nothing_out_of_the_cluster_reaches_the_terminal_as_a_command() {
    let hostile = json!({
        "observedGeneration": 3,
        "conditions": [condition("Stalled", "True", "InvalidSpec", "\u{1b}[2J\r\nall is well")],
    });
    let screen = text(&told(&hostile, &Seen::default()));
    assert!(
        !screen.contains('\u{1b}') && !screen.contains('\r'),
        "{screen:?}"
    );
}
