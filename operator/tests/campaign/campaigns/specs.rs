//! Every field of the spec: changed to a value and back it leaves what was there before, and the changed stack is what a
//! fresh one of the same spec is. And mistakes: a bad spec, or a refusal, that is mended.

mod fields;

use std::sync::Arc;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

pub(super) use fields::strict;

use super::{Tally, case, is_asked_for, spread};
use crate::{
    bench::Bench,
    lane::Lane,
    oracles::{self, Reference, condition},
    scenario::{full, plain, with},
    snapshot::State,
    world::Pods,
};

#[derive(Clone, Debug)]
struct Case {
    id: String,
    from: Value,
    to: Value,
}

/// A -> B -> A for every field, from a plain stack and from a full one; in the small version from one of them.
pub(crate) async fn undo(bench: Arc<Bench>, tally: Arc<Tally>) {
    let mut cases = Vec::new();
    for (index, (field, value)) in fields::all().into_iter().enumerate() {
        let word = field.replace('.', "-");
        cases.push(Case {
            id: format!("undo/plain/{word}-{index}"),
            from: plain(),
            to: with(&[(field, value.clone())]),
        });
        let mut to = full();
        let mut place = &mut to;
        for word in field.split('.') {
            place = &mut place[word];
        }
        *place = value;
        cases.push(Case {
            id: format!("undo/full/{word}-{index}"),
            from: full(),
            to,
        });
    }
    if !bench.options.large && bench.options.replay.is_none() {
        // Every field once, from a plain stack or from a full one.
        let mut number = 0;
        cases.retain(|_| {
            number += 1;
            matches!(number % 4, 1 | 0)
        });
    }
    cases.retain(|case| is_asked_for(&bench, &case.id));
    spread(&bench, cases, |case_| {
        undone(Arc::clone(&bench), Arc::clone(&tally), case_)
    })
    .await;
}

async fn undone(bench: Arc<Bench>, tally: Arc<Tally>, case_: Case) {
    let lanes = async {
        let lane = Lane::new(&bench).await?;
        let fresh = lane.beside().await?;
        anyhow::Ok((lane, fresh))
    };
    let (mut lane, mut fresh) = match lanes.await {
        Ok(lanes) => lanes,
        Err(error) => return tally.fails(format!("{}\n{error:#}", case_.id)),
    };
    lane.shared = true;
    case(&tally, &mut lane, &case_.id, async |lane| {
        lane.create(&case_.from).await?;
        let before = rest(lane).await?;
        lane.change(&case_.to).await?;
        let there = rest(lane).await?;
        fresh.create(&case_.to).await?;
        let of_fresh = rest(&mut fresh).await?;
        same(
            &of_fresh,
            &there,
            "changed to it, the stack is not as one made so",
        )?;
        lane.change(&case_.from).await?;
        let back = rest(lane).await?;
        same(&before, &back, "changed back, the stack is not as before")
    })
    .await;
    bench.keep_passwords(lane.wire.passwords());
    bench.keep_passwords(fresh.wire.passwords());
}

/// The state without what outlives a change on purpose: kept data of a store that is off, Jobs that end by themselves, and
/// what the status remembers of them.
fn comparable(state: &State) -> State {
    let mut state = state.clone();
    let redis = state.contains_key("statefulsets/*-redis");
    let volume = state
        .get("statefulsets/*-redis")
        .is_some_and(|set| set.to_string().contains("redis-data"));
    state.retain(|id, _| {
        !(id.starts_with("jobs/")
            || (!redis && id == "secrets/*-redis-credentials")
            || (!volume && id == "persistentvolumeclaims/*-redis-data"))
    });
    if let Some(status) = state.get_mut("status").and_then(Value::as_object_mut)
        && !volume
    {
        status.remove("redisVolumeUID");
    }
    // The Secret of a store without a volume keeps the name of the one it had.
    if !volume && let Some(secret) = state.get_mut("secrets/*-redis-credentials") {
        secret["metadata"]["annotations"] = Value::Null;
    }
    state
}

/// Compares two stacks by what they are made of.
pub(super) fn same(expected: &State, found: &State, what: &str) -> Result<()> {
    let difference = crate::snapshot::difference(&comparable(expected), &comparable(found));
    ensure!(
        difference.is_none(),
        "O1: {what}:\n{}",
        difference.unwrap_or_default()
    );
    Ok(())
}

async fn rest(lane: &mut Lane) -> Result<State> {
    let rest = lane.settle().await?;
    let now = lane.snapshot().await?;
    oracles::always(lane, &rest, &now)?;
    let ready = condition(&now, "Ready");
    ensure!(ready.0 == "True", "O8: not ready in the end: {ready:?}");
    lane.begin(Vec::new());
    Ok(now.state(true))
}

