//! Kept objects: new volumes and credentials, and what is held on those that are there. [pure]

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, Secret, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::metadata::{
    CREDENTIALS_UID, Component, INITIALIZED, POSTGRES_MAJOR, VOLUME_UID, owner_reference,
};
use super::{Children, Stores};
use crate::crd::DeletionPolicy;
use crate::kept::Pair;
use crate::kind::{Kind, ObjectId};
use crate::observed::{Observed, Ownership};
use crate::quantity::Size;
use crate::validate::Stack;

/// Annotations that tell what a kept object is; all of them ours.
const MARKS: [&str; 4] = [INITIALIZED, CREDENTIALS_UID, VOLUME_UID, POSTGRES_MAJOR];

/// The size the spec asks for, and the class; `None` when the store has no volume.
pub fn wanted_volume(stack: &Stack, component: Component) -> Option<(Size, Option<String>)> {
    match component {
        Component::Postgres => Some((
            stack.postgres.size.clone(),
            stack.postgres.storage_class_name.clone(),
        )),
        Component::Redis => stack
            .redis
            .as_ref()?
            .storage
            .clone()
            .map(|size| (size, None)),
        Component::Api | Component::Migrate => None,
    }
}

/// A volume that was never made. It has no owner, whatever the policy says: that is added once it is known to be ours.
pub fn new_volume(stack: &Stack, component: Component) -> Option<PersistentVolumeClaim> {
    let (size, class) = wanted_volume(stack, component)?;
    Some(PersistentVolumeClaim {
        metadata: component.unowned(stack, component.volume_name(&stack.name)),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: class,
            ..size_request(&size)
        }),
        ..PersistentVolumeClaim::default()
    })
}

/// Credentials that were never made, without their values.
pub fn new_credentials(stack: &Stack, component: Component) -> Secret {
    Secret {
        metadata: component.unowned(stack, component.credentials_name(&stack.name)),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}

/// Adds what is held on the kept objects that are there.
///
/// A store that is turned off or left alone keeps its marks as they are, and still follows the deletion policy.
pub fn add(stack: &Stack, observed: &Observed, stores: &Stores, children: &mut Children) {
    for (component, pair) in [
        (Component::Postgres, &stores.postgres),
        (Component::Redis, &stores.redis),
    ] {
        let volume_id = ObjectId::new(
            Kind::PersistentVolumeClaim,
            component.volume_name(&stack.name),
        );
        if let Some(metadata) = kept(stack, component, &volume_id, observed) {
            let pair = pair.as_ref().filter(|pair| pair.volume_uid.is_some());
            let spec = pair
                .and_then(|_| wanted_volume(stack, component))
                .map(|(size, _)| {
                    // An adopted volume may be larger than what is asked for: it stays as it is.
                    size_request(
                        &size.at_least(observed.volume_sizes.get(&volume_id.name).cloned()),
                    )
                });
            let marks = pair.map(|pair| volume_marks(stack, component, pair));
            children.volumes.push(PersistentVolumeClaim {
                metadata: with_marks(metadata, marks),
                spec,
                ..PersistentVolumeClaim::default()
            });
        }
        let secret_id = ObjectId::new(Kind::Secret, component.credentials_name(&stack.name));
        if let Some(metadata) = kept(stack, component, &secret_id, observed) {
            let marks = pair
                .as_ref()
                .filter(|pair| pair.volume_uid.is_some())
                .map(secret_marks);
            children.credentials.push(Secret {
                metadata: with_marks(metadata, marks),
                ..Secret::default()
            });
        }
    }
}

fn size_request(size: &Size) -> PersistentVolumeClaimSpec {
    PersistentVolumeClaimSpec {
        resources: Some(VolumeResourceRequirements {
            requests: Some(BTreeMap::from([(
                "storage".to_owned(),
                Quantity(size.as_str().to_owned()),
            )])),
            ..VolumeResourceRequirements::default()
        }),
        ..PersistentVolumeClaimSpec::default()
    }
}

/// Metadata held on a kept object of ours, with the marks it has now.
fn kept(
    stack: &Stack,
    component: Component,
    id: &ObjectId,
    observed: &Observed,
) -> Option<ObjectMeta> {
    if observed.ownership(id, &stack.name, &stack.uid) != Ownership::Ours {
        return None;
    }
    let now = observed.object(id)?.annotations.clone().unwrap_or_default();
    let marks: BTreeMap<String, String> = now
        .into_iter()
        .filter(|(key, _)| MARKS.contains(&key.as_str()))
        .collect();
    Some(ObjectMeta {
        annotations: (!marks.is_empty()).then_some(marks),
        owner_references: (stack.deletion_policy == DeletionPolicy::Delete)
            .then(|| vec![owner_reference(stack)]),
        ..component.unowned(stack, id.name.clone())
    })
}

fn with_marks(metadata: ObjectMeta, marks: Option<BTreeMap<String, String>>) -> ObjectMeta {
    match marks {
        Some(marks) => ObjectMeta {
            annotations: Some(marks),
            ..metadata
        },
        None => metadata,
    }
}

fn volume_marks(stack: &Stack, component: Component, pair: &Pair) -> BTreeMap<String, String> {
    let mut marks = BTreeMap::from([(CREDENTIALS_UID.to_owned(), pair.credentials_uid.clone())]);
    if component == Component::Postgres {
        marks.insert(POSTGRES_MAJOR.to_owned(), stack.postgres.version.clone());
    }
    if pair.initialized {
        marks.insert(INITIALIZED.to_owned(), "true".to_owned());
    }
    marks
}

fn secret_marks(pair: &Pair) -> BTreeMap<String, String> {
    let mut marks: BTreeMap<String, String> = pair
        .volume_uid
        .iter()
        .map(|uid| (VOLUME_UID.to_owned(), uid.clone()))
        .collect();
    if pair.initialized {
        marks.insert(INITIALIZED.to_owned(), "true".to_owned());
    }
    marks
}
