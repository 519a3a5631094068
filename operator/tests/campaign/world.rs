//! What a cluster does with workloads and certificates: the kubelet's and the controllers' part, played in the status alone.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kube::Client;
use serde_json::{Value, json};

use crate::{
    harness::kinds::{self, Kind},
    snapshot::{collection, get, text},
    user,
    wire::Wire,
};

/// Longest time until the garbage collector lets go of a Job that is deleted in the foreground.
const PATIENCE: Duration = Duration::from_mins(1);

/// How pods fare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pods {
    /// They run, are ready and succeed.
    Well,
    /// Those of the API are never ready.
    ApiStuck,
    /// Migrations fail.
    MigrationsFail,
}

/// The world around the stacks of a namespace.
pub(crate) struct World {
    admin: Client,
    namespace: String,
    pub(crate) pods: Pods,
}

impl World {
    pub(crate) fn new(admin: Client, namespace: String) -> Self {
        Self {
            admin,
            namespace,
            pods: Pods::Well,
        }
    }

    /// Lets the world see to every workload that was changed; says whether it wrote anything.
    pub(crate) async fn step(&self, wire: &Wire) -> Result<bool> {
        let mut wrote = false;
        for (plural, name) in wire.take_changed() {
            let kind = match plural.as_str() {
                "deployments" => kinds::DEPLOYMENT,
                "statefulsets" => kinds::STATEFUL_SET,
                "certificates" => kinds::CERTIFICATE,
                _ => kinds::JOB,
            };
            let path = format!("{}/{name}", collection(&kind, &self.namespace));
            let Some(object) = get(&self.admin, &path).await? else {
                continue;
            };
            if object["metadata"].get("deletionTimestamp").is_some() {
                self.gone(&path, &text(&object, "/metadata/uid")).await?;
                wrote = true;
                continue;
            }
            let Some(status) = self.status(&kind, &object) else {
                continue;
            };
            if holds(&object["status"], &status) {
                continue;
            }
            let answer = user::patch(
                &self.admin,
                &format!("{path}/status"),
                &json!({"status": status}),
            )
            .await;
            let new = match answer {
                Err(kube::Error::Api(status)) if status.code == 404 => continue,
                answer => answer.with_context(|| format!("the world writes {path}/status"))?,
            };
            wire.written(&path, &text(&new, "/metadata/resourceVersion"));
            wrote = true;
        }
        Ok(wrote)
    }

    /// The status that an object's controller would write.
    fn status(&self, kind: &Kind, object: &Value) -> Option<Value> {
        let generation = object["metadata"]["generation"].clone();
        if *kind == kinds::JOB {
            return self.ended(object);
        }
        if *kind == kinds::CERTIFICATE {
            let ready = json!({
                "type": "Ready", "status": "True", "reason": "Ready", "message": "played", "observedGeneration": generation,
            });
            return Some(json!({"conditions": [ready]}));
        }
        let replicas = object["spec"]["replicas"].clone();
        if *kind == kinds::STATEFUL_SET {
            return Some(json!({
                "observedGeneration": generation, "replicas": replicas, "readyReplicas": replicas,
                "availableReplicas": replicas, "currentReplicas": replicas, "updatedReplicas": replicas,
                "currentRevision": "revision", "updateRevision": "revision",
            }));
        }
        let ready = if self.pods == Pods::ApiStuck {
            json!(0)
        } else {
            replicas.clone()
        };
        Some(json!({
            "observedGeneration": generation, "replicas": replicas, "updatedReplicas": replicas,
            "readyReplicas": ready, "availableReplicas": ready,
        }))
    }

    fn ended(&self, job: &Value) -> Option<Value> {
        if job["status"].get("conditions").is_some() {
            return None;
        }
        // The server wants the end after the start.
        let start = text(job, "/metadata/creationTimestamp");
        let condition = |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": start, "lastProbeTime": start, "message": "played"});
        Some(if self.pods == Pods::MigrationsFail {
            json!({"startTime": start, "failed": 7, "conditions": [condition("FailureTarget"), condition("Failed")]})
        } else {
            json!({
                "startTime": start, "completionTime": start, "succeeded": 1,
                "conditions": [condition("SuccessCriteriaMet"), condition("Complete")],
            })
        })
    }

    /// Waits until an object that was deleted is there no more: volumes are let go of by a controller.
    pub(crate) async fn until_gone(&self, path: &str) -> Result<()> {
        match get(&self.admin, path).await? {
            Some(object) => self.gone(path, &text(&object, "/metadata/uid")).await,
            None => Ok(()),
        }
    }

    async fn gone(&self, path: &str, uid: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Some(object) = get(&self.admin, path).await? {
            if text(&object, "/metadata/uid") != uid {
                break;
            }
            ensure!(Instant::now() < deadline, "{path} is still being deleted");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

/// Whether a status says all of that already.
fn holds(status: &Value, wanted: &Value) -> bool {
    let zero = json!(0);
    wanted
        .as_object()
        .into_iter()
        .flatten()
        .all(|(key, value)| {
            // The server leaves out what is zero.
            status.get(key).unwrap_or(&zero) == value
        })
}
