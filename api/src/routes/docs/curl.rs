//! An example of each operation as a command, which a test runs.

use super::description::{Document, Operation, Place};

/// The command. `$API` is where the API is; `$ID` and the like are the path's parameters.
pub(super) fn command(
    document: &Document,
    path: &str,
    method: &str,
    operation: &Operation,
) -> String {
    let mut words = vec!["curl --include".to_owned()];
    if method != "get" {
        words.push(format!("--request {}", method.to_uppercase()));
    }
    if operation.tags.iter().any(|tag| tag == "session") {
        words.push("--cookie session.txt --cookie-jar session.txt".to_owned());
    }
    let mut query = String::new();
    for parameter in &operation.parameters {
        match (parameter.place, value(&parameter.name)) {
            (Place::Header, Some(value)) => {
                words.push(format!("--header '{}: {value}'", parameter.name));
            }
            (Place::Query, Some(value)) => {
                query = format!("{query}{}{}={value}", separator(&query), parameter.name);
            }
            _ => {}
        }
    }
    if let Some(example) = body(document, operation) {
        words.push("--header 'Content-Type: application/json'".to_owned());
        // A quote would end the shell's string.
        words.push(format!("--data '{}'", example.replace('\'', "'\\''")));
    }
    words.push(format!("\"$API{}{query}\"", variables(path)));
    words.join(" \\\n    ")
}

/// What an example says for a parameter that may be left out; nothing where it is left out.
fn value(name: &str) -> Option<&'static str> {
    match name {
        "Idempotency-Key" => Some("coffee-1"),
        "If-Match" => Some("*"),
        "Accept-Language" => Some("fr"),
        "Accept" => Some("application/openmetrics-text"),
        "limit" => Some("20"),
        _ => None,
    }
}

fn separator(query: &str) -> char {
    if query.is_empty() { '?' } else { '&' }
}

/// `/a/{id}` as `/a/$ID`.
fn variables(path: &str) -> String {
    let segment = |segment: &str| {
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        name.map_or_else(
            || segment.to_owned(),
            |name| format!("${}", name.to_uppercase()),
        )
    };
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn body(document: &Document, operation: &Operation) -> Option<String> {
    let media = operation
        .request_body
        .as_ref()?
        .content
        .get("application/json")?;
    let example = document.resolved(&media.schema).example.as_ref()?;
    Some(example.to_string())
}
