//! The operator killed at any moment of its work. Runs alone.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use futures::{StreamExt, pin_mut};
use kube::api::{ListParams, WatchEvent, WatchParams};

use crate::harness::{
    kinds::{self, CHILDREN, Kind},
    pods::Kubelet,
    sandbox::Sandbox,
    setup,
    stack::{Stack, everything_on},
};

const STACKS: usize = 10;
const KILLS: usize = 4;
const LONGEST_LIFE: u64 = 900;

#[tokio::test]
async fn an_operator_killed_at_any_moment_makes_each_volume_and_credential_once() {
    let sandbox = Sandbox::alone().await;
    let start = version_of_now(&sandbox).await;
    let mut lives = Vec::new();
    let stacks: Vec<Stack<'_>> = {
        let mut stacks = Vec::new();
        for number in 0..STACKS {
            stacks.push(
                sandbox
                    .stack(&format!("shop-{number}"), everything_on())
                    .await,
            );
        }
        stacks
    };
    for _ in 0..KILLS {
        // The moment is what is tested, so here alone a time is waited for.
        let life = RandomState::new().hash_one(0) % LONGEST_LIFE;
        lives.push(life);
        tokio::time::sleep(Duration::from_millis(life)).await;
        let operator = setup::shared_operator().take().expect("it runs");
        operator.kill();
        setup::start_operator(&sandbox).await;
    }
    let _kubelet = Kubelet::start(&sandbox);
    for stack in &stacks {
        stack.ready().await;
        stack.applied(CHILDREN.into_iter()).await;
    }
    for kind in [kinds::SECRET, kinds::VOLUME_CLAIM] {
        let history = history(&sandbox, &kind, &start).await;
        assert_eq!(
            history.len(),
            2 * STACKS,
            "killed after {lives:?} ms: {history:?}"
        );
        for (name, (created, deleted)) in history {
            assert_eq!(
                (created, deleted),
                (1, 0),
                "{} {name}: creations and deletions, killed after {lives:?} ms",
                kind.kind
            );
        }
    }
}

/// The version of the whole store before the test.
async fn version_of_now(sandbox: &Sandbox) -> String {
    let list = sandbox
        .api(&kinds::SECRET)
        .list(&ListParams::default())
        .await
        .expect("Secrets can be listed");
    list.metadata
        .resource_version
        .expect("a list has a version")
}

/// How often each object was created and deleted since that version, as the server remembers.
async fn history(sandbox: &Sandbox, kind: &Kind, start: &str) -> BTreeMap<String, (usize, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let watch = WatchParams::default().timeout(2);
    let events = sandbox
        .api(kind)
        .watch(&watch, start)
        .await
        .expect("the server remembers a few minutes");
    pin_mut!(events);
    while let Some(event) = events.next().await {
        let (object, created, deleted) = match event.expect("the server remembers a few minutes") {
            WatchEvent::Added(object) => (object, 1, 0),
            WatchEvent::Deleted(object) => (object, 0, 1),
            WatchEvent::Modified(_) | WatchEvent::Bookmark(_) => continue,
            WatchEvent::Error(error) => panic!("the server does not remember: {error:?}"),
        };
        let count = counts
            .entry(object.metadata.name.unwrap_or_default())
            .or_default();
        *count = (count.0 + created, count.1 + deleted);
    }
    counts
}
