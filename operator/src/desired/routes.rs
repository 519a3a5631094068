//! Traefik `IngressRoutes` and the redirect Middleware. [pure]

use kube::core::ObjectMeta;

use super::metadata::{Component, redirect_name};
use super::{Children, api};
use crate::foreign::{
    IngressRoute, IngressRouteSpec, Middleware, MiddlewareRef, MiddlewareSpec, RedirectScheme,
    Route, RouteService, RouteTls,
};
use crate::validate::{Ingress, Stack};

const API: Component = Component::Api;

/// Adds the routes: https to the API, and http either redirected or not served at all.
pub fn add(stack: &Stack, ingress: &Ingress, children: &mut Children) {
    let rule = rule(&ingress.hosts);
    children.ingress_routes.push(IngressRoute {
        metadata: API.owned(stack, API.name(&stack.name)),
        spec: IngressRouteSpec {
            entry_points: vec![ingress.https.clone()],
            routes: vec![route(stack, rule.clone(), Vec::new())],
            tls: Some(RouteTls {
                secret_name: ingress.tls_secret.clone().unwrap_or_default(),
            }),
        },
    });
    if ingress.redirect {
        let name = redirect_name(&stack.name);
        let metadata: ObjectMeta = API.owned(stack, name.clone());
        children.middlewares.push(Middleware {
            metadata: metadata.clone(),
            spec: MiddlewareSpec {
                redirect_scheme: Some(RedirectScheme {
                    scheme: "https".to_owned(),
                    permanent: true,
                }),
            },
        });
        children.ingress_routes.push(IngressRoute {
            metadata,
            spec: IngressRouteSpec {
                entry_points: vec![ingress.http.clone()],
                // Traefik takes a router down whose middleware is missing, so this one never serves in the clear.
                routes: vec![route(stack, rule, vec![MiddlewareRef { name }])],
                tls: None,
            },
        });
    }
}

fn route(stack: &Stack, rule: String, middlewares: Vec<MiddlewareRef>) -> Route {
    Route {
        kind: "Rule".to_owned(),
        rule,
        middlewares,
        services: vec![RouteService {
            kind: "Service".to_owned(),
            name: API.name(&stack.name),
            port: api::PORT_NAME.to_owned(),
        }],
    }
}

/// The rule of a router: these hosts, and never the metrics.
///
/// Hosts are DNS names (`validate`), so nothing in them can end the quoted string.
pub fn rule(hosts: &[String]) -> String {
    let hosts: Vec<String> = hosts.iter().map(|host| format!("Host(`{host}`)")).collect();
    format!(
        "({}) && !PathRegexp(`{}`)",
        hosts.join(" || "),
        metrics_path()
    )
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
