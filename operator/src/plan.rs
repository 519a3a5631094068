//! What is to be done next for a stack: make what was never made, apply the rest, or stop. [pure]

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Secret};

use crate::crd::TpStack;
use crate::desired::metadata::{COMPONENT_LABEL, Component};
use crate::desired::routes::certificate;
use crate::desired::{Children, Object, Part, Stores, desired, storage};
use crate::kept::{Loss, Pair, Store, Verdict, accepted_loss, decide};
use crate::kind::{Kind, ObjectId};
use crate::migration::{self, Migration, Stage};
use crate::observed::{Observed, Ownership, is_ours_to_delete};
use crate::references::{self, Missing};
use crate::settings::Images;
use crate::validate::Stack;

/// What is to be done next.
#[derive(Clone, Debug)]
pub enum Plan {
    /// Nothing, until somebody acts, but what the deletion policy says of the kept objects that are there: whoever
    /// turns it to Retain now must be able to rely on it.
    Stop(Loss, Vec<Object>),
    /// Make these, then look again.
    Create(Vec<Creation>),
    /// Write these.
    Apply(Box<Work>),
}

/// Something that is made once, by POST.
#[derive(Clone, Debug)]
pub enum Creation {
    /// A volume.
    Volume(Component, Box<PersistentVolumeClaim>),
    /// Credentials, whose values are drawn when they are made.
    Credentials(Component, Box<Secret>),
}

impl Creation {
    /// The store it is for.
    pub fn component(&self) -> Component {
        match self {
            Self::Volume(component, _) | Self::Credentials(component, _) => *component,
        }
    }
}

/// What to write, and what not.
#[derive(Clone, Debug, Default)]
pub struct Work {
    /// To be applied: ours, or not there yet.
    pub objects: Vec<Object>,
    /// To be deleted once everything was applied, each with its UID.
    pub prune: Vec<(ObjectId, String)>,
    /// Names taken by somebody else's object.
    pub conflicts: Vec<(Part, ObjectId)>,
    /// What may not be read, and so is not written either: part and the API server's words.
    pub forbidden: Vec<(Part, String)>,
    /// What is waited for.
    pub waits: Vec<(Part, String)>,
    /// What keeps stores of others from being used.
    pub missing: Vec<(Part, Missing)>,
    /// The stores as they are held now.
    pub stores: Stores,
    /// What becomes of the API's pods, and of the Job before them.
    pub migration: Migration,
}

impl Work {
    /// Whether a migration waits until a Job before it is gone: its removal is not left to an event alone, which may be
    /// missed. (What somebody else's object holds up is looked at again with the conflict.)
    pub fn waits_for_removal(&self) -> bool {
        self.conflicts.is_empty() && matches!(self.migration.stage, Stage::Waits(_))
    }
}

