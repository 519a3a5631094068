//! The Middlewares that a request passes, from the outside in. [pure]

use crate::desired::metadata::{Component, edge_name};
use crate::foreign::{
    BasicAuth, Compress, Headers, InFlightReq, IpAllowList, IpStrategy, Middleware, MiddlewareSpec,
    RateLimit, Retry,
};
use crate::validate::{Edge, MetricsAccess, Stack};

/// What lets some addresses through to the metrics; also the name of their route.
pub(super) const METRICS: &str = "metrics";
const HEADERS: &str = "headers";
const RATE_LIMIT: &str = "rate-limit";
const IN_FLIGHT: &str = "in-flight";
const BASIC_AUTH: &str = "basic-auth";
const COMPRESS: &str = "compress";
const RETRY: &str = "retry";

/// Every step there may be.
pub(super) const ALL: [&str; 7] = [
    METRICS, HEADERS, RATE_LIMIT, IN_FLIGHT, BASIC_AUTH, COMPRESS, RETRY,
];

/// What browsers show when they ask for a password.
const REALM: &str = "TpStack";

/// Smaller answers grow by it, or gain nothing.
const LEAST_COMPRESSED_BYTES: i32 = 1024;

/// The steps on the way to the API, in their order.
///
/// Headers are outermost, since they belong on refusals too. Limits come before the password, which costs Traefik a
/// hash to check: whoever guesses is slowed down first. Compression is outside the retry: it sees one answer.
pub(super) fn steps(stack: &Stack, edge: &Edge) -> Vec<Middleware> {
    let nothing = MiddlewareSpec::default;
    let steps = [
        edge.headers.as_ref().map(|headers| {
            let spec = MiddlewareSpec {
                headers: Some(Headers {
                    sts_seconds: headers.hsts_seconds,
                    sts_include_subdomains: headers.hsts_subdomains.then_some(true),
                    frame_deny: headers.frame_deny.then_some(true),
                    content_type_nosniff: headers.content_type_nosniff.then_some(true),
                }),
                ..nothing()
            };
            (HEADERS, spec)
        }),
        edge.rate_limit.as_ref().map(|limit| {
            let spec = MiddlewareSpec {
                rate_limit: Some(RateLimit {
                    average: limit.average,
                    period: limit.period.clone(),
                    burst: limit.burst,
                }),
                ..nothing()
            };
            (RATE_LIMIT, spec)
        }),
        edge.in_flight.map(|amount| {
            let spec = MiddlewareSpec {
                in_flight_req: Some(InFlightReq { amount }),
                ..nothing()
            };
            (IN_FLIGHT, spec)
        }),
        edge.users_secret.as_ref().map(|secret| {
            let spec = MiddlewareSpec {
                basic_auth: Some(BasicAuth {
                    secret: secret.clone(),
                    realm: REALM.to_owned(),
                    remove_header: true,
                }),
                ..nothing()
            };
            (BASIC_AUTH, spec)
        }),
        edge.compress.then(|| {
            let spec = MiddlewareSpec {
                compress: Some(Compress {
                    min_response_body_bytes: LEAST_COMPRESSED_BYTES,
                }),
                ..nothing()
            };
            (COMPRESS, spec)
        }),
        edge.retry.as_ref().map(|retry| {
            let spec = MiddlewareSpec {
                retry: Some(Retry {
                    attempts: retry.attempts,
                    initial_interval: retry.initial_interval.clone(),
                }),
                ..nothing()
            };
            (RETRY, spec)
        }),
    ];
    steps
        .into_iter()
        .flatten()
        .map(|(name, spec)| step(stack, name, spec))
        .collect()
}

/// What lets these addresses through to the metrics, and nobody else.
pub(super) fn metrics_gate(stack: &Stack, access: &MetricsAccess) -> Middleware {
    let spec = MiddlewareSpec {
        ip_allow_list: Some(IpAllowList {
            source_range: access.allow().to_vec(),
            ip_strategy: IpStrategy {
                depth: access.depth(),
            },
        }),
        ..MiddlewareSpec::default()
    };
    step(stack, METRICS, spec)
}

