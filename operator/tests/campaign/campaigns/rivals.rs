//! Two operators without a lease, both at work on the same stack, their requests interleaved at random.

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Tally, case, is_asked_for, reference, spread};
use crate::{
    bench::Bench,
    lane::{End, Lane},
    oracles::{self, Reference},
    scenario::Scenario,
};

/// Runs of each, before one of them is alone again.
const ROUNDS: usize = 4;
/// Longest delay of a request, in microseconds.
const DELAY: u64 = 6_000;

pub(crate) async fn run(bench: Arc<Bench>, tally: Arc<Tally>) {
    let rounds = if bench.options.large { 40 } else { 3 };
    let mut units = Vec::new();
    for scenario in crate::scenario::all() {
        for round in 0..rounds {
            let seed = bench
                .options
                .seed
                .wrapping_mul(1_000_003)
                .wrapping_add(round);
            let id = format!("rivals/{}/{round}", scenario.name);
            if is_asked_for(&bench, &id) {
                units.push((scenario.clone(), id, seed));
            }
        }
    }
    spread(&bench, units, |(scenario, id, seed)| {
        one(Arc::clone(&bench), Arc::clone(&tally), scenario, id, seed)
    })
    .await;
}

async fn one(bench: Arc<Bench>, tally: Arc<Tally>, scenario: Scenario, id: String, seed: u64) {
    let mut lane = match reference::prepared(&bench, &scenario).await {
        Ok(lane) => lane,
        Err(error) => return tally.fails(format!("{id}\n{error:#}")),
    };
    for (index, (direction, _, to)) in (0_u64..).zip(reference::directions(&scenario, 1)) {
        let id = format!("{id}/{direction}");
        // Two operators at once are a large future.
        let went_well = Box::pin(case(&tally, &mut lane, &id, async |lane| {
            let reference = bench.reference(&format!("{}/{direction}", scenario.name))?;
            Box::pin(both(lane, &scenario, &to, seed ^ (index << 32), &reference)).await
        }))
        .await;
        if !went_well {
            break;
        }
    }
    bench.keep_passwords(lane.wire.passwords());
}

async fn both(
    lane: &mut Lane,
    scenario: &Scenario,
    to: &Value,
    seed: u64,
    reference: &Reference,
) -> Result<()> {
    lane.begin(Vec::new());
    lane.wire.delay(DELAY, seed);
    reference::act(lane, scenario, to).await?;
    let rivals = [lane.rival(), lane.rival()];
    for _ in 0..ROUNDS {
        let (first, second) = futures::join!(lane.run_as(&rivals[0]), lane.run_as(&rivals[1]));
        for end in [first?, second?] {
            ensure!(!matches!(end, End::Died), "nobody should have died");
        }
        lane.wire.quiet().await;
        lane.world.step(&lane.wire).await?;
    }
    let mut rest = lane.settle().await?;
    rest.runs += ROUNDS * rivals.len();
    let now = lane.snapshot().await?;
    oracles::always(lane, &rest, &now)?;
    // Both may have deleted the same object, the second in vain.
    let made = Reference {
        deleted: rest.seen.deleted.clone(),
        ..reference.clone()
    };
    oracles::counts(&rest, &made)?;
    oracles::equals(&now, &reference.state, true)
}
