//! Entity tags and the headers that make a request depend on them (RFC 9110, sections 8.8.3 and 13.1).

use crate::{error::Error, store::Expected};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

/// A list of entity tags, as a regular expression: what `If-Match` and `If-None-Match` may be beside `*`.
pub(crate) const PATTERN: &str = r#"^(W/)?"[!#-~]*"([ \t]*,[ \t]*(W/)?"[!#-~]*")*$"#;

/// The tag of a version: strong, since a version has one representation.
pub(super) fn tag(version: i64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes are ASCII")
}

/// What `If-Match` and the like ask for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    /// `*`: anything, as long as it exists.
    Any,
    /// One of these.
    OneOf(Vec<Tag>),
}

#[derive(Debug, PartialEq, Eq)]
struct Tag {
    weak: bool,
    opaque: Vec<u8>,
}

/// Which versions a change is meant for, by `If-Match`. `If-None-Match` would say "only if it is not there": nothing is made
/// by the requests that come here, and ignoring it could destroy what it protects.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected, Error> {
    if headers.contains_key(header::IF_NONE_MATCH) {
        let detail = "If-None-Match is for GET; use If-Match here".to_owned();
        return Err(Error::BadRequest(detail));
    }
    Ok(match wanted(headers, &header::IF_MATCH)? {
        None => Expected::Anything,
        Some(Wanted::Any) => Expected::Existing,
        // Weak tags never match: they do not say which bytes are meant. A tag that is none of ours names no version.
        Some(Wanted::OneOf(tags)) => {
            Expected::OneOf(tags.iter().filter_map(Tag::version).collect())
        }
    })
}

/// Whether `If-None-Match` says that the client has what `tag` stands for already. Here weak tags are as good as strong ones.
pub(super) fn is_known(headers: &HeaderMap, tag: &HeaderValue) -> Result<bool, Error> {
    let current = tag.as_bytes();
    Ok(match wanted(headers, &header::IF_NONE_MATCH)? {
        None => false,
        Some(Wanted::Any) => true,
        Some(Wanted::OneOf(tags)) => tags.iter().any(|tag| {
            let quoted = current
                .strip_prefix(b"\"")
                .and_then(|rest| rest.strip_suffix(b"\""));
            quoted == Some(&tag.opaque)
        }),
    })
}

impl Tag {
    /// The version it names, written as we write it.
    fn version(&self) -> Option<i64> {
        if self.weak {
            return None;
        }
        let text = std::str::from_utf8(&self.opaque).ok()?;
        let version: i64 = text.parse().ok()?;
        (version.to_string() == text).then_some(version)
    }
}

fn wanted(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Wanted>, Error> {
    if !headers.contains_key(name) {
        return Ok(None);
    }
    // Several lines of one list are one list.
    let lines: Vec<&[u8]> = headers
        .get_all(name)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    let line = lines.join(&b","[..]);
    let parsed = match line.trim_ascii() {
        b"*" => Some(Wanted::Any),
        list => tags(list).map(Wanted::OneOf),
    };
    parsed.map(Some).ok_or_else(|| {
        let name = if name == header::IF_MATCH {
            "If-Match"
        } else {
            "If-None-Match"
        };
        Error::BadRequest(format!(
            "{name} is neither * nor a list of entity tags such as \"1\""
        ))
    })
}

/// A list of at least one tag. Empty members are allowed, as in every list of RFC 9110.
fn tags(mut list: &[u8]) -> Option<Vec<Tag>> {
    let mut tags = Vec::new();
    loop {
        list = list.trim_ascii_start();
        match list {
            [] => break,
            [b',', rest @ ..] => {
                list = rest;
                continue;
            }
            _ => {}
        }
        let (weak, quoted) = match list.strip_prefix(b"W/") {
            Some(rest) => (true, rest),
            None => (false, list),
        };
        let inside = quoted.strip_prefix(b"\"")?;
        let end = inside.iter().position(|byte| *byte == b'"')?;
        let (opaque, rest) = inside.split_at(end);
        // Visible ASCII, and what old texts may hold beyond it.
        if !opaque
            .iter()
            .all(|byte| matches!(byte, 0x21..=0x7e | 0x80..))
        {
            return None;
        }
        tags.push(Tag {
            weak,
            opaque: opaque.to_owned(),
        });
        list = rest.strip_prefix(b"\"")?.trim_ascii_start();
        if !matches!(list, [] | [b',', ..]) {
            return None;
        }
    }
    (!tags.is_empty()).then_some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        let value = |line: &&str| HeaderValue::from_bytes(line.as_bytes()).unwrap();
        lines
            .iter()
            .map(|line| (name.clone(), value(line)))
            .collect()
    }

    #[test]
    fn if_match_names_the_versions_that_may_be_changed() {
        use Expected::{Anything, Existing, OneOf};
        for (lines, meant) in [
            (&[][..], Some(Anything)),
            (&["*"], Some(Existing)),
            (&[" * "], Some(Existing)),
            (&["\"1\""], Some(OneOf(vec![1]))),
            (&["\"1\", \"2\",W/\"3\""], Some(OneOf(vec![1, 2]))),
            (&["\"1\"", "\"2\""], Some(OneOf(vec![1, 2]))),
            (&[",, \"7\" ,"], Some(OneOf(vec![7]))),
            (&["W/\"1\""], Some(OneOf(vec![]))),
            (&["\"01\", \"+1\", \"\", \"x\", \"1 \u{e9}\""], None),
            (
                &["\"01\", \"+1\", \"\", \"x\", \"\u{e9}\""],
                Some(OneOf(vec![])),
            ),
            (&["\"99999999999999999999\""], Some(OneOf(vec![]))),
            (&[""], None),
            (&[","], None),
            (&["1"], None),
            (&["\"1"], None),
            (&["1\""], None),
            (&["\"1\"\"2\""], None),
            (&["\"1\" \"2\""], None),
            (&["*, \"1\""], None),
            (&["*", "*"], None),
            (&["w/\"1\""], None),
            (&["W/ \"1\""], None),
        ] {
            let expected = expected(&headers(&header::IF_MATCH, lines));
            assert_eq!(expected.ok(), meant, "{lines:?}");
        }
        assert!(expected(&headers(&header::IF_NONE_MATCH, &["*"])).is_err());
    }

    #[test]
    fn if_none_match_knows_the_current_tag_however_weak() {
        for (line, known) in [
            ("\"7\"", true),
            ("W/\"7\"", true),
            ("\"1\", \"7\"", true),
            ("*", true),
            ("\"1\"", false),
            ("\"77\"", false),
        ] {
            let headers = headers(&header::IF_NONE_MATCH, &[line]);
            assert_eq!(is_known(&headers, &tag(7)).unwrap(), known, "{line}");
        }
        assert!(is_known(&headers(&header::IF_NONE_MATCH, &["7"]), &tag(7)).is_err());
    }
}
