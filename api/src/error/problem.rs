//! The bodies of errors: RFC 9457 problems, and the course's own on its routes.

use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// An error, as RFC 9457 writes it.
// In the order of the alphabet, as its answers always were.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "status": 404,
    "title": "There is nothing at this address",
    "type": "about:blank"
}))]
pub struct Problem<'a> {
    /// What is wrong with this very request, where the title does not say it all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<&'a str>,
    /// Every field that is wrong, when the body's content is.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldProblem],
    /// The HTTP status, again.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What is wrong, in one sentence.
    #[schema(min_length = 1)]
    title: &'a str,
    /// A URI that names the kind of problem; `about:blank` while the status says enough.
    #[schema(value_type = String, format = "uri-reference")]
    r#type: &'static str,
}

/// What is wrong with one field of a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({ "field": "name", "message": "is missing" }))]
pub struct FieldProblem {
    /// The field's name; empty when the body as a whole is meant.
    pub field: String,
    /// What is wrong with it, and what is allowed.
    pub message: String,
}

impl FieldProblem {
    /// `message` is about the field `field`.
    pub fn new(field: &str, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            message: message.into(),
        }
    }
}

impl<'a> Problem<'a> {
    /// A problem that its title says.
    pub fn new(status: StatusCode, title: &'a str) -> Self {
        Self {
            detail: None,
            errors: &[],
            status: status.as_u16(),
            title,
            r#type: "about:blank",
        }
    }

    /// The same with more to say.
    #[must_use]
    pub fn explained(self, detail: Option<&'a str>, errors: &'a [FieldProblem]) -> Self {
        Self {
            detail,
            errors,
            ..self
        }
    }

    /// The body, and its content type.
    pub fn encode(&self) -> (String, &'static str) {
        (encode(self), "application/problem+json")
    }
}

/// An error, as the course's app writes it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({ "error": "The database is unavailable, try again soon" }))]
pub struct CourseError<'a> {
    /// What is wrong, in one sentence.
    error: &'a str,
}

impl<'a> CourseError<'a> {
    /// An error that says `error`.
    pub fn new(error: &'a str) -> Self {
        Self { error }
    }

    /// The body, and its content type.
    pub fn encode(&self) -> (String, &'static str) {
        (encode(self), "application/json")
    }
}

fn encode(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("strings and numbers have no way not to be JSON")
}
