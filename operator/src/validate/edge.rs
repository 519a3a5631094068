//! What requests and answers pass on their way, and who may read the metrics. [pure]

use std::collections::BTreeSet;

use super::{Check, words};
use crate::crd::{HeadersSpec, HstsSpec, IngressSpec, MetricsAccessSpec, RateLimitSpec, RetrySpec};

/// What requests and answers pass on their way to the API and back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// Headers on every answer.
    pub headers: Option<Headers>,
    /// Requests of one client over time.
    pub rate_limit: Option<RateLimit>,
    /// Requests that may be under way at once, for each host.
    pub in_flight: Option<i32>,
    /// Name of the Secret whose users are let in; `None`: everybody is.
    pub users_secret: Option<String>,
    /// Whether answers are compressed.
    pub compress: bool,
    /// How often a request is tried.
    pub retry: Option<Retry>,
    /// Name of the cookie that keeps a client with its replica.
    pub sticky_cookie: Option<String>,
}

/// Headers on every answer: at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headers {
    /// Seconds for which browsers use https only; `None`: not said.
    pub hsts_seconds: Option<i32>,
    /// Whether that holds for the names below the hosts too.
    pub hsts_subdomains: bool,
    /// Whether no page may show the API's in a frame.
    pub frame_deny: bool,
    /// Whether browsers may not guess types.
    pub content_type_nosniff: bool,
}

/// Requests of one client over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// How many a period.
    pub average: i32,
    /// How long a period is, as Traefik writes it.
    pub period: String,
    /// How many at once, after a pause.
    pub burst: i32,
}

/// How often a request is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// How often in all: at least twice.
    pub attempts: i32,
    /// Pause before the second, as Traefik writes it.
    pub initial_interval: String,
}

/// Who may read the metrics: never nobody, which to Traefik would mean everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsAccess {
    allow: Vec<String>,
    depth: i32,
}

impl MetricsAccess {
    /// Addresses and ranges: at least one.
    pub fn allow(&self) -> &[String] {
        &self.allow
    }

    /// Which entry of X-Forwarded-For is looked at, from its end; 0: the connection's address.
    pub fn depth(&self) -> i32 {
        self.depth
    }
}

pub(super) fn edge(spec: &IngressSpec, check: &mut Check) -> Edge {
    let users = spec.basic_auth.as_ref().map(|auth| &auth.secret_ref.name);
    if let Some(name) = users {
        check.that(
            words::is_subdomain(name),
            "spec.ingress.basicAuth.secretRef.name",
            "must be the name of a Secret in this namespace",
        );
    }
    let in_flight = spec.in_flight.as_ref().map(|limit| limit.amount);
    if let Some(amount) = in_flight {
        check.that(
            (1..=1_000_000).contains(&amount),
            "spec.ingress.inFlight.amount",
            "must be between 1 and 1000000",
        );
    }
    let cookie = spec.sticky.as_ref().map(|sticky| &sticky.cookie.name);
    if let Some(name) = cookie {
        check.that(
            words::is_cookie(name),
            "spec.ingress.sticky.cookie.name",
            "must be letters, digits, '-' and '_', and none of the API's own: session, __Host-session",
        );
    }
    Edge {
        headers: spec.headers.as_ref().map(|spec| headers(spec, check)),
        rate_limit: spec.rate_limit.as_ref().map(|spec| rate_limit(spec, check)),
        in_flight,
        users_secret: users.cloned(),
        compress: spec.compress,
        retry: spec.retry.as_ref().map(|spec| retry(spec, check)),
        sticky_cookie: cookie.cloned(),
    }
}

fn headers(spec: &HeadersSpec, check: &mut Check) -> Headers {
    let age = |hsts: &HstsSpec| (1..=315_360_000).contains(&hsts.max_age_seconds);
    check.that(
        spec.hsts.as_ref().is_none_or(age),
        "spec.ingress.headers.hsts.maxAgeSeconds",
        "must be between 1 and 315360000, which is ten years",
    );
    // Traefik takes a route down whose headers say nothing.
    check.that(
        spec.hsts.is_some() || spec.frame_deny || spec.content_type_nosniff,
        "spec.ingress.headers",
        "must set at least one of hsts, frameDeny and contentTypeNosniff",
    );
    Headers {
        hsts_seconds: spec.hsts.as_ref().map(|hsts| hsts.max_age_seconds),
        hsts_subdomains: spec
            .hsts
            .as_ref()
            .is_some_and(|hsts| hsts.include_subdomains),
        frame_deny: spec.frame_deny,
        content_type_nosniff: spec.content_type_nosniff,
    }
}

fn rate_limit(spec: &RateLimitSpec, check: &mut Check) -> RateLimit {
    for (count, field) in [
        (spec.average, "spec.ingress.rateLimit.average"),
        (spec.burst, "spec.ingress.rateLimit.burst"),
    ] {
        check.that(
            (1..=1_000_000).contains(&count),
            field,
            "must be between 1 and 1000000",
        );
    }
    check.that(
        words::is_interval(&spec.period),
        "spec.ingress.rateLimit.period",
        "must be a whole number and one of ms, s, m, h: for example 1s",
    );
    RateLimit {
        average: spec.average,
        period: spec.period.clone(),
        burst: spec.burst,
    }
}

fn retry(spec: &RetrySpec, check: &mut Check) -> Retry {
    check.that(
        (2..=10).contains(&spec.attempts),
        "spec.ingress.retry.attempts",
        "must be between 2 and 10, the first one included",
    );
    check.that(
        words::is_short_interval(&spec.initial_interval),
        "spec.ingress.retry.initialInterval",
        "must be a whole number of at most four digits and ms or s: for example 50ms",
    );
    Retry {
        attempts: spec.attempts,
        initial_interval: spec.initial_interval.clone(),
    }
}

/// `None` for a list that is empty: a violation, and nothing that could be made something of by mistake.
pub(super) fn metrics(spec: &MetricsAccessSpec, check: &mut Check) -> Option<MetricsAccess> {
    check.that(
        (1..=50).contains(&spec.allow.len()),
        "spec.ingress.metrics.allow",
        "must have between 1 and 50 entries; to let nobody in, remove spec.ingress.metrics",
    );
    check.that(
        spec.allow.iter().collect::<BTreeSet<_>>().len() == spec.allow.len(),
        "spec.ingress.metrics.allow",
        "must each be there once",
    );
    check.that(
        spec.allow
            .iter()
            .all(|range| words::is_address_range(range)),
        "spec.ingress.metrics.allow",
        "must be IPv4 or IPv6 addresses or ranges: for example 192.0.2.0/24 or 2001:db8::1",
    );
    let depth = spec.ip_strategy.depth;
    check.that(
        (0..=10).contains(&depth),
        "spec.ingress.metrics.ipStrategy.depth",
        "must be between 0 and 10",
    );
    (!spec.allow.is_empty()).then(|| MetricsAccess {
        allow: spec.allow.clone(),
        depth,
    })
}
