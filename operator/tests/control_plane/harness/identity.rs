//! Who the tests are: the shipped identity of the operator, and an administrator.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use kube::{Api, Client, Config, api::PostParams, config::Kubeconfig};
use serde_json::json;

use super::environment::ENVIRONMENT;

/// Namespace of the operator.
pub(crate) const OPERATOR_NAMESPACE: &str = "tpstack-system";
/// Its `ServiceAccount`, and the name of its role bindings.
pub(crate) const OPERATOR_ACCOUNT: &str = "tpstack-operator";

/// How long the administrator waits for an answer: a server that is gone must fail a test, not hang it.
const LONGEST_ANSWER: Duration = Duration::from_secs(40);

/// The kubeconfig of the shipped identity.
pub(crate) fn kubeconfig() -> PathBuf {
    ENVIRONMENT.folder.join("operator.kubeconfig")
}

/// The kubeconfig of the operator's `ServiceAccount`.
pub(crate) async fn write_kubeconfig(client: &Client) {
    write(client, OPERATOR_NAMESPACE, OPERATOR_ACCOUNT, &kubeconfig()).await;
}

/// A kubeconfig, for its owner's eyes only, with a token of a `ServiceAccount`.
pub(crate) async fn write(client: &Client, namespace: &str, account: &str, path: &Path) {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let request: TokenRequest =
        serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 7200}}))
            .expect("a literal of this type");
    let answer = accounts
        .create_token_request(account, &PostParams::default(), &request)
        .await
        .expect("the API server makes tokens for ServiceAccounts");
    let token = answer
        .status
        .expect("the answer to a TokenRequest has the token")
        .token;

    let admin = Kubeconfig::read_from(&ENVIRONMENT.kubeconfig).expect("KUBECONFIG can be read");
    let cluster = admin
        .clusters
        .into_iter()
        .next()
        .expect("KUBECONFIG names a cluster");
    let mut cluster = serde_json::to_value(cluster).expect("it is plain data");
    cluster["name"] = json!("testbed");
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "account",
        "clusters": [cluster],
        "users": [{"name": "account", "user": {"token": token}}],
        "contexts": [{"name": "account", "context": {"cluster": "testbed", "user": "account"}}],
    });
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .expect("the run folder can be written to");
    file.write_all(config.to_string().as_bytes())
        .expect("the run folder can be written to");
}

/// A client of the administrator, for the runtime that calls.
pub(crate) async fn administrator() -> Client {
    let kubeconfig = Kubeconfig::read_from(&ENVIRONMENT.kubeconfig)
        .unwrap_or_else(|error| panic!("cannot read KUBECONFIG: {error}"));
    let mut config =
        Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default())
            .await
            .expect("KUBECONFIG is complete");
    config.read_timeout = Some(LONGEST_ANSWER);
    Client::try_from(config).expect("KUBECONFIG's certificates can be read")
}
