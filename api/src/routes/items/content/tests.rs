use super::*;
use regex_lite::Regex;
use serde_json::json;

fn read(body: &serde_json::Value) -> Result<ItemInput, Error> {
    let headers = [("content-type", "application/json")]
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
        .collect();
    ItemInput::read(&headers, body.to_string().as_bytes())
}

/// The problems as `field message` lines.
fn problems(body: &serde_json::Value) -> Vec<String> {
    match read(body) {
        Err(Error::Invalid(problems)) => problems
            .iter()
            .map(|problem| format!("{} {}", problem.field, problem.message))
            .collect(),
        other => panic!("{body}: {other:?}"),
    }
}

#[test]
fn what_is_allowed_is_kept_to_the_character() {
    let longest = "é".repeat(LONGEST_NAME);
    let emoji = "🦀".repeat(LONGEST_DESCRIPTION);
    for (name, description) in [
        ("a", None),
        (" a ", Some("")),
        (longest.as_str(), Some(emoji.as_str())),
        ("Ça \u{301}\u{200d}", Some("one\n\ttwo \u{2028}")),
        ("null", Some("'; DROP TABLE items; --")),
    ] {
        let read = read(&json!({ "name": name, "description": description })).unwrap();
        assert_eq!(
            (read.name.as_str(), read.description.as_deref()),
            (name, description)
        );
    }
    assert_eq!(read(&json!({ "name": "a" })).unwrap().description, None);
}

#[test]
fn everything_wrong_is_told_at_once() {
    let body = json!({ "name": "x".repeat(201), "description": ["no"], "colour": "red", "age": 7 });
    assert_eq!(
        problems(&body),
        [
            "name must have at most 200 characters, not 201",
            "description must be a string or null, not a list",
            "age is unknown; known: name, description",
            "colour is unknown; known: name, description",
        ]
    );
    assert_eq!(problems(&json!({})), ["name is missing"]);
    assert_eq!(
        problems(&json!({ "name": null, "description": 1 })),
        [
            "name must be a string, not null",
            "description must be a string or null, not a number"
        ]
    );
}

#[test]
fn a_fingerprint_is_about_the_content_and_not_about_its_writing() {
    let print = |body: serde_json::Value| read(&body).unwrap().fingerprint();
    let one = print(json!({ "name": "a" }));
    assert_eq!(one, print(json!({ "description": null, "name": "a" })));
    for other in [
        json!({ "name": "b" }),
        json!({ "name": "a", "description": "" }),
        json!({ "name": "a\",\"description\":\"", "description": null }),
    ] {
        assert_ne!(one, print(other));
    }
}

/// Characters that are at a border of what either field takes.
const CHARACTERS: &[char] = &[
    '\0', '\u{8}', '\t', '\n', '\u{b}', '\r', '\u{1f}', ' ', '!', 'a', '~', '\u{7f}', '\u{80}',
    '\u{85}', '\u{9f}', '\u{a0}', '\u{a1}', '\u{1680}', '\u{180e}', '\u{2000}', '\u{200a}',
    '\u{200b}', '\u{2028}', '\u{2029}', '\u{202f}', '\u{205f}', '\u{2060}', '\u{3000}', '\u{feff}',
    '\u{fffd}', '🦀',
];

#[test]
fn the_patterns_of_the_document_say_what_is_checked() {
    use utoipa::{
        PartialSchema,
        openapi::{RefOr, Schema},
    };
    let RefOr::T(Schema::Object(schema)) = ItemInput::schema() else {
        panic!("the input is an object");
    };
    let pattern = |field: &str| match &schema.properties[field] {
        RefOr::T(Schema::Object(field)) => Regex::new(field.pattern.as_deref().unwrap()).unwrap(),
        _ => panic!("{field} is text"),
    };
    let (name, description) = (pattern("name"), pattern("description"));
    for first in CHARACTERS {
        for second in CHARACTERS {
            for text in [
                format!("{first}"),
                format!("{first}{second}"),
                format!("a{first}{second}"),
            ] {
                assert_eq!(
                    name.is_match(&text),
                    problem_of_name(&text).is_none(),
                    "{text:?} as a name"
                );
                assert_eq!(
                    description.is_match(&text),
                    problem_of_description(&text).is_none(),
                    "{text:?} as a description"
                );
            }
        }
    }
}
