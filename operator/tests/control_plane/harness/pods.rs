//! The kubelet's part: there are no nodes here, so a test says when the pods run.

use std::time::Duration;

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
