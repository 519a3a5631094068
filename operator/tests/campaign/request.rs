//! One request to the API server, taken apart.

use http::Method;
use serde_json::Value;

/// What a request is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) namespace: Option<String>,
    pub(crate) plural: String,
    /// Of a creation: from its body.
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    pub(crate) metadata_only: bool,
    pub(crate) body: Option<Value>,
}

impl Request {
    /// Takes a request apart; `body` is what it sends.
    pub(crate) fn read(parts: &http::request::Parts, body: &[u8]) -> Self {
        let path = parts.uri.path().to_owned();
        let mut words = path.split('/').skip(1);
        // /api/v1/... or /apis/GROUP/VERSION/...
        let skipped = if words.next() == Some("api") { 1 } else { 2 };
        let mut words = words.skip(skipped).map(str::to_owned).peekable();
        let namespace = (words.peek().map(String::as_str) == Some("namespaces"))
            .then(|| words.nth(1))
            .flatten();
        let plural = words.next().unwrap_or_default();
        let accept = parts
            .headers
            .get(http::header::ACCEPT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let body = (parts.method != Method::GET)
            .then(|| serde_json::from_slice::<Value>(body).ok())
            .flatten();
        let named = || {
            let name = body.as_ref()?.pointer("/metadata/name")?.as_str()?;
            Some(name.to_owned())
        };
        let verb = parts.method.as_str().to_lowercase();
        let name = words
            .next()
            .or_else(|| (verb == "post").then(named).flatten());
        Self {
            subresource: words.next(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            metadata_only: accept.contains("PartialObjectMetadata"),
            verb,
            path,
            namespace,
            plural,
            name,
            body,
        }
    }

    /// Whether it may change what is stored. A review is a question in the form of a creation.
    pub(crate) fn is_write(&self) -> bool {
        self.verb != "get" && self.plural != "selfsubjectaccessreviews"
    }

    /// Plural and name, with `*` for the stack's; the subresource, if any.
    pub(crate) fn object(&self, stack: &str) -> String {
        let name = self.name.as_deref().unwrap_or_default();
        let name = name
            .strip_prefix(stack)
            .map_or_else(|| name.to_owned(), |rest| format!("*{rest}"));
        let sub = self
            .subresource
            .as_ref()
            .map_or_else(String::new, |sub| format!("/{sub}"));
        format!("{}/{name}{sub}", self.plural)
    }

    /// The path of the object itself.
    pub(crate) fn object_path(&self) -> String {
        let mut path = self.path.clone();
        if self.verb == "post" {
            path = format!("{path}/{}", self.name.as_deref().unwrap_or_default());
        }
        if let Some(sub) = &self.subresource {
            path.truncate(path.len() - sub.len() - 1);
        }
        path
    }
}
