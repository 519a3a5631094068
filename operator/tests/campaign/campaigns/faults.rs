//! Every write of every scenario, with a fault: the operator dies before or after it, or it is answered badly.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use serde_json::Value;

use super::{Tally, case, is_asked_for, note, reference, spread};
use crate::{
    bench::Bench,
    fault::{Fault, Planned, Write},
    lane::Lane,
    oracles::Reference,
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
    /// The faults are met in any order, and each is a case of its own.
    at_once: bool,
}

/// A crash at every write: before and after it in the large version, else before the one and after the next.
pub(crate) async fn crashes(bench: Arc<Bench>, tally: Arc<Tally>) {
    let all = bench.options.large || bench.options.replay.is_some();
    every(bench, tally, "crash", |index| {
        let crashes = Fault::CRASHES.into_iter().enumerate();
        crashes
            .filter(|(number, _)| all || index % Fault::CRASHES.len() == *number)
            .map(|(_, crash)| crash)
            .collect()
    })
    .await;
}

/// Every write answered by every other fault. The same fault answers all writes of a scenario, each once: the end state
/// tells of each. What was not met so, and what went wrong, is tried alone.
pub(crate) async fn answers(bench: Arc<Bench>, tally: Arc<Tally>) {
    let faults: Vec<Fault> = Fault::ALL
        .into_iter()
        .filter(|fault| !fault.is_crash())
        .collect();
    let units = scenarios(&bench, &tally, "answer", |name, writes| {
        let cases = faults.iter().filter_map(|fault| {
            let planned = writes.iter().map(|write| Planned {
                write: write.clone(),
                fault: *fault,
            });
            let asked: Vec<Planned> = planned
                .filter(|planned| is_asked_for(&bench, &id("answer", name, planned)))
                .collect();
            (!asked.is_empty()).then(|| (format!("answer/{name}/{fault}"), asked))
        });
        cases.collect()
    });
    spread(&bench, units, |(scenario, cases)| {
        unit(Arc::clone(&bench), Arc::clone(&tally), scenario, cases)
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
                at_once: false,
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
    faults: impl Fn(usize) -> Vec<Fault>,
) {
    let mut wanted = BTreeSet::new();
    let units = scenarios(&bench, &tally, campaign, |name, writes| {
        let mut cases = Vec::new();
        for (index, write) in writes.iter().enumerate() {
            for fault in faults(index) {
                let planned = Planned {
                    write: write.clone(),
                    fault,
                };
                let id = id(campaign, name, &planned);
                if is_asked_for(&bench, &id) {
                    wanted.insert(id.clone());
                    cases.push((id, vec![planned]));
                }
            }
        }
        cases
    });
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

fn id(campaign: &str, name: &str, planned: &Planned) -> String {
    format!("{campaign}/{name}/{planned}")
}

/// The cases of every scenario, in portions. `cases` makes those of one direction, from its name and its writes.
fn scenarios(
    bench: &Bench,
    tally: &Tally,
    campaign: &str,
    mut cases: impl FnMut(&str, &[Write]) -> Vec<(String, Vec<Planned>)>,
) -> Vec<(Scenario, Vec<Case>)> {
    let mut units = Vec::new();
    for scenario in crate::scenario::all() {
        let mut all = Vec::new();
        for (direction, ..) in reference::directions(&scenario, 1) {
            let name = format!("{}/{direction}", scenario.name);
            let Ok(reference) = bench.reference(&name) else {
                tally.fails(format!("{campaign}/{name} has no reference"));
                continue;
            };
            let made = cases(&name, &reference.writes).into_iter();
            all.extend(made.map(|(id, planned)| Case {
                id,
                direction,
                planned,
                at_once: campaign == "answer",
            }));
        }
        units.extend(chunks(&scenario, all));
    }
    units
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

    /// A case has ended. What a failure leaves behind is no place to begin from.
    fn ended(&mut self, bench: &Bench, case_: &Case, went_well: bool) {
        if went_well {
            self.is_there = case_.direction != "back";
        } else {
            self.leave(bench);
        }
    }
}

async fn one(
    bench: &Arc<Bench>,
    tally: &Tally,
    scenario: &Scenario,
    case_: &Case,
    place: &mut Place,
) -> anyhow::Result<()> {
    if !case_.at_once {
        return alone(bench, tally, scenario, case_, place).await;
    }
    let (lane, to, reference) = begin(bench, scenario, case_, place).await?;
    let (begin, before) = (Instant::now(), lane.wire.spent());
    let planned = case_.planned.clone();
    let held = reference::under_all(lane, scenario, &to, planned, &reference).await;
    let mut cost = lane.wire.spent() - before;
    let name = format!("{}/{}", scenario.name, case_.direction);
    let (met, error) = match held {
        Ok(met) => (met, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let took = begin.elapsed() / u32::try_from(met.len().max(1)).unwrap_or(1);
    for planned in &met {
        let id = id("answer", &name, planned);
        note(bench, tally, &id, std::mem::take(&mut cost), took, &Ok(()));
    }
    place.ended(bench, case_, error.is_none());
    let failures = tally.counts().failures.len();
    for planned in case_
        .planned
        .iter()
        .filter(|planned| !met.contains(planned))
    {
        let single = Case {
            id: id("answer", &name, planned),
            planned: vec![planned.clone()],
            at_once: false,
            ..case_.clone()
        };
        alone(bench, tally, scenario, &single, place).await?;
    }
    if let Some(error) = error
        && tally.counts().failures.len() == failures
    {
        tally.fails(format!(
            "{} at once, each of which holds alone\n{error:#}",
            case_.id
        ));
    }
    Ok(())
}

/// One case with a turn of its own.
async fn alone(
    bench: &Arc<Bench>,
    tally: &Tally,
    scenario: &Scenario,
    case_: &Case,
    place: &mut Place,
) -> anyhow::Result<()> {
    let (lane, to, reference) = begin(bench, scenario, case_, place).await?;
    let went_well = case(tally, lane, &case_.id, async |lane| {
        let planned = case_.planned.clone();
        reference::under(lane, scenario, &to, planned, &reference).await
    })
    .await;
    place.ended(bench, case_, went_well);
    Ok(())
}

/// A lane where the case can begin, what it leads to, and what is expected in the end.
async fn begin<'a>(
    bench: &Arc<Bench>,
    scenario: &Scenario,
    case_: &Case,
    place: &'a mut Place,
) -> anyhow::Result<(&'a mut Lane, Value, Arc<Reference>)> {
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
    let is_there = place.is_there;
    let lane = place.lane.as_mut().expect("it was made");
    let ways = reference::directions(scenario, step);
    let way = |direction: &str| {
        let found = ways.iter().find(|(name, ..)| *name == direction);
        let (.., to) = found.expect("the scenario has it");
        to.clone()
    };
    // A way back can only be gone from the other end.
    let must_be_there = case_.direction == "back";
    if !is_creation && step > 0 && must_be_there != is_there && ways.len() > 1 {
        let to = way(if must_be_there { "there" } else { "back" });
        lane.begin(Vec::new());
        lane.change(&to).await?;
        lane.settle().await?;
    }
    let reference = if matches!(scenario.shape, Shape::Grow(_)) {
        Arc::new(reference.grown(step))
    } else {
        reference
    };
    Ok((lane, way(case_.direction), reference))
}
