//! What the operator may do, as the API server answers. [io: reads]

use futures::StreamExt;
use futures::stream::iter;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::{Api, DynamicObject, PostParams};
use kube::{Client, ResourceExt};
use serde_json::Value;

use super::allowed;
use crate::cli::doctor::facts::{ClusterFacts, Rights};
use crate::cli::installation::Operator;
use crate::kind::Kind;

/// Questions at once.
const CALLS: usize = 8;

/// One right.
struct Right {
    namespace: Option<String>,
    group: String,
    resource: String,
    subresource: Option<String>,
    verb: &'static str,
}

impl Right {
    fn words(&self) -> String {
        let subresource = self.subresource.as_ref().map(|sub| format!("/{sub}"));
        let group = if self.group.is_empty() {
            String::new()
        } else {
            format!(".{}", self.group)
        };
        format!(
            "{} {}{}{group}",
            self.verb,
            self.resource,
            subresource.unwrap_or_default()
        )
    }
}

/// Rights on the stacks themselves that are missing.
pub(super) async fn on_stacks(
    client: &Client,
    operator: &Operator,
    unread: &mut Vec<String>,
) -> anyhow::Result<Option<Vec<String>>> {
    let rights = [
        ("get", None),
        ("list", None),
        ("watch", None),
        ("patch", Some("status")),
    ];
    let rights = rights.map(|(verb, subresource)| Right {
        namespace: None,
        group: crate::crd::GROUP.to_owned(),
        resource: "tpstacks".to_owned(),
        subresource: subresource.map(str::to_owned),
        verb,
    });
    let answer = ask(client, operator, rights.into()).await;
    let answer = allowed(answer, "the operator's rights", unread)?;
    Ok(answer.map(|rights| rights.missing))
}

/// Rights on a stack's children. Who may not ask learns at least what the status tells.
pub(super) async fn on_children(
    client: &Client,
    operator: &Operator,
    stack: &DynamicObject,
    facts: &ClusterFacts,
    unread: &mut Vec<String>,
) -> anyhow::Result<Option<Rights>> {
    let namespace = stack.namespace().unwrap_or_default();
    let served = Kind::ALL
        .into_iter()
        .filter(|kind| facts.capabilities.serves(*kind));
    let rights = served.flat_map(|kind| {
        let resource = kind.resource();
        let verbs = ["get", "list", "watch", "create", "patch", "delete"].into_iter();
        let verbs = verbs.filter(move |verb| *verb != "delete" || !kind.is_kept());
        let namespace = namespace.clone();
        verbs.map(move |verb| Right {
            namespace: Some(namespace.clone()),
            group: resource.group.clone(),
            resource: resource.plural.clone(),
            subresource: None,
            verb,
        })
    });
    let answer = ask(client, operator, rights.collect()).await;
    let what = format!("the operator's rights in namespace {namespace}");
    Ok(allowed(answer, &what, unread)?.or_else(|| told_by(stack)))
}

fn told_by(stack: &DynamicObject) -> Option<Rights> {
    let conditions = stack.data.pointer("/status/conditions")?.as_array()?;
    let is_told = conditions.iter().any(|condition| {
        let is = |key: &str, value: &str| condition.get(key).and_then(Value::as_str) == Some(value);
        is("type", "Stalled") && is("status", "True") && is("reason", "NamespaceNotGranted")
    });
    is_told.then(|| Rights {
        held: 0,
        missing: vec!["do anything".to_owned()],
    })
}

async fn ask(
    client: &Client,
    operator: &Operator,
    rights: Vec<Right>,
) -> Result<Rights, kube::Error> {
    let mut questions = iter(rights)
        .map(async |right: Right| {
            let allowed = may(client, operator, &right).await;
            (right, allowed)
        })
        .buffered(CALLS);
    let mut found = Rights::default();
    while let Some((right, allowed)) = questions.next().await {
        if allowed? {
            found.held += 1;
        } else {
            found.missing.push(right.words());
        }
    }
    Ok(found)
}

async fn may(client: &Client, operator: &Operator, right: &Right) -> Result<bool, kube::Error> {
    let (namespace, name) = (&operator.account.namespace, &operator.account.name);
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(format!("system:serviceaccount:{namespace}:{name}")),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                format!("system:serviceaccounts:{namespace}"),
                "system:authenticated".to_owned(),
            ]),
            resource_attributes: Some(ResourceAttributes {
                namespace: right.namespace.clone(),
                group: Some(right.group.clone()),
                resource: Some(right.resource.clone()),
                subresource: right.subresource.clone(),
                verb: Some(right.verb.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    #[expect(
        clippy::disallowed_methods,
        reason = "a question in the form of a creation: nothing is stored"
    )]
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}
