//! Every write of every scenario, with a fault: the operator dies before or after it, or it is answered badly.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::Value;

use super::{Tally, case, is_asked_for, reference, spread};
use crate::{
    bench::Bench,
    fault::{Fault, Planned},
    lane::Lane,
    scenario::{Scenario, Shape},
};

/// Cases of one scenario that share a namespace.
const CHUNK: usize = 24;

/// One case: a direction of its scenario, and the faults.
#[derive(Clone, Debug)]
struct Case {
    id: String,
    direction: &'static str,
    planned: Vec<Planned>,
}

/// A crash at every write: before and after it in the large version, else before the one and after the next.
pub(crate) async fn crashes(bench: Arc<Bench>, tally: Arc<Tally>) {
    let all = bench.options.large || bench.options.replay.is_some();
    every(bench, tally, "crash", |_, index| {
        let crashes = Fault::CRASHES.into_iter().enumerate();
        crashes
            .filter(|(number, _)| all || index % Fault::CRASHES.len() == *number)
            .map(|(_, crash)| crash)
            .collect()
    })
    .await;
}

/// Every write answered by every other fault. Creations have most of the writes, and many of them in common: unless
/// the large version is asked for, each of theirs meets two faults, in turn.
pub(crate) async fn answers(bench: Arc<Bench>, tally: Arc<Tally>) {
    let large = bench.options.large;
    every(bench, tally, "answer", |scenario, index| {
        let answers = Fault::ALL.into_iter().filter(|fault| !fault.is_crash());
        if large || !matches!(scenario.shape, Shape::Create(..)) {
            answers.collect()
        } else {
            let count = answers.clone().count();
            answers.cycle().skip(index * 2 % count).take(2).collect()
        }
    })
    .await;
}

/// A second crash during the recovery from a first: every write of the recovery, or a sample of both.
pub(crate) async fn pairs(bench: Arc<Bench>, tally: Arc<Tally>) {
    let mut firsts = Vec::new();
    for scenario in crate::scenario::all() {
        for (direction, ..) in reference::directions(&scenario, 1) {
            let Ok(reference) = bench.reference(&format!("{}/{direction}", scenario.name)) else {
                continue;
            };
            for write in &reference.writes {
                for fault in Fault::CRASHES {
                    let first = Planned {
                        write: write.clone(),
                        fault,
                    };
                    firsts.push((scenario.clone(), direction, first, reference.writes.clone()));
                }
            }
        }
    }
    let (most, seconds) = if bench.options.large {
        (usize::MAX, usize::MAX)
    } else {
        (150, 2)
    };
    if bench.options.replay.is_none() {
        firsts = crate::random::sample(firsts, most, bench.options.seed);
    }
    let mut units = Vec::new();
    for (index, (scenario, direction, first, writes)) in (0_u64..).zip(firsts) {
        // A recovery applies everything again: its writes are those of the scenario, counted from one, and more.
        let mut then: Vec<Planned> = writes
            .iter()
            .flat_map(|write| {
                Fault::CRASHES.map(|fault| Planned {
                    write: write.clone(),
                    fault,
                })
            })
            .collect();
        if bench.options.replay.is_none() {
            then = crate::random::sample(then, seconds, bench.options.seed ^ index);
        }
        let cases: Vec<Case> = then
            .into_iter()
            .map(|second| Case {
                id: format!("pair/{}/{direction}/{first}+{second}", scenario.name),
                direction,
                planned: vec![first.clone(), second],
            })
            .filter(|case| is_asked_for(&bench, &case.id))
            .collect();
        units.push((scenario, cases));
    }
    let mut by_scenario: std::collections::BTreeMap<&str, (Scenario, Vec<Case>)> =
        std::collections::BTreeMap::new();
    for (scenario, cases) in units {
        let entry = by_scenario
            .entry(scenario.name)
            .or_insert_with(|| (scenario.clone(), Vec::new()));
        entry.1.extend(cases);
    }
    let units: Vec<_> = by_scenario
        .into_values()
        .flat_map(|(scenario, cases)| chunks(&scenario, cases))
        .collect();
    spread(&bench, units, |(scenario, cases)| {
        unit(Arc::clone(&bench), Arc::clone(&tally), scenario, cases)
    })
    .await;
}

