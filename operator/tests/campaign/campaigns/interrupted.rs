//! A stack that is deleted while its children are made, and one made again under the same name while the operator still
//! knows of the old one only.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{Tally, case, is_asked_for, spread};
use crate::{
    bench::Bench,
    fault::{Fault, Planned},
    lane::{End, Lane, Rest},
    oracles::{self, Reference},
    snapshot::{Snapshot, text},
};

#[derive(Clone, Debug)]
struct Case {
    id: String,
    planned: Planned,
    deletes_data: bool,
    again: bool,
}

fn spec(deletes_data: bool) -> Value {
    let mut spec = crate::scenario::plain();
    if deletes_data {
        spec["deletionPolicy"] = json!("Delete");
    }
    spec
}

/// Deleted at every write of a creation, under both policies.
pub(crate) async fn deletion(bench: Arc<Bench>, tally: Arc<Tally>) {
    all(bench, tally, "deletion", false).await;
}

/// Deleted and made again at every write of a creation; the operator starts again and is told of the old one.
pub(crate) async fn stale(bench: Arc<Bench>, tally: Arc<Tally>) {
    all(bench, tally, "stale", true).await;
}

async fn all(bench: Arc<Bench>, tally: Arc<Tally>, campaign: &str, again: bool) {
    let mut cases = Vec::new();
    for deletes_data in [false, true] {
        let policy = if deletes_data { "delete" } else { "retain" };
        let reference = match creation(&bench, deletes_data).await {
            Ok(reference) => reference,
            Err(error) => return tally.fails(format!("{campaign}/{policy}\n{error:#}")),
        };
        for write in &reference.writes {
            for fault in Fault::CRASHES {
                let planned = Planned {
                    write: write.clone(),
                    fault,
                };
                cases.push(Case {
                    id: format!("{campaign}/{policy}/{planned}"),
                    planned,
                    deletes_data,
                    again,
                });
            }
        }
        bench.keep_reference(format!("{campaign}/{policy}"), reference);
    }
    cases.retain(|case| is_asked_for(&bench, &case.id));
    if !bench.options.large {
        cases = crate::random::sample(cases, 80, bench.options.seed);
    }
    spread(&bench, cases, |case_| {
        one(Arc::clone(&bench), Arc::clone(&tally), case_)
    })
    .await;
}

async fn creation(bench: &Arc<Bench>, deletes_data: bool) -> Result<Reference> {
    let mut lane = Lane::new(bench).await?;
    lane.create(&spec(deletes_data)).await?;
    let rest = lane.settle().await?;
    let now = lane.snapshot().await?;
    bench.keep_passwords(lane.wire.passwords());
    Ok(Reference::new(&rest, now.state(true)))
}

async fn one(bench: Arc<Bench>, tally: Arc<Tally>, case_: Case) {
    let mut lane = match Lane::new(&bench).await {
        Ok(lane) => lane,
        Err(error) => return tally.fails(format!("{}\n{error:#}", case_.id)),
    };
    case(&tally, &mut lane, &case_.id, async |lane| {
        let policy = if case_.deletes_data {
            "delete"
        } else {
            "retain"
        };
        let campaign = if case_.again { "stale" } else { "deletion" };
        let reference = bench.reference(&format!("{campaign}/{policy}"))?;
        work(lane, &case_, &reference).await
    })
    .await;
    bench.keep_passwords(lane.wire.passwords());
}

async fn work(lane: &mut Lane, case_: &Case, reference: &Reference) -> Result<()> {
    let spec = spec(case_.deletes_data);
    lane.begin(vec![case_.planned.clone()]);
    lane.create(&spec).await?;
    let mut died = false;
    for _ in 0..20 {
        died = matches!(lane.run().await?, End::Died);
        lane.wire.quiet().await;
        if died {
            break;
        }
        lane.world.step(&lane.wire).await?;
    }
    ensure!(died, "the write did not come, so the fault could not");
    let then = lane.snapshot().await?;
    lane.delete().await?;
    lane.restart().await?;
    lane.begin(Vec::new());
    if case_.again {
        lane.create(&spec).await?;
        // The old one's kept objects may go or be taken over, as the policy and the moment have it.
        lane.kept.clear();
        lane.credentials.clear();
        let rest = lane.settle().await?;
        lane.collected().await?;
        let again = lane.settle().await?;
        let now = lane.snapshot().await?;
        oracles::always(lane, &again, &now)?;
        ensure!(
            rest.seen.deleted.is_empty(),
            "O2: something of the new stack was deleted: {:?}",
            rest.seen.deleted
        );
        if !case_.deletes_data {
            untouched(&then, &now)?;
        }
        return oracles::equals(&now, &reference.state, true);
    }
    // The last events of the old one start runs still.
    lane.stuck(2).await?;
    let seen = lane.wire.seen();
    ensure!(
        seen.moved == 0,
        "O3: {} writes after the deletion: {:?}",
        seen.moved,
        seen.writes
    );
    lane.collected().await?;
    let now = lane.snapshot().await?;
    let rest = Rest { runs: 2, seen };
    oracles::always(lane, &rest, &now)?;
    let owned = now.children.keys().find(|id| !is_kept(id));
    ensure!(owned.is_none(), "O7: {owned:?} outlived its stack");
    if case_.deletes_data {
        let owned_then = then.children.iter().filter(|(_, child)| {
            child["metadata"]["ownerReferences"]
                .as_array()
                .is_some_and(|owners| !owners.is_empty())
        });
        for (id, _) in owned_then {
            ensure!(
                !now.children.contains_key(id),
                "O7: {id} outlived its stack"
            );
        }
        Ok(())
    } else {
        untouched(&then, &now)
    }
}

fn is_kept(id: &str) -> bool {
    id.starts_with("secrets/") || id.starts_with("persistentvolumeclaims/")
}

/// What is kept is the same as it was.
fn untouched(then: &Snapshot, now: &Snapshot) -> Result<()> {
    let kept = |snapshot: &Snapshot| -> BTreeMap<String, (String, String)> {
        snapshot
            .children
            .iter()
            .filter(|(id, _)| is_kept(id))
            .map(|(id, child)| {
                (
                    id.clone(),
                    (text(child, "/metadata/uid"), child["data"].to_string()),
                )
            })
            .collect()
    };
    let now = kept(now);
    for (id, before) in kept(then) {
        ensure!(
            now.get(&id) == Some(&before),
            "O6: {id} was kept, and is not as it was"
        );
    }
    Ok(())
}
