//! cert-manager's Certificate.

use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// A certificate that cert-manager gets, renews and keeps in a Secret.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "Certificate",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSpec {
    /// The Secret it is kept in.
    pub secret_name: String,
    /// The names it is for.
    pub dns_names: Vec<String>,
    /// Who signs it.
    pub issuer_ref: CertificateIssuer,
}

/// Who signs a Certificate. All three are said, so that no default of another version changes what is meant.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateIssuer {
    /// `Issuer` or `ClusterIssuer`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Always `cert-manager.io`.
    pub group: String,
}
