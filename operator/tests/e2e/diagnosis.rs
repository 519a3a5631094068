//! What somebody needs to see who was not there when a step failed.
#![expect(clippy::print_stdout, reason = "part of the test runner's output")]

use crate::cluster::{Cluster, SHOP, SYSTEM};

/// Prints the state of the cluster. Secrets are not in it.
pub(crate) fn print(cluster: &Cluster) {
    let operator = "deployment/tpstack-operator";
    for arguments in [
        &[
            "get",
            "pods,deployments,statefulsets,pvc",
            "--all-namespaces",
            "--output=wide",
        ][..],
        &["get", "tpstacks", "--all-namespaces", "--output=yaml"],
        &[
            "get",
            "ingressroutes,middlewares,tlsstores",
            "--all-namespaces",
        ],
        &[
            "get",
            "events",
            "--all-namespaces",
            "--sort-by=.lastTimestamp",
        ],
        &["describe", "pods", "--namespace", SYSTEM],
        &["describe", "pods", "--namespace", SHOP],
        &["logs", operator, "--namespace", SYSTEM, "--tail=200"],
        &[
            "logs",
            operator,
            "--namespace",
            SYSTEM,
            "--tail=50",
            "--previous",
        ],
        &[
            "logs",
            "--namespace",
            SHOP,
            "--selector=app.kubernetes.io/managed-by=tpstack-operator",
            "--all-containers",
            "--prefix",
            "--tail=40",
        ],
        &[
            "logs",
            "deployment/traefik",
            "--namespace=traefik",
            "--tail=40",
        ],
    ] {
        println!("\n$ kubectl {}", arguments.join(" "));
        match cluster.try_kubectl(arguments) {
            Ok(output) => println!("{}{}", output.stdout, output.stderr),
            Err(error) => println!("{error:#}"),
        }
    }
}
