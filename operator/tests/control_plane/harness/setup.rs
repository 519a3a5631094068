//! What is installed once for all tests: the kind, the roles, the optional APIs, the shared operator.

use std::{
    fs,
    io::Write,
    os::unix::fs::OpenOptionsExt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use k8s_openapi::api::{authentication::v1::TokenRequest, core::v1::ServiceAccount};
use kube::{Api, Client, Config, api::PostParams, config::Kubeconfig};
use serde_json::{Value, json};

use super::{
    environment::{ENVIRONMENT, apply, tpstack},
    kinds,
    operator::{self, Operator},
    sandbox::Sandbox,
    wait::{PATIENCE, eventually, holds},
};

/// Namespace of the operator.
pub(crate) const OPERATOR_NAMESPACE: &str = "tpstack-system";
/// Its `ServiceAccount`, and the name of its role bindings.
pub(crate) const OPERATOR_ACCOUNT: &str = "tpstack-operator";

/// The two projects whose CRDs may be missing: the file in the testbed's folder, and the CRDs that we use of it.
pub(crate) const TRAEFIK: (&str, &[&str]) = (
    "traefik.yaml",
    &["ingressroutes.traefik.io", "middlewares.traefik.io"],
);
pub(crate) const PROMETHEUS_OPERATOR: (&str, &[&str]) = (
    "prometheus-operator.yaml",
    &["servicemonitors.monitoring.coreos.com"],
);

static OPERATOR: Mutex<Option<Operator>> = Mutex::new(None);
static INSTALLED: AtomicBool = AtomicBool::new(false);
/// Set while a test may have left the operator or a CRD otherwise than it found them.
static DISTURBED: AtomicBool = AtomicBool::new(true);
static SETTING_UP: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The shared operator, if it runs.
pub(crate) fn shared_operator() -> MutexGuard<'static, Option<Operator>> {
    OPERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next test will look whether everything is in place again.
pub(crate) fn disturb() {
    DISTURBED.store(true, Ordering::SeqCst);
}

/// Installs what is missing, and starts the operator unless it runs.
pub(crate) async fn ensure(sandbox: &Sandbox) {
    let _one_at_a_time = SETTING_UP.lock().await;
    if !DISTURBED.load(Ordering::SeqCst) {
        return;
    }
    install_definition(sandbox).await;
    install_optional(sandbox, TRAEFIK).await;
    install_optional(sandbox, PROMETHEUS_OPERATOR).await;
    if !INSTALLED.load(Ordering::SeqCst) {
        apply(&roles());
        write_kubeconfig(&sandbox.client).await;
        INSTALLED.store(true, Ordering::SeqCst);
    }
    start_operator(sandbox).await;
    DISTURBED.store(false, Ordering::SeqCst);
}

/// Starts the shared operator unless it runs, and waits until it says that it is ready.
pub(crate) async fn start_operator(sandbox: &Sandbox) {
    {
        let mut operator = shared_operator();
        if !operator.as_mut().is_some_and(Operator::is_running) {
            *operator = Some(Operator::start());
        }
    }
    eventually(sandbox, "the operator is ready", async || {
        let mut operator = shared_operator().take().ok_or("it was taken away")?;
        assert!(
            operator.is_running(),
            "the operator ended at once:\n{}",
            operator::log()
        );
        let answer = operator.ask("/readyz").await;
        *shared_operator() = Some(operator);
        let (status, body) = answer?;
        holds(status == 200, || {
            format!("/readyz answers {status}: {body}")
        })
    })
    .await;
}

/// Applies the CRD that the binary prints.
pub(crate) async fn install_definition(sandbox: &Sandbox) {
    // By force: a test may have loosened the schema as another manager.
    super::environment::kubectl(
        &["apply", "--server-side", "--force-conflicts", "-f", "-"],
        &tpstack(&["crd"]),
    );
    established(sandbox, "tpstacks.tpstack.dev").await;
}

/// Applies those CRDs of a project that a stack uses. (All of them would only make discovery slower.)
pub(crate) async fn install_optional(sandbox: &Sandbox, (file, names): (&str, &[&str])) {
    let path = ENVIRONMENT.crds.join(file);
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let wanted = |document: &&str| {
        document.lines().any(|line| {
            names
                .iter()
                .any(|name| line.trim() == format!("name: {name}"))
        })
    };
    let documents: Vec<&str> = documents(&text).filter(wanted).collect();
    assert_eq!(
        documents.len(),
        names.len(),
        "{} should define each of {names:?} once",
        path.display()
    );
    apply(&documents.join("\n---\n"));
    for name in names {
        established(sandbox, name).await;
    }
}

/// Removes the CRDs of a project, and with them every object of those kinds.
pub(crate) async fn remove_optional(sandbox: &Sandbox, (_, names): (&str, &[&str])) {
    for name in names {
        sandbox.delete(&kinds::CRD, name).await;
    }
    for name in names {
        sandbox.gone(&kinds::CRD, name).await;
    }
}

async fn established(sandbox: &Sandbox, name: &str) {
    eventually(
        sandbox,
        &format!("the CRD {name} is established"),
        async || {
            let definition = sandbox
                .get(&kinds::CRD, name)
                .await
                .ok_or("it is not there")?;
            let conditions = definition
                .pointer("/status/conditions")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default();
            let established = conditions
                .iter()
                .any(|c| c["type"] == "Established" && c["status"] == "True");
            let deleted = definition.pointer("/metadata/deletionTimestamp").is_some();
            holds(established && !deleted, || {
                format!("its conditions are {conditions:?}")
            })
        },
    )
    .await;
}

/// The shipped manifests but the workload and the CRD: what gives the operator its identity and its rights.
fn roles() -> String {
    let path = ENVIRONMENT.repository.join("manifests/install.yaml");
    let text = fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let left_out = ["kind: Deployment", "kind: CustomResourceDefinition"];
    let kept: Vec<&str> = documents(&text)
        .filter(|document| !document.lines().any(|line| left_out.contains(&line)))
        .collect();
    for kind in [
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
    ] {
        let line = format!("kind: {kind}");
        assert!(
            kept.iter()
                .any(|document| document.lines().any(|l| l == line)),
            "{} has no {kind}",
            path.display()
        );
    }
    // The namespace first: server-side apply of the ServiceAccount needs it.
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {OPERATOR_NAMESPACE}}}\n---\n{}",
        kept.join("\n---\n")
    )
}

fn documents(text: &str) -> impl Iterator<Item = &str> {
    text.split("\n---")
        .filter(|document| document.lines().any(|line| line.starts_with("kind:")))
}

/// A kubeconfig, for its owner's eyes only, with a token of the operator's `ServiceAccount`.
async fn write_kubeconfig(client: &Client) {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), OPERATOR_NAMESPACE);
    let request: TokenRequest =
        serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 7200}}))
            .expect("a literal of this type");
    let answer = accounts
        .create_token_request(OPERATOR_ACCOUNT, &PostParams::default(), &request)
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
        "apiVersion": "v1", "kind": "Config", "current-context": "operator",
        "clusters": [cluster],
        "users": [{"name": "operator", "user": {"token": token}}],
        "contexts": [{"name": "operator", "context": {"cluster": "testbed", "user": "operator"}}],
    });
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(operator::kubeconfig())
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
    // A server that is gone must fail a test, not hang it.
    config.read_timeout = Some(PATIENCE);
    Client::try_from(config).expect("KUBECONFIG's certificates can be read")
}
