//! A parser for the part of Traefik's rule language that we write.

/// A rule of Traefik, read strictly.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Matcher {
    Host(String),
    Path(String),
    PathRegexp(String),
    Not(Box<Self>),
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
}

/// Reads a whole rule: of the three matchers that we use, each with one raw string of visible ASCII.
pub(super) fn parse(rule: &str) -> Option<Matcher> {
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
        "Path" => Matcher::Path(text.to_owned()),
        "PathRegexp" => Matcher::PathRegexp(text.to_owned()),
        _ => return None,
    };
    Some((matcher, rest))
}

#[test]
fn the_parser_sees_what_was_slipped_in() {
    for rule in [
        "(Host(`a`) || Host(`b`)) && !PathRegexp(`c`)",
        "(Host(`a`)) && Path(`/metrics`)",
    ] {
        assert!(parse(rule).is_some(), "{rule}");
    }
    for rule in [
        "Host(`a`)) || (Host(`b`)",
        "Host(`a`) || PathPrefix(`/`)",
        "Host(`a`) extra",
        "Host(`a\nb`)",
        "Host(``)",
        "Host(`a`",
        "Method(`GET`)",
    ] {
        assert_eq!(parse(rule), None, "{rule:?}");
    }
}
