//! Traefik `IngressRoutes`, the Middlewares on them, and the certificate. [pure]

use super::Children;
use super::api;
use super::metadata::{Component, edge_name, redirect_name};
use crate::foreign::{
    IngressRoute, IngressRouteSpec, Middleware, MiddlewareRef, MiddlewareSpec, RedirectScheme,
    Route, RouteService, RouteTls, Sticky, StickyCookie,
};
use crate::kind::{Kind, ObjectId};
use crate::validate::{Ingress, Stack, Tls};

pub mod certificate;
mod edge;

const API: Component = Component::Api;

/// Adds the routes: https to the API through what is asked for, http either redirected or not served at all, and
/// /metrics only for whom it is allowed to.
pub fn add(stack: &Stack, ingress: &Ingress, children: &mut Children) {
    let rule = rule(&ingress.hosts);
    let steps = edge::steps(stack, &ingress.edge);
    children.ingress_routes.push(https(
        stack,
        ingress,
        API.name(&stack.name),
        route(
            stack,
            rule.clone(),
            references(&steps),
            sticky(ingress.edge.sticky_cookie.as_ref()),
        ),
    ));
    if let Some(access) = &ingress.metrics {
        let gate = edge::metrics_gate(stack, access);
        let name = edge_name(&stack.name, edge::METRICS);
        // Where a request comes from is asked first, and then whose it is.
        let passed = std::iter::once(&gate)
            .chain(steps.iter().filter(|step| step.spec.basic_auth.is_some()));
        let rule = metrics_rule(&ingress.hosts);
        let route = route(stack, rule, references(passed), None);
        children
            .ingress_routes
            .push(https(stack, ingress, name, route));
        children.middlewares.push(gate);
    }
    children.middlewares.extend(steps);
    if ingress.redirect {
        let name = redirect_name(&stack.name);
        let redirect = Middleware {
            metadata: API.owned(stack, name.clone()),
            spec: MiddlewareSpec {
                redirect_scheme: Some(RedirectScheme {
                    scheme: "https".to_owned(),
                    permanent: true,
                }),
                ..MiddlewareSpec::default()
            },
        };
        children.ingress_routes.push(IngressRoute {
            metadata: API.owned(stack, name),
            spec: IngressRouteSpec {
                entry_points: vec![ingress.http.clone()],
                routes: vec![route(stack, rule, references([&redirect]), None)],
                tls: None,
            },
        });
        children.middlewares.push(redirect);
    }
}

/// The objects that this spec asks for and another might not: looked at by their names only then.
pub fn asked_for(stack: &Stack) -> Vec<ObjectId> {
    let Some(ingress) = &stack.ingress else {
        return Vec::new();
    };
    let steps = edge::steps(stack, &ingress.edge).into_iter();
    let mut asked: Vec<ObjectId> = steps
        .filter_map(|step| Some(ObjectId::new(Kind::Middleware, step.metadata.name?)))
        .collect();
    if ingress.metrics.is_some() {
        let name = edge_name(&stack.name, edge::METRICS);
        asked.push(ObjectId::new(Kind::Middleware, name.clone()));
        asked.push(ObjectId::new(Kind::IngressRoute, name));
    }
    if let Tls::CertManager(_) = &ingress.tls {
        asked.push(certificate::id(&stack.name));
        asked.push(certificate::secret_id(&stack.name));
    }
    asked
}

/// The objects at the edge that a stack of this name may have beside those that every route has.
pub fn possible(stack: &str) -> Vec<ObjectId> {
    let mut ids: Vec<ObjectId> = edge::ALL
        .into_iter()
        .map(|step| ObjectId::new(Kind::Middleware, edge_name(stack, step)))
        .collect();
    ids.push(ObjectId::new(
        Kind::IngressRoute,
        edge_name(stack, edge::METRICS),
    ));
    ids.push(certificate::id(stack));
    ids
}

fn https(stack: &Stack, ingress: &Ingress, name: String, route: Route) -> IngressRoute {
    let (secret_name, cert_resolver) = match &ingress.tls {
        Tls::TraefikDefault => (String::new(), None),
        Tls::Secret(name) => (name.clone(), None),
        Tls::Resolver(name) => (String::new(), Some(name.clone())),
        Tls::CertManager(_) => (certificate::secret_name(&stack.name), None),
    };
    IngressRoute {
        metadata: API.owned(stack, name),
        spec: IngressRouteSpec {
            entry_points: vec![ingress.https.clone()],
            routes: vec![route],
            tls: Some(RouteTls {
                secret_name,
                cert_resolver,
            }),
        },
    }
}

