//! Whatever a user writes, a Traefik rule has the matchers that were meant, and no other.

mod million;
mod rule;

use std::cell::Cell;

use operator::crd::{
    BasicAuthSpec, EntryPoints, IngressSpec, IpStrategySpec, MetricsAccessSpec, SecretRef,
    StickyCookie, StickySpec, TlsMode, TlsSecret, TlsSpec, TpStack, TpStackSpec,
};
use operator::desired::{Children, routes};
use operator::validate::{Stack, validate};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::string::string_regex;
use proptest::test_runner::{Config, TestRunner};
use rule::{Matcher, parse};

/// Runs of the test, with as many hosts each as `HOSTS`.
const RUNS: u32 = 4_000;
const HOSTS: usize = 10;

/// What would end a quoted string of the rule language, add to it, or name something of another provider.
const HOSTILE: &[&str] = &[
    "`",
    "\"",
    "'",
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\t",
    " ",
    "\\",
    "/",
    "//",
    ":",
    "*",
    "*.",
    "@",
    "@file",
    "@internal",
    "||",
    " || ",
    "&&",
    " && ",
    "!",
    "(",
    ")",
    "`)",
    "`) || PathPrefix(`/metrics",
    "`) || HostRegexp(`.*",
    "Host(`a`)",
    "{",
    "}",
    "{name:.*}",
    "$",
    "${HOME}",
    "{{.Host}}",
    "%60",
    "%2f",
    "#",
    "?",
    ";",
    ",",
    "_",
    "A",
    ".",
    "..",
    "-",
    "é",
    "字",
    "ｗ",
    "。",
    "İ",
    "\u{202e}",
    "\u{200d}",
    "\u{feff}",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "\u{7f}",
    "\u{2018}",
    "🧪",
];

fn text(shape: &str) -> impl Strategy<Value = String> + use<> {
    // Made once: as a strategy, the expression itself would be compiled for each value.
    let shape = string_regex(shape).unwrap();
    let spoil = proptest::collection::vec((select(HOSTILE), any::<Index>()), 0..=2);
    (shape, spoil).prop_map(|(mut text, spoil)| {
        for (hostile, place) in spoil {
            let ends: Vec<usize> = text
                .char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .collect();
            text.insert_str(ends[place.index(ends.len())], hostile);
        }
        text
    })
}

#[test]
fn every_host_that_is_accepted_is_matched_and_nothing_else_is() {
    let (accepted, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    let hosts =
        proptest::collection::vec(text("[a-z0-9]{1,6}([.-][a-z0-9]{1,6}){0,3}"), HOSTS..=HOSTS);
    let others = (
        text("[a-z][a-z0-9-]{0,8}[a-z0-9]"),
        text("[A-Za-z0-9][-A-Za-z0-9_]{0,6}"),
        text("[a-z0-9]{1,6}([.-][a-z0-9]{1,6})?"),
    );
    let mut runner = TestRunner::new(Config {
        cases: RUNS,
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&(hosts, others), |(hosts, (name, entry_point, secret))| {
        let sound: Vec<&String> = hosts
            .iter()
            .filter(|host| {
                let one = [*host];
                let is_sound = stack("shop", &one, "websecure", "tls").is_some_and(|stack| {
                    check(&stack, &one);
                    true
                });
                let count = if is_sound { &accepted } else { &refused };
                count.set(count.get() + 1);
                is_sound
            })
            .collect();
        // All that were accepted, in one rule; each name beside them may be hostile.
        if let Some(stack) = stack(&name, &sound, &entry_point, &secret) {
            check(&stack, &sound);
        }
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
    let (accepted, refused) = (accepted.get(), refused.get());
    let least = (accepted + refused) / 7;
    assert!(
        accepted + refused >= 40_000 && accepted > least && refused > least,
        "{accepted} accepted, {refused} refused: too one-sided to show anything"
    );
}

fn stack(name: &str, hosts: &[&String], entry_point: &str, secret: &str) -> Option<Stack> {
    validate(&tp_stack(name, hosts, entry_point, secret)).ok()
}

fn tp_stack(name: &str, hosts: &[&String], entry_point: &str, secret: &str) -> TpStack {
    let ingress = IngressSpec {
        hosts: hosts.iter().map(|host| (*host).clone()).collect(),
        entry_points: EntryPoints {
            https: entry_point.to_owned(),
            ..EntryPoints::default()
        },
        redirect_to_https: true,
        tls: TlsSpec {
            mode: TlsMode::Secret,
            secret: Some(TlsSecret {
                name: secret.to_owned(),
            }),
            ..TlsSpec::default()
        },
        metrics: Some(MetricsAccessSpec {
            allow: vec!["192.0.2.1".to_owned()],
            ip_strategy: IpStrategySpec { depth: 0 },
        }),
        // A word of the user's beside the rule, and a step that the metrics pass too.
        sticky: Some(StickySpec {
            cookie: StickyCookie {
                name: entry_point.to_owned(),
            },
        }),
        basic_auth: Some(BasicAuthSpec {
            secret_ref: SecretRef {
                name: secret.to_owned(),
            },
        }),
        ..serde_json::from_value(serde_json::json!({"hosts": ["a"]})).unwrap()
    };
    let spec = TpStackSpec {
        ingress: Some(ingress),
        ..TpStackSpec::default()
    };
    TpStack::new(name, spec)
}

fn check(stack: &Stack, hosts: &[&String]) {
    let mut children = Children::default();
    routes::add(stack, stack.ingress.as_ref().unwrap(), &mut children);
    // Everything but the metrics, the metrics, and what leads from http to https.
    assert_eq!(children.ingress_routes.len(), 3);
    for route in &children.ingress_routes {
        let [rule] = &route.spec.routes[..] else {
            panic!("one rule")
        };
        let is_for_metrics = route
            .metadata
            .name
            .as_deref()
            .unwrap()
            .ends_with("-metrics");
        let expected = expected(hosts, is_for_metrics);
        assert_eq!(parse(&rule.rule), Some(expected), "{}", rule.rule);
        let plain = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let middlewares = rule.middlewares.iter().map(|middleware| &middleware.name);
        let names = middlewares
            .chain(rule.services.iter().map(|service| &service.name))
            .chain(&route.spec.entry_points)
            .chain(route.spec.tls.iter().map(|tls| &tls.secret_name))
            .chain(
                rule.services
                    .iter()
                    .flat_map(|service| &service.sticky)
                    .map(|sticky| &sticky.cookie.name),
            );
        for name in names {
            assert!(plain(name), "{name:?}");
        }
    }
}

/// The matchers that are meant.
fn expected(hosts: &[&String], is_for_metrics: bool) -> Matcher {
    let any = hosts
        .iter()
        .map(|host| Matcher::Host((*host).clone()))
        .reduce(|left, right| Matcher::Or(Box::new(left), Box::new(right)))
        .unwrap();
    let path = if is_for_metrics {
        Matcher::Path("/metrics".to_owned())
    } else {
        Matcher::Not(Box::new(Matcher::PathRegexp(routes::metrics_path())))
    };
    Matcher::And(Box::new(any), Box::new(path))
}
