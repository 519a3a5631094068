//! Traefik's Middlewares: one kind of step each.

use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// A step that changes requests or answers.
#[derive(CustomResource, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[kube(
    group = "traefik.io",
    version = "v1alpha1",
    kind = "Middleware",
    namespaced,
    schema = "disabled",
    derive = "PartialEq"
)]
#[serde(rename_all = "camelCase")]
pub struct MiddlewareSpec {
    /// Redirects to another scheme.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_scheme: Option<RedirectScheme>,
    /// Lets some addresses through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_allow_list: Option<IpAllowList>,
    /// Sets headers of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Headers>,
    /// Bounds the requests of one client over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Bounds the requests that are under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_req: Option<InFlightReq>,
    /// Asks for a name and a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// Compresses answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compress: Option<Compress>,
    /// Tries again where nothing answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// Redirects to another scheme.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RedirectScheme {
    /// The other scheme.
    pub scheme: String,
    /// Whether the answer is 301 (308 for other methods than GET), or temporary.
    pub permanent: bool,
}

/// Lets some addresses through. To Traefik an empty list means everybody: none is ever sent.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct IpAllowList {
    /// Addresses and ranges.
    pub source_range: Vec<String>,
    /// Which address of a request is compared.
    pub ip_strategy: IpStrategy,
}

/// Which address of a request is compared.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct IpStrategy {
    /// Which entry of X-Forwarded-For, from its end; 0: the connection's address.
    pub depth: i32,
}

/// Sets headers of the answer. At least one, or Traefik takes the route down.
#[derive(Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Headers {
    /// Seconds of Strict-Transport-Security.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sts_seconds: Option<i32>,
    /// Whether it holds for the names below too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sts_include_subdomains: Option<bool>,
    /// X-Frame-Options: DENY.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_deny: Option<bool>,
    /// X-Content-Type-Options: nosniff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type_nosniff: Option<bool>,
}

/// Bounds the requests of one client over time.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many a period.
    pub average: i32,
    /// How long that is.
    pub period: String,
    /// How many at once, after a pause.
    pub burst: i32,
}

/// Bounds the requests that are under way at once, for each host.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
pub struct InFlightReq {
    /// How many.
    pub amount: i32,
}

/// Asks for a name and a password.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuth {
    /// Secret of the same namespace that holds them. Traefik reads it; the operator never does.
    pub secret: String,
    /// What browsers show when they ask.
    pub realm: String,
    /// Whether the API is not shown them.
    pub remove_header: bool,
}

/// Compresses answers.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Compress {
    /// None that is smaller than this.
    pub min_response_body_bytes: i32,
}

/// Tries again where nothing answered.
#[derive(Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// How often in all.
    pub attempts: i32,
    /// Pause before the second.
    pub initial_interval: String,
}
