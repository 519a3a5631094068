//! `external`: a store that somebody else runs, and the Secret that says where it is.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A store that somebody else runs.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ExternalSpec {
    /// The Secret, in this namespace, that says where the store is and how to log in. The operator looks at its keys, and takes a digest of its values and no more: the API's pods are replaced when they change. One that is missing or lacks a key is told by the store's condition. Example: `{name: shop-db}`.
    pub secret_ref: SecretRef,

    /// Which authorities the API trusts for the store's certificate. `Public`: those it knows. `Secret`: those in the Secret's key ca.crt, which is needed then; the store's sslmode must be verify-ca or verify-full, its tls true. Default: Public. Example: Secret
    #[serde(default)]
    pub authority: Authority,
}

/// A Secret of the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Its name. Example: shop-db
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')").message("secretRef.name must be the name of a Secret in this namespace: for example shop-db"))]
    pub name: String,
}

/// Which authorities vouch for a store.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Authority {
    /// Those that the API's image knows.
    #[default]
    Public,
    /// Those in the Secret's key ca.crt.
    Secret,
}
