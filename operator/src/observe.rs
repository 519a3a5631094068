//! Reads everything a decision about one stack needs. [io: reads]
//!
//! Secrets are read as metadata, but for what the API's variables come from (`observe/variables`).

use futures::future::join_all;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{NamespaceResourceScope, ObjectMeta};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::desired::metadata::{Component, children_selector, possible_children};
use crate::kind::{Kind, ObjectId};
use crate::observed::{Capabilities, JobState, Observed};
use crate::quantity::Size;

pub mod variables;

/// An object that was read: the whole of it where more than its metadata decides, so that both are of one moment.
enum Found {
    Metadata(Kind, ObjectMeta),
    Claim(PersistentVolumeClaim),
    Deployment(Deployment),
    StatefulSet(StatefulSet),
    Job(Job),
}

/// Reads what is there for the stack of this name. `migration` is the name of the Job that the spec asks for, `references`
/// are the Secrets of others that it names, `asked` what few specs ask for and this one does. Two looks: at what wears the
/// stack's labels, and then at the names that are its own and were not among that.
pub async fn observe(
    client: &Client,
    namespace: &str,
    stack: &str,
    migration: Option<&str>,
    references: &[&str],
    asked: &[ObjectId],
    capabilities: Capabilities,
) -> Result<Observed, Error> {
    let mut observed = Observed {
        capabilities,
        ..Observed::default()
    };
    let reader = Reader { client, namespace };
    let kinds = Kind::ALL
        .into_iter()
        .filter(|kind| observed.capabilities.serves(*kind));
    let selector = children_selector(stack);
    let lists = kinds.map(async |kind| (kind, reader.list(kind, &selector).await));
    for (kind, listed) in join_all(lists).await {
        for found in allowed(kind, listed, &mut observed)?.into_iter().flatten() {
            note(found, stack, migration, &mut observed);
        }
    }
    // What stands at a name of ours without our labels: somebody else's, or ours and tampered with.
    let unseen: Vec<ObjectId> = possible_children(stack)
        .into_iter()
        .chain(migration.map(|job| ObjectId::new(Kind::Job, job)))
        .chain(asked.iter().cloned())
        .filter(|id| observed.may_read(id.kind) && !observed.objects.contains_key(id))
        .collect();
    let looks = unseen
        .iter()
        .map(async |id| (id.kind, reader.get(id).await));
    for (kind, found) in join_all(looks).await {
        if let Some(found) = allowed(kind, found, &mut observed)?.flatten() {
            note(found, stack, migration, &mut observed);
        }
    }
    if observed.may_read(Kind::Secret) {
        let ids: Vec<ObjectId> = references
            .iter()
            .map(|name| ObjectId::new(Kind::Secret, *name))
            .collect();
        let looks = ids.iter().map(async |id| (id, reader.get(id).await));
        for (id, found) in join_all(looks).await {
            if let Some(Found::Metadata(_, metadata)) =
                allowed(id.kind, found, &mut observed)?.flatten()
            {
                observed.references.insert(id.name.clone(), metadata);
            }
        }
    }
    Ok(observed)
}

/// What was read. One right that is missing takes one kind away, by its name, and not the whole stack.
fn allowed<T>(
    kind: Kind,
    read: Result<T, Error>,
    observed: &mut Observed,
) -> Result<Option<T>, Error> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) => {
            let words = error.forbidden().ok_or(error)?;
            observed.forbidden.insert(kind, words);
            Ok(None)
        }
    }
}

/// Puts an object where decisions look for it.
fn note(found: Found, stack: &str, migration: Option<&str>, observed: &mut Observed) {
    let (kind, metadata) = match found {
        Found::Metadata(kind, metadata) => (kind, metadata),
        Found::Claim(claim) => {
            let requests = claim
                .spec
                .and_then(|spec| spec.resources)
                .and_then(|resources| resources.requests);
            let size = requests.and_then(|requests| Size::parse(&requests.get("storage")?.0));
            let name = claim.metadata.name.clone().unwrap_or_default();
            observed.volume_sizes.extend(size.map(|size| (name, size)));
            (Kind::PersistentVolumeClaim, claim.metadata)
        }
        Found::StatefulSet(set) => {
            if is_ready(&set) {
                observed.ready_stores.insert(set.name_any());
            }
            (Kind::StatefulSet, set.metadata)
        }
        Found::Deployment(deployment) => {
            if deployment.name_any() == Component::Api.name(stack)
                && let Some(spec) = deployment.spec
            {
                observed.live_replicas = spec.replicas;
                observed.serving = Some(Box::new(spec.template));
            }
            (Kind::Deployment, deployment.metadata)
        }
        Found::Job(job) => {
            let name = job.name_any();
            if migration == Some(name.as_str()) {
                observed.jobs.insert(name, job_state(&job));
            }
            (Kind::Job, job.metadata)
        }
    };
    let id = ObjectId::new(kind, metadata.name.clone().unwrap_or_default());
    observed.objects.insert(id, metadata);
}

