//! What is installed once for all tests: the kind, the roles, the optional APIs, the shared operator.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use serde_json::Value;

use super::{
    environment::{apply, tpstack},
    identity, kinds, manifests,
    operator::{self, Operator},
    sandbox::Sandbox,
    wait::{eventually, holds},
};

pub(crate) use identity::{OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, administrator};
pub(crate) use manifests::{CERT_MANAGER, PROMETHEUS_OPERATOR, TRAEFIK};

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
    for (project, _) in manifests::OPTIONAL {
        install_optional(sandbox, project).await;
    }
    if !INSTALLED.load(Ordering::SeqCst) {
        apply(&manifests::roles());
        identity::write_kubeconfig(&sandbox.client).await;
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

/// Applies those CRDs of a project that a stack uses.
pub(crate) async fn install_optional(sandbox: &Sandbox, project: (&str, &[&str])) {
    apply(&manifests::optional(project));
    for name in project.1 {
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
