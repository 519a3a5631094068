use serde_json::{Value, json};

use super::{settled, work};
use crate::desired::Part;
use crate::kind::{Kind, ObjectId};

#[test]
fn a_certificate_is_asked_for_only_where_its_secret_is_nobody_elses() {
    let spec = json!({"ingress": {
        "hosts": ["shop.example.org"],
        "tls": {"mode": "CertManager", "certManager": {"issuerRef": {"name": "authority"}}},
    }});
    let certificate = ObjectId::new(Kind::Certificate, "shop-api");
    let secret = ObjectId::new(Kind::Secret, "shop-api-tls");
    let asked = |annotations: Option<Value>| {
        let mut observed = settled();
        if let Some(annotations) = annotations {
            let metadata =
                json!({"name": "shop-api-tls", "uid": "t-1", "annotations": annotations});
            observed
                .objects
                .insert(secret.clone(), serde_json::from_value(metadata).unwrap());
        }
        let work = work(&spec, &observed);
        let asked = work.objects.iter().any(|object| object.id == certificate);
        assert_eq!(
            work.conflicts,
            if asked {
                Vec::new()
            } else {
                vec![(Part::Ingress, secret.clone())]
            }
        );
        asked
    };
    assert!(asked(None));
    assert!(asked(Some(
        json!({"cert-manager.io/certificate-name": "shop-api"})
    )));
    assert!(!asked(Some(json!({}))));
    assert!(!asked(Some(
        json!({"cert-manager.io/certificate-name": "other"})
    )));

    let mut blind = settled();
    blind
        .forbidden
        .insert(Kind::Secret, "no secrets".to_owned());
    let work = work(&spec, &blind);
    assert!(work.objects.iter().all(|object| object.id != certificate));
    assert!(
        work.forbidden
            .contains(&(Part::Ingress, "no secrets".to_owned()))
    );
}
