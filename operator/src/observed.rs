//! What was read of the cluster for one stack: all that a decision may depend on. Data only.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::PodTemplateSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use crate::crd::GROUP;
use crate::desired::metadata::{FIELD_MANAGER, INSTANCE_LABEL, MANAGED_BY, MANAGED_BY_LABEL};
use crate::kind::{Kind, ObjectId, OptionalApi};
use crate::quantity::Size;
use crate::variables::Variables;

/// Optional APIs the cluster serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<OptionalApi>);

impl Capabilities {
    /// All of them.
    pub fn all() -> Self {
        OptionalApi::ALL.into_iter().collect()
    }

    /// Whether this one is served.
    pub fn has(&self, api: OptionalApi) -> bool {
        self.0.contains(&api)
    }

    /// Whether objects of this kind can be read and written.
    pub fn serves(&self, kind: Kind) -> bool {
        kind.optional().is_none_or(|api| self.has(api))
    }
}

impl FromIterator<OptionalApi> for Capabilities {
    fn from_iter<I: IntoIterator<Item = OptionalApi>>(apis: I) -> Self {
        Self(apis.into_iter().collect())
    }
}

/// What was read for one stack.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Optional APIs.
    pub capabilities: Capabilities,
    /// Every object that stands at a name of ours or wears our labels: its metadata.
    pub objects: BTreeMap<ObjectId, ObjectMeta>,
    /// Requested size of each volume claim that is there, by name.
    pub volume_sizes: BTreeMap<String, Size>,
    /// Secrets that others bring and the spec names, by their names: those that are there.
    pub references: BTreeMap<String, ObjectMeta>,
    /// Kinds that may not be read, each with the API server's words.
    pub forbidden: BTreeMap<Kind, String>,
    /// Names of the stores whose workload has a ready pod of its present generation.
    pub ready_stores: BTreeSet<String>,
    /// What the API's Deployment makes its pods from, if it is there.
    pub serving: Option<Box<PodTemplateSpec>>,
    /// How many pods the API's Deployment is to have, if it is there.
    pub live_replicas: Option<i32>,
    /// What the API's variables come from, in short; `None` where it is not known.
    pub variables: Option<Variables>,
    /// How far the Job is that the spec asks for, by its name; empty when it is not there.
    pub jobs: BTreeMap<String, JobState>,
}

/// How far a Job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It has not ended.
    Running,
    /// It has succeeded.
    Complete,
    /// It has given up; in Kubernetes' words.
    Failed(String),
}

/// Whose an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Nothing stands at that name.
    Absent,
    /// Ours: controlled by this TpStack, or without a controller and made by us.
    Ours,
    /// Controlled by a TpStack that is gone: the garbage collector is about to delete it.
    Orphan,
    /// Somebody else's.
    Foreign,
}

impl Observed {
    /// Whether objects of this kind were read: the API is served and nobody forbade it.
    pub fn may_read(&self, kind: Kind) -> bool {
        self.capabilities.serves(kind) && !self.forbidden.contains_key(&kind)
    }

    /// Metadata of the object at this name.
    pub fn object(&self, id: &ObjectId) -> Option<&ObjectMeta> {
        self.objects.get(id)
    }

    /// Whose the object at this name is, seen from the TpStack `name` with this UID.
    pub fn ownership(&self, id: &ObjectId, name: &str, uid: &str) -> Ownership {
        let Some(metadata) = self.object(id) else {
            return Ownership::Absent;
        };
        let controller = metadata
            .owner_references
            .iter()
            .flatten()
            .find(|owner| owner.controller == Some(true));
        let is_kept = id.kind.is_kept();
        match controller {
            Some(owner) if owner.uid == uid => Ownership::Ours,
            Some(owner) if is_namesake(owner, name) => Ownership::Orphan,
            // Without a controller: kept objects never had one, others were orphaned or tampered with. Our own
            // server-side apply left its mark on them, which a label somebody copied does not imitate.
            None if applied_by_us(metadata) || (is_kept && wears_our_labels(metadata, name)) => {
                Ownership::Ours
            }
            Some(_) | None => Ownership::Foreign,
        }
    }
}

