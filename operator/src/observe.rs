//! Reads everything a decision about one stack needs. [io: reads]
//!
//! Secrets are read as metadata: their data never enters this process.

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

/// Reads what is there for the stack of this name. `migration` is the name of the Job that the spec asks for.
pub async fn observe(
    client: &Client,
    namespace: &str,
    stack: &str,
    migration: Option<&str>,
    capabilities: Capabilities,
) -> Result<Observed, Error> {
    let mut observed = Observed {
        capabilities,
        ..Observed::default()
    };
    let kinds = Kind::ALL
        .into_iter()
        .filter(|kind| observed.capabilities.serves(*kind));
    let lists = kinds.map(async |kind| (kind, list(client, namespace, stack, kind).await));
    for (kind, listed) in join_all(lists).await {
        if let Some(objects) = allowed(kind, listed, &mut observed)? {
            observed.objects.extend(objects);
        }
    }
    // What stands at a name of ours without our labels: somebody else's, or ours and tampered with.
    let unseen: Vec<ObjectId> = possible_children(stack)
        .into_iter()
        .filter(|id| observed.may_read(id.kind) && !observed.objects.contains_key(id))
        .collect();
    let looks = unseen
        .into_iter()
        .map(async |id| (id.kind, get(client, namespace, id).await));
    for (kind, found) in join_all(looks).await {
        if let Some(object) = allowed(kind, found, &mut observed)? {
            observed.objects.extend(object);
        }
    }
    if observed.may_read(Kind::PersistentVolumeClaim) {
        sizes(client, namespace, stack, &mut observed).await?;
    }
    if observed.may_read(Kind::StatefulSet) {
        readiness(client, namespace, stack, &mut observed).await?;
    }
    if observed.may_read(Kind::Deployment) {
        deployment(client, namespace, stack, &mut observed).await?;
    }
    if let Some(job) = migration
        && observed.may_read(Kind::Job)
    {
        self::migration(client, namespace, job, &mut observed).await?;
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

async fn list(
    client: &Client,
    namespace: &str,
    stack: &str,
    kind: Kind,
) -> Result<Vec<(ObjectId, ObjectMeta)>, Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &kind.resource());
    let params = ListParams::default().labels(&children_selector(stack));
    let list = api
        .list_metadata(&params)
        .await
        .map_err(|source| Error::List { kind, source })?;
    let object = |object: kube::core::PartialObjectMeta<DynamicObject>| {
        (ObjectId::new(kind, object.name_any()), object.metadata)
    };
    Ok(list.items.into_iter().map(object).collect())
}

async fn get(
    client: &Client,
    namespace: &str,
    id: ObjectId,
) -> Result<Option<(ObjectId, ObjectMeta)>, Error> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &id.kind.resource());
    match api.get_metadata(&id.name).await {
        Ok(object) => Ok(Some((id, object.metadata))),
        // By the code alone: kube's own helper misses answers that are not JSON.
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(source) => Err(Error::Get { id, source }),
    }
}

async fn sizes(
    client: &Client,
    namespace: &str,
    stack: &str,
    observed: &mut Observed,
) -> Result<(), Error> {
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&children_selector(stack));
    let claims = api.list(&params).await.map_err(|source| Error::List {
        kind: Kind::PersistentVolumeClaim,
        source,
    })?;
    for claim in claims {
        let name = claim.name_any();
        let requests = claim
            .spec
            .and_then(|spec| spec.resources)
            .and_then(|resources| resources.requests);
        let size = requests.and_then(|requests| Size::parse(&requests.get("storage")?.0));
        observed.volume_sizes.extend(size.map(|size| (name, size)));
    }
    Ok(())
}

async fn readiness(
    client: &Client,
    namespace: &str,
    stack: &str,
    observed: &mut Observed,
) -> Result<(), Error> {
    let api: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().labels(&children_selector(stack));
    let sets = api.list(&params).await.map_err(|source| Error::List {
        kind: Kind::StatefulSet,
        source,
    })?;
    for set in sets {
        let status = set.status.as_ref();
        let ready = status
            .and_then(|status| status.ready_replicas)
            .unwrap_or_default()
            >= 1;
        let current =
            status.and_then(|status| status.observed_generation) >= set.metadata.generation;
        if ready && current {
            observed.ready_stores.insert(set.name_any());
        }
    }
    Ok(())
}

/// The API's Deployment: the pods that serve, and their number. Its metadata is taken from the same answer, so that the
/// notes on it, and who owns its fields, are of one moment with them.
async fn deployment(
    client: &Client,
    namespace: &str,
    stack: &str,
    observed: &mut Observed,
) -> Result<(), Error> {
    let id = ObjectId::new(Kind::Deployment, Component::Api.name(stack));
    let found = typed::<Deployment>(client, namespace, &id).await;
    match allowed(id.kind, found, observed)? {
        // Forbidden: nothing is known of it, and so nothing is written to it.
        None => {}
        Some(Some(deployment)) => {
            if let Some(spec) = deployment.spec {
                observed.live_replicas = spec.replicas;
                observed.serving = Some(Box::new(spec.template));
            }
            observed.objects.insert(id, deployment.metadata);
        }
        // It went after the list.
        Some(None) => {
            observed.objects.remove(&id);
        }
    }
    Ok(())
}

/// How far the Job of this name is; its metadata is taken from the same answer.
async fn migration(
    client: &Client,
    namespace: &str,
    job: &str,
    observed: &mut Observed,
) -> Result<(), Error> {
    let id = ObjectId::new(Kind::Job, job);
    let found = typed::<Job>(client, namespace, &id).await;
    if let Some(found) = allowed(id.kind, found, observed)?.flatten() {
        observed.jobs.insert(job.to_owned(), job_state(&found));
        observed.objects.insert(id, found.metadata);
    }
    Ok(())
}

async fn typed<K>(client: &Client, namespace: &str, id: &ObjectId) -> Result<Option<K>, Error>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    match api.get(&id.name).await {
        Ok(object) => Ok(Some(object)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(source) => Err(Error::Get {
            id: id.clone(),
            source,
        }),
    }
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