/// Plans the next step for `stack`. `blocked` are stores whose volume or credentials could not be made just now.
pub fn plan(
    raw: &TpStack,
    stack: &Stack,
    images: &Images,
    observed: &Observed,
    blocked: &BTreeSet<Component>,
) -> Plan {
    let mut work = Work::default();
    let mut creations = Vec::new();
    for component in [Component::Postgres, Component::Redis] {
        let part = store_part(component);
        if stack.external.of(component).is_some() {
            others(stack, component, observed, &mut work);
            continue;
        }
        if component == Component::Redis && stack.redis.is_none() {
            continue;
        }
        let kept = [Kind::Secret, Kind::PersistentVolumeClaim];
        if let Some(words) = kept.iter().find_map(|kind| observed.forbidden.get(kind)) {
            // Blind to what is kept, nothing is decided about it.
            work.forbidden.push((part, words.clone()));
            continue;
        }
        let store = store(raw, stack, component);
        match decide(stack, &store, observed) {
            Verdict::Lost(loss) => return Plan::Stop(loss, policy(stack, observed)),
            Verdict::Create {
                volume,
                credentials,
            } if !blocked.contains(&component) => {
                let new_volume = volume
                    .then(|| storage::new_volume(stack, component))
                    .flatten();
                creations
                    .extend(new_volume.map(|volume| Creation::Volume(component, Box::new(volume))));
                if credentials {
                    creations.push(Creation::Credentials(
                        component,
                        Box::new(storage::new_credentials(stack, component)),
                    ));
                }
            }
            Verdict::Create { .. } => {}
            Verdict::Keep(pair) => {
                *held(&mut work.stores, component) = Some(with_mark(pair, stack, &store, observed));
            }
            Verdict::Wait(message) => work.waits.push((part, message)),
            Verdict::Conflict(id) => work.conflicts.push((part, id)),
        }
    }
    if !creations.is_empty() {
        return Plan::Create(creations);
    }
    work.migration = migration::decide(stack, images, observed, &work.stores);
    let children = desired(stack, images, observed, &work.stores, &work.migration);
    let objects = children.into_objects();
    work.prune = prune(stack, &objects, observed, &work);
    for object in objects {
        if let Some(words) = observed.forbidden.get(&object.id.kind) {
            work.forbidden.push((object.part, words.clone()));
            continue;
        }
        if object.id.kind == Kind::Certificate {
            // Blind to Secrets, nobody is told to write one.
            if let Some(words) = observed.forbidden.get(&Kind::Secret) {
                work.forbidden.push((object.part, words.clone()));
                continue;
            }
            if let Some(secret) = certificate::secret_in_the_way(&stack.name, observed) {
                work.conflicts.push((object.part, secret));
                continue;
            }
        }
        match observed.ownership(&object.id, &stack.name, &stack.uid) {
            Ownership::Absent | Ownership::Ours => work.objects.push(object),
            Ownership::Foreign => work.conflicts.push((object.part, object.id)),
            Ownership::Orphan => {
                let message = format!(
                    "{} belongs to a TpStack of this name that was deleted; waiting for its removal",
                    object.id
                );
                work.waits.push((object.part, message));
            }
        }
    }
    Plan::Apply(Box::new(work))
}

/// Takes up a store that somebody else runs, or tells what is missing.
fn others(stack: &Stack, component: Component, observed: &Observed, work: &mut Work) {
    let Some(external) = stack.external.of(component) else {
        return;
    };
    let part = store_part(component);
    if let Some(words) = observed.forbidden.get(&Kind::Secret) {
        work.forbidden.push((part, words.clone()));
        return;
    }
    match references::look(stack, component, external, observed) {
        Ok(credentials_uid) => {
            *held(&mut work.stores, component) = Some(Pair {
                credentials_uid,
                ..Pair::default()
            });
        }
        Err(missing) => work.missing.push((part, missing)),
    }
}

/// The stores as they stand, whether or not anything may be written: what a stack that is paused must not forget.
pub fn standing(raw: &TpStack, stack: &Stack, observed: &Observed) -> Stores {
    let mut stores = Stores::default();
    let ours = |component: &Component| stack.external.of(*component).is_none();
    for component in [Component::Postgres, Component::Redis]
        .into_iter()
        .filter(ours)
    {
        let store = store(raw, stack, component);
        if let Verdict::Keep(pair) = decide(stack, &store, observed) {
            *held(&mut stores, component) = Some(with_mark(pair, stack, &store, observed));
        }
    }
    stores
}

/// The kept objects that are there, with their marks as they are and the owner that the deletion policy asks for.
fn policy(stack: &Stack, observed: &Observed) -> Vec<Object> {
    let mut children = Children::default();
    storage::add(stack, observed, &Stores::default(), &mut children);
    children.into_objects()
}

/// Name and UID of everything a fresh cluster would be given, for `tpstack render`.
pub fn fresh(raw: &TpStack, stack: &Stack, images: &Images, observed: &Observed) -> Vec<Object> {
    let creations = match plan(raw, stack, images, observed, &BTreeSet::new()) {
        Plan::Create(creations) => creations,
        // Nothing is made once where both stores are somebody else's.
        Plan::Apply(_) => Vec::new(),
        Plan::Stop(..) => return Vec::new(),
    };
    let mut stores = Stores::default();
    for component in [Component::Postgres, Component::Redis] {
        if stack.external.of(component).is_some() {
            *held(&mut stores, component) = Some(Pair::default());
        }
    }
    let mut kept = Children::default();
    for creation in creations {
        let component = creation.component();
        let pair = held(&mut stores, component).get_or_insert_default();
        match creation {
            Creation::Volume(_, volume) => {
                pair.volume_uid = Some(String::new());
                kept.volumes.push(*volume);
            }
            Creation::Credentials(_, mut secret) => {
                let values = credential_values(stack, component, String::new);
                secret.string_data =
                    Some(values.into_keys().map(|key| (key, String::new())).collect());
                kept.credentials.push(*secret);
            }
        }
    }
    let mut objects = kept.into_objects();
    let migration = Migration::fresh(stack, images);
    objects.extend(desired(stack, images, observed, &stores, &migration).into_objects());
    objects
}

