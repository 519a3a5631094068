//! Somebody changes a field that the operator owns, or deletes a child. The fields are those that the API server itself
//! says the operator owns.
//!
//! Many fields drift at once and are healed together: the end state tells of each. When a round fails, each of its cases
//! is tried alone.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Tally, case, is_asked_for, note, spread};
use crate::{
    bench::Bench,
    fields::{Field, owned},
    lane::{Lane, Rest},
    oracles::{self, Reference},
    scenario::{full, with},
    snapshot::{self, KINDS, State, text},
    user,
};

/// Cases that share a stack, and those that happen to it at once.
const CHUNK: usize = 160;
const AT_ONCE: usize = 20;

/// What somebody does.
#[derive(Clone, Debug)]
enum Deed {
    Change(Field),
    Delete,
}

#[derive(Clone, Debug)]
struct Case {
    id: String,
    shape: usize,
    /// Plural and the name's end.
    plural: String,
    suffix: String,
    deed: Deed,
}

/// Whether a deed could be done.
#[derive(PartialEq)]
enum Done {
    Yes,
    /// What was done before has taken the place away.
    NotNow,
    /// The API server lets nobody do it.
    Never,
}

/// Stacks that between them have every child and most of what can be said about one.
fn shapes() -> Vec<(&'static str, Value)> {
    let mut stopped = full();
    stopped["stopped"] = json!(true);
    // While it is stopped nothing is migrated: a Deployment whose record of it was tampered with would wait for that.
    if let Some(api) = stopped["api"].as_object_mut() {
        api.remove("migrate");
    }
    let tls =
        json!({"hosts": ["a.example.org"], "tls": {"mode": "Secret", "secret": {"name": "a-tls"}}});
    let in_memory = with(&[
        ("ingress", tls),
        (
            "redis",
            json!({"persistence": {"mode": "None"}, "maxMemory": "96Mi"}),
        ),
        ("deletionPolicy", json!("Delete")),
        ("monitoring", json!({"mode": "Enabled", "interval": "1m"})),
    ]);
    let small = with(&[
        ("redis", json!({"engine": "Disabled"})),
        (
            "api.resources",
            json!({"limits": {"cpu": "1", "memory": "1Gi"}}),
        ),
    ]);
    vec![
        ("full", full()),
        ("in-memory", in_memory),
        ("small", small),
        ("stopped", stopped),
    ]
}

pub(crate) async fn run(bench: Arc<Bench>, tally: Arc<Tally>) {
    let mut units: Vec<Vec<Case>> = Vec::new();
    for (number, (shape, _)) in shapes().into_iter().enumerate() {
        let cases = match cases(&bench, number, shape).await {
            Ok(cases) => cases,
            Err(error) => return tally.fails(format!("drift cannot be prepared\n{error:#}")),
        };
        let asked: Vec<Case> = cases
            .into_iter()
            .filter(|case| is_asked_for(&bench, &case.id))
            .collect();
        // Every child in every portion.
        let portions = asked.len().div_ceil(CHUNK).max(1);
        let mut shape_units = vec![Vec::new(); portions];
        for (index, case) in asked.into_iter().enumerate() {
            shape_units[index % portions].push(case);
        }
        units.extend(shape_units);
    }
    spread(&bench, units, |cases| {
        unit(Arc::clone(&bench), Arc::clone(&tally), cases)
    })
    .await;
}

