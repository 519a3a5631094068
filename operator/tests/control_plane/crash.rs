//! The operator killed at any moment of its work. Runs alone.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use crate::harness::{
    history::{self, Change},
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
    let start = history::now(&sandbox, &kinds::SECRET).await;
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
        let counts = counts(&sandbox, &kind, &start).await;
        assert_eq!(
            counts.len(),
            2 * STACKS,
            "killed after {lives:?} ms: {counts:?}"
        );
        for (name, (created, deleted)) in counts {
            assert_eq!(
                (created, deleted),
                (1, 0),
                "{} {name}: creations and deletions, killed after {lives:?} ms",
                kind.kind
            );
        }
    }
}

/// How often each object was created and deleted since that moment.
async fn counts(sandbox: &Sandbox, kind: &Kind, start: &str) -> BTreeMap<String, (usize, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for (change, object) in history::since(sandbox, kind, start).await {
        let name = object["metadata"]["name"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        let count = counts.entry(name).or_default();
        match change {
            Change::Created => count.0 += 1,
            Change::Deleted => count.1 += 1,
            Change::Changed => {}
        }
    }
    counts
}
