//! The verbs of the command line that ask a cluster.

use std::path::PathBuf;

use serde_json::json;

use crate::harness::{environment::ENVIRONMENT, identity, kinds, sandbox::Sandbox};

mod diff;
mod doctor;
mod status;

const READER: &str = "reader";

/// The kubeconfig of somebody who may read the stacks of the sandbox and nothing else.
async fn reader(sandbox: &Sandbox) -> PathBuf {
    let metadata = json!({"name": READER});
    let account = json!({"metadata": metadata});
    sandbox.create(&kinds::SERVICE_ACCOUNT, account).await;
    let rules =
        json!([{"apiGroups": ["tpstack.dev"], "resources": ["tpstacks"], "verbs": ["get"]}]);
    let role = json!({"metadata": metadata, "rules": rules});
    sandbox.create(&kinds::ROLE, role).await;
    bind(sandbox, "Role", READER).await;
    let kubeconfig = ENVIRONMENT
        .folder
        .join(format!("{}.kubeconfig", sandbox.namespace));
    identity::write(&sandbox.client, &sandbox.namespace, READER, &kubeconfig).await;
    kubeconfig
}

/// Gives the reader what a role allows.
async fn bind(sandbox: &Sandbox, kind: &str, role: &str) {
    let binding = json!({
        "metadata": {"name": format!("reader-{role}")},
        "subjects": [{"kind": "ServiceAccount", "name": READER, "namespace": sandbox.namespace}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role},
    });
    sandbox.create(&kinds::ROLE_BINDING, binding).await;
}