/// Whether a workload has a ready pod of its present generation.
fn is_ready(set: &StatefulSet) -> bool {
    let status = set.status.as_ref();
    let ready = status
        .and_then(|status| status.ready_replicas)
        .unwrap_or_default();
    ready >= 1 && status.and_then(|status| status.observed_generation) >= set.metadata.generation
}

/// Reads objects of one namespace, by kind.
struct Reader<'a> {
    client: &'a Client,
    namespace: &'a str,
}

impl Reader<'_> {
    async fn list(&self, kind: Kind, selector: &str) -> Result<Vec<Found>, Error> {
        let params = ListParams::default().labels(selector);
        let listed = match kind {
            Kind::PersistentVolumeClaim => self.list_whole(&params, Found::Claim).await,
            Kind::Deployment => self.list_whole(&params, Found::Deployment).await,
            Kind::StatefulSet => self.list_whole(&params, Found::StatefulSet).await,
            Kind::Job => self.list_whole(&params, Found::Job).await,
            kind => {
                let list = self.metadata(kind).list_metadata(&params).await;
                list.map(|list| {
                    let metadata = list.items.into_iter().map(|object| object.metadata);
                    metadata
                        .map(|metadata| Found::Metadata(kind, metadata))
                        .collect()
                })
            }
        };
        listed.map_err(|source| Error::List { kind, source })
    }

    async fn list_whole<K: Whole>(
        &self,
        params: &ListParams,
        found: fn(K) -> Found,
    ) -> Result<Vec<Found>, kube::Error> {
        let list = self.whole::<K>().list(params).await?;
        Ok(list.items.into_iter().map(found).collect())
    }

    async fn get(&self, id: &ObjectId) -> Result<Option<Found>, Error> {
        let name = &id.name;
        let got = match id.kind {
            Kind::PersistentVolumeClaim => self.whole().get(name).await.map(Found::Claim),
            Kind::Deployment => self.whole().get(name).await.map(Found::Deployment),
            Kind::StatefulSet => self.whole().get(name).await.map(Found::StatefulSet),
            Kind::Job => self.whole().get(name).await.map(Found::Job),
            kind => {
                let got = self.metadata(kind).get_metadata(name).await;
                got.map(|object| Found::Metadata(kind, object.metadata))
            }
        };
        match got {
            Ok(found) => Ok(Some(found)),
            // By the code alone: kube's own helper misses answers that are not JSON.
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(source) => Err(Error::Get {
                id: id.clone(),
                source,
            }),
        }
    }

    fn whole<K: Whole>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), self.namespace)
    }

    fn metadata(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), self.namespace, &kind.resource())
    }
}

/// A type of Kubernetes' own whose objects live in namespaces.
trait Whole:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + DeserializeOwned
    + std::fmt::Debug
{
}

impl<K> Whole for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
{
}

fn job_state(job: &Job) -> JobState {
    let conditions = job
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    let holds = |name: &str| {
        conditions
            .into_iter()
            .flatten()
            .find(|condition| condition.type_ == name && condition.status == "True")
    };
    if holds("Complete").is_some() {
        JobState::Complete
    } else if let Some(failed) = holds("Failed") {
        JobState::Failed(failed.message.clone().unwrap_or_default())
    } else {
        JobState::Running
    }
}

/// Why the cluster could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Objects of a kind could not be listed.
    #[error("failed to list {kind:?} objects")]
    List {
        /// The kind.
        kind: Kind,
        /// The API server's answer.
        #[source]
        source: kube::Error,
    },
    /// An object could not be read.
    #[error("failed to read {id}")]
    Get {
        /// The object.
        id: ObjectId,
        /// The API server's answer.
        #[source]
        source: kube::Error,
    },
}

impl Error {
    /// The API server's words, if it forbade the read.
    pub fn forbidden(&self) -> Option<String> {
        let (Self::List { source, .. } | Self::Get { source, .. }) = self;
        match source {
            kube::Error::Api(status) if status.code == 403 => Some(status.message.clone()),
            _ => None,
        }
    }
}
