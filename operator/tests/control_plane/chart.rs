//! The chart with each of its sets of values, as a real API server with the real CRDs takes it: every field known, every
//! value allowed, the operator's own pods admitted under `restricted`.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::harness::{
    environment::{ENVIRONMENT, apply, kubectl},
    kinds,
    manifests::optional,
    sandbox::Sandbox,
    setup::remove_optional,
};

/// What the chart writes of prometheus-operator's kinds, beside what stacks do.
const POD_MONITOR: (&str, &[&str]) = (
    "prometheus-operator.yaml",
    &["podmonitors.monitoring.coreos.com"],
);

/// The chart as objects, in a sandbox's namespace.
fn rendered(sandbox: &Sandbox, values: &str) -> Vec<Value> {
    let helm = std::env::var_os("TESTBED_HELM")
        .expect("TESTBED_HELM is set: run this level with `make test-control-plane`");
    let charts = ENVIRONMENT.repository.join("charts/tpstack");
    let output = Command::new(helm)
        .args([
            "template",
            "tpstack",
            "--kube-version",
            "1.34.0",
            "--namespace",
        ])
        .arg(&sandbox.namespace)
        .arg("--values")
        .arg(charts.join("ci").join(values))
        .arg(&charts)
        .output()
        .expect("helm runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{values}: {words}");
    let text = String::from_utf8(output.stdout).expect("helm writes UTF-8");
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("helm writes YAML");
    let objects = documents.into_iter().filter(|object| !object.is_null());
    objects.collect()
}

#[tokio::test]
async fn every_set_of_values_is_taken_by_a_real_server() {
    let sandbox = Sandbox::alone().await;
    apply(&optional(POD_MONITOR));
    for namespace in ["shop", "blog"] {
        sandbox
            .create(&kinds::NAMESPACE, json!({"metadata": {"name": namespace}}))
            .await;
    }
    let folder = ENVIRONMENT.repository.join("charts/tpstack/ci");
    let mut kinds_seen = Vec::new();
    for entry in fs::read_dir(folder).expect("the chart has sets of values") {
        let name = entry.expect("the folder can be read").file_name();
        let values = name.to_string_lossy();
        for object in rendered(&sandbox, &values) {
            let kind = object["kind"].as_str().unwrap_or_default().to_owned();
            let manifest = object.to_string();
            let arguments = [
                "apply",
                "--server-side",
                "--force-conflicts",
                "--dry-run=server",
                "--validate=strict",
                "-f",
                "-",
            ];
            kubectl(&arguments, &manifest);
            if kind == "Deployment" {
                is_admitted(&sandbox, &object).await;
            }
            kinds_seen.push(kind);
        }
    }
    for kind in [
        "PodMonitor",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Deployment",
        "CustomResourceDefinition",
    ] {
        assert!(kinds_seen.iter().any(|seen| seen == kind), "no {kind}");
    }
    for namespace in ["shop", "blog"] {
        sandbox.delete(&kinds::NAMESPACE, namespace).await;
    }
    remove_optional(&sandbox, POD_MONITOR).await;
}

/// Whether a pod of this Deployment is admitted in a namespace that enforces `restricted`.
async fn is_admitted(sandbox: &Sandbox, deployment: &Value) {
    let template = &deployment["spec"]["template"];
    let mut spec = template["spec"].clone();
    // The account is the chart's own, which was not made here.
    spec["serviceAccountName"] = json!("default");
    let pod = json!({"metadata": {"name": "operator", "labels": template["metadata"]["labels"]}, "spec": spec});
    let admitted = sandbox.try_create(&kinds::POD, pod, true).await;
    if let Err(refusal) = admitted {
        panic!("the operator's pod is not admitted: {}", refusal.message);
    }
}
