//! `tpstack diff`: what the operator would change, by its own plan and the API server's dry run. [io: reads]

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use futures::StreamExt;
use futures::stream::iter;

use super::cluster::{Cluster, Place};
use super::file::{File, valid};
use super::installation::{ImageOverrides, Operator, container, images, other_release};
use super::{Answer, plain};
use crate::crd::TpStack;
use crate::desired::{migrate, routes};
use crate::discovery::capabilities;
use crate::kind::ObjectId;
use crate::observe::{self, observe};
use crate::settings::Images;
use crate::variables;

mod dry_run;
mod future;
mod unified;

use future::{Change, future};

/// Dry runs at once.
const CALLS: usize = 8;

/// What to compare with the cluster.
#[derive(Args, Debug)]
#[group(id = "what", required = true, multiple = false, args = ["name", "file"])]
pub struct Arguments {
    /// Name of a TpStack of the cluster
    name: Option<String>,
    /// File with one or more TpStacks, taken as if it were applied now; `-` reads standard input
    #[arg(short, long = "filename", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where to look.
    #[command(flatten)]
    place: Place,
    /// Whose images are meant.
    #[command(flatten)]
    operator: Operator,
    /// Images of the stack's containers.
    #[command(flatten)]
    images: ImageOverrides,
}

/// What was found of one stack.
#[derive(Default)]
struct Found {
    /// A unified diff for each object that would be changed.
    differences: Vec<String>,
    /// What a reader should know.
    notes: Vec<String>,
    /// What could not be compared.
    unknown: Vec<String>,
}

/// Compares. The exit code is 0 without a difference, 1 with one, 2 if something could not be compared.
pub async fn diff(arguments: &Arguments) -> anyhow::Result<Answer> {
    let file = arguments.file.as_deref().map(File::read).transpose()?;
    let cluster = arguments.place.connect().await?;
    let mut all = Found::default();
    let images = chosen_images(&cluster, arguments, &mut all.notes).await?;
    for stack in targets(&cluster, arguments, file).await? {
        let name = stack.metadata.name.clone().unwrap_or_default();
        let found = compare(&cluster, &stack, &images)
            .await
            .with_context(|| format!("TpStack {name}"))?;
        let about = |line: String| format!("TpStack {name}: {}", plain(&line));
        all.differences.extend(found.differences);
        all.notes.extend(found.notes.into_iter().map(about));
        all.unknown.extend(found.unknown.into_iter().map(about));
    }
    let code = if all.unknown.is_empty() {
        u8::from(!all.differences.is_empty())
    } else {
        2
    };
    all.notes.extend(
        all.unknown
            .into_iter()
            .map(|unknown| format!("not compared: {unknown}")),
    );
    Ok(Answer {
        text: all.differences.concat(),
        notes: all.notes,
        code,
    })
}

async fn targets(
    cluster: &Cluster,
    arguments: &Arguments,
    file: Option<File>,
) -> anyhow::Result<Vec<TpStack>> {
    if let Some(name) = &arguments.name {
        return Ok(vec![dry_run::stored(cluster, name).await?]);
    }
    let mut targets = Vec::new();
    for document in file.into_iter().flat_map(|file| file.stacks) {
        targets.push(dry_run::applied(cluster, document).await?);
    }
    Ok(targets)
}

async fn chosen_images(
    cluster: &Cluster,
    arguments: &Arguments,
    notes: &mut Vec<String>,
) -> anyhow::Result<Images> {
    let container = match container(&cluster.client, &arguments.operator).await? {
        Ok(container) => container,
        Err(words) => {
            notes.push(format!(
                "the operator's images are not known, this release's are compared: {words}"
            ));
            None
        }
    };
    if let Some(other) = container.as_ref().and_then(other_release) {
        notes.push(format!(
            "the operator is of release {other} and this command of {}: differences may come from that",
            env!("CARGO_PKG_VERSION")
        ));
    }
    Ok(images(&arguments.images, container.as_ref()))
}

async fn compare(cluster: &Cluster, raw: &TpStack, images: &Images) -> anyhow::Result<Found> {
    let stack = valid(raw)?;
    let client = &cluster.client;
    let migration = migrate::name(&stack, images);
    let capabilities = capabilities(client)
        .await
        .context("failed to look up the optional APIs")?;
    let mut observed = observe(
        client,
        &stack.namespace,
        &stack.name,
        migration.as_deref(),
        &stack.external.secrets(),
        &routes::asked_for(&stack),
        capabilities,
    )
    .await?;
    let sources = variables::sources(&stack);
    observed.variables = observe::variables::read(client, &stack.namespace, &sources).await?;
    let future = future(raw, &stack, images, &observed);
    let mut found = Found {
        notes: future.notes,
        unknown: future.unknown,
        ..Found::default()
    };
    let looks = iter(&future.changes).map(async |change: &Change| {
        let seen = observed.object(change.id());
        let result = dry_run::outcome(client, &stack.namespace, seen, change).await;
        (change.id(), result)
    });
    let looks: Vec<(&ObjectId, Result<unified::Pair, kube::Error>)> =
        looks.buffered(CALLS).collect().await;
    for (id, result) in looks {
        match result {
            Ok(pair) => found.differences.extend(unified::diff(id, &pair)?),
            Err(kube::Error::Api(status)) => {
                found
                    .unknown
                    .push(format!("{id} would be refused: {}", status.message));
            }
            Err(error) => return Err(error).with_context(|| format!("failed to compare {id}")),
        }
    }
    Ok(found)
}
