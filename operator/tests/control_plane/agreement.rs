//! The API server, by the schema and its CEL rules, and the operator, by `validate`, accept and refuse the same TpStacks.
//!
//! Generated ones: sound ones with up to three fields changed to something at, near or far beyond a limit. The same run
//! again: `TPSTACK_AGREEMENT_SEED=<seed> testbed/with control-plane -- cargo test -p operator --all-features --test
//! control_plane agreement`; more of them: `TPSTACK_AGREEMENT_CASES=<number>`.

mod api;
mod ingress;
mod monitoring;
mod network;
mod scheduling;
mod specs;
mod stores;
mod words;

use std::{
    fmt::Write as _,
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use futures::{StreamExt, stream};
use operator::{
    crd,
    validate::{Stack, validate},
};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use serde_json::{Value, json};

use crate::harness::{environment::variable, figures::tell, kinds, sandbox::Sandbox};

const CASES: u64 = 3_000;

/// Requests that are under way at once.
const AT_ONCE: usize = 24;

/// Least share of those that both accept, and of those that both refuse: a test of one kind alone would show nothing.
const LEAST_SHARE: f64 = 0.15;

/// Steps of making a disagreement smaller.
const STEPS: usize = 200;

#[tokio::test]
async fn the_server_and_the_operator_accept_and_refuse_the_same() {
    let started = Instant::now();
    let seed = variable("TPSTACK_AGREEMENT_SEED").unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(1, |since| since.subsec_nanos().into())
    });
    let cases = variable("TPSTACK_AGREEMENT_CASES").unwrap_or(CASES);
    let sandbox = Sandbox::ungranted().await;
    let mut runner = runner(seed);
    let stacks = specs::stack();
    let mut trees: Vec<_> = (0..cases)
        .map(|_| {
            stacks
                .new_tree(&mut runner)
                .expect("nothing is filtered out")
        })
        .collect();
    let answers: Vec<(usize, Result<bool, String>)> = stream::iter(trees.iter().enumerate())
        .map(async |(number, tree)| (number, compare(&sandbox, &tree.current()).await))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;

    let (mut accepted, mut report, mut disagreements) = (0, String::new(), 0);
    for (number, answer) in answers {
        match answer {
            Ok(both) => accepted += u64::from(both),
            Err(_) if disagreements >= 5 => disagreements += 1,
            Err(_) => {
                disagreements += 1;
                let smallest = shrink(&sandbox, &mut trees[number]).await;
                writeln!(report, "{smallest}").expect("a String takes everything");
            }
        }
    }
    let seconds = started.elapsed().as_secs();
    tell(
        "agreement on TpStacks",
        &format!(
            "cases {cases}, both accept {accepted}, both refuse {}, disagreements {disagreements}, seed {seed}, {seconds} s",
            cases - accepted - disagreements
        ),
    );
    assert!(
        disagreements == 0,
        "{disagreements} of {cases} disagree; again with TPSTACK_AGREEMENT_SEED={seed}:\n{report}"
    );
    #[expect(clippy::cast_precision_loss, reason = "a share of a few thousand")]
    let share = accepted as f64 / cases as f64;
    assert!(
        (LEAST_SHARE..=1.0 - LEAST_SHARE).contains(&share),
        "of {cases} cases {accepted} were accepted: too one-sided to show anything (seed {seed})"
    );
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(
        Config::default(),
        TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
    )
}

/// Whether both accept it; the error tells of a difference.
async fn compare(sandbox: &Sandbox, stack: &Value) -> Result<bool, String> {
    let server = sandbox
        .try_create(&kinds::TPSTACK, stack.clone(), true)
        .await;
    let told = |what: &str| format!("{what}\n  {stack}");
    match (server, operator(stack)) {
        (Err(refused), Err(_)) => {
            // Any other code would be a server that did not look.
            assert!(
                [400, 422].contains(&refused.code),
                "{}",
                told(&format!("{refused:?}"))
            );
            Ok(false)
        }
        (Ok(stored), Ok(raw)) => {
            // What the server stores, with its defaults, means what the operator reads without them.
            let stored = operator(&stored)
                .map_err(|refused| told(&format!("refused once stored: {refused}")))?;
            if meaning(raw, &stored) == meaning(stored.clone(), &stored) {
                Ok(true)
            } else {
                Err(told("the server's defaults are not the operator's"))
            }
        }
        (Ok(_), Err(refused)) => Err(told(&format!(
            "the server accepts what the operator refuses: {refused}"
        ))),
        (Err(refused), Ok(_)) => Err(told(&format!(
            "the operator accepts what the server refuses: {}",
            refused.message
        ))),
    }
}

fn operator(stack: &Value) -> Result<Stack, String> {
    let mut document = stack.clone();
    document["apiVersion"] = json!(kinds::TPSTACK.api_version());
    document["kind"] = json!(kinds::TPSTACK.kind);
    let stack = crd::read(document).map_err(|error| error.to_string())?;
    validate(&stack).map_err(|violations| format!("{violations:?}"))
}

/// What was understood, but for what only a stored object has.
fn meaning(stack: Stack, stored: &Stack) -> String {
    let namespace = stored.namespace.clone();
    let uid = String::new();
    format!(
        "{:?}",
        Stack {
            namespace,
            uid,
            ..stack
        }
    )
}

/// A disagreement made smaller, as its words.
async fn shrink(sandbox: &Sandbox, tree: &mut impl ValueTree<Value = Value>) -> String {
    let mut smallest = String::new();
    for _ in 0..STEPS {
        let goes_on = match compare(sandbox, &tree.current()).await {
            Err(words) => {
                smallest = words;
                tree.simplify()
            }
            Ok(_) => tree.complicate(),
        };
        if !goes_on {
            break;
        }
    }
    smallest
}