/// What goes wrong for a while.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    /// The new image never becomes ready.
    Image,
    /// The migration of the new image fails.
    Migration,
    /// A child's name is taken.
    Name(&'static str),
    /// Writes to an object are refused, with this code.
    Refused(&'static str, u16),
}

/// Something goes wrong, is told of by its name, harms nothing else, and is mended.
pub(crate) async fn mend(bench: Arc<Bench>, tally: Arc<Tally>) {
    let mut cases = vec![
        ("image".to_owned(), Mistake::Image),
        ("migration".to_owned(), Mistake::Migration),
    ];
    for object in [
        "serviceaccounts/*-api",
        "services/*-api",
        "deployments/*-api",
        "poddisruptionbudgets/*-api",
        "ingressroutes/*-api",
        "middlewares/*-api-redirect",
        "servicemonitors/*-api",
        "prometheusrules/*-api",
        "configmaps/*-api-dashboard",
        "configmaps/*-postgres",
        "statefulsets/*-postgres",
        "services/*-postgres",
        "networkpolicies/*-postgres",
        "configmaps/*-redis",
        "statefulsets/*-redis",
        "services/*-redis",
        "networkpolicies/*-redis",
        "secrets/*-postgres-credentials",
        "secrets/*-redis-credentials",
        "persistentvolumeclaims/*-postgres-data",
        "persistentvolumeclaims/*-redis-data",
    ] {
        cases.push((format!("name/{object}"), Mistake::Name(object)));
        for code in [403, 422, 500] {
            cases.push((format!("{code}/{object}"), Mistake::Refused(object, code)));
        }
    }
    let cases: Vec<(String, Mistake)> = cases
        .into_iter()
        .map(|(id, mistake)| (format!("mend/{id}"), mistake))
        .filter(|(id, _)| is_asked_for(&bench, id))
        .collect();
    spread(&bench, cases, |(id, mistake)| {
        mended(Arc::clone(&bench), Arc::clone(&tally), id, mistake)
    })
    .await;
}

async fn mended(bench: Arc<Bench>, tally: Arc<Tally>, id: String, mistake: Mistake) {
    let mut lane = match Lane::new(&bench).await {
        Ok(lane) => lane,
        Err(error) => return tally.fails(format!("{id}\n{error:#}")),
    };
    case(&tally, &mut lane, &id, async |lane| {
        let reference = bench.reference("create-full/there")?;
        match mistake {
            Mistake::Image => image(lane, &reference, Pods::ApiStuck, "ApiReady").await,
            Mistake::Migration => image(lane, &reference, Pods::MigrationsFail, "Stalled").await,
            Mistake::Name(object) => name(lane, object, &reference).await,
            Mistake::Refused(object, code) => refused(lane, object, code, &reference).await,
        }
    })
    .await;
    bench.keep_passwords(lane.wire.passwords());
}

/// A settled stack gets an image that does not work, and then the old one again.
async fn image(lane: &mut Lane, reference: &Reference, pods: Pods, told: &str) -> Result<()> {
    lane.create(&full()).await?;
    lane.settle().await?;
    let mut bad = full();
    bad["api"]["image"] = json!("registry.example.org/app:bad");
    lane.world.pods = pods;
    lane.change(&bad).await?;
    lane.settle().await?;
    let now = lane.snapshot().await?;
    let ready = condition(&now, "Ready");
    ensure!(
        ready.0 == "False",
        "O8: the bad image is told as ready: {ready:?}"
    );
    let cause = condition(&now, told);
    ensure!(
        (cause.0 == "False") == (told == "ApiReady"),
        "O8: {told} does not tell of the bad image: {cause:?}"
    );
    lane.world.pods = Pods::Well;
    lane.begin(Vec::new());
    lane.change(&full()).await?;
    let rest = lane.settle().await?;
    let now = lane.snapshot().await?;
    oracles::always(lane, &rest, &now)?;
    same(
        &reference.state,
        &now.state(true),
        "mended, the stack is not as a good one",
    )
}

/// Somebody else's object stands at a child's name, and is taken away.
async fn name(lane: &mut Lane, object: &str, reference: &Reference) -> Result<()> {
    let made = crate::canaries::stand_in(lane, object).await?;
    lane.create(&full()).await?;
    lane.stuck(4).await?;
    let now = lane.snapshot().await?;
    let stalled = condition(&now, "Stalled");
    ensure!(
        stalled.0 == "True" && stalled.1 == "NameConflict",
        "O8: a name that is taken should stall it: {stalled:?}"
    );
    let rest = crate::lane::Rest {
        runs: 4,
        seen: lane.wire.seen(),
    };
    oracles::always(lane, &rest, &now)?;
    lane.canaries.remove(&made.0);
    crate::user::delete(lane.admin(), &made.1).await?;
    lane.world.until_gone(&made.1).await?;
    lane.begin(Vec::new());
    let rest = lane.settle().await?;
    let now = lane.snapshot().await?;
    oracles::always(lane, &rest, &now)?;
    same(
        &reference.state,
        &now.state(true),
        "mended, the stack is not as a good one",
    )
}

/// An object is refused, as a quota or a policy does; the server's words are told, the other children are made.
async fn refused(lane: &mut Lane, object: &str, code: u16, reference: &Reference) -> Result<()> {
    lane.wire.refuse(object, Some(code));
    lane.create(&full()).await?;
    lane.stuck(6).await?;
    let now = lane.snapshot().await?;
    let told = now.owner.as_ref().map(|owner| owner["status"].to_string());
    ensure!(
        told.is_some_and(|told| told.contains("refused by the test")),
        "O8: the server's words are not told"
    );
    let ready = condition(&now, "Ready");
    ensure!(
        ready.0 == "False",
        "O8: told as ready without {object}: {ready:?}"
    );
    // What does not depend on it is there.
    let independent = [
        "services/*-api",
        "serviceaccounts/*-api",
        "middlewares/*-api-redirect",
    ];
    for other in independent.iter().filter(|other| **other != object) {
        let id = other.replace('*', &lane.stack);
        ensure!(
            now.children.contains_key(&id),
            "{other} is not made while {object} is refused"
        );
    }
    lane.wire.refuse(object, None);
    let mut rest = lane.settle().await?;
    rest.runs += 6;
    let now = lane.snapshot().await?;
    oracles::always(lane, &rest, &now)?;
    same(
        &reference.state,
        &now.state(true),
        "mended, the stack is not as a good one",
    )
}