/// Names the steps in their order. Traefik takes a router down of which one is missing or refused: it fails shut.
fn references<'a>(steps: impl IntoIterator<Item = &'a Middleware>) -> Vec<MiddlewareRef> {
    steps
        .into_iter()
        .filter_map(|step| step.metadata.name.clone())
        .map(|name| MiddlewareRef { name })
        .collect()
}

fn sticky(cookie: Option<&String>) -> Option<Sticky> {
    cookie.map(|name| Sticky {
        cookie: StickyCookie {
            name: name.clone(),
            http_only: true,
            secure: true,
            same_site: "lax".to_owned(),
        },
    })
}

fn route(
    stack: &Stack,
    rule: String,
    middlewares: Vec<MiddlewareRef>,
    sticky: Option<Sticky>,
) -> Route {
    Route {
        kind: "Rule".to_owned(),
        rule,
        middlewares,
        services: vec![RouteService {
            kind: "Service".to_owned(),
            name: API.name(&stack.name),
            port: api::PORT_NAME.to_owned(),
            sticky,
        }],
    }
}

/// The rule of the metrics' own router: these hosts, and this path as it is written here, no other spelling.
pub fn metrics_rule(hosts: &[String]) -> String {
    format!("({}) && Path(`/metrics`)", any_host(hosts))
}

fn any_host(hosts: &[String]) -> String {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("Host(`{host}`)")).collect();
    hosts.join(" || ")
}

/// The rule of a router: these hosts, and never the metrics.
///
/// Hosts are DNS names (`validate`), so nothing in them can end the quoted string.
pub fn rule(hosts: &[String]) -> String {
    format!("({}) && !PathRegexp(`{}`)", any_host(hosts), metrics_path())
}

/// A regular expression (Go's) that matches every spelling of `/metrics` and what lies below it.
///
/// The exclusion is part of the router's own rule, so that a missing or refused middleware cannot open it. Traefik
/// decodes and cleans a path before it matches, but that can be configured away, and an application may read paths
/// more loosely than Traefik does: any case, any run of slashes and dots in front, and any encoding of each letter.
pub fn metrics_path() -> String {
    let letter = |letter: char| {
        let (lower, upper) = (u32::from(letter), u32::from(letter.to_ascii_uppercase()));
        format!("(?:{letter}|%{lower:02x}|%{upper:02x})")
    };
    let letters: Vec<String> = "metrics".chars().map(letter).collect();
    let letters = letters.concat();
    format!(r"(?i)^(?:/|\\|\.|%2f|%5c|%2e)*{letters}(?:[^0-9a-z._~-].*)?$")
}

#[cfg(test)]
mod tests {
    use super::{metrics_path, rule};

    #[test]
    fn a_rule_names_each_host_and_excludes_the_metrics() {
        let rule = rule(&["a.example.org".to_owned(), "b.example.org".to_owned()]);
        assert!(
            rule.starts_with(
                "(Host(`a.example.org`) || Host(`b.example.org`)) && !PathRegexp(`(?i)^"
            ),
            "{rule}"
        );
        assert_eq!(rule.matches('`').count(), 6);
    }

    #[test]
    fn every_spelling_of_the_metrics_is_matched_and_nothing_else() {
        let pattern = regex_lite::Regex::new(&metrics_path()).unwrap();
        for path in [
            "/metrics",
            "/Metrics",
            "/METRICS",
            "//metrics",
            "///metrics",
            "/metrics/",
            "/metrics//",
            "/metrics/x",
            "/%6detrics",
            "/%6Detrics",
            "/%4DETRICS",
            "/%6d%65%74%72%69%63%73",
            "/./metrics",
            "/../metrics",
            "/%2e/metrics",
            "/%2fmetrics",
            "/%2Fmetrics",
            "/\\metrics",
            "/%5cmetrics",
            "/metrics%2f",
            "/metrics;x",
            "/metrics%3bx",
            "/metrics%00",
            "/metrics%20",
            "/metrics?x",
            "/metrics#x",
        ] {
            assert!(pattern.is_match(path), "{path} must be excluded");
        }
        for path in [
            "/",
            "/health",
            "/api/data",
            "/metricsx",
            "/metrics-explained",
            "/metrics.html",
            "/api/metrics",
            "/xmetrics",
            "/metric",
        ] {
            assert!(!pattern.is_match(path), "{path} must be served");
        }
    }
}
