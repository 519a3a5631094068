//! Volumes and credentials: what is kept must never change, whatever happens.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{kinds, objects::uid, sandbox::Sandbox};

/// Volumes and credentials as they were first seen: UID and content.
#[derive(Default)]
pub(crate) struct FirstSeen(BTreeMap<String, (String, Value)>);

impl FirstSeen {
    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// Fails if one is gone, or another object, or has other values.
    pub(crate) async fn compare(&mut self, sandbox: &Sandbox) {
        let mut now = BTreeMap::new();
        for kind in [kinds::SECRET, kinds::VOLUME_CLAIM] {
            for object in sandbox.list(&kind).await {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let content = object["data"].clone();
                now.insert(format!("{}/{name}", kind.kind), (uid(&object), content));
            }
        }
        for (id, before) in &self.0 {
            assert!(now.get(id) == Some(before), "{id} is not what it was");
        }
        self.0 = now;
    }
}
