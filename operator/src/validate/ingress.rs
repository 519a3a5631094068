//! `spec.ingress`. [pure]

use std::collections::BTreeSet;

use super::{Check, Edge, MetricsAccess, Tls, edge, tls, words};
use crate::crd::IngressSpec;

/// Routes from outside.
#[derive(Clone, Debug)]
pub struct Ingress {
    /// DNS names: nothing in them can end a quoted string of Traefik's rule language.
    pub hosts: Vec<String>,
    /// Entry point of plain http.
    pub http: String,
    /// Entry point of https.
    pub https: String,
    /// Whether http redirects to https.
    pub redirect: bool,
    /// Where the certificate comes from.
    pub tls: Tls,
    /// Who may read the metrics; `None`: they are not routed.
    pub metrics: Option<MetricsAccess>,
    /// What requests and answers pass on their way.
    pub edge: Edge,
}

pub(super) fn ingress(spec: &IngressSpec, check: &mut Check) -> Ingress {
    check.that(
        (1..=20).contains(&spec.hosts.len()),
        "spec.ingress.hosts",
        "must have between 1 and 20 entries",
    );
    let distinct: BTreeSet<&String> = spec.hosts.iter().collect();
    check.that(
        distinct.len() == spec.hosts.len(),
        "spec.ingress.hosts",
        "must each be there once",
    );
    check.that(
        spec.hosts.iter().all(|host| words::is_host(host)),
        "spec.ingress.hosts",
        "must be DNS names in lower case, such as shop.example.org",
    );
    for (name, field) in [
        (&spec.entry_points.http, "spec.ingress.entryPoints.http"),
        (&spec.entry_points.https, "spec.ingress.entryPoints.https"),
    ] {
        check.that(
            words::is_traefik_name(name),
            field,
            "must be letters, digits, '-' and '_'",
        );
    }
    Ingress {
        hosts: spec.hosts.clone(),
        http: spec.entry_points.http.clone(),
        https: spec.entry_points.https.clone(),
        redirect: spec.redirect_to_https,
        tls: tls::tls(&spec.tls, check),
        metrics: spec
            .metrics
            .as_ref()
            .and_then(|metrics| edge::metrics(metrics, check)),
        edge: edge::edge(spec, check),
    }
}
