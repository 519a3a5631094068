//! `spec.ingress.tls`. [pure]

use super::{Check, words};
use crate::crd::{IssuerKind, TlsMode, TlsSpec};

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Traefik's default store.
    TraefikDefault,
    /// The Secret of this name.
    Secret(String),
    /// The resolver that Traefik's own configuration has under this name.
    Resolver(String),
    /// cert-manager.
    CertManager(Issuer),
}

/// Who signs a certificate of cert-manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    /// Its kind.
    pub kind: IssuerKind,
    /// Its name.
    pub name: String,
}

pub(super) fn tls(spec: &TlsSpec, check: &mut Check) -> Tls {
    for (mode, is_set, message) in [
        (
            TlsMode::Secret,
            spec.secret.is_some(),
            "mode Secret needs secret.name, and any other mode excludes it",
        ),
        (
            TlsMode::Resolver,
            spec.resolver.is_some(),
            "mode Resolver needs resolver.name, and any other mode excludes it",
        ),
        (
            TlsMode::CertManager,
            spec.cert_manager.is_some(),
            "mode CertManager needs certManager.issuerRef, and any other mode excludes it",
        ),
    ] {
        check.that((spec.mode == mode) == is_set, "spec.ingress.tls", message);
    }
    if let Some(secret) = &spec.secret {
        check.that(
            words::is_subdomain(&secret.name),
            "spec.ingress.tls.secret.name",
            "must be the name of a Secret in this namespace",
        );
    }
    if let Some(resolver) = &spec.resolver {
        check.that(
            words::is_traefik_name(&resolver.name),
            "spec.ingress.tls.resolver.name",
            "must be letters, digits, '-' and '_'",
        );
    }
    let issuer = spec.cert_manager.as_ref().map(|spec| &spec.issuer_ref);
    if let Some(issuer) = issuer {
        check.that(
            words::is_subdomain(&issuer.name),
            "spec.ingress.tls.certManager.issuerRef.name",
            "must be the name of an Issuer or a ClusterIssuer",
        );
    }
    // What a mode lacks is a violation by now: nothing is made of what stands here then.
    match (spec.mode, &spec.secret, &spec.resolver, issuer) {
        (TlsMode::Secret, Some(secret), ..) => Tls::Secret(secret.name.clone()),
        (TlsMode::Resolver, _, Some(resolver), _) => Tls::Resolver(resolver.name.clone()),
        (TlsMode::CertManager, .., Some(issuer)) => Tls::CertManager(Issuer {
            kind: issuer.kind,
            name: issuer.name.clone(),
        }),
        _ => Tls::TraefikDefault,
    }
}
