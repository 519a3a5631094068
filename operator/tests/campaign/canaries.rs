//! Other people's objects in every namespace: at names near ours, some with our very labels. None may ever change.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::{
    lane::Lane,
    snapshot::{CANARY, KINDS, Snapshot, collection, text},
    user,
};

/// Makes a canary of every kind in a lane's namespace; in a shared one a single kind, another for each stack.
pub(crate) async fn make(lane: &Lane) -> Result<BTreeMap<String, (String, String)>> {
    let mut made = BTreeMap::new();
    let turn = lane.stack.bytes().map(usize::from).sum::<usize>();
    for (index, kind) in KINDS.iter().enumerate() {
        if lane.shared && index != turn % KINDS.len() {
            continue;
        }
        let name = format!("{}-postgres-old", lane.stack);
        let mut object = json!({
            "apiVersion": kind.api_version(), "kind": kind.kind,
            "metadata": {"name": name, "labels": {
                CANARY: "yes",
                // As if somebody had copied them.
                "app.kubernetes.io/managed-by": "tpstack-operator",
                "app.kubernetes.io/instance": lane.stack,
                "app.kubernetes.io/component": "postgres",
                "app.kubernetes.io/name": "tpstack",
            }},
        });
        if let Some(spec) = spec(kind.plural) {
            object["spec"] = spec;
        }
        let path = collection(kind, &lane.namespace);
        let new = user::post(lane.admin(), &path, &object).await?;
        let marks = (
            text(&new, "/metadata/uid"),
            text(&new, "/metadata/resourceVersion"),
        );
        made.insert(format!("{}/{name}", kind.plural), marks);
    }
    Ok(made)
}

fn spec(plural: &str) -> Option<Value> {
    let labels = json!({"example.org/app": "other"});
    let template = json!({
        "metadata": {"labels": labels},
        "spec": {"restartPolicy": "Always", "containers": [{"name": "main", "image": "example.org/other:1"}]},
    });
    let mut once = template.clone();
    once["spec"]["restartPolicy"] = json!("Never");
    Some(match plural {
        "persistentvolumeclaims" => json!({
            "accessModes": ["ReadWriteOnce"], "storageClassName": "none", "resources": {"requests": {"storage": "1Gi"}},
        }),
        "services" => json!({"ports": [{"port": 80}], "selector": labels}),
        "deployments" => json!({"selector": {"matchLabels": labels}, "template": template}),
        "statefulsets" => {
            json!({"serviceName": "other", "selector": {"matchLabels": labels}, "template": template})
        }
        "jobs" => json!({"template": once}),
        "poddisruptionbudgets" => json!({"maxUnavailable": 1, "selector": {"matchLabels": labels}}),
        "networkpolicies" => json!({"podSelector": {"matchLabels": labels}}),
        "ingressroutes" => json!({"routes": []}),
        "middlewares" | "prometheusrules" => json!({}),
        "certificates" => json!({"secretName": "other", "issuerRef": {"name": "other"}}),
        "servicemonitors" => json!({"endpoints": [], "selector": {}}),
        _ => return None,
    })
}

/// What has become of the canaries, if anything.
pub(crate) fn harm(lane: &Lane, now: &Snapshot) -> Option<String> {
    lane.canaries.iter().find_map(|(id, (uid, version))| {
        let Some(found) = now.canaries.get(id) else {
            return Some(format!("the foreign object {id} is gone"));
        };
        let found = (
            text(found, "/metadata/uid"),
            text(found, "/metadata/resourceVersion"),
        );
        (found != (uid.clone(), version.clone())).then(|| {
            format!(
                "the foreign object {id} was {uid} at {version} and is {} at {}",
                found.0, found.1
            )
        })
    })
}

/// Somebody else's object at the very name of a child: its identifier and its path. It is a canary from then on.
pub(crate) async fn stand_in(lane: &mut Lane, object: &str) -> Result<(String, String)> {
    let (plural, suffix) = object
        .split_once("/*")
        .context("plural and the name's end")?;
    let kind = KINDS
        .into_iter()
        .find(|kind| kind.plural == plural)
        .context("a kind of child")?;
    let name = format!("{}{suffix}", lane.stack);
    let mut body = json!({
        "apiVersion": kind.api_version(), "kind": kind.kind,
        "metadata": {"name": name, "labels": {CANARY: "yes", "app.kubernetes.io/instance": lane.stack}},
    });
    if let Some(spec) = spec(plural) {
        body["spec"] = spec;
    }
    let path = collection(&kind, &lane.namespace);
    let new = user::post(lane.admin(), &path, &body).await?;
    let id = format!("{plural}/{name}");
    let marks = (
        text(&new, "/metadata/uid"),
        text(&new, "/metadata/resourceVersion"),
    );
    lane.canaries.insert(id.clone(), marks);
    Ok((id, format!("{path}/{name}")))
}
