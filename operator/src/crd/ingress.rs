//! `spec.ingress`: Traefik routes.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Traefik routes from outside. `/metrics` is never routed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IngressSpec {
    /// Host names that reach the API: at least one, at most 20, without wildcards. Example: `[shop.example.org]`.
    #[schemars(length(min = 1, max = 20), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(h, h.matches('^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?([.][a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$'))").message("spec.ingress.hosts must be DNS names in lower case, such as shop.example.org (no port, no path, no wildcard)"))]
    pub hosts: Vec<String>,

    /// Names of Traefik's entry points. Default: Traefik's own names, web and websecure.
    #[serde(default)]
    pub entry_points: EntryPoints,

    /// Whether the http entry point redirects to https. `false` serves nothing on http. Default: true.
    #[serde(default = "yes")]
    pub redirect_to_https: bool,

    /// Where the certificate comes from.
    #[serde(default)]
    pub tls: TlsSpec,
}

/// Names of Traefik's entry points.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct EntryPoints {
    /// Plain http, used for the redirect. Default: web.
    #[serde(default = "web")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9][-A-Za-z0-9_]*$')").message("an entry point's name is letters, digits, '-' and '_', as in Traefik's own configuration: for example web"))]
    pub http: String,

    /// https. Default: websecure.
    #[serde(default = "websecure")]
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9][-A-Za-z0-9_]*$')").message("an entry point's name is letters, digits, '-' and '_', as in Traefik's own configuration: for example websecure"))]
    pub https: String,
}

/// Where the certificate comes from.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode == 'Secret' ? has(self.secret) : !has(self.secret)").message("spec.ingress.tls: mode Secret needs secret.name, and any other mode excludes secret: set mode to Secret, or remove secret"))]
pub struct TlsSpec {
    /// `TraefikDefault`: the certificate of Traefik's default store. `Secret`: the one in `secret`. Default: TraefikDefault.
    #[serde(default)]
    pub mode: TlsMode,

    /// With mode Secret: a Secret of type kubernetes.io/tls in the same namespace. Example: `{name: shop-tls}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<TlsSecret>,
}

/// Where the certificate comes from.
#[derive(Serialize, Deserialize, JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsMode {
    /// The certificate of Traefik's default TLS store.
    #[default]
    TraefikDefault,
    /// A Secret of type kubernetes.io/tls in the same namespace.
    Secret,
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

impl Default for EntryPoints {
    fn default() -> Self {
        Self {
            http: web(),
            https: websecure(),
        }
    }
}

fn web() -> String {
    "web".to_owned()
}

fn websecure() -> String {
    "websecure".to_owned()
}

fn yes() -> bool {
    true
}
