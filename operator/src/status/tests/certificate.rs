use serde_json::{Value, json};

use super::fixture::{condition, ready, told, tp_stack};
use crate::crd::{ConditionStatus, TpStackStatus};
use crate::kind::{Kind, ObjectId, OptionalApi};
use crate::outcome::Outcome;

#[test]
fn a_certificate_that_is_not_there_yet_is_told() {
    let raw = tp_stack(&json!({"ingress": {
        "hosts": ["shop.example.org"],
        "tls": {"mode": "CertManager", "certManager": {"issuerRef": {"name": "authority"}}},
    }}));
    let ingress = |worked| {
        let outcome = Outcome::Worked(Box::new(worked));
        condition(
            &told(&raw, &TpStackStatus::default(), &outcome, 1),
            "IngressReady",
        )
    };
    let with = |conditions: Value| {
        let mut worked = ready(&raw);
        let object = json!({"metadata": {"name": "shop-api", "generation": 2}, "status": {"conditions": conditions}});
        worked.applied.objects.insert(
            ObjectId::new(Kind::Certificate, "shop-api"),
            serde_json::from_value(object).unwrap(),
        );
        ingress(worked)
    };
    let (status, reason, _) = ingress(ready(&raw));
    assert_eq!(
        (status, reason.as_str()),
        (ConditionStatus::False, "Progressing")
    );
    let pending = json!([{"type": "Ready", "status": "False", "message": "no issuer"}]);
    for (conditions, expected) in [
        (json!([]), None),
        (pending, Some("no issuer")),
        // Of the hosts before.
        (
            json!([{"type": "Ready", "status": "True", "observedGeneration": 1}]),
            None,
        ),
    ] {
        let (status, reason, message) = with(conditions);
        assert_eq!(
            (status, reason.as_str()),
            (ConditionStatus::False, "CertificateNotReady")
        );
        assert!(message.contains(expected.unwrap_or_default()), "{message}");
    }
    for ready in [
        json!([{"type": "Issuing", "status": "True"}, {"type": "Ready", "status": "True"}]),
        json!([{"type": "Ready", "status": "True", "observedGeneration": 2}]),
    ] {
        let (status, reason, _) = with(ready);
        assert_eq!(
            (status, reason.as_str()),
            (ConditionStatus::True, "RoutesApplied")
        );
    }

    let mut without = ready(&raw);
    without.observed.capabilities = [OptionalApi::Traefik].into_iter().collect();
    let (status, reason, message) = ingress(without);
    assert_eq!(
        (status, reason.as_str()),
        (ConditionStatus::False, "CRDNotInstalled")
    );
    assert!(message.contains("cert-manager"), "{message}");
}
