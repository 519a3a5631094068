//! Schemas in words: of which type a value is, and within which bounds.

use super::{
    description::{Schema, name_of},
    words::Words,
};
use crate::pages::escape;

/// The type, as HTML.
pub(super) fn kind(words: &Words, schema: &Schema) -> String {
    if let Some(reference) = &schema.reference {
        let name = name_of(reference);
        return format!("<a href=\"#shape-{name}\">{name}</a>");
    }
    if !schema.one_of.is_empty() {
        let choices: Vec<_> = schema.one_of.iter().map(|one| kind(words, one)).collect();
        return choices.join(&format!(" {} ", words.or));
    }
    let one = |name: &str| match (name, &schema.items) {
        ("array", Some(items)) => format!("{} {}", words.list_of, kind(words, items)),
        _ => escape(words.kind(name).unwrap_or(name)),
    };
    let kinds: Vec<_> = schema.kinds.names().map(one).collect();
    kinds.join(&format!(" {} ", words.or))
}

/// The bounds, each as HTML.
pub(super) fn bounds(words: &Words, schema: &Schema) -> Vec<String> {
    let mut bounds = Vec::new();
    // int64 and the like say how a number is kept, not what it may be.
    if let Some(format) = schema.format.as_ref().filter(|one| !one.starts_with("int")) {
        bounds.push(format!("<code>{}</code>", escape(format)));
    }
    if !schema.values.is_empty() {
        let values: Vec<_> = schema
            .values
            .iter()
            .map(|value| format!("<code>{}</code>", escape(&value.to_string())))
            .collect();
        bounds.push(format!("{} {}", words.one_of, values.join(", ")));
    }
    bounds.extend(range(words, schema.minimum, schema.maximum, ""));
    let characters = words.characters;
    bounds.extend(range(
        words,
        schema.min_length,
        schema.max_length,
        characters,
    ));
    bounds.extend(range(words, None, schema.max_items, words.entries));
    bounds
}

fn range<N: ToString>(
    words: &Words,
    least: Option<N>,
    most: Option<N>,
    unit: &str,
) -> Option<String> {
    let text = match (least, most) {
        (None, None) => return None,
        (Some(least), Some(most)) => format!("{}–{}", least.to_string(), most.to_string()),
        (Some(least), None) => format!("{} {}", words.at_least, least.to_string()),
        (None, Some(most)) => format!("{} {}", words.at_most, most.to_string()),
    };
    Some(format!("{text} {unit}").trim_end().to_owned())
}
