//! The operator comes by its chart.

use anyhow::{Result, ensure};

use crate::cluster::{Cluster, SHOP, SYSTEM, is_running, text};

/// Who the operator is: the name of its `ServiceAccount`, Deployment and roles.
pub(crate) const OPERATOR: &str = "tpstack-operator";

const CHART: &str = "charts/tpstack";

/// Step: a namespace in `watch.namespaces` that is not there is said before anything is made.
pub(crate) fn refuses_a_missing_namespace(cluster: &Cluster) -> Result<()> {
    let namespaces = "watch.namespaces={default,not-there}";
    let output = cluster.helm(
        &[
            "install",
            "early",
            CHART,
            "--namespace",
            SYSTEM,
            "--create-namespace",
            "--set",
            namespaces,
        ],
        60,
    )?;
    ensure!(!output.succeeded(), "the install went through");
    ensure!(
        output
            .stderr
            .contains("there is no namespace \"not-there\"")
            && output.stderr.contains("kubectl create namespace not-there"),
        "the message does not say what is wrong and what to do: {}",
        output.stderr
    );
    let crd = cluster.try_kubectl(&["get", "crd", "tpstacks.tpstack.dev"])?;
    ensure!(!crd.succeeded(), "the CRD was made all the same");
    Ok(())
}

/// Step: the chart goes in with a value for each image and one granted namespace; its pod runs and is ready, with Pod
/// Security `restricted` enforced around it.
pub(crate) fn installs_and_runs(cluster: &Cluster) -> Result<()> {
    for namespace in [SYSTEM, SHOP] {
        // The namespace of the operator is there already when the step before came as far as making it.
        if !cluster
            .try_kubectl(&["get", "namespace", namespace])?
            .succeeded()
        {
            cluster.kubectl(&["create", "namespace", namespace])?;
        }
        let level = "pod-security.kubernetes.io/enforce=restricted";
        cluster.kubectl(&["label", "--overwrite", "namespace", namespace, level])?;
    }
    let images = &cluster.images;
    let (repository, tag) = images
        .operator
        .reference
        .rsplit_once(':')
        .unwrap_or((&images.operator.reference, "latest"));
    let values = [
        format!("watch.namespaces={{{SHOP}}}"),
        format!("image.repository={repository}"),
        format!("image.tag={tag}"),
        format!("images.api={}", images.api.reference),
        format!("images.postgres={}", images.postgres),
        format!("images.redis={}", images.redis),
        "discoveryInterval=2s".to_owned(),
    ];
    let mut arguments = vec![
        "install",
        "tpstack",
        CHART,
        "--namespace",
        SYSTEM,
        "--wait",
        "--timeout=120s",
    ];
    for value in &values {
        arguments.extend(["--set-string", value]);
    }
    let output = cluster.helm(&arguments, 150)?;
    ensure!(
        output.succeeded(),
        "helm install: {}{}",
        output.stdout,
        output.stderr
    );
    ensure!(
        output
            .stdout
            .contains(&format!("It serves the TpStacks of: {SHOP}.")),
        "the notes: {}",
        output.stdout
    );

    let pods = cluster.list(
        SYSTEM,
        "pods",
        &format!("app.kubernetes.io/name={OPERATOR}"),
    )?;
    ensure!(
        pods.len() == 1 && pods.iter().all(is_running),
        "not one running pod: {pods:?}"
    );
    for pod in &pods {
        let account = text(pod, "/spec/serviceAccountName");
        ensure!(account == OPERATOR, "the operator runs as {account:?}");
    }
    Ok(())
}

/// Step: the server knows every field of manifests/install.yaml.
pub(crate) fn manifests_are_taken(cluster: &Cluster) -> Result<()> {
    let apply = [
        "apply",
        "--server-side",
        "--dry-run=server",
        "--validate=strict",
        "--force-conflicts",
    ];
    let output = cluster.kubectl(&[&apply[..], &["--filename=manifests/install.yaml"]].concat())?;
    for object in [
        "namespace/tpstack-system",
        "customresourcedefinition.apiextensions.k8s.io/tpstacks.tpstack.dev",
        "deployment.apps/tpstack-operator",
    ] {
        ensure!(output.contains(object), "{object} is not in it:\n{output}");
    }
    Ok(())
}
