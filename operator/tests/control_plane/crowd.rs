//! Many stacks at once: at rest, over a restart, and beside one that cannot be finished. Each test runs alone, since it
//! counts what the operator does.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::json;

use crate::harness::{
    environment::variable,
    figures::tell,
    kinds::{self, CHILDREN},
    metrics::Scrape,
    objects::version,
    pods::Kubelet,
    sandbox::Sandbox,
    setup,
    stack::{Stack, everything_on},
    wait::{eventually, holds},
};

/// How many stacks, unless `TPSTACK_CROWD` says otherwise.
const STACKS: u64 = 20;
const GRACE: Duration = Duration::from_secs(10);
/// Seconds to watch what nothing happens to, unless `TPSTACK_STEADY_SECONDS` says otherwise.
const STEADY_SECONDS: u64 = 3;

#[tokio::test]
async fn many_settled_stacks_cost_no_write_and_a_restart_changes_none_of_them() {
    let count = usize::try_from(variable("TPSTACK_CROWD").unwrap_or(STACKS)).expect("a few");
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    let begin = Instant::now();
    let names: Vec<String> = (0..count).map(|number| format!("shop-{number}")).collect();
    let stacks = join_all(
        names
            .iter()
            .map(|name| sandbox.stack(name, everything_on())),
    )
    .await;
    for stack in &stacks {
        stack.ready().await;
    }
    let converged = begin.elapsed();
    settled(&sandbox).await;

    let before = versions(&sandbox).await;
    let seconds = variable("TPSTACK_STEADY_SECONDS").unwrap_or(STEADY_SECONDS);
    // That nothing happens can only be seen by watching for a while.
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    assert_eq!(
        versions(&sandbox).await,
        before,
        "at rest nothing is written"
    );

    let operator = setup::shared_operator().take().expect("it runs");
    operator.terminate(GRACE).await;
    // Drift that nobody sees.
    sandbox.delete(&kinds::CONFIG_MAP, "shop-7-redis").await;
    setup::start_operator(&sandbox).await;
    let drifted = Stack::named(&sandbox, "shop-7");
    drifted.applied(CHILDREN.into_iter()).await;
    eventually(&sandbox, "every stack was looked at", async || {
        let runs = Scrape::now().await.runs();
        holds(runs >= count, || format!("{runs} runs"))
    })
    .await;
    settled(&sandbox).await;
    let sent = Scrape::now().await.applies_sent();
    let after = versions(&sandbox).await;
    let changed: Vec<&String> = before
        .iter()
        .filter(|(id, version)| {
            let is_drifted = id.contains("/shop-7-") || id.ends_with("/shop-7");
            !is_drifted && after.get(*id) != Some(*version)
        })
        .map(|(id, _)| id)
        .collect();
    assert!(changed.is_empty(), "a restart changed {changed:?}");
    // The healed stack was applied to once more.
    let most = (count + 1) * (CHILDREN.len() + 1);
    assert!(
        sent <= most,
        "{sent} applies after the start, {most} at most"
    );
    tell(
        "many stacks",
        &format!(
            "{count} ready after {:.1} s; at rest {seconds} s without a write; a restart sent {sent} applies and changed nothing",
            converged.as_secs_f64()
        ),
    );
}

#[tokio::test]
async fn stacks_that_cannot_be_finished_slow_down_no_other() {
    let sandbox = Sandbox::alone().await;
    let _kubelet = Kubelet::start(&sandbox);
    let alone = time_to_ready(&sandbox, "alone").await;
    // Refused at every try: by a quota, and by a right that is missing.
    let refused = sandbox.beside().await;
    refused
        .create(
            &kinds::RESOURCE_QUOTA,
            json!({"metadata": {"name": "none"}, "spec": {"hard": {"count/services": "0"}}}),
        )
        .await;
    eventually(&sandbox, "the quota is in force", async || {
        let service = json!({"metadata": {"name": "probe"}, "spec": {"ports": [{"port": 80}]}});
        let made = refused.try_create(&kinds::SERVICE, service, true).await;
        holds(made.is_err(), || "a Service would be made".to_owned())
    })
    .await;
    let ungranted = sandbox.ungranted_beside().await;
    for number in 0..5 {
        let name = format!("stuck-{number}");
        refused.stack(&name, everything_on()).await;
        ungranted.stack(&name, everything_on()).await;
    }
    for number in 0..5 {
        let name = format!("stuck-{number}");
        let told = Stack::named(&refused, &name)
            .becomes("ApiReady", "False", "ApplyFailed")
            .await;
        assert!(told.message.contains("exceeded quota"), "{told:?}");
        Stack::named(&ungranted, &name)
            .stalled("NamespaceNotGranted")
            .await;
    }
    let beside = time_to_ready(&sandbox, "beside").await;
    // Times are told, not judged: a machine that is busy with something else would fail the test.
    tell(
        "beside ten stuck stacks",
        &format!(
            "ready after {:.2} s, alone after {:.2} s",
            beside.as_secs_f64(),
            alone.as_secs_f64()
        ),
    );
}

async fn time_to_ready(sandbox: &Sandbox, name: &str) -> Duration {
    let begin = Instant::now();
    sandbox.stack(name, everything_on()).await.ready().await;
    begin.elapsed()
}

/// Waits until neither the operator nor Kubernetes' controllers have anything left to do.
async fn settled(sandbox: &Sandbox) {
    let mut last = (0, BTreeMap::new());
    eventually(sandbox, "all has come to rest", async || {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let now = (Scrape::now().await.runs(), versions(sandbox).await);
        let is_at_rest = now == last;
        last = now;
        holds(is_at_rest, || "something was still written".to_owned())
    })
    .await;
}

/// The version of every stack and child, by kind and name.
async fn versions(sandbox: &Sandbox) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    let children = CHILDREN.into_iter().map(|(kind, _)| kind);
    let mut kinds: Vec<_> = children.chain([kinds::TPSTACK]).collect();
    kinds.dedup();
    for kind in kinds {
        for object in sandbox.list(&kind).await {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            versions.insert(format!("{}/{name}", kind.kind), version(&object));
        }
    }
    versions
}
