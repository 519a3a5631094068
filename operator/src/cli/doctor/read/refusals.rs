//! Why pods of a stack are not even made. [io: reads]

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};

use super::allowed;

/// Each workload whose pods are refused, as kubectl takes it, and the API server's words.
pub(super) async fn read(
    client: &Client,
    namespace: &str,
    ours: &ListParams,
    unread: &mut Vec<String>,
) -> anyhow::Result<Option<Vec<(String, String)>>> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let deployments = deployments.list(ours).await;
    let deployments = allowed(
        deployments,
        &format!("Deployments in namespace {namespace}"),
        unread,
    )?;
    let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
    let sets = sets.list(ours).await;
    let sets = allowed(
        sets,
        &format!("StatefulSets in namespace {namespace}"),
        unread,
    )?;
    let (Some(deployments), Some(sets)) = (deployments, sets) else {
        return Ok(None);
    };
    let mut refused: Vec<(String, String)> = deployments.iter().filter_map(failing).collect();
    // A StatefulSet has no condition for it: its events tell.
    let short: Vec<String> = sets
        .iter()
        .filter(|set| is_short(set))
        .map(ResourceExt::name_any)
        .collect();
    if !short.is_empty() {
        let events: Api<Event> = Api::namespaced(client.clone(), namespace);
        let failed = "reason=FailedCreate,involvedObject.kind=StatefulSet";
        let events = events.list(&ListParams::default().fields(failed)).await;
        let events = allowed(events, &format!("events in namespace {namespace}"), unread)?;
        for event in events.into_iter().flatten() {
            let name = event.involved_object.name.unwrap_or_default();
            let workload = format!("statefulset/{name}");
            if short.contains(&name) && refused.iter().all(|(known, _)| *known != workload) {
                refused.push((workload, event.message.unwrap_or_default()));
            }
        }
    }
    Ok(Some(refused))
}

fn failing(deployment: &Deployment) -> Option<(String, String)> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let failing = conditions
        .iter()
        .find(|condition| condition.type_ == "ReplicaFailure" && condition.status == "True")?;
    let words = failing.message.clone().unwrap_or_default();
    Some((format!("deployment/{}", deployment.name_any()), words))
}

fn is_short(set: &StatefulSet) -> bool {
    let wanted = set
        .spec
        .as_ref()
        .and_then(|spec| spec.replicas)
        .unwrap_or(1);
    set.status.as_ref().map_or(0, |status| status.replicas) < wanted
}
