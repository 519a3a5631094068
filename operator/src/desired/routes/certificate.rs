//! The certificate that cert-manager gets for the routes. [pure]

use crate::crd::IssuerKind;
use crate::desired::Children;
use crate::desired::metadata::Component;
use crate::foreign::{Certificate, CertificateIssuer, CertificateSpec};
use crate::kind::{Kind, ObjectId};
use crate::observed::Observed;
use crate::validate::{Ingress, Stack, Tls};

/// Annotation by which cert-manager says for which Certificate it wrote a Secret.
const CERTIFICATE_NAME: &str = "cert-manager.io/certificate-name";

/// Adds the Certificate, if the spec asks for one.
pub fn add(stack: &Stack, ingress: &Ingress, children: &mut Children) {
    let Tls::CertManager(issuer) = &ingress.tls else {
        return;
    };
    let name = Component::Api.name(&stack.name);
    children.certificates.push(Certificate {
        metadata: Component::Api.owned(stack, name),
        spec: CertificateSpec {
            secret_name: secret_name(&stack.name),
            dns_names: ingress.hosts.clone(),
            issuer_ref: CertificateIssuer {
                kind: match issuer.kind {
                    IssuerKind::Issuer => "Issuer",
                    IssuerKind::ClusterIssuer => "ClusterIssuer",
                }
                .to_owned(),
                name: issuer.name.clone(),
                group: "cert-manager.io".to_owned(),
            },
        },
    });
}

/// The Certificate of a stack of this name.
pub fn id(stack: &str) -> ObjectId {
    ObjectId::new(Kind::Certificate, Component::Api.name(stack))
}

/// The Secret that cert-manager keeps it in.
pub fn secret_id(stack: &str) -> ObjectId {
    ObjectId::new(Kind::Secret, secret_name(stack))
}

/// Name of that Secret.
pub fn secret_name(stack: &str) -> String {
    format!("{stack}-api-tls")
}

/// The Secret that stands where the Certificate's would be, if it was not written for that Certificate.
///
/// cert-manager writes over what it finds under the name it is told: so it must not be told the name of a Secret that
/// is somebody else's.
pub fn secret_in_the_way(stack: &str, observed: &Observed) -> Option<ObjectId> {
    let secret = secret_id(stack);
    let written_for = observed
        .object(&secret)?
        .annotations
        .as_ref()
        .and_then(|annotations| annotations.get(CERTIFICATE_NAME));
    (written_for != Some(&id(stack).name)).then_some(secret)
}
