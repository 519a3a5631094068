//! What a client may say of an item, and the check that it did.

use crate::{
    error::Error,
    routes::body::{Fields, Value},
    store::ItemContent,
};
use axum::http::HeaderMap;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

/// Characters of a name at most.
const LONGEST_NAME: usize = 200;
/// Characters of a description at most.
const LONGEST_DESCRIPTION: usize = 4000;

/// The content of an item.
// The patterns say what `problem_of_name` and `problem_of_description` check; a test holds them together.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Coffee", "description": "Black, without sugar" }))]
pub(super) struct ItemInput {
    /// Its name: one line, not blank. Kept as it is sent.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = r"^[^\u0000-\u001F\u007F-\u009F]*[^\u0000-\u0020\u007F-\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000][^\u0000-\u001F\u007F-\u009F]*$"
    )]
    name: String,
    /// More about it, over several lines if need be (line feeds and tabs are the only control characters).
    #[schema(
        max_length = 4000,
        pattern = r"^[^\u0000-\u0008\u000B-\u001F\u007F-\u009F]*$"
    )]
    description: Option<String>,
}

impl ItemInput {
    /// Reads a body; everything that is wrong with it is told at once.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, Error> {
        let mut fields = Fields::read(headers, body)?;
        let name = match fields.take("name") {
            Some(Value::Text(name)) => name,
            Some(other) => {
                fields.problem("name", format!("must be a string, not {}", other.kind()));
                // Nobody sees it: a problem is noted.
                "unknown".to_owned()
            }
            None => {
                fields.problem("name", "is missing");
                "unknown".to_owned()
            }
        };
        if let Some(problem) = problem_of_name(&name) {
            fields.problem("name", problem);
        }
        let description = match fields.take("description") {
            None | Some(Value::Null) => None,
            Some(Value::Text(description)) => Some(description),
            Some(other) => {
                let kind = other.kind();
                fields.problem(
                    "description",
                    format!("must be a string or null, not {kind}"),
                );
                None
            }
        };
        if let Some(problem) = description.as_deref().and_then(problem_of_description) {
            fields.problem("description", problem);
        }
        fields.finish(Self { name, description }, &["name", "description"])
    }

    /// The same for every way to write the same content.
    pub(super) fn fingerprint(&self) -> [u8; 32] {
        let canonical = serde_json::to_vec(self).expect("strings have no way not to be JSON");
        Sha256::digest(canonical).into()
    }
}

impl From<ItemInput> for ItemContent {
    fn from(ItemInput { name, description }: ItemInput) -> Self {
        Self { name, description }
    }
}

fn problem_of_name(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some(format!("must have 1 to {LONGEST_NAME} characters"));
    }
    if name.chars().any(char::is_control) {
        return Some("must be one line without control characters".to_owned());
    }
    if name.chars().all(char::is_whitespace) {
        return Some("must not be blank".to_owned());
    }
    too_long(name, LONGEST_NAME)
}

fn problem_of_description(description: &str) -> Option<String> {
    let unwanted = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if description.chars().any(unwanted) {
        return Some("must have no control characters but line feeds and tabs".to_owned());
    }
    too_long(description, LONGEST_DESCRIPTION)
}

/// Characters are Unicode's, as in JSON Schema: an emoji is one.
fn too_long(text: &str, longest: usize) -> Option<String> {
    let length = text.chars().count();
    (length > longest).then(|| format!("must have at most {longest} characters, not {length}"))
}

#[cfg(test)]
mod tests;
