//! `spec.ingress.tls`: where the certificate comes from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the certificate comes from.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode == 'Secret' ? has(self.secret) : !has(self.secret)").message("spec.ingress.tls: mode Secret needs secret.name, and any other mode excludes secret: set mode to Secret, or remove secret"))]
#[x_kube(validation = Rule::new("self.mode == 'Resolver' ? has(self.resolver) : !has(self.resolver)").message("spec.ingress.tls: mode Resolver needs resolver.name, and any other mode excludes resolver: set mode to Resolver, or remove resolver"))]
#[x_kube(validation = Rule::new("self.mode == 'CertManager' ? has(self.certManager) : !has(self.certManager)").message("spec.ingress.tls: mode CertManager needs certManager.issuerRef, and any other mode excludes certManager: set mode to CertManager, or remove certManager"))]
pub struct TlsSpec {
    /// `TraefikDefault`: the certificate of Traefik's default store. `Secret`: the one in `secret`. `Resolver`: one that Traefik gets by itself. `CertManager`: one that cert-manager gets. Default: TraefikDefault.
    #[serde(default)]
    pub mode: TlsMode,

    /// With mode Secret: a Secret of type kubernetes.io/tls in the same namespace. Example: `{name: shop-tls}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<TlsSecret>,

    /// With mode Resolver: a certificate resolver of Traefik's own configuration, such as one for Let's Encrypt. Example: `{name: letsencrypt}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolver: Option<ResolverSpec>,

    /// With mode CertManager: who signs. A Certificate for all hosts is made, and cert-manager keeps it in the Secret `<name>-api-tls`. Example: `{issuerRef: {kind: ClusterIssuer, name: letsencrypt}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_manager: Option<CertManagerSpec>,
}

/// Where the certificate comes from.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// The certificate of Traefik's default TLS store.
    #[default]
    TraefikDefault,
    /// A Secret of type kubernetes.io/tls in the same namespace.
    Secret,
    /// One of the certificate resolvers in Traefik's own configuration.
    Resolver,
    /// A Certificate of cert-manager.
    CertManager,
}

/// A Secret of type kubernetes.io/tls in the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TlsSecret {
    /// Its name. Example: shop-tls
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("spec.ingress.tls.secret.name must be the name of a Secret in this namespace: for example shop-tls"))]
    pub name: String,
}

/// A certificate resolver of Traefik.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ResolverSpec {
    /// Its name in Traefik's own configuration. Example: letsencrypt
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9][-A-Za-z0-9_]*$')").message("spec.ingress.tls.resolver.name is letters, digits, '-' and '_', as in Traefik's own configuration: for example letsencrypt"))]
    pub name: String,
}

/// A certificate by cert-manager.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct CertManagerSpec {
    /// Who signs. Example: `{kind: ClusterIssuer, name: letsencrypt}`.
    pub issuer_ref: IssuerRef,
}

/// One of cert-manager's issuers.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct IssuerRef {
    /// `Issuer`: one in the same namespace. `ClusterIssuer`: one of the cluster. Default: Issuer.
    #[serde(default)]
    pub kind: IssuerKind,

    /// Its name. Example: letsencrypt
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("spec.ingress.tls.certManager.issuerRef.name must be the name of an Issuer or a ClusterIssuer: for example letsencrypt"))]
    pub name: String,
}

/// Kind of an issuer.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IssuerKind {
    /// One in the same namespace.
    #[default]
    Issuer,
    /// One of the cluster.
    ClusterIssuer,
}
