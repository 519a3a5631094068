//! The API server and etcd killed in the middle of work, and started again. Each test runs alone.

use std::process::Command;

use kube::api::ListParams;

use crate::harness::{
    environment::ENVIRONMENT,
    first_seen::FirstSeen,
    kinds::{self, kept},
    operator::{self, Operator},
    pods::Kubelet,
    sandbox::Sandbox,
    setup,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

/// How often each is killed.
const TIMES: usize = 3;
/// Stacks that are being made meanwhile.
const STACKS: usize = 3;

#[tokio::test]
async fn an_api_server_killed_in_the_middle_of_work_costs_nothing_but_time() {
    killed("kube-apiserver").await;
}

#[tokio::test]
async fn an_etcd_killed_in_the_middle_of_work_costs_nothing_but_time() {
    killed("etcd").await;
}

async fn killed(program: &str) {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    let mut names = Vec::new();
    let mut known = FirstSeen::default();
    for time in 0..TIMES {
        for number in 0..STACKS {
            let name = format!("shop-{time}-{number}");
            sandbox.stack(&name, everything_on()).await;
            names.push(name);
        }
        let newest = Stack::named(&sandbox, names.last().expect("some were made"));
        // Sooner each time: before anything was made, then while children are, then while they become ready.
        for child in CHILDREN_BEFORE.iter().take(time) {
            eventually(&sandbox, "work has begun", async || {
                let found = newest.child(*child).await;
                holds(found.is_some(), || format!("no {}", child.0.kind))
            })
            .await;
        }
        known.compare(&sandbox).await;
        restart(program);
        answers_again(&sandbox).await;
        known.compare(&sandbox).await;
    }
    for name in &names {
        Stack::named(&sandbox, name).ready().await;
        known.compare(&sandbox).await;
    }
    assert_eq!(
        known.count(),
        names.len() * kept().count(),
        "kept objects of every stack, and no others"
    );
    let is_alive = setup::shared_operator()
        .as_mut()
        .is_some_and(Operator::is_running);
    assert!(is_alive, "the operator ended:\n{}", operator::log());
}

/// What the newest stack has got when the server is killed: one more each time.
const CHILDREN_BEFORE: [kinds::Child; TIMES - 1] = [
    (kinds::SECRET, "postgres-credentials"),
    (kinds::STATEFUL_SET, "postgres"),
];

fn restart(program: &str) {
    let folder =
        std::env::var_os("TESTBED_CONTROL_PLANE_DIR").expect("the environment was looked at");
    let ended = Command::new(ENVIRONMENT.repository.join("testbed/control-plane"))
        .arg("restart")
        .arg(folder)
        .arg(program)
        .status()
        .expect("bash runs");
    assert!(ended.success(), "{program} did not come back");
}

/// Waits until our own connections are new ones.
async fn answers_again(sandbox: &Sandbox) {
    eventually(sandbox, "the API server answers", async || {
        let stacks = sandbox.api(&kinds::TPSTACK);
        match stacks.list(&ListParams::default()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
}
