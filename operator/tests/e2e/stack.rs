//! The minimal sample becomes a running stack.

use anyhow::{Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;

use crate::cluster::{Cluster, HOST, SHOP, STACK, is_running, items, name, of_the_stack, text};

/// The sample as its users apply it.
pub(crate) const SAMPLE: &str = "manifests/samples/minimal.yaml";

/// Step: what the README says to type.
pub(crate) fn becomes_ready(cluster: &Cluster) -> Result<()> {
    cluster.kubectl(&["apply", "--namespace", SHOP, "--filename", SAMPLE])?;
    cluster.wait_for_ready(180)
}

/// Step: what Ready stands for is true, and `kubectl get` says it.
pub(crate) fn runs(cluster: &Cluster) -> Result<()> {
    let pods = cluster.list(SHOP, "pods", &of_the_stack())?;
    for (component, count) in [("api", 2), ("postgres", 1), ("redis", 1)] {
        let running = pods
            .iter()
            .filter(|pod| is_of(pod, component) && is_running(pod))
            .count();
        ensure!(
            running == count,
            "{running} of {count} {component} pods run"
        );
    }
    // Kept for an hour after it has succeeded.
    let jobs = cluster.list(SHOP, "jobs", &of_the_stack())?;
    let done = jobs.iter().any(|job| {
        name(job).starts_with("minimal-api-migrate-")
            && job.pointer("/status/succeeded") == Some(&Value::from(1))
    });
    ensure!(done, "no migration has succeeded: {jobs:?}");
    let kinds = "deployments,statefulsets,services,serviceaccounts,configmaps,secrets,persistentvolumeclaims,poddisruptionbudgets,networkpolicies,ingressroutes,middlewares,servicemonitors,prometheusrules";
    let children = cluster.list(SHOP, kinds, &of_the_stack())?;
    let children: BTreeSet<String> = children
        .iter()
        .map(|child| format!("{}/{}", text(child, "/kind"), name(child)))
        .collect();
    for expected in [
        "Deployment/minimal-api",
        "Service/minimal-api",
        "ServiceAccount/minimal-api",
        "PodDisruptionBudget/minimal-api",
        "IngressRoute/minimal-api",
        "IngressRoute/minimal-api-redirect",
        "ServiceMonitor/minimal-api",
        "PrometheusRule/minimal-api",
        "ConfigMap/minimal-api-dashboard",
        "StatefulSet/minimal-postgres",
        "Service/minimal-postgres",
        "Secret/minimal-postgres-credentials",
        "PersistentVolumeClaim/minimal-postgres-data",
        "NetworkPolicy/minimal-postgres",
        "NetworkPolicy/minimal-redis",
        "StatefulSet/minimal-redis",
        "Service/minimal-redis",
        "Secret/minimal-redis-credentials",
        "PersistentVolumeClaim/minimal-redis-data",
    ] {
        ensure!(
            children.contains(expected),
            "{expected} is not among {children:?}"
        );
    }
    let stack = cluster.get("tpstack", STACK)?;
    for condition in [
        "Ready",
        "ApiReady",
        "PostgresReady",
        "RedisReady",
        "IngressReady",
        "MonitoringReady",
    ] {
        let status = condition_status(&stack, condition);
        ensure!(
            status == "True",
            "condition {condition} is {status:?}: {}",
            stack.pointer("/status/conditions").unwrap_or(&Value::Null)
        );
    }
    let table = cluster.kubectl(&["get", "tps", STACK, "--namespace", SHOP])?;
    ensure!(
        table.contains(&format!("https://{HOST}")),
        "the table does not show the address:\n{table}"
    );
    Ok(())
}

/// Step: the server would not have let those pods in otherwise, and they hold no token of the API server.
pub(crate) fn is_restricted(cluster: &Cluster) -> Result<()> {
    let pod = [
        "run",
        "careless",
        "--namespace",
        SHOP,
        "--image=careless",
        "--dry-run=server",
    ];
    let output = cluster.try_kubectl(&pod)?;
    ensure!(
        !output.succeeded() && output.stderr.contains("violates PodSecurity \"restricted"),
        "a pod without any security context was not refused: {}{}",
        output.stdout,
        output.stderr
    );
    for pod in cluster.list(SHOP, "pods", &of_the_stack())? {
        let with_token = items(&pod, "/spec/volumes")
            .iter()
            .find(|volume| holds_a_token(volume));
        ensure!(
            with_token.is_none(),
            "pod {} mounts a token of the API server",
            name(&pod)
        );
    }
    Ok(())
}

fn holds_a_token(volume: &Value) -> bool {
    items(volume, "/projected/sources")
        .iter()
        .any(|source| source.get("serviceAccountToken").is_some())
}

/// The status of one of the stack's conditions; empty when it is not there.
pub(crate) fn condition_status<'a>(stack: &'a Value, kind: &str) -> &'a str {
    items(stack, "/status/conditions")
        .iter()
        .find(|condition| text(condition, "/type") == kind)
        .map(|condition| text(condition, "/status"))
        .unwrap_or_default()
}

/// Whether an object belongs to a component of its stack.
pub(crate) fn is_of(object: &Value, component: &str) -> bool {
    object
        .pointer("/metadata/labels/app.kubernetes.io~1component")
        .and_then(Value::as_str)
        == Some(component)
}
