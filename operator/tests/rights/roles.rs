//! The rights in `manifests/install.yaml`, one by one.

use std::{fmt, path::PathBuf};

use serde_json::Value;

use crate::audit::Request;

/// One verb on one resource.
#[derive(Debug)]
pub(crate) struct Right {
    pub(crate) role: String,
    /// Namespace of a `Role`; a `ClusterRole` holds wherever it is bound.
    pub(crate) namespace: Option<String>,
    pub(crate) verb: String,
    /// `group/resource` or `group/resource/subresource`.
    pub(crate) resource: String,
    /// The only objects it is about; empty for all.
    pub(crate) names: Vec<String>,
}

impl Right {
    /// Whether this request needed this right.
    pub(crate) fn is_used_by(&self, request: &Request) -> bool {
        let verb = request.verb == self.verb
            || (self.verb == "create" && request.verb == "patch" && request.made);
        verb && request.resource == self.resource
            && (self.namespace.as_ref()).is_none_or(|namespace| *namespace == request.namespace)
            && (self.names.is_empty() || self.names.contains(&request.name))
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} {}", self.role, self.verb, self.resource)?;
        if !self.names.is_empty() {
            write!(f, " {:?}", self.names)?;
        }
        Ok(())
    }
}

/// Every right of every role that is shipped and given to the operator: the others are for people.
pub(crate) fn shipped() -> Vec<Right> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../manifests/install.yaml");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("install.yaml is YAML");
    let given: Vec<&Value> = documents
        .iter()
        .map(|document| &document["roleRef"])
        .filter(|reference| reference.is_object())
        .collect();
    let roles = documents.iter().filter(|document| {
        given.iter().any(|reference| {
            reference["kind"] == document["kind"]
                && reference["name"] == document["metadata"]["name"]
        })
    });
    let rights: Vec<Right> = roles.flat_map(rights).collect();
    assert!(rights.len() > 50, "install.yaml has only {rights:?}");
    rights
}

fn rights(role: &Value) -> Vec<Right> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut rights = Vec::new();
    for rule in role["rules"].as_array().expect("a role has rules") {
        assert!(
            rule.get("nonResourceURLs").is_none(),
            "{rule}: add paths to what the audit log is read for"
        );
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                for verb in words(&rule["verbs"]) {
                    let wildcard = [&group, &resource, &verb]
                        .into_iter()
                        .any(|word| word == "*");
                    assert!(!wildcard, "{rule}: every right is named");
                    rights.push(Right {
                        role: text(&role["metadata"]["name"]).expect("a role has a name"),
                        namespace: text(&role["metadata"]["namespace"]),
                        verb,
                        resource: format!("{group}/{resource}"),
                        names: words(&rule["resourceNames"]),
                    });
                }
            }
        }
    }
    rights
}

fn words(list: &Value) -> Vec<String> {
    let words = list.as_array().into_iter().flatten();
    words
        .map(|word| word.as_str().expect("roles are made of words").to_owned())
        .collect()
}
