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

/// A password or a hash of one is at least this long; the short words in a list of users are no secrets.
const SECRET_LENGTH: usize = 16;

/// The logs and the secrets seen so far; they outlive their pods and their Secrets.
#[derive(Default)]
pub(crate) struct Logs {
    texts: BTreeMap<String, String>,
    secrets: BTreeMap<String, String>,
}

impl Logs {
    /// Takes down what all containers have said until now, and what they must not say.
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
                ];
                let logs = [&logs[..], &["--ignore-errors", "--tail=-1"]].concat();
                let current = cluster.try_kubectl(&logs)?;
                let previous = cluster.try_kubectl(&[&logs[..], &["--previous"]].concat())?;
                let pod = format!("{namespace}/{} {}", name(pod), uid(pod));
                self.texts.insert(pod, current.stdout + &previous.stdout);
            }
        }
        for secret in cluster.list(SHOP, "secrets", &of_the_stack())? {
            let values = secret.get("data").and_then(Value::as_object);
            for (key, value) in values.into_iter().flatten() {
                let value = data::decode(value.as_str().unwrap_or_default())?;
                let words = value
                    .split_whitespace()
                    .filter(|word| word.len() >= SECRET_LENGTH);
                if !PUBLIC.contains(&key.as_str()) {
                    let place = format!("{} of {}", key, name(&secret));
                    self.secrets
                        .extend(words.map(|word| (word.to_owned(), place.clone())));
                }
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
        .texts
        .iter()
        .map(|(pod, log)| (format!("the log of {pod}"), log.clone()))
        .collect();
    ensure!(
        places.len() >= 8,
        "logs of only {} pods were seen",
        places.len()
    );
    for namespace in [SHOP, SYSTEM] {
        let kinds = "pods,deployments,replicasets,statefulsets,jobs,services,configmaps,tpstacks,events,ingressroutes,middlewares,servicemonitors,prometheusrules";
        let objects = [
            "get",
            kinds,
            "--namespace",
            namespace,
            "--show-managed-fields",
        ];
        places.push((
            format!("an object in {namespace}"),
            cluster.json(&objects)?.to_string(),
        ));
    }
    ensure!(
        logs.secrets.len() >= 3,
        "only {} secrets were seen",
        logs.secrets.len()
    );
    for (secret, origin) in &logs.secrets {
        for (place, text) in &places {
            ensure!(!text.contains(secret), "{place} holds {origin}");
        }
    }
    Ok(())
}
