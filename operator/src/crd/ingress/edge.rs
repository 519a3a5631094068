//! What Traefik does to requests and answers on their way, before and after the API.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::crd::SecretRef;

/// Headers that browsers heed.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.hsts) || self.frameDeny || self.contentTypeNosniff").message("spec.ingress.headers must set at least one of hsts, frameDeny and contentTypeNosniff: add one, or remove headers"))]
pub struct HeadersSpec {
    /// Strict-Transport-Security: browsers use https only from then on. Unset: not sent. Example: `{maxAgeSeconds: 31536000}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hsts: Option<HstsSpec>,

    /// X-Frame-Options: DENY, so that no page can show the API's in a frame. Default: false. Example: true
    #[serde(default)]
    pub frame_deny: bool,

    /// X-Content-Type-Options: nosniff, so that no browser guesses another type than the one told. Default: false. Example: true
    #[serde(default)]
    pub content_type_nosniff: bool,
}

/// Strict-Transport-Security.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct HstsSpec {
    /// How long browsers remember it, in seconds, at most ten years. They cannot be told otherwise in clear text: begin with little. Example: 31536000
    #[schemars(range(min = 1, max = 315_360_000))]
    pub max_age_seconds: i32,

    /// Whether it holds for every name below the hosts too. Default: false. Example: true
    #[serde(default)]
    pub include_subdomains: bool,
}

/// Requests that a client address may make over time.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RateLimitSpec {
    /// Requests per `period`, on average. Each of Traefik's replicas counts by itself. Example: 100
    #[schemars(range(min = 1, max = 1_000_000))]
    pub average: i32,

    /// Time that `average` is meant for: a whole number and one of ms, s, m, h. Default: 1s. Example: 1m
    #[serde(default = "one_second")]
    #[schemars(length(min = 2, max = 10))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]{0,5}(ms|s|m|h)$')").message("spec.ingress.rateLimit.period must be a whole number and one of ms, s, m, h: for example 1s"))]
    pub period: String,

    /// Requests that may come at once, after a pause. Example: 200
    #[schemars(range(min = 1, max = 1_000_000))]
    pub burst: i32,
}

/// Requests that may be under way at once.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct InFlightSpec {
    /// How many, over all clients, for each host. Each of Traefik's replicas counts by itself. Example: 500
    #[schemars(range(min = 1, max = 1_000_000))]
    pub amount: i32,
}

/// How often a request is tried.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RetrySpec {
    /// How often in all, the first time included. Example: 2
    #[schemars(range(min = 2, max = 10))]
    pub attempts: i32,

    /// Pause before the second attempt, longer before each that follows: a whole number and ms or s. Default: 50ms. Example: 100ms
    #[serde(default = "fifty_milliseconds")]
    #[schemars(length(min = 2, max = 10))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]{0,3}(ms|s)$')").message("spec.ingress.retry.initialInterval must be a whole number of at most four digits and ms or s: for example 50ms"))]
    pub initial_interval: String,
}

/// Whether a client stays with a replica.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StickySpec {
    /// The cookie that says which replica: sent over https only, out of the reach of scripts. Example: `{name: shop}`.
    pub cookie: StickyCookie,
}

/// The cookie that says which replica.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StickyCookie {
    /// Its name; none that the API uses itself. Example: shop
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_][-A-Za-z0-9_]*$')").message("spec.ingress.sticky.cookie.name must be letters, digits, '-' and '_': for example shop"))]
    #[x_kube(validation = Rule::new("!(self in ['session', '__Host-session'])").message("spec.ingress.sticky.cookie.name may not be session or __Host-session: the API keeps its own sessions in cookies of these names; choose another"))]
    pub name: String,
}

/// A name and a password that Traefik asks for.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BasicAuthSpec {
    /// A Secret in the same namespace that Traefik reads: of type kubernetes.io/basic-auth (username, password), or with one key that holds lines of htpasswd. While it is missing nothing is served. Example: `{name: shop-users}`.
    pub secret_ref: SecretRef,
}

fn one_second() -> String {
    "1s".to_owned()
}

fn fifty_milliseconds() -> String {
    "50ms".to_owned()
}
