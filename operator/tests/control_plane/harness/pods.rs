//! The kubelet's part: there are no nodes here, so a test says when the pods run.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use kube::{
    Api,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{kinds, sandbox::Sandbox};

const PAUSE: Duration = Duration::from_millis(100);

/// While this lives, every pod of the namespace runs and is ready soon after it was made.
pub(crate) struct Kubelet {
    task: JoinHandle<()>,
}

impl Kubelet {
    pub(crate) fn start(sandbox: &Sandbox) -> Self {
        let pods: Api<DynamicObject> = sandbox.api(&kinds::POD);
        let task = tokio::spawn(async move {
            loop {
                // Errors are the next round's business: a pod may have gone.
                for pod in pods
                    .list(&ListParams::default())
                    .await
                    .map(|list| list.items)
                    .unwrap_or_default()
                {
                    if is_migration(&pod) {
                        continue;
                    }
                    let name = pod.metadata.name.unwrap_or_default();
                    if pod.data.pointer("/status/phase").and_then(Value::as_str) != Some("Running")
                    {
                        drop(
                            pods.patch_status(
                                &name,
                                &PatchParams::default(),
                                &Patch::Merge(running()),
                            )
                            .await,
                        );
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { task }
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn running() -> Value {
    let now = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string();
    let condition =
        |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": now});
    json!({"status": {
        "phase": "Running",
        "startTime": now,
        "conditions": [condition("Initialized"), condition("ContainersReady"), condition("Ready")],
    }})
}

/// How migrations end in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Migrations {
    /// At once, and well.
    Succeed,
    /// Their pods are left as they were made.
    Hang,
    /// At once, and badly.
    Fail,
}

/// The part of a kubelet that runs migrations: in every sandbox, since no API starts without.
pub(crate) struct Migrator {
    task: JoinHandle<()>,
    wanted: Arc<Mutex<Migrations>>,
}

impl Migrator {
    pub(crate) fn start(pods: Api<DynamicObject>) -> Self {
        let wanted = Arc::new(Mutex::new(Migrations::Succeed));
        let shared = Arc::clone(&wanted);
        let task = tokio::spawn(async move {
            loop {
                let ending = *shared.lock().unwrap_or_else(PoisonError::into_inner);
                let phase = match ending {
                    Migrations::Succeed => Some("Succeeded"),
                    Migrations::Fail => Some("Failed"),
                    Migrations::Hang => None,
                };
                if let Some(phase) = phase {
                    end(&pods, phase).await;
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { task, wanted }
    }

    pub(crate) fn set(&self, wanted: Migrations) {
        *self.wanted.lock().unwrap_or_else(PoisonError::into_inner) = wanted;
    }
}

impl Drop for Migrator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ends every pod of a migration that has not ended.
async fn end(pods: &Api<DynamicObject>, phase: &str) {
    let selector = ListParams::default().labels("app.kubernetes.io/component=api-migrate");
    // Errors are the next round's business: a pod may have gone.
    let list = pods.list(&selector).await.map(|list| list.items);
    for pod in list.unwrap_or_default() {
        let now = pod.data.pointer("/status/phase").and_then(Value::as_str);
        if matches!(now, Some("Succeeded" | "Failed")) {
            continue;
        }
        let name = pod.metadata.name.unwrap_or_default();
        let status = json!({"status": {"phase": phase}});
        drop(
            pods.patch_status(&name, &PatchParams::default(), &Patch::Merge(status))
                .await,
        );
    }
}

fn is_migration(pod: &DynamicObject) -> bool {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("app.kubernetes.io/component"))
        == Some(&"api-migrate".to_owned())
}
