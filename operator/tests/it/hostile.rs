//! Whatever a user writes, a Traefik rule has the matchers that were meant, and no other.

use std::cell::Cell;

use operator::crd::{EntryPoints, IngressSpec, TlsMode, TlsSecret, TlsSpec, TpStack, TpStackSpec};
use operator::desired::{Children, routes};
use operator::validate::{Stack, validate};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::string::string_regex;
use proptest::test_runner::{Config, TestRunner};

/// Runs of the test, with as many hosts each as `HOSTS`.
const RUNS: u32 = 10_000;
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
        accepted + refused >= 100_000 && accepted > least && refused > least,
        "{accepted} accepted, {refused} refused: too one-sided to show anything"
    );
}

fn stack(name: &str, hosts: &[&String], entry_point: &str, secret: &str) -> Option<Stack> {
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
        },
    };
    let spec = TpStackSpec {
        ingress: Some(ingress),
        ..TpStackSpec::default()
    };
    let stack = TpStack::new(name, spec);
    validate(&stack).ok()
}

fn check(stack: &Stack, hosts: &[&String]) {
    let mut children = Children::default();
    routes::add(stack, stack.ingress.as_ref().unwrap(), &mut children);
    let expected = hosts
        .iter()
        .map(|host| Matcher::Host((*host).clone()))
        .reduce(|left, right| Matcher::Or(Box::new(left), Box::new(right)))
        .unwrap();
    let metrics = Matcher::Not(Box::new(Matcher::PathRegexp(routes::metrics_path())));
    let expected = Matcher::And(Box::new(expected), Box::new(metrics));
    assert_eq!(children.ingress_routes.len(), 2);
    for route in &children.ingress_routes {
        let [rule] = &route.spec.routes[..] else {
            panic!("one rule")
        };
        assert_eq!(parse(&rule.rule), Some(expected.clone()), "{}", rule.rule);
        let plain = |text: &str| {
            text.chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        };
        let middlewares = rule.middlewares.iter().map(|middleware| &middleware.name);
        let names = middlewares
            .chain(rule.services.iter().map(|service| &service.name))
            .chain(&route.spec.entry_points)
            .chain(route.spec.tls.iter().map(|tls| &tls.secret_name));
        for name in names {
            assert!(plain(name), "{name:?}");
        }
    }
}

/// A rule of Traefik, read strictly.
#[derive(Clone, Debug, PartialEq)]
enum Matcher {
    Host(String),
    PathRegexp(String),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

/// Reads a whole rule: of the two matchers that we use, each with one raw string of visible ASCII.
fn parse(rule: &str) -> Option<Matcher> {
    let (matcher, rest) = or(rule)?;
    rest.is_empty().then_some(matcher)
}

fn or(rule: &str) -> Option<(Matcher, &str)> {
    let (mut left, mut rest) = and(rule)?;
    while let Some(after) = rest.strip_prefix(" || ") {
        let (right, after) = and(after)?;
        (left, rest) = (Matcher::Or(Box::new(left), Box::new(right)), after);
    }
    Some((left, rest))
}

fn and(rule: &str) -> Option<(Matcher, &str)> {
    let (mut left, mut rest) = one(rule)?;
    while let Some(after) = rest.strip_prefix(" && ") {
        let (right, after) = one(after)?;
        (left, rest) = (Matcher::And(Box::new(left), Box::new(right)), after);
    }
    Some((left, rest))
}

fn one(rule: &str) -> Option<(Matcher, &str)> {
    if let Some(rest) = rule.strip_prefix('!') {
        let (matcher, rest) = one(rest)?;
        return Some((Matcher::Not(Box::new(matcher)), rest));
    }
    if let Some(rest) = rule.strip_prefix('(') {
        let (matcher, rest) = or(rest)?;
        return Some((matcher, rest.strip_prefix(')')?));
    }
    let (name, rest) = rule.split_once("(`")?;
    let (text, rest) = rest.split_once("`)")?;
    if text.is_empty() || !text.chars().all(|c| c.is_ascii_graphic() && c != '`') {
        return None;
    }
    let matcher = match name {
        "Host" => Matcher::Host(text.to_owned()),
        "PathRegexp" => Matcher::PathRegexp(text.to_owned()),
        _ => return None,
    };
    Some((matcher, rest))
}

#[test]
fn the_parser_sees_what_was_slipped_in() {
    assert!(parse("(Host(`a`) || Host(`b`)) && !PathRegexp(`c`)").is_some());
    for rule in [
        "Host(`a`)) || (Host(`b`)",
        "Host(`a`) || PathPrefix(`/`)",
        "Host(`a`) extra",
        "Host(`a\nb`)",
        "Host(``)",
        "Host(`a`",
    ] {
        assert_eq!(parse(rule), None, "{rule:?}");
    }
}
