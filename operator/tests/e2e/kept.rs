//! Deleting a stack is not deleting its data.

use anyhow::{Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;

use crate::{
    cluster::{Cluster, SHOP, STACK, name, of_the_stack, text, uid, until},
    data,
    route::source,
    stack::SAMPLE,
};

const KEPT: &str = "secrets,persistentvolumeclaims";
const GONE: &str = "deployments,statefulsets,jobs,pods,services,configmaps,ingressroutes,servicemonitors,prometheusrules";

/// Step: the stack is deleted, its workloads go and its volumes and credentials stay; made again, it takes them up.
pub(crate) fn is_taken_up_again(cluster: &Cluster) -> Result<()> {
    let before = kept(cluster)?;
    ensure!(
        before.len() == 4,
        "expected two volumes and two credentials, found {:?}",
        before.keys()
    );
    let row = data::row(cluster)?;
    cluster.logs.borrow_mut().collect(cluster)?;

    cluster.kubectl_with(
        &[
            "delete",
            "tpstack",
            STACK,
            "--namespace",
            SHOP,
            "--timeout=60s",
        ],
        "",
        70,
    )?;
    until(120, "all that the stack owned is gone", || {
        let left = cluster.list(SHOP, GONE, &of_the_stack())?;
        let left: Vec<_> = left
            .iter()
            .map(|object| format!("{}/{}", text(object, "/kind"), name(object)))
            .collect();
        Ok(if left.is_empty() {
            Ok(())
        } else {
            Err(left.join(", "))
        })
    })?;
    let after = kept(cluster)?;
    ensure!(
        after == before,
        "volumes and credentials did not stay as they were"
    );

    cluster.kubectl(&["apply", "--namespace", SHOP, "--filename", SAMPLE])?;
    cluster.wait_for_ready(180)?;
    let again = kept(cluster)?;
    ensure!(
        again == before,
        "volumes and credentials were not taken up as they were"
    );
    let found = data::row(cluster)?;
    ensure!(
        found == row && !row.is_empty(),
        "the row is {found:?} and was {row:?}"
    );
    until(60, "Traefik routes to the stack again", || {
        Ok(
            match cluster
                .edge()?
                .https()?
                .get("/api/data")
                .and_then(|response| source(&response))
            {
                Ok(_) => Ok(()),
                Err(error) => Err(format!("{error:#}")),
            },
        )
    })
}

/// Volumes and credentials: which ones they are, and what is in them. The values are compared, never shown.
fn kept(cluster: &Cluster) -> Result<BTreeMap<String, (String, Value)>> {
    let objects = cluster.list(SHOP, KEPT, &of_the_stack())?;
    for object in &objects {
        ensure!(
            text(object, "/metadata/deletionTimestamp").is_empty(),
            "{} is being deleted",
            name(object)
        );
    }
    let entry = |object: &Value| {
        (
            format!("{}/{}", text(object, "/kind"), name(object)),
            (uid(object).to_owned(), object["data"].clone()),
        )
    };
    Ok(objects.iter().map(entry).collect())
}
