//! What is told of the certificate that cert-manager gets. [pure]

use serde_json::Value;

use super::Finding;
use crate::desired::routes::certificate;
use crate::kind::OptionalApi;
use crate::outcome::Worked;
use crate::validate::Tls;

/// What is told of a certificate that cert-manager is to get and has not yet.
pub(super) fn missing(worked: &Worked) -> Option<Finding> {
    let ingress = worked.stack.ingress.as_ref()?;
    let Tls::CertManager(_) = ingress.tls else {
        return None;
    };
    if !worked.observed.capabilities.has(OptionalApi::CertManager) {
        return Some(Finding::no(
            "CRDNotInstalled",
            "cert-manager's custom resources (cert-manager.io/v1) are not installed and spec.ingress.tls.mode is CertManager: the routes are \
             served with Traefik's default certificate; install cert-manager, or choose another mode",
        ));
    }
    let id = certificate::id(&worked.stack.name);
    let Some(object) = worked.applied.objects.get(&id) else {
        return Some(Finding::no(
            "Progressing",
            format!("{id} is not applied yet"),
        ));
    };
    let generation = object.metadata.generation.unwrap_or_default();
    let conditions = object.data.pointer("/status/conditions");
    let ready = conditions
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Ready");
    let is_ready = ready.is_some_and(|ready| {
        // cert-manager does not say it of every condition; where it does, an older one says nothing of these hosts.
        let seen = ready["observedGeneration"].as_i64().unwrap_or(generation);
        ready["status"] == "True" && seen >= generation
    });
    let said = ready
        .and_then(|ready| ready["message"].as_str())
        .map(|message| format!(": {message}"))
        .unwrap_or_default();
    (!is_ready).then(|| {
        Finding::no(
            "CertificateNotReady",
            format!(
                "cert-manager has not got the certificate yet{said}. Until then the routes serve the one before, or Traefik's default. To look at it: kubectl --namespace {} describe certificate {}",
                worked.stack.namespace, id.name
            ),
        )
    })
}
