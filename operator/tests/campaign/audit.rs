//! What no request of the operator may ever be: the canaries' second guard, which also names the request. [pure]

use operator::desired::metadata::{Component, possible_children};
use operator::desired::routes;

use crate::{harness::kinds, request::Request};

/// What an operator that works on one stack may write to.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    pub(crate) namespace: String,
    pub(crate) stack: String,
    names: Vec<String>,
}

/// Secrets of users that the specs of the campaigns refer to.
const USERS: [&str; 1] = ["mail"];

/// Kinds of which nothing is ever deleted by the operator.
const KEPT: [&str; 2] = ["secrets", "persistentvolumeclaims"];

impl Scope {
    pub(crate) fn new(namespace: &str, stack: &str) -> Self {
        let names = possible_children(stack)
            .into_iter()
            .chain(routes::possible(stack))
            .map(|id| {
                let plural = id.kind.resource().plural;
                format!("{plural}/{}", id.name)
            })
            .collect();
        Self {
            namespace: namespace.to_owned(),
            stack: stack.to_owned(),
            names,
        }
    }

    /// Why this request breaks a promise, with the oracle's number; `None` if it does not.
    pub(crate) fn breach(&self, request: &Request) -> Option<String> {
        let name = request.name.as_deref().unwrap_or_default();
        let what = format!("{} {}", request.verb, request.path);
        if request.plural == "selfsubjectaccessreviews" {
            return None;
        }
        if request.namespace.as_deref() != Some(&self.namespace) {
            return Some(format!("O4: {what} is outside the stack's namespace"));
        }
        // One by one and by its name, and only where the API's variables come from: for a digest.
        let is_source = name.ends_with("-credentials") || USERS.contains(&name);
        if request.plural == "secrets"
            && request.verb == "get"
            && !request.metadata_only
            && !is_source
        {
            return Some(format!("O5: {what} asks for a Secret's data"));
        }
        if !request.is_write() {
            return None;
        }
        if request.plural == kinds::TPSTACK.plural {
            let is_status = request.subresource.as_deref() == Some("status");
            return (name != self.stack || !is_status)
                .then(|| format!("O4: {what} is not this stack's status"));
        }
        let job = format!("{}-", Component::Migrate.name(&self.stack));
        let is_child = self.names.contains(&format!("{}/{name}", request.plural))
            || (request.plural == kinds::JOB.plural && name.starts_with(&job));
        if !is_child || request.subresource.is_some() {
            return Some(format!("O4: {what} ({name}) is no child of this stack"));
        }
        if request.verb == "delete" {
            if KEPT.contains(&request.plural.as_str()) {
                return Some(format!("O2: {what} deletes what is kept"));
            }
            let uid = request
                .body
                .as_ref()
                .and_then(|body| body.pointer("/preconditions/uid"));
            if uid.is_none_or(serde_json::Value::is_null) {
                return Some(format!("O4: {what} has no UID precondition"));
            }
        }
        if request.verb == "post" && !KEPT.contains(&request.plural.as_str()) {
            return Some(format!("O2: {what} is made by POST"));
        }
        if request.verb == "put" {
            return Some(format!("O4: {what} replaces an object"));
        }
        None
    }
}
