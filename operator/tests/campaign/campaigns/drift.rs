//! Somebody changes a field that the operator owns, or deletes a child. The fields are those that the API server itself
//! says the operator owns.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Tally, case, is_asked_for, spread};
use crate::{
    bench::Bench,
    fields::{Field, owned},
    lane::{Lane, Rest},
    oracles::{self, Reference},
    scenario::full,
    snapshot::{self, KINDS, State, text},
    user,
};

/// Cases that share a stack.
const CHUNK: usize = 40;

/// What somebody does.
#[derive(Clone, Debug)]
enum Deed {
    Change(Field),
    Delete,
}

#[derive(Clone, Debug)]
struct Case {
    id: String,
    /// Plural and the name's end.
    plural: String,
    suffix: String,
    deed: Deed,
}

pub(crate) async fn run(bench: Arc<Bench>, tally: Arc<Tally>) {
    let cases = match cases(&bench).await {
        Ok(cases) => cases,
        Err(error) => return tally.fails(format!("drift cannot be prepared\n{error:#}")),
    };
    let asked: Vec<Case> = cases
        .into_iter()
        .filter(|case| is_asked_for(&bench, &case.id))
        .collect();
    let units: Vec<Vec<Case>> = asked.chunks(CHUNK).map(<[Case]>::to_vec).collect();
    spread(&bench, units, |cases| {
        unit(Arc::clone(&bench), Arc::clone(&tally), cases)
    })
    .await;
}

/// A case for every field that the operator owns, and one for every child that can be made again.
async fn cases(bench: &Arc<Bench>) -> Result<Vec<Case>> {
    let (lane, _) = settled(bench).await?;
    let now = lane.snapshot().await?;
    bench.keep_passwords(lane.wire.passwords());
    let mut cases = Vec::new();
    // A migration's Job that has ended is nobody's any more.
    let children = now
        .children
        .iter()
        .filter(|(id, _)| !id.starts_with("jobs/"));
    for (id, child) in children {
        let (plural, name) = id.split_once('/').context("plural and name")?;
        let suffix = name.strip_prefix(&lane.stack).context("a child's name")?;
        let mut case = |what: &str, deed| {
            cases.push(Case {
                id: format!("drift/{plural}/*{suffix}/{what}"),
                plural: plural.to_owned(),
                suffix: suffix.to_owned(),
                deed,
            });
        };
        for field in owned(child) {
            case(&field.to_string(), Deed::Change(field));
        }
        if !["secrets", "persistentvolumeclaims"].contains(&plural) {
            case("deleted", Deed::Delete);
        }
    }
    ensure!(
        cases.len() > 100,
        "the operator owns only {} fields?",
        cases.len()
    );
    Ok(cases)
}

/// A lane with a full stack at rest, and its state.
async fn settled(bench: &Arc<Bench>) -> Result<(Lane, State)> {
    let mut lane = Lane::new(bench).await?;
    lane.create(&full()).await?;
    let rest = lane.settle().await?;
    let now = lane.snapshot().await?;
    oracles::always(&mut lane, &rest, &now)?;
    Ok((lane, now.state(false)))
}

async fn unit(bench: Arc<Bench>, tally: Arc<Tally>, cases: Vec<Case>) {
    let mut place: Option<(Lane, State)> = None;
    for case_ in cases {
        if place.is_none() {
            match settled(&bench).await {
                Ok(new) => place = Some(new),
                Err(error) => return tally.fails(format!("{}\n{error:#}", case_.id)),
            }
        }
        let Some((lane, state)) = &mut place else {
            return;
        };
        let went_well = case(&tally, lane, &case_.id, async |lane| {
            one(lane, state, &case_).await
        })
        .await;
        if !went_well && let Some((lane, _)) = place.take() {
            bench.keep_passwords(lane.wire.passwords());
        }
    }
    if let Some((lane, _)) = place {
        bench.keep_passwords(lane.wire.passwords());
    }
}

async fn one(lane: &mut Lane, state: &State, case_: &Case) -> Result<()> {
    lane.begin(Vec::new());
    let kind = KINDS
        .into_iter()
        .find(|kind| kind.plural == case_.plural)
        .context("a kind of child")?;
    let path = lane.child_path(&kind, &case_.suffix);
    let mut allowed = Reference::default();
    let before = snapshot::get(lane.admin(), &path)
        .await?
        .context("the child is there")?;
    let is_kept = ["secrets", "persistentvolumeclaims"].contains(&kind.plural);
    match &case_.deed {
        Deed::Delete => {
            user::delete(lane.admin(), &path).await?;
            allow_job(&mut allowed, state);
            let object = format!("{}/*{}", case_.plural, case_.suffix);
            allowed.created.insert(object, 1);
        }
        Deed::Change(field) => {
            if field.is_ours() {
                // A note that is taken off has the migration run again.
                allow_job(&mut allowed, state);
            }
            if !change(lane, &path, &before, field).await? {
                // The API server lets nobody change it.
                return Ok(());
            }
            if is_kept && field.is_ours() {
                lane.stuck(3).await?;
                let rest = Rest {
                    runs: 3,
                    seen: lane.wire.seen(),
                };
                let now = lane.snapshot().await?;
                oracles::always(lane, &rest, &now)?;
                oracles::counts(&rest, &Reference::default())?;
                // Marks tell what is known of kept data: they are believed and not made up. Whoever took one off puts it
                // back.
                let marks = json!({"metadata": {"annotations": before["metadata"]["annotations"]}});
                user::patch(lane.admin(), &path, &marks).await?;
            }
        }
    }
    let name = format!("{}{}", lane.stack, case_.suffix);
    lane.wire.look_at(&case_.plural, &name);
    lane.world.step(&lane.wire).await?;
    let rest = lane.settle().await?;
    oracles::check_with(lane, &rest, &allowed, state, false).await
}

/// The Job of the migration may be cleaned up and made again.
fn allow_job(allowed: &mut Reference, state: &State) {
    for job in state.keys().filter(|id| id.starts_with("jobs/")) {
        allowed.created.insert(job.clone(), 1);
        allowed.deleted.insert(job.clone(), 1);
    }
}

/// Changes a field to something else that the API server takes; says whether it took any.
async fn change(lane: &Lane, path: &str, before: &Value, field: &Field) -> Result<bool> {
    for other in field.others(before) {
        match user::put(lane.admin(), path, &other).await {
            Ok(new) => {
                let version = text(&new, "/metadata/resourceVersion");
                if version != text(before, "/metadata/resourceVersion") {
                    lane.wire.written(path, &version);
                    return Ok(true);
                }
            }
            Err(kube::Error::Api(status)) if [400, 403, 409, 422].contains(&status.code) => {}
            Err(error) => return Err(error).with_context(|| format!("PUT {path}")),
        }
    }
    Ok(false)
}
