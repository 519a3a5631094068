//! Every scenario without a fault: what the others are compared with.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::{Tally, case, spread};
use crate::{
    bench::{Bench, GROWING},
    fault::Planned,
    harness::kinds,
    lane::Lane,
    oracles::{self, Reference},
    scenario::{Before, Scenario, Shape, grown},
    user,
};

/// Runs every scenario without a fault, keeps its reference, and its way back where there is one.
pub(crate) async fn run(bench: Arc<Bench>, tally: Arc<Tally>) {
    let scenarios = crate::scenario::all();
    spread(&bench, scenarios, |scenario| {
        one(Arc::clone(&bench), Arc::clone(&tally), scenario)
    })
    .await;
}

async fn one(bench: Arc<Bench>, tally: Arc<Tally>, scenario: Scenario) {
    let lane = match prepared(&bench, &scenario).await {
        Ok(lane) => lane,
        Err(error) => {
            return tally.fails(format!("{} cannot be prepared\n{error:#}", scenario.name));
        }
    };
    let mut lane = lane;
    for (direction, _, to) in directions(&scenario, 1) {
        let id = format!("{}/{direction}", scenario.name);
        let went_well = case(&tally, &mut lane, &id, async |lane| {
            lane.begin(Vec::new());
            act(lane, &scenario, &to).await?;
            let rest = lane.settle().await?;
            let now = lane.snapshot().await?;
            oracles::always(lane, &rest, &now)?;
            let ready = oracles::condition(&now, "Ready");
            ensure!(ready.0 == "True", "O8: not ready in the end: {ready:?}");
            let reference = Reference::new(&rest, now.state(true));
            bench.keep_reference(id.clone(), reference);
            Ok(())
        })
        .await;
        if !went_well {
            break;
        }
    }
    bench.keep_passwords(lane.wire.passwords());
}

/// What a scenario does, and how it is undone. `step` is the size that a volume has.
pub(crate) fn directions(scenario: &Scenario, step: u32) -> Vec<(&'static str, Value, Value)> {
    match &scenario.shape {
        Shape::Create(_, spec) => vec![("there", Value::Null, spec.clone())],
        Shape::Change(from, to) => vec![
            ("there", from.clone(), to.clone()),
            ("back", to.clone(), from.clone()),
        ],
        Shape::Grow(spec) => {
            let spec = growing(spec);
            vec![("there", grown(&spec, step), grown(&spec, step + 1))]
        }
    }
}

fn growing(spec: &Value) -> Value {
    let mut spec = spec.clone();
    spec["postgres"] = json!({"storage": {"storageClassName": GROWING}});
    spec
}

/// A lane on which the scenario can begin.
pub(crate) async fn prepared(bench: &Arc<Bench>, scenario: &Scenario) -> Result<Lane> {
    let lane = Lane::new(bench).await?;
    ready(lane, scenario).await
}

/// The lane, where the scenario can begin.
pub(crate) async fn ready(mut lane: Lane, scenario: &Scenario) -> Result<Lane> {
    match &scenario.shape {
        Shape::Create(before, spec) => before_creation(&mut lane, *before, spec).await?,
        Shape::Change(from, _) => {
            lane.create(from).await?;
            lane.settle().await.context("before the scenario begins")?;
        }
        Shape::Grow(spec) => {
            let spec = grown(&growing(spec), 1);
            lane.create(&spec).await?;
            lane.settle().await.context("before the scenario begins")?;
            bind(&lane).await?;
        }
    }
    let now = lane.snapshot().await?;
    let idle = crate::lane::Rest {
        runs: 1,
        seen: crate::wire::Seen::default(),
    };
    // What is kept is known from here on.
    oracles::always(&mut lane, &idle, &now).ok();
    Ok(lane)
}

async fn before_creation(lane: &mut Lane, before: Before, spec: &Value) -> Result<()> {
    match before {
        Before::Nothing => {}
        Before::Retained => {
            lane.create(spec).await?;
            lane.settle().await?;
            let now = lane.snapshot().await?;
            let idle = crate::lane::Rest {
                runs: 1,
                seen: crate::wire::Seen::default(),
            };
            oracles::always(lane, &idle, &now)?;
            lane.delete().await?;
            lane.collected().await?;
        }
        Before::Failed => {
            for object in [
                "deployments/*-api",
                "statefulsets/*-postgres",
                "secrets/*-redis-credentials",
            ] {
                lane.wire.refuse(object, Some(422));
            }
            lane.create(spec).await?;
            lane.stuck(3).await?;
        }
    }
    lane.restart().await
}

/// A volume can only grow once it is bound: the provisioner's part.
async fn bind(lane: &Lane) -> Result<()> {
    let path = lane.child_path(&kinds::VOLUME_CLAIM, "-postgres-data");
    let status = json!({"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"]}});
    user::patch(lane.admin(), &format!("{path}/status"), &status)
        .await
        .context("the volume is bound")?;
    Ok(())
}

/// The user's part of a scenario.
pub(crate) async fn act(lane: &mut Lane, scenario: &Scenario, to: &Value) -> Result<()> {
    match scenario.shape {
        // It is there; what refused it is gone, since the case has begun.
        Shape::Create(Before::Failed, _) => Ok(()),
        Shape::Create(..) => lane.create(to).await,
        Shape::Change(..) | Shape::Grow(_) => lane.change(to).await,
    }
}

/// One scenario under faults at once, in whatever order their writes come; says which were met.
pub(crate) async fn under_all(
    lane: &mut Lane,
    scenario: &Scenario,
    to: &Value,
    planned: Vec<Planned>,
    reference: &Reference,
) -> Result<Vec<Planned>> {
    lane.begin(planned);
    lane.wire.in_any_order();
    act(lane, scenario, to).await?;
    let rest = lane.settle().await?;
    oracles::check(lane, &rest, reference).await?;
    Ok(rest.seen.met)
}

/// One scenario under faults: from where it begins to the oracles.
pub(crate) async fn under(
    lane: &mut Lane,
    scenario: &Scenario,
    to: &Value,
    planned: Vec<Planned>,
    reference: &Reference,
) -> Result<()> {
    let wanted = planned.len();
    lane.begin(planned);
    act(lane, scenario, to).await?;
    let rest = lane.settle().await?;
    ensure!(
        wanted > 1 || rest.seen.met.len() == wanted,
        "the write did not come, so the fault could not"
    );
    oracles::check(lane, &rest, reference).await
}
