//! JSON bodies, read field by field, so that everything that is wrong can be told at once. What no field takes (numbers,
//! lists, objects) is checked to be JSON and not kept: depth and size cost nothing.

use crate::error::{Error, FieldProblem};
use axum::http::{HeaderMap, header};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use std::fmt;

/// Problems told at most: a body full of unknown fields must not make an answer larger than itself.
const MOST_PROBLEMS: usize = 20;
/// Characters of an unknown field's name that are told back.
const LONGEST_NAME_TOLD: usize = 64;

/// The fields of a JSON object, taken out one by one; what is left is unknown.
#[derive(Debug)]
pub(super) struct Fields {
    left: Vec<(String, Value)>,
    problems: Vec<FieldProblem>,
}

/// A field's value, as far as any field of ours may be interested.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    Text(String),
    /// Something else, by the name to tell it by.
    Other(&'static str),
}

impl Value {
    /// What it is, to whoever sent it.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Text(_) => "a string",
            Self::Other(kind) => kind,
        }
    }
}

impl Fields {
    /// Reads a body: 415 when it does not claim to be JSON, 400 when it is not, 422 when it is no object.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Error> {
        if !is_json(headers) {
            return Err(Error::UnsupportedMediaType);
        }
        let malformed = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            Error::BadRequest(format!(
                "The body is not JSON: line {line}, column {column}"
            ))
        };
        if body.trim_ascii_start().starts_with(b"{") {
            let Object(left) = serde_json::from_slice(body).map_err(malformed)?;
            let problems = Vec::new();
            return Ok(Self { left, problems });
        }
        let value: Value = serde_json::from_slice(body).map_err(malformed)?;
        let message = format!("expected an object, not {}", value.kind());
        Err(Error::Invalid(vec![FieldProblem::new("", message)]))
    }

    /// Takes the field `name` out; two of them are a problem.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        let mut found = None;
        while let Some(at) = self.left.iter().position(|(key, _)| key == name) {
            let (_, value) = self.left.swap_remove(at);
            if found.replace(value).is_some() {
                self.problem(name, "is given twice");
                self.left.retain(|(key, _)| key != name);
            }
        }
        found
    }

    /// Notes that the field `name` is wrong.
    pub(super) fn problem(&mut self, name: &str, message: impl Into<String>) {
        self.problems.push(FieldProblem::new(name, message));
    }

    /// `value` if nothing was wrong and every field was taken.
    pub(super) fn finish<T>(mut self, value: T, known: &[&str]) -> Result<T, Error> {
        // In the order of the alphabet: the order of the body was lost by taking.
        self.left.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        self.left.dedup_by(|(a, _), (b, _)| a == b);
        let message = format!("is unknown; known: {}", known.join(", "));
        for (name, _) in self.left {
            let name: String = name.chars().take(LONGEST_NAME_TOLD).collect();
            self.problems.push(FieldProblem::new(&name, &*message));
        }
        if self.problems.is_empty() {
            return Ok(value);
        }
        let untold = self.problems.len().saturating_sub(MOST_PROBLEMS);
        self.problems.truncate(MOST_PROBLEMS);
        if untold > 0 {
            let message = format!("has {untold} more problems");
            self.problems.push(FieldProblem::new("", message));
        }
        Err(Error::Invalid(self.problems))
    }
}

/// Whether the body claims to be JSON in UTF-8, as it is.
fn is_json(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let plain = match headers.get(header::CONTENT_ENCODING) {
        None => true,
        Some(coding) => coding.as_bytes().eq_ignore_ascii_case(b"identity"),
    };
    let Some(content_type) = text(header::CONTENT_TYPE).filter(|_| plain) else {
        return false;
    };
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    essence.eq_ignore_ascii_case("application/json")
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
                let value = value.trim().trim_matches('"');
                value.eq_ignore_ascii_case("utf-8") || value.eq_ignore_ascii_case("utf8")
            }
            _ => true,
        })
}

/// A JSON object. A map would forget that a name came twice.
struct Object(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }
            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }
            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<Value, E> {
                Ok(Value::Text(text))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Other("an object"))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Other("a list"))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Value, E> {
                Ok(Value::Other("a boolean"))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Value, E> {
                Ok(Value::Other("a number"))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Value, E> {
                Ok(Value::Other("a number"))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Value, E> {
                Ok(Value::Other("a number"))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests;
