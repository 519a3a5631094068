//! The test of the tests: bugs are planted, and each has to be caught by the oracle that is meant for it.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use super::{Tally, case, is_asked_for, reference, spread};
use crate::{
    bench::Bench,
    fault::{Fault, Planned, Write},
    harness::kinds,
    lane::Lane,
    oracles::{self, Reference},
    planted::{Bug, Trial},
    snapshot, user,
};

/// A stack that never settles is given up so soon: the others settle within two seconds.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn run(bench: Arc<Bench>, tally: Arc<Tally>) {
    let bugs: Vec<_> = Bug::ALL
        .into_iter()
        .filter(|(bug, ..)| is_asked_for(&bench, &format!("sensitivity/{bug:?}")))
        .collect();
    spread(&bench, bugs, |(bug, _, oracle, trial)| {
        one(Arc::clone(&bench), Arc::clone(&tally), bug, oracle, trial)
    })
    .await;
}

async fn one(bench: Arc<Bench>, tally: Arc<Tally>, bug: Bug, oracle: &'static str, trial: Trial) {
    let id = format!("sensitivity/{bug:?}");
    let name = match trial {
        Trial::There(name) | Trial::Crash(name, _) | Trial::Refusal(name, _) => name,
        Trial::Drift => "env",
    };
    let lane = async {
        let scenario = crate::scenario::all()
            .into_iter()
            .find(|scenario| scenario.name == name)
            .context("the scenario is there")?;
        let lane = reference::prepared(&bench, &scenario).await?;
        anyhow::Ok((scenario, lane))
    };
    let (scenario, mut lane) = match lane.await {
        Ok(made) => made,
        Err(error) => return tally.fails(format!("{id}\n{error:#}")),
    };
    case(&tally, &mut lane, &id, async |lane| {
        let reference = bench.reference(&format!("{name}/there"))?;
        let planned = match trial {
            Trial::There(_) | Trial::Drift => Vec::new(),
            Trial::Crash(_, object) => vec![planned(object, Fault::CrashBefore)],
            Trial::Refusal(_, object) => vec![planned(object, Fault::Refused(409))],
        };
        lane.patience = PATIENCE;
        lane.wire.plant(Some(bug));
        let found = if trial == Trial::Drift {
            drifted(lane).await
        } else {
            let ways = reference::directions(&scenario, 1);
            let (.., to) = ways.first().context("a way there")?;
            reference::under(lane, &scenario, to, planned, &reference).await
        };
        lane.wire.plant(None);
        match found {
            Ok(()) => bail!("the planted bug was not caught"),
            Err(error) => {
                let words = format!("{error:#}");
                ensure!(
                    words.contains(&format!("{oracle}:")),
                    "caught, but not by {oracle}: {words}"
                );
                Ok(())
            }
        }
    })
    .await;
    bench.keep_passwords(lane.wire.passwords());
}

fn planned(object: &str, fault: Fault) -> Planned {
    Planned {
        write: Write {
            verb: "patch".to_owned(),
            object: object.to_owned(),
            nth: 1,
        },
        fault,
    }
}

async fn drifted(lane: &mut Lane) -> Result<()> {
    let before = lane.snapshot().await?.state(false);
    lane.begin(Vec::new());
    let path = lane.child_path(&kinds::SERVICE, "-api");
    let drift = json!({"spec": {"selector": {"app.kubernetes.io/component": "stolen"}}});
    let new = user::patch(lane.admin(), &path, &drift).await?;
    lane.wire
        .written(&path, &snapshot::text(&new, "/metadata/resourceVersion"));
    let rest = lane.settle().await?;
    oracles::check_with(lane, &rest, &Reference::default(), &before, false).await
}