/// Values of a store's Secret; `password` draws one.
pub fn credential_values(
    stack: &Stack,
    component: Component,
    password: impl FnMut() -> String,
) -> std::collections::BTreeMap<String, String> {
    match component {
        Component::Postgres => crate::desired::postgres::credentials(stack, password),
        Component::Redis => crate::desired::redis::credentials(stack, password),
        Component::Api | Component::Migrate => std::collections::BTreeMap::new(),
    }
}

/// The part whose condition tells about a component.
pub fn store_part(component: Component) -> Part {
    match component {
        Component::Api | Component::Migrate => Part::Api,
        Component::Postgres => Part::Postgres,
        Component::Redis => Part::Redis,
    }
}

fn store<'a>(raw: &'a TpStack, stack: &'a Stack, component: Component) -> Store<'a> {
    let status = raw.status.as_ref();
    let remembered = match component {
        Component::Postgres => status
            .and_then(|s| s.postgres.as_ref())
            .and_then(|p| p.volume_uid.as_deref()),
        Component::Redis => status.and_then(|s| s.redis_volume_uid.as_deref()),
        Component::Api | Component::Migrate => None,
    };
    Store {
        component,
        wants_volume: storage::wanted_volume(stack, component).is_some(),
        major: (component == Component::Postgres).then_some(stack.postgres.version.as_str()),
        remembered,
        accepted: accepted_loss(raw.metadata.annotations.as_ref()),
    }
}

fn held(stores: &mut Stores, component: Component) -> &mut Option<Pair> {
    match component {
        Component::Redis => &mut stores.redis,
        Component::Postgres | Component::Api | Component::Migrate => &mut stores.postgres,
    }
}

/// The mark is set when the store was first ready on this volume: from then on there is something to lose. So it is
/// when the status remembers that, from a time at which nothing could be marked.
fn with_mark(pair: Pair, stack: &Stack, store: &Store<'_>, observed: &Observed) -> Pair {
    let is_ready = observed
        .ready_stores
        .contains(&store.component.name(&stack.name));
    let is_remembered = store.remembered == pair.volume_uid.as_deref();
    Pair {
        initialized: pair.initialized || (pair.volume_uid.is_some() && (is_ready || is_remembered)),
        ..pair
    }
}

/// What carries our labels and this TpStack's UID, and is not wanted any more. Never a volume, never credentials, and
/// nothing of a store that is left alone; a migration's Job only once the API has what it was made for.
fn prune(
    stack: &Stack,
    objects: &[Object],
    observed: &Observed,
    work: &Work,
) -> Vec<(ObjectId, String)> {
    let wanted: BTreeSet<&ObjectId> = objects.iter().map(|object| &object.id).collect();
    let left_alone = |component: &str| match component {
        "postgres" => work.stores.postgres.is_none(),
        // Our own serves until the Secret of somebody else's is there.
        "redis" => {
            (stack.redis.is_some() || stack.external.redis.is_some()) && work.stores.redis.is_none()
        }
        _ => false,
    };
    let of_migration = |id: &ObjectId| match &work.migration.stage {
        _ if id.kind != Kind::Job => false,
        Stage::NotAsked => false,
        // Kubernetes takes it away after a while: until then its logs can be read.
        Stage::Done(name) => id.name == *name,
        // What is in the way is deleted as such.
        Stage::Stopped | Stage::Waits(_) | Stage::Running(_) | Stage::Failed(..) => true,
    };
    let unwanted = observed.objects.iter().filter(|(id, metadata)| {
        let component = metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(COMPONENT_LABEL))
            .map_or("", String::as_str);
        !id.kind.is_kept()
            && !wanted.contains(id)
            && !of_migration(id)
            && !left_alone(component)
            && is_ours_to_delete(metadata, &stack.name, &stack.uid)
    });
    unwanted
        .filter_map(|(id, metadata)| Some((id.clone(), metadata.uid.clone()?)))
        .collect()
}

#[cfg(test)]
mod tests;
