//! `tls.mode: CertManager`. There is no cert-manager here: the tests write what it would.

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, Child},
    sandbox::Sandbox,
    stack::Stack,
};

const CERTIFICATE: Child = (kinds::CERTIFICATE, "api");

fn spec(hosts: &[&str]) -> Value {
    json!({"ingress": {
        "hosts": hosts,
        "tls": {"mode": "CertManager", "certManager": {"issuerRef": {"kind": "ClusterIssuer", "name": "authority"}}},
    }})
}

/// Has cert-manager say of a stack's Certificate, as it is now, whether it is ready.
async fn say_now(stack: &Stack<'_>, ready: &str, message: &str) {
    let certificate = stack.must_child(CERTIFICATE).await;
    say(stack, &certificate, ready, message).await;
}

/// The same of a Certificate as it was seen.
pub(crate) async fn say(stack: &Stack<'_>, certificate: &Value, ready: &str, message: &str) {
    let condition = json!({
        "type": "Ready", "status": ready, "reason": "Said", "message": message,
        "lastTransitionTime": "2026-01-01T00:00:00Z",
        "observedGeneration": certificate["metadata"]["generation"],
    });
    let status = json!({"conditions": [condition]});
    stack
        .sandbox
        .merge_status(&CERTIFICATE.0, &stack.name_of(CERTIFICATE), status)
        .await;
}

#[tokio::test]
async fn a_certificate_is_asked_for_followed_and_taken_back() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", spec(&["shop.example.org"])).await;
    stack
        .becomes("IngressReady", "False", "CertificateNotReady")
        .await;
    let certificate = stack.must_child(CERTIFICATE).await;
    assert_eq!(
        certificate["spec"],
        json!({
            "secretName": "shop-api-tls", "dnsNames": ["shop.example.org"],
            "issuerRef": {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "authority"},
        })
    );
    let route = stack.must_child((kinds::INGRESS_ROUTE, "api")).await;
    assert_eq!(route["spec"]["tls"], json!({"secretName": "shop-api-tls"}));

    say_now(&stack, "False", "the order is pending").await;
    let told = stack
        .becomes("IngressReady", "False", "CertificateNotReady")
        .await;
    assert!(
        told.message.contains("describe certificate shop-api"),
        "{}",
        told.message
    );
    say_now(&stack, "True", "up to date").await;
    stack.becomes("IngressReady", "True", "RoutesApplied").await;

    // What was said of other hosts says nothing of these.
    stack
        .change(spec(&["shop.example.org", "www.example.org"]))
        .await;
    stack
        .becomes("IngressReady", "False", "CertificateNotReady")
        .await;
    let names = stack.must_child(CERTIFICATE).await["spec"]["dnsNames"].clone();
    assert_eq!(names, json!(["shop.example.org", "www.example.org"]));
    say_now(&stack, "True", "up to date").await;
    stack.becomes("IngressReady", "True", "RoutesApplied").await;

    stack
        .change(json!({"ingress": {"tls": {"mode": "TraefikDefault", "certManager": null}}}))
        .await;
    sandbox
        .gone(&CERTIFICATE.0, &stack.name_of(CERTIFICATE))
        .await;
    stack.becomes("IngressReady", "True", "RoutesApplied").await;
}

#[tokio::test]
async fn cert_manager_is_never_told_to_write_over_a_strangers_secret() {
    let sandbox = Sandbox::shared().await;
    let secret = json!({"metadata": {"name": "shop-api-tls"}, "stringData": {"key": "theirs"}});
    sandbox.create(&kinds::SECRET, secret).await;
    let stack = sandbox.stack("shop", spec(&["shop.example.org"])).await;
    let told = stack.stalled("NameConflict").await;
    assert!(told.contains("Secret shop-api-tls"), "{told}");
    stack.reconcile_again().await;
    assert!(
        stack.child(CERTIFICATE).await.is_none(),
        "cert-manager would write over the Secret"
    );

    // One that cert-manager wrote for this very Certificate, before it was taken away and asked for again.
    sandbox
        .merge(
            &kinds::SECRET,
            "shop-api-tls",
            json!({"metadata": {"annotations": {"cert-manager.io/certificate-name": "shop-api"}}}),
        )
        .await;
    stack.reconcile_again().await;
    stack.applied([CERTIFICATE].into_iter()).await;
}
