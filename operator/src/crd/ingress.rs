//! `spec.ingress`: Traefik routes.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

mod edge;
mod metrics;
mod tls;

pub use edge::{
    BasicAuthSpec, HeadersSpec, HstsSpec, InFlightSpec, RateLimitSpec, RetrySpec, StickyCookie,
    StickySpec,
};
pub use metrics::{IpStrategySpec, MetricsAccessSpec};
pub use tls::{CertManagerSpec, IssuerKind, IssuerRef, ResolverSpec, TlsMode, TlsSecret, TlsSpec};

/// Traefik routes from outside. `/metrics` is routed only where `metrics` is set.
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

    /// Who may read /metrics from outside. Unset: nobody, it cannot be reached. Example: `{allow: [192.0.2.0/24], ipStrategy: {depth: 0}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<MetricsAccessSpec>,

    /// Headers that browsers heed, put on every answer. Unset: none. Example: `{hsts: {maxAgeSeconds: 31536000}, frameDeny: true}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<HeadersSpec>,

    /// Requests a client address may make over time; what is beyond gets 429. Unset: no limit. Example: `{average: 100, burst: 200}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimitSpec>,

    /// Requests that may be under way at once; what is beyond gets 429. Unset: no limit. Example: `{amount: 500}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<InFlightSpec>,

    /// Whether answers of 1024 bytes and more are compressed for clients that ask for it. Default: false. Example: true
    #[serde(default)]
    pub compress: bool,

    /// How often a request is tried that no replica has begun to answer. Unset: once. Example: `{attempts: 2}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetrySpec>,

    /// Whether a client stays with the replica that answered it first. Unset: any replica may answer. Example: `{cookie: {name: shop}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<StickySpec>,

    /// A name and a password that Traefik asks for before anything is served, /metrics included. Unset: none is asked for. Example: `{secretRef: {name: shop-users}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuthSpec>,
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