async fn every(
    bench: Arc<Bench>,
    tally: Arc<Tally>,
    campaign: &'static str,
    faults: impl Fn(&Scenario, usize) -> Vec<Fault>,
) {
    let mut units = Vec::new();
    let mut wanted = BTreeSet::new();
    for scenario in crate::scenario::all() {
        let mut cases = Vec::new();
        for (direction, ..) in reference::directions(&scenario, 1) {
            let name = format!("{}/{direction}", scenario.name);
            let Ok(reference) = bench.reference(&name) else {
                tally.fails(format!("{campaign}/{name} has no reference"));
                continue;
            };
            for (index, write) in reference.writes.iter().enumerate() {
                for fault in faults(&scenario, index) {
                    let planned = Planned {
                        write: write.clone(),
                        fault,
                    };
                    let id = format!("{campaign}/{name}/{planned}");
                    if is_asked_for(&bench, &id) {
                        wanted.insert(id.clone());
                        cases.push(Case {
                            id,
                            direction,
                            planned: vec![planned],
                        });
                    }
                }
            }
        }
        units.extend(chunks(&scenario, cases));
    }
    spread(&bench, units, |(scenario, cases)| {
        unit(Arc::clone(&bench), Arc::clone(&tally), scenario, cases)
    })
    .await;
    let missing: Vec<String> = wanted
        .difference(&tally.counts().visited)
        .cloned()
        .collect();
    if !missing.is_empty() && !bench.is_over() {
        tally.fails(format!(
            "{} pairs of write and fault were not visited: {missing:?}",
            missing.len()
        ));
    }
}

/// Cases of a scenario in portions, those of both directions mixed so that each way there is followed by one back.
fn chunks(scenario: &Scenario, cases: Vec<Case>) -> Vec<(Scenario, Vec<Case>)> {
    let (back, there): (Vec<Case>, Vec<Case>) =
        cases.into_iter().partition(|case| case.direction == "back");
    let mut mixed = Vec::new();
    let (mut back, mut there) = (back.into_iter(), there.into_iter());
    loop {
        let pair = (there.next(), back.next());
        if let (None, None) = pair {
            break;
        }
        mixed.extend(pair.0);
        mixed.extend(pair.1);
    }
    mixed
        .chunks(CHUNK)
        .map(|chunk| (scenario.clone(), chunk.to_vec()))
        .collect()
}

async fn unit(bench: Arc<Bench>, tally: Arc<Tally>, scenario: Scenario, cases: Vec<Case>) {
    let mut place = Place::default();
    for case_ in cases {
        if bench.is_over() {
            break;
        }
        if let Err(error) = one(&bench, &tally, &scenario, &case_, &mut place).await {
            tally.fails(format!("{} could not be begun\n{error:#}", case_.id));
            place.lane = None;
        }
    }
    place.leave(&bench);
}

/// The lane in use, and where its stack is.
#[derive(Default)]
struct Place {
    lane: Option<Lane>,
    is_there: bool,
    /// How often a volume has grown.
    step: u32,
}

impl Place {
    fn leave(&mut self, bench: &Bench) {
        if let Some(lane) = self.lane.take() {
            bench.keep_passwords(lane.wire.passwords());
        }
        self.is_there = false;
        self.step = 0;
    }
}

async fn one(
    bench: &Arc<Bench>,
    tally: &Tally,
    scenario: &Scenario,
    case_: &Case,
    place: &mut Place,
) -> anyhow::Result<()> {
    let reference = bench.reference(&format!("{}/{}", scenario.name, case_.direction))?;
    let is_creation = matches!(scenario.shape, Shape::Create(..));
    if is_creation && let Some(lane) = &place.lane {
        // Another stack beside the last one.
        let next = lane.beside().await?;
        bench.keep_passwords(lane.wire.passwords());
        place.lane = Some(reference::ready(next, scenario).await?);
    }
    if place.lane.is_none() {
        place.leave(bench);
        place.lane = Some(reference::prepared(bench, scenario).await?);
    }
    place.step += 1;
    let step = place.step;
    let lane = place.lane.as_mut().expect("it was made");
    let ways = reference::directions(scenario, step);
    let way = |direction: &str| {
        let found = ways.iter().find(|(name, ..)| *name == direction);
        let (.., to) = found.expect("the scenario has it");
        to.clone()
    };
    // A way back can only be gone from the other end.
    let must_be_there = case_.direction == "back";
    if !is_creation && step > 0 && must_be_there != place.is_there && ways.len() > 1 {
        let to = way(if must_be_there { "there" } else { "back" });
        lane.begin(Vec::new());
        lane.change(&to).await?;
        lane.settle().await?;
    }
    let to: Value = way(case_.direction);
    let grown = matches!(scenario.shape, Shape::Grow(_)).then(|| reference.grown(step));
    let reference = grown.as_ref().unwrap_or(&reference);
    let went_well = case(tally, lane, &case_.id, async |lane| {
        let planned = case_.planned.clone();
        reference::under(lane, scenario, &to, planned, reference).await
    })
    .await;
    if went_well {
        place.is_there = !must_be_there;
    } else {
        // What a failure leaves behind is no place to begin from.
        place.leave(bench);
    }
    Ok(())
}