/// Whether an object may be deleted for the TpStack of this name and UID: it wears our labels and that UID, both.
pub fn is_ours_to_delete(metadata: &ObjectMeta, name: &str, uid: &str) -> bool {
    wears_our_labels(metadata, name)
        && metadata.deletion_timestamp.is_none()
        && metadata
            .owner_references
            .iter()
            .flatten()
            .any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

/// Whether an owner is a TpStack of this name, of another time.
fn is_namesake(owner: &OwnerReference, name: &str) -> bool {
    owner.kind == "TpStack"
        && owner.name == name
        && owner.api_version.starts_with(&format!("{GROUP}/"))
}

fn wears_our_labels(metadata: &ObjectMeta, stack: &str) -> bool {
    let label = |key: &str| {
        metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(key))
            .map(String::as_str)
    };
    label(MANAGED_BY_LABEL) == Some(MANAGED_BY) && label(INSTANCE_LABEL) == Some(stack)
}

fn applied_by_us(metadata: &ObjectMeta) -> bool {
    let mut entries = metadata.managed_fields.iter().flatten();
    entries.any(|entry| {
        entry.manager.as_deref() == Some(FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Observed, Ownership};
    use crate::kind::{Kind, ObjectId};

    fn check(kind: Kind, metadata: &Value, expected: Ownership) {
        let id = ObjectId::new(kind, "shop-x");
        let mut observed = Observed::default();
        observed.objects.insert(
            id.clone(),
            serde_json::from_value(metadata.clone()).unwrap(),
        );
        assert_eq!(
            observed.ownership(&id, "shop", "uid-1"),
            expected,
            "{metadata}"
        );
    }

    fn owner(kind: &str, name: &str, uid: &str) -> Value {
        json!({"ownerReferences": [{"apiVersion": "tpstack.dev/v1alpha1", "kind": kind, "name": name, "uid": uid, "controller": true}]})
    }

    #[test]
    fn the_controller_decides() {
        check(
            Kind::Service,
            &owner("TpStack", "shop", "uid-1"),
            Ownership::Ours,
        );
        check(
            Kind::Service,
            &owner("TpStack", "shop", "uid-0"),
            Ownership::Orphan,
        );
        check(
            Kind::Service,
            &owner("TpStack", "other", "uid-0"),
            Ownership::Foreign,
        );
        check(
            Kind::Service,
            &owner("Deployment", "shop", "uid-0"),
            Ownership::Foreign,
        );
    }

    #[test]
    fn labels_alone_make_only_kept_objects_ours() {
        let labels = json!({"labels": {"app.kubernetes.io/managed-by": "tpstack-operator", "app.kubernetes.io/instance": "shop"}});
        check(Kind::Secret, &labels, Ownership::Ours);
        check(Kind::PersistentVolumeClaim, &labels, Ownership::Ours);
        check(Kind::Service, &labels, Ownership::Foreign);
        let others = json!({"labels": {"app.kubernetes.io/managed-by": "tpstack-operator", "app.kubernetes.io/instance": "shop-two"}});
        check(Kind::Secret, &others, Ownership::Foreign);
    }

    #[test]
    fn what_we_applied_is_ours_without_its_controller() {
        let applied =
            |manager| json!({"managedFields": [{"manager": manager, "operation": "Apply"}]});
        check(Kind::Service, &applied("tpstack-operator"), Ownership::Ours);
        check(Kind::Service, &applied("kubectl"), Ownership::Foreign);
    }

    #[test]
    fn nothing_there_is_absent() {
        let id = ObjectId::new(Kind::Service, "shop-x");
        assert_eq!(
            Observed::default().ownership(&id, "shop", "uid-1"),
            Ownership::Absent
        );
    }
}
