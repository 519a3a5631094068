//! Custom resources we write but do not own: only the fields we set. A test validates what is rendered against the
//! real definitions of the pinned upstream versions.

mod certificate;
mod middleware;
mod prometheus;

use std::collections::BTreeMap;

use kube::CustomResource;
use serde::{Deserialize, Serialize};

pub use certificate::{Certificate, CertificateIssuer, CertificateSpec};
pub use middleware::{
    BasicAuth, Compress, Headers, InFlightReq, IpAllowList, IpStrategy, Middleware, MiddlewareSpec,
    RateLimit, RedirectScheme, Retry,
};
pub use prometheus::{
    PrometheusRule, PrometheusRuleSpec, Relabeling, Rule, RuleGroup, ScrapeEndpoint,
    ServiceMonitor, ServiceMonitorSpec,
};

/// A router of Traefik with its services.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "traefik.io",
    version = "v1alpha1",
    kind = "IngressRoute",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct IngressRouteSpec {
    /// Names of Traefik's entry points.
    pub entry_points: Vec<String>,
    /// The routes, each a rule and its services.
    pub routes: Vec<Route>,
    /// TLS, terminated by Traefik. `Some` of an empty value means the default certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<RouteTls>,
}

/// One route: a rule and its services.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Always `Rule`.
    pub kind: String,
    /// The rule, in Traefik's language.
    #[serde(rename = "match")]
    pub rule: String,
    /// What a request passes through, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub middlewares: Vec<MiddlewareRef>,
    /// Where it goes.
    pub services: Vec<RouteService>,
}

/// A Middleware of the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct MiddlewareRef {
    /// Its name.
    pub name: String,
}

/// A Service of the same namespace.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RouteService {
    /// Always `Service`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Name of its port.
    pub port: String,
    /// Whether a client stays with its replica.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
}

/// How a client stays with its replica.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct Sticky {
    /// By a cookie.
    pub cookie: StickyCookie,
}

/// The cookie that says which replica.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StickyCookie {
    /// Its name.
    pub name: String,
    /// Whether it is out of the reach of scripts.
    pub http_only: bool,
    /// Whether it is sent over https only.
    pub secure: bool,
    /// From which pages it is sent: `lax`.
    pub same_site: String,
}

/// TLS of an IngressRoute.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RouteTls {
    /// A Secret of type kubernetes.io/tls in the same namespace; empty for Traefik's default certificate.
    ///
    /// Always sent: server-side apply turns an object whose last field goes away into `null`, which the definition refuses.
    pub secret_name: String,
    /// A certificate resolver of Traefik's own configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_resolver: Option<String>,
}

/// Labels as a map; spelled once.
pub type Labels = BTreeMap<String, String>;
