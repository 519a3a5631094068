//! The Secrets and config maps that the API's variables come from, and a digest of what is asked of them: pods keep the
//! variables they were started with, so other data is another digest, and other pods. [pure]
//!
//! Nothing of the objects but data counts, and of data nothing but the keys that are asked for. The digest stands where
//! people read who may not read Secrets. Passwords cannot be tried against it: the stack's own, 256 random bits each, are
//! among the data. (Where every store is somebody else's, it is as hard to guess as their passwords.)

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar};
use sha2::{Digest, Sha256};

use crate::crd::TpStackSpec;
use crate::desired::api::environment;
use crate::desired::connection::connections;
use crate::kind::{Kind, ObjectId};
use crate::validate::Stack;

/// What is asked of each object.
pub type Sources = BTreeMap<ObjectId, Asked>;

/// Data of an object, as the API server writes it.
pub type Data = BTreeMap<String, String>;

/// What is asked of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// These keys, each with whether a pod cannot start without it.
    pub keys: BTreeMap<String, bool>,
    /// Every key that is there.
    pub all: bool,
    /// Whether a pod cannot start without the object itself.
    pub required: bool,
}

/// What was found of all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Digest of the data.
    pub digest: String,
    /// What is not there and pods wait for, in words.
    pub missing: Vec<String>,
}

/// Every object that the API's variables come from.
pub fn sources(stack: &Stack) -> Sources {
    let mut sources = Sources::new();
    for store in connections(stack) {
        // Passwords count as files too.
        let (secret, files) = store.secret();
        let asked = sources
            .entry(ObjectId::new(Kind::Secret, secret))
            .or_default();
        asked
            .keys
            .extend(files.into_iter().map(|key| (key.to_owned(), true)));
        asked.required = true;
    }
    for variable in environment(stack) {
        if let Some((id, key, optional)) = of_variable(&variable) {
            let asked = sources.entry(id).or_default();
            *asked.keys.entry(key.to_owned()).or_default() |= !optional;
            asked.required |= !optional;
        }
    }
    for source in &stack.api.env_from {
        if let Some((id, optional)) = of_source(source) {
            let asked = sources.entry(id).or_default();
            asked.all = true;
            asked.required |= !optional;
        }
    }
    sources
}

/// Whether a spec, sound or not, names this object as one that variables come from.
pub fn names(spec: &TpStackSpec, id: &ObjectId) -> bool {
    let externals = [&spec.postgres.external, &spec.redis.external];
    let mut externals = externals.into_iter().flatten();
    if id.kind == Kind::Secret && externals.any(|external| external.secret_ref.name == id.name) {
        return true;
    }
    let variables = spec.api.env.iter().filter_map(of_variable);
    let sources = spec.api.env_from.iter().filter_map(of_source);
    variables
        .map(|(named, ..)| named)
        .chain(sources.map(|(named, _)| named))
        .any(|named| named == *id)
}

/// The object and the key that a variable's value comes from, and whether it may be missing.
fn of_variable(variable: &EnvVar) -> Option<(ObjectId, &str, bool)> {
    let source = variable.value_from.as_ref()?;
    if let Some(secret) = &source.secret_key_ref {
        let id = ObjectId::new(Kind::Secret, &secret.name);
        return Some((id, &secret.key, secret.optional == Some(true)));
    }
    let map = source.config_map_key_ref.as_ref()?;
    let id = ObjectId::new(Kind::ConfigMap, &map.name);
    Some((id, &map.key, map.optional == Some(true)))
}

/// The object whose keys become variables, and whether it may be missing.
fn of_source(source: &EnvFromSource) -> Option<(ObjectId, bool)> {
    if let Some(secret) = &source.secret_ref {
        let id = ObjectId::new(Kind::Secret, &secret.name);
        return Some((id, secret.optional == Some(true)));
    }
    let map = source.config_map_ref.as_ref()?;
    let id = ObjectId::new(Kind::ConfigMap, &map.name);
    Some((id, map.optional == Some(true)))
}

/// Takes up the data of one object after the other, in any order, and keeps a digest of each.
#[derive(Debug, Default)]
pub struct Reading {
    objects: BTreeMap<ObjectId, [u8; 32]>,
    missing: Vec<String>,
}

impl Reading {
    /// Takes up one object; `None` if it is not there.
    pub fn take(&mut self, id: ObjectId, asked: &Asked, data: Option<&Data>) {
        let mut digest = Sha256::new();
        let Some(data) = data else {
            if asked.required {
                self.missing.push(id.to_string());
            }
            self.objects.insert(id, digest.finalize().into());
            return;
        };
        digest.update([1]);
        let keys = asked.keys.keys();
        let all = data.keys().filter(|_| asked.all);
        let keys: std::collections::BTreeSet<&String> = keys.chain(all).collect();
        for key in keys {
            let value = data.get(key);
            if value.is_none() && asked.keys.get(key) == Some(&true) {
                self.missing.push(format!("key {key} of {id}"));
            }
            feed(&mut digest, key);
            digest.update([u8::from(value.is_some())]);
            feed(&mut digest, value.map_or("", String::as_str));
        }
        self.objects.insert(id, digest.finalize().into());
    }

    /// What was found of all of it.
    pub fn finish(self) -> Variables {
        let mut digest = Sha256::new();
        for (id, object) in &self.objects {
            feed(&mut digest, id.kind.resource().kind.as_str());
            feed(&mut digest, &id.name);
            digest.update(object);
        }
        Variables {
            digest: hexadecimal(&digest.finalize()),
            missing: self.missing,
        }
    }
}

/// With its length before it: no two texts run into one another.
fn feed(digest: &mut Sha256, text: &str) {
    digest.update(text.len().to_le_bytes());
    digest.update(text);
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes everything");
        text
    })
}

#[cfg(test)]
mod tests;
