//! What was applied and accepted in this process, so that a settled stack costs reads only. Never a reason to believe:
//! an apply is left out only while the child still has the very version that the API server gave it then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kube::api::DynamicObject;
use kube::core::ObjectMeta;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::kind::{Kind, ObjectId};

/// What was applied, by stack. Empty after a start: then everything is applied once, and drift is found.
#[derive(Debug, Default)]
pub struct Memory {
    stacks: Mutex<HashMap<(String, String), Applies>>,
}

/// The applies of one stack that were accepted.
pub type Applies = HashMap<ObjectId, Accepted>;

/// One apply that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    digest: [u8; 32],
    uid: Option<String>,
    version: Option<String>,
    object: Option<DynamicObject>,
}

impl Memory {
    /// The applies of a stack, taken out: whoever is interrupted leaves nothing behind, and the next run applies all.
    pub fn take(&self, namespace: &str, stack: &str) -> Applies {
        self.lock()
            .remove(&key(namespace, stack))
            .unwrap_or_default()
    }

    /// Keeps the applies of a run, in place of those of earlier ones.
    pub fn put(&self, namespace: &str, stack: &str, applies: Applies) {
        self.lock().insert(key(namespace, stack), applies);
    }

    /// Forgets stacks that are gone.
    pub fn retain(&self, exists: impl Fn(&str, &str) -> bool) {
        self.lock()
            .retain(|(namespace, name), _| exists(namespace, name));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Applies>> {
        self.stacks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accepted {
    /// Notes an apply: what was wanted, and the metadata that came back. Of workloads the object too, for its status.
    pub fn new(wanted: &Value, metadata: &ObjectMeta, object: Option<DynamicObject>) -> Self {
        Self {
            digest: digest(wanted),
            uid: metadata.uid.clone(),
            version: metadata.resource_version.clone(),
            object,
        }
    }

    /// Whether the same was accepted, and nothing has changed the object since.
    pub fn holds(&self, wanted: &Value, seen: &ObjectMeta) -> bool {
        self.version.is_some()
            && self.version == seen.resource_version
            && self.uid == seen.uid
            && self.digest == digest(wanted)
    }

    /// The object as it came back and still is, if it was kept.
    pub fn object(&self) -> Option<&DynamicObject> {
        self.object.as_ref()
    }
}

/// The object to keep: that of kinds whose status is told, without what only the API server needs.
pub fn told(kind: Kind, object: &DynamicObject) -> Option<DynamicObject> {
    matches!(
        kind,
        Kind::Deployment | Kind::StatefulSet | Kind::Certificate
    )
    .then(|| {
        let mut object = object.clone();
        object.metadata.managed_fields = None;
        object
    })
}

fn key(namespace: &str, stack: &str) -> (String, String) {
    (namespace.to_owned(), stack.to_owned())
}

/// Of the whole desired object. How it is sent does not count: what was accepted without force needed none.
fn digest(wanted: &Value) -> [u8; 32] {
    Sha256::digest(wanted.to_string()).into()
}

#[cfg(test)]
mod tests {
    use kube::core::ObjectMeta;
    use serde_json::json;

    use super::{Accepted, Memory, told};
    use crate::kind::{Kind, ObjectId};

    fn metadata(uid: &str, version: &str) -> ObjectMeta {
        ObjectMeta {
            uid: Some(uid.to_owned()),
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn only_the_same_wish_for_the_same_version_of_the_same_object_holds() {
        let wanted = json!({"spec": {"replicas": 2}});
        let accepted = Accepted::new(&wanted, &metadata("uid-1", "7"), None);
        assert!(accepted.holds(&wanted, &metadata("uid-1", "7")));
        assert!(
            !accepted.holds(&wanted, &metadata("uid-1", "8")),
            "somebody wrote to it"
        );
        assert!(
            !accepted.holds(&wanted, &metadata("uid-2", "7")),
            "it is another object"
        );
        let other = json!({"spec": {"replicas": 3}});
        assert!(!accepted.holds(&other, &metadata("uid-1", "7")));
    }

    #[test]
    fn an_answer_without_a_version_is_no_proof() {
        let wanted = json!({});
        let accepted = Accepted::new(&wanted, &ObjectMeta::default(), None);
        assert!(!accepted.holds(&wanted, &ObjectMeta::default()));
    }

    #[test]
    fn a_run_that_is_interrupted_leaves_nothing_to_rely_on() {
        let memory = Memory::default();
        let id = ObjectId::new(Kind::Service, "shop-api");
        let accepted = Accepted::new(&json!({}), &metadata("uid-1", "7"), None);
        memory.put("default", "shop", [(id, accepted)].into());
        assert_eq!(memory.take("default", "shop").len(), 1);
        assert!(memory.take("default", "shop").is_empty());
    }

    #[test]
    fn stacks_that_are_gone_are_forgotten() {
        let memory = Memory::default();
        for name in ["here", "gone"] {
            let id = ObjectId::new(Kind::Service, name);
            let accepted = Accepted::new(&json!({}), &metadata("uid-1", "7"), None);
            memory.put("default", name, [(id, accepted)].into());
        }
        memory.retain(|_, name| name == "here");
        assert_eq!(memory.take("default", "here").len(), 1);
        assert!(memory.take("default", "gone").is_empty());
    }

    #[test]
    fn of_workloads_alone_the_object_is_kept_and_without_its_managers() {
        let mut object: kube::api::DynamicObject = serde_json::from_value(json!({
            "metadata": {"name": "shop-api", "managedFields": [{"manager": "somebody"}]},
            "status": {"readyReplicas": 1},
        }))
        .unwrap();
        let kept = told(Kind::Deployment, &object).unwrap();
        object.metadata.managed_fields = None;
        assert_eq!(kept, object);
        assert!(told(Kind::Service, &object).is_none());
    }
}
