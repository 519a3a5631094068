//! Traefik, prometheus-operator and cert-manager may be missing, come, and go. These tests change CRDs, so each runs alone.

use serde_json::json;

use crate::harness::{
    kinds::{self, CHILDREN, Child, is_monitoring},
    operator::Operator,
    pods::Kubelet,
    sandbox::Sandbox,
    setup::{self, CERT_MANAGER, PROMETHEUS_OPERATOR, TRAEFIK, install_optional, remove_optional},
    stack::{Stack, everything_on},
};

fn of_traefik(child: &Child) -> bool {
    child.0.group == "traefik.io"
}

#[tokio::test]
async fn traefik_may_be_missing_come_and_go() {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    remove_optional(&sandbox, TRAEFIK).await;
    let stack = sandbox.stack("shop", everything_on()).await;
    let unrouted = sandbox.stack("inside", json!({})).await;

    missing(&stack, "IngressReady", "False").await;
    stack
        .applied(CHILDREN.into_iter().filter(|child| !of_traefik(child)))
        .await;
    stack.becomes("Ready", "False", "ComponentsNotReady").await;
    // Who asked for no route misses nothing.
    unrouted.ready().await;

    install_optional(&sandbox, TRAEFIK).await;
    stack.ready().await;
    stack.applied(CHILDREN.into_iter()).await;
    stack.becomes("IngressReady", "True", "RoutesApplied").await;
    watched(&stack, CHILDREN.into_iter().filter(of_traefik)).await;

    remove_optional(&sandbox, TRAEFIK).await;
    missing(&stack, "IngressReady", "False").await;
    stack.change(json!({"api": {"replicas": 3}})).await;
    stack.becomes("ApiReady", "True", "Available").await;
    assert_eq!(
        stack.must_child((kinds::DEPLOYMENT, "api")).await["spec"]["replicas"],
        json!(3),
        "the rest goes on"
    );

    install_optional(&sandbox, TRAEFIK).await;
    stack.ready().await;
    watched(&stack, CHILDREN.into_iter().filter(of_traefik)).await;
}

#[tokio::test]
async fn prometheus_operator_may_be_missing_come_and_go() {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    remove_optional(&sandbox, PROMETHEUS_OPERATOR).await;
    let relaxed = sandbox
        .stack("auto", json!({"monitoring": {"mode": "Auto"}}))
        .await;
    let strict = sandbox
        .stack("strict", json!({"monitoring": {"mode": "Enabled"}}))
        .await;

    // Auto means where there is one; Enabled means that one was expected.
    missing(&relaxed, "MonitoringReady", "True").await;
    relaxed.ready().await;
    missing(&strict, "MonitoringReady", "False").await;
    strict.becomes("Ready", "False", "ComponentsNotReady").await;

    install_optional(&sandbox, PROMETHEUS_OPERATOR).await;
    for stack in [&relaxed, &strict] {
        stack.ready().await;
        stack
            .applied(CHILDREN.into_iter().filter(is_monitoring))
            .await;
        watched(stack, CHILDREN.into_iter().filter(is_monitoring)).await;
    }

    remove_optional(&sandbox, PROMETHEUS_OPERATOR).await;
    missing(&relaxed, "MonitoringReady", "True").await;
    missing(&strict, "MonitoringReady", "False").await;
    relaxed.ready().await;
}

#[tokio::test]
async fn cert_manager_may_be_missing_come_and_go() {
    let sandbox = Sandbox::alone().await;
    remove_optional(&sandbox, CERT_MANAGER).await;
    let stack = sandbox
        .stack(
            "shop",
            json!({"ingress": {
                "hosts": ["shop.example.org"],
                "tls": {"mode": "CertManager", "certManager": {"issuerRef": {"name": "authority"}}},
            }}),
        )
        .await;
    let unconcerned = sandbox
        .stack(
            "other",
            json!({"ingress": {"hosts": ["other.example.org"]}}),
        )
        .await;
    missing(&stack, "IngressReady", "False").await;
    // The routes are there all the same.
    stack.applied(CHILDREN.into_iter().filter(of_traefik)).await;
    unconcerned
        .becomes("IngressReady", "True", "RoutesApplied")
        .await;

    let certificate = (kinds::CERTIFICATE, "api");
    install_optional(&sandbox, CERT_MANAGER).await;
    stack
        .becomes("IngressReady", "False", "CertificateNotReady")
        .await;
    watched(&stack, [certificate].into_iter()).await;

    remove_optional(&sandbox, CERT_MANAGER).await;
    missing(&stack, "IngressReady", "False").await;
    install_optional(&sandbox, CERT_MANAGER).await;
    stack.applied([certificate].into_iter()).await;
}

#[tokio::test]
async fn an_operator_started_without_either_works_and_finds_them_later() {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stopped = setup::shared_operator().take();
    drop(stopped);
    remove_optional(&sandbox, TRAEFIK).await;
    remove_optional(&sandbox, PROMETHEUS_OPERATOR).await;
    setup::start_operator(&sandbox).await;
    let stack = sandbox
        .stack("minimal", json!({"ingress": {"hosts": ["api.localhost"]}}))
        .await;
    missing(&stack, "IngressReady", "False").await;
    missing(&stack, "MonitoringReady", "True").await;

    install_optional(&sandbox, TRAEFIK).await;
    install_optional(&sandbox, PROMETHEUS_OPERATOR).await;
    stack.ready().await;
    stack.applied(CHILDREN.into_iter()).await;
    assert!(
        setup::shared_operator()
            .as_mut()
            .is_some_and(Operator::is_running)
    );
}

async fn missing(stack: &Stack<'_>, condition: &str, status: &str) {
    let missing = stack.becomes(condition, status, "CRDNotInstalled").await;
    assert!(
        !missing.message.is_empty(),
        "{condition} should say what is not installed"
    );
}

/// Waits until the operator heals these children, which it can only do when it watches their kind.
async fn watched(stack: &Stack<'_>, children: impl Iterator<Item = Child>) {
    for child in children {
        stack.sandbox.delete(&child.0, &stack.name_of(child)).await;
        stack.applied([child].into_iter()).await;
    }
}