/// A case for every field that the operator owns, and one for every child that can be made again.
async fn cases(bench: &Arc<Bench>, number: usize, shape: &str) -> Result<Vec<Case>> {
    let (lane, _) = settled(bench, number).await?;
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
                id: format!("drift/{shape}/{plural}/*{suffix}/{what}"),
                shape: number,
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

/// A lane with a stack of that shape at rest, and its state.
async fn settled(bench: &Arc<Bench>, number: usize) -> Result<(Lane, State)> {
    let (_, spec) = shapes().swap_remove(number);
    let mut lane = Lane::new(bench).await?;
    if spec["stopped"] == true {
        // One that has run: whoever starts its pods writes no first data, and no mark of it.
        let mut running = spec.clone();
        running["stopped"] = json!(false);
        lane.create(&running).await?;
        lane.settle().await?;
        lane.begin(Vec::new());
        lane.change(&spec).await?;
    } else {
        lane.create(&spec).await?;
    }
    let rest = lane.settle().await?;
    let now = lane.snapshot().await?;
    oracles::always(&mut lane, &rest, &now)?;
    Ok((lane, now.state(false)))
}

async fn unit(bench: Arc<Bench>, tally: Arc<Tally>, cases: Vec<Case>) {
    // Those that cannot be healed by the operator alone come one by one.
    let (alone, together): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(Case::is_kept_mark);
    let mut due: VecDeque<Case> = together.into();
    let mut place: Option<(Lane, State)> = None;
    while !due.is_empty() && !bench.is_over() {
        let (number, id) = due
            .front()
            .map(|case| (case.shape, case.id.clone()))
            .unwrap_or_default();
        let (mut lane, state) = match place.take() {
            Some(place) => place,
            None => match settled(&bench, number).await {
                Ok(new) => new,
                Err(error) => return tally.fails(format!("{id}\n{error:#}")),
            },
        };
        match round(&bench, &tally, &mut lane, &state, &mut due).await {
            Ok(()) => place = Some((lane, state)),
            Err(Failed { cases, error }) => {
                bench.keep_passwords(lane.wire.passwords());
                each_alone(&bench, &tally, cases, &error).await;
            }
        }
    }
    if let Some((lane, _)) = place {
        bench.keep_passwords(lane.wire.passwords());
    }
    for case_ in alone {
        if bench.is_over() {
            break;
        }
        by_itself(&bench, &tally, &case_).await;
    }
}

/// A round that went wrong.
struct Failed {
    cases: Vec<Case>,
    error: anyhow::Error,
}

/// Several cases at once, from the front of the queue; what cannot be done beside the others goes to its end.
async fn round(
    bench: &Bench,
    tally: &Tally,
    lane: &mut Lane,
    state: &State,
    due: &mut VecDeque<Case>,
) -> Result<(), Failed> {
    let begin = Instant::now();
    let before = lane.wire.spent();
    lane.begin(Vec::new());
    let mut allowed = Reference::default();
    let mut done = Vec::new();
    let mut postponed = Vec::new();
    let mut deleted: Vec<String> = Vec::new();
    let mut failed = None;
    while done.len() < AT_ONCE
        && let Some(case_) = due.pop_front()
    {
        let object = format!("{}/*{}", case_.plural, case_.suffix);
        let is_touched = done.iter().any(|other: &Case| other.is_about(&case_));
        let must_be_first = matches!(case_.deed, Deed::Delete) && is_touched;
        if must_be_first || deleted.contains(&object) {
            postponed.push(case_);
            continue;
        }
        match case_.happens(lane, &mut allowed, state).await {
            Ok(Done::Yes) => {
                if matches!(case_.deed, Deed::Delete) {
                    deleted.push(object);
                }
                done.push(case_);
            }
            Ok(Done::NotNow) if is_touched => postponed.push(case_),
            Ok(Done::NotNow | Done::Never) => {}
            Err(error) => {
                done.push(case_);
                failed = Some(error);
                break;
            }
        }
    }
    due.extend(postponed);
    if done.is_empty() {
        return Ok(());
    }
    let healed = match failed {
        Some(error) => Err(error),
        None => healed(lane, &done, &allowed, state).await,
    };
    if let Err(error) = healed {
        return Err(Failed { cases: done, error });
    }
    let took = begin.elapsed() / u32::try_from(done.len()).unwrap_or(1);
    let mut cost = lane.wire.spent() - before;
    for case_ in done {
        note(
            bench,
            tally,
            &case_.id,
            std::mem::take(&mut cost),
            took,
            &Ok(()),
        );
    }
    Ok(())
}

async fn healed(lane: &mut Lane, done: &[Case], allowed: &Reference, state: &State) -> Result<()> {
    for case_ in done {
        let name = format!("{}{}", lane.stack, case_.suffix);
        lane.wire.look_at(&case_.plural, &name);
    }
    lane.world.step(&lane.wire).await?;
    let rest = lane.settle().await?;
    oracles::check_with(lane, &rest, allowed, state, false).await
}

/// Tells which case of a failed round is to blame.
async fn each_alone(bench: &Arc<Bench>, tally: &Tally, cases: Vec<Case>, error: &anyhow::Error) {
    let mut blamed = false;
    for case_ in &cases {
        blamed |= !by_itself(bench, tally, case_).await;
    }
    if !blamed {
        let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        tally.fails(format!(
            "drift of {} at once, each of which heals alone\n{error:#}",
            ids.join(", ")
        ));
    }
}

/// One case on a stack of its own; whether it held.
async fn by_itself(bench: &Arc<Bench>, tally: &Tally, case_: &Case) -> bool {
    let (mut lane, state) = match settled(bench, case_.shape).await {
        Ok(new) => new,
        Err(error) => {
            tally.fails(format!("{}\n{error:#}", case_.id));
            return false;
        }
    };
    let held = case(tally, &mut lane, &case_.id, async |lane| {
        one(lane, &state, case_).await
    })
    .await;
    bench.keep_passwords(lane.wire.passwords());
    held
}

async fn one(lane: &mut Lane, state: &State, case_: &Case) -> Result<()> {
    lane.begin(Vec::new());
    let mut allowed = Reference::default();
    let path = case_.path(lane)?;
    let before = snapshot::get(lane.admin(), &path)
        .await?
        .context("the child is there")?;
    if case_.happens(lane, &mut allowed, state).await? != Done::Yes {
        return Ok(());
    }
    if case_.is_kept_mark() {
        lane.stuck(3).await?;
        let rest = Rest {
            runs: 3,
            seen: lane.wire.seen(),
        };
        let now = lane.snapshot().await?;
        oracles::always(lane, &rest, &now)?;
        oracles::counts(&rest, &Reference::default())?;
        // Marks tell what is known of kept data: they are believed and not made up. Whoever took one off puts it back.
        let marks = json!({"metadata": {"annotations": before["metadata"]["annotations"]}});
        user::patch(lane.admin(), &path, &marks).await?;
    }
    healed(lane, std::slice::from_ref(case_), &allowed, state).await
}

impl Case {
    fn is_about(&self, other: &Self) -> bool {
        (&self.plural, &self.suffix) == (&other.plural, &other.suffix)
    }

    /// Whether it is about what is known of kept data.
    fn is_kept_mark(&self) -> bool {
        let is_kept = ["secrets", "persistentvolumeclaims"].contains(&self.plural.as_str());
        is_kept && matches!(&self.deed, Deed::Change(field) if field.is_ours())
    }

    fn path(&self, lane: &Lane) -> Result<String> {
        let kind = KINDS.into_iter().find(|kind| kind.plural == self.plural);
        Ok(lane.child_path(&kind.context("a kind of child")?, &self.suffix))
    }

    /// Somebody does it.
    async fn happens(&self, lane: &Lane, allowed: &mut Reference, state: &State) -> Result<Done> {
        let path = self.path(lane)?;
        match &self.deed {
            Deed::Delete => {
                user::delete(lane.admin(), &path).await?;
                allow_job(allowed, state);
                let object = format!("{}/*{}", self.plural, self.suffix);
                allowed.created.insert(object, 1);
                Ok(Done::Yes)
            }
            Deed::Change(field) => {
                let before = snapshot::get(lane.admin(), &path)
                    .await?
                    .context("the child is there")?;
                let others = field.others(&before);
                if others.is_empty() {
                    return Ok(Done::NotNow);
                }
                if !change(lane, &path, &before, others).await? {
                    return Ok(Done::Never);
                }
                if field.is_ours() {
                    // A note that is taken off has the migration run again.
                    allow_job(allowed, state);
                }
                Ok(Done::Yes)
            }
        }
    }
}

/// The Job of the migration may be cleaned up and made again.
fn allow_job(allowed: &mut Reference, state: &State) {
    for job in state.keys().filter(|id| id.starts_with("jobs/")) {
        allowed.created.insert(job.clone(), 1);
        allowed.deleted.insert(job.clone(), 1);
    }
}

/// Puts something else there that the API server takes; says whether it took any.
async fn change(lane: &Lane, path: &str, before: &Value, others: Vec<Value>) -> Result<bool> {
    for other in others {
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