fn step(stack: &Stack, name: &str, spec: MiddlewareSpec) -> Middleware {
    Middleware {
        metadata: Component::Api.owned(stack, edge_name(&stack.name, name)),
        spec,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::crd::TpStack;
    use crate::desired::{Children, routes};
    use crate::kind::ObjectId;
    use crate::validate::validate;

    fn children(more: &Value) -> (Children, Vec<ObjectId>) {
        let mut spec =
            json!({"ingress": {"hosts": ["shop.example.org"], "redirectToHttps": false}});
        for (name, value) in more.as_object().unwrap() {
            spec["ingress"][name] = value.clone();
        }
        let object: TpStack =
            serde_json::from_value(json!({"metadata": {"name": "shop"}, "spec": spec})).unwrap();
        let stack = validate(&object).unwrap();
        let mut children = Children::default();
        routes::add(&stack, stack.ingress.as_ref().unwrap(), &mut children);
        (children, routes::asked_for(&stack))
    }

    /// Names of the steps on each route.
    fn steps(children: &Children) -> Vec<Vec<&str>> {
        let routes = children.ingress_routes.iter();
        routes
            .map(|route| {
                let steps = route.spec.routes.iter().flat_map(|rule| &rule.middlewares);
                steps.map(|step| step.name.as_str()).collect()
            })
            .collect()
    }

    #[test]
    fn steps_are_passed_in_one_order_however_they_are_written() {
        let (children, _) = children(&json!({
            "retry": {"attempts": 2}, "compress": true, "basicAuth": {"secretRef": {"name": "users"}},
            "inFlight": {"amount": 1}, "rateLimit": {"average": 1, "burst": 1}, "headers": {"frameDeny": true},
            "metrics": {"allow": ["::1"], "ipStrategy": {"depth": 0}},
        }));
        assert_eq!(
            steps(&children),
            [
                vec![
                    "shop-api-headers",
                    "shop-api-rate-limit",
                    "shop-api-in-flight",
                    "shop-api-basic-auth",
                    "shop-api-compress",
                    "shop-api-retry",
                ],
                vec!["shop-api-metrics", "shop-api-basic-auth"],
            ]
        );
    }

    #[test]
    fn nothing_that_is_off_is_made() {
        let (children, asked) = children(&json!({"compress": false}));
        assert_eq!(steps(&children), [Vec::<&str>::new()]);
        assert!(children.middlewares.is_empty() && asked.is_empty());
    }

    #[test]
    fn each_route_names_only_steps_that_are_made_and_looked_for() {
        let (children, asked) = children(&json!({
            "compress": true, "headers": {"contentTypeNosniff": true},
            "metrics": {"allow": ["192.0.2.1"], "ipStrategy": {"depth": 2}},
        }));
        let made: Vec<&str> = children
            .middlewares
            .iter()
            .filter_map(|step| step.metadata.name.as_deref())
            .collect();
        for step in steps(&children).concat() {
            assert!(made.contains(&step), "{step}");
            assert!(asked.iter().any(|id| id.name == step), "{step}");
        }
        let possible = routes::possible("shop");
        assert!(asked.iter().all(|id| possible.contains(id)), "{asked:?}");
    }

    #[test]
    fn the_gate_of_the_metrics_always_names_somebody() {
        let (children, _) =
            children(&json!({"metrics": {"allow": ["192.0.2.1"], "ipStrategy": {"depth": 2}}}));
        let gate = children.middlewares.first().unwrap();
        assert_eq!(
            serde_json::to_value(&gate.spec).unwrap(),
            json!({"ipAllowList": {"sourceRange": ["192.0.2.1"], "ipStrategy": {"depth": 2}}})
        );
        let route = children.ingress_routes.last().unwrap();
        assert_eq!(
            route.spec.routes[0].rule,
            "(Host(`shop.example.org`)) && Path(`/metrics`)"
        );
    }
}
