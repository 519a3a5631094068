//! What the pods say, and what they must not say.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{
    cluster::{Cluster, SHOP, SYSTEM, items, name, of_the_stack, text, uid},
    data,
    install::OPERATOR,
};

/// Keys of a credential's Secret that are no secrets.
const PUBLIC: [&str; 5] = ["host", "port", "database", "username", "sslmode"];

/// The logs seen so far, by pod; they outlive the pods.
#[derive(Default)]
pub(crate) struct Logs(BTreeMap<String, String>);

impl Logs {
    /// Takes down what all containers have said until now.
    pub(crate) fn collect(&mut self, cluster: &Cluster) -> Result<()> {
        for namespace in [SYSTEM, SHOP, "traefik"] {
            let pods = cluster.json(&["get", "pods", "--namespace", namespace])?;
            for pod in items(&pods, "/items") {
                let logs = [
                    "logs",
                    name(pod),
                    "--namespace",
                    namespace,
                    "--all-containers",
                    "--ignore-errors",
                    "--tail=-1",
                ];
                let current = cluster.try_kubectl(&logs)?;
                let previous = cluster.try_kubectl(&[&logs[..], &["--previous"]].concat())?;
                let key = format!("{namespace}/{} {}", name(pod), uid(pod));
                self.0.insert(key, current.stdout + &previous.stdout);
            }
        }
        Ok(())
    }
}

/// Step: the operator has had nothing to complain of since it was installed, through all that was done to the stack.
pub(crate) fn hold_no_error(cluster: &Cluster) -> Result<()> {
    let pods = cluster.list(
        SYSTEM,
        "pods",
        &format!("app.kubernetes.io/name={OPERATOR}"),
    )?;
    let pod = pods.first().context("the operator has no pod")?;
    let restarts = pod
        .pointer("/status/containerStatuses/0/restartCount")
        .and_then(Value::as_u64);
    ensure!(
        restarts == Some(0),
        "the operator was restarted {restarts:?} times"
    );
    let log = cluster.kubectl(&["logs", name(pod), "--namespace", SYSTEM, "--tail=-1"])?;
    ensure!(
        !log.trim().is_empty(),
        "the operator has said nothing at all"
    );
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line)
            .with_context(|| format!("the operator's log is not JSON: {line}"))?;
        ensure!(
            text(&entry, "/level") != "ERROR",
            "the operator's log: {line}"
        );
    }
    Ok(())
}

/// Step: passwords are in Secrets alone; in no log, no argument, no variable, no status, no event.
pub(crate) fn hold_no_secret(cluster: &Cluster) -> Result<()> {
    let mut logs = cluster.logs.borrow_mut();
    logs.collect(cluster)?;
    let mut places: Vec<(String, String)> = logs
        .0
        .iter()
        .map(|(pod, log)| (format!("the log of {pod}"), log.clone()))
        .collect();
    ensure!(
        places.len() >= 8,
        "logs of only {} pods were seen",
        places.len()
    );
    for namespace in [SHOP, SYSTEM] {
        let kinds = "pods,deployments,replicasets,statefulsets,services,configmaps,tpstacks,events,ingressroutes,middlewares,servicemonitors";
        let objects = cluster.json(&[
            "get",
            kinds,
            "--namespace",
            namespace,
            "--show-managed-fields",
        ])?;
        places.push((format!("an object in {namespace}"), objects.to_string()));
    }
    let mut words = 0;
    for secret in cluster.list(SHOP, "secrets", &of_the_stack())? {
        for (key, value) in secret
            .get("data")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            if PUBLIC.contains(&key.as_str()) {
                continue;
            }
            let value = data::decode(value.as_str().unwrap_or_default())?;
            // A list of users holds short words that are no secrets; a password or its hash is long.
            for word in value.split_whitespace().filter(|word| word.len() >= 16) {
                words += 1;
                for (place, text) in &places {
                    ensure!(
                        !text.contains(word),
                        "{place} holds a value of {}'s key {key}",
                        name(&secret)
                    );
                }
            }
        }
    }
    ensure!(
        words >= 3,
        "only {words} secret values were found to look for"
    );
    Ok(())
}
