//! What the cluster offers and what we were granted: optional APIs and namespaces. [io: reads]

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::Client;
use kube::api::{Api, PostParams};

use crate::kind::{Kind, OptionalApi};
use crate::observed::Capabilities;

/// Looks up which optional APIs are served, without any right on definitions.
pub async fn capabilities(client: &Client) -> Result<Capabilities, kube::Error> {
    let mut found = Vec::new();
    for api in OptionalApi::ALL {
        match client.list_api_group_resources(api.group_version()).await {
            Ok(list) => {
                // All kinds, or none: a half-installed set of definitions would fail at every write.
                let serves = |kind: Kind| {
                    list.resources
                        .iter()
                        .any(|resource| resource.kind == kind.resource().kind)
                };
                if api.kinds().all(serves) {
                    found.push(api);
                }
            }
            // By the code alone: the answer for a missing group is plain text, which kube gives another reason.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found.into_iter().collect())
}

/// Which namespaces we may write children in, as far as it was asked.
#[derive(Debug, Default)]
pub struct Grants {
    known: Mutex<BTreeMap<String, bool>>,
}

impl Grants {
    /// Whether this namespace is granted; asks the API server unless it said so before.
    pub async fn granted(&self, client: &Client, namespace: &str) -> Result<bool, kube::Error> {
        let known = self.lock().get(namespace).copied();
        match known {
            Some(true) => Ok(true),
            Some(false) | None => self.ask(client, namespace).await,
        }
    }

    /// Asks the API server, whatever was known, and remembers the answer.
    pub async fn ask(&self, client: &Client, namespace: &str) -> Result<bool, kube::Error> {
        let granted = may_write(client, namespace).await?;
        self.lock().insert(namespace.to_owned(), granted);
        Ok(granted)
    }

    /// The namespaces that are known to be granted.
    pub fn namespaces(&self) -> Vec<String> {
        let known = self.lock();
        known
            .iter()
            .filter(|(_, granted)| **granted)
            .map(|(namespace, _)| namespace.clone())
            .collect()
    }

    /// Forgets namespaces without a TpStack.
    pub fn retain(&self, used: impl Fn(&str) -> bool) {
        self.lock().retain(|namespace, _| used(namespace));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, bool>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One right stands for all: they come together, in one role.
async fn may_write(client: &Client, namespace: &str) -> Result<bool, kube::Error> {
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                group: Some("apps".to_owned()),
                resource: Some("statefulsets".to_owned()),
                verb: Some("patch".to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    #[expect(
        clippy::disallowed_methods,
        reason = "a question in the form of a creation: nothing is stored"
    )]
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
