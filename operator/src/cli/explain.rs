//! `tpstack explain`: which part of the spec makes each child, and what stands for it in the Compose stack.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde::Serialize;

use super::cluster::{Place, stacks};
use super::file::{File, valid};
use super::{Answer, Output, json};
use crate::crd::{self, TpStack};
use crate::discovery::capabilities;
use crate::kind::ObjectId;
use crate::observed::{Capabilities, Observed};
use crate::plan::fresh;
use crate::settings::Images;

mod table;

pub use table::{Counterpart, Entry, entries};

/// What to explain.
#[derive(Args, Debug)]
#[group(id = "which", required = true, multiple = false, args = ["name", "file"])]
pub struct Arguments {
    /// Name of a TpStack of the cluster
    name: Option<String>,
    /// File with one or more TpStacks; `-` reads standard input, and no cluster is asked
    #[arg(short, long = "filename", value_name = "FILE")]
    file: Option<PathBuf>,
    /// Where to look.
    #[command(flatten)]
    place: Place,
    /// How to write it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// One child and where it comes from.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// Name of the stack.
    pub stack: String,
    /// Kind of the child.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What of the spec it is made from.
    pub spec: Vec<&'static str>,
    /// What stands for it in the Compose stack.
    pub compose: Vec<String>,
}

/// Explains every child that the stacks' specs ask for.
pub async fn explain(arguments: &Arguments) -> anyhow::Result<Answer> {
    let (stacks, capabilities) = if let Some(path) = &arguments.file {
        let documents = File::read(path)?.stacks.into_iter();
        let read = documents.map(|document| crd::read(document).context("not a valid TpStack"));
        let stacks = read.collect::<anyhow::Result<Vec<TpStack>>>()?;
        (stacks, Capabilities::all())
    } else {
        let cluster = arguments.place.connect().await?;
        let name = arguments.name.as_deref();
        let stored = stacks(&cluster, name, false).await?.into_iter();
        let read = stored.map(|stack| {
            let value = serde_json::to_value(stack).context("not plain data")?;
            crd::read(value).context("the stored object is no valid TpStack")
        });
        let capabilities = capabilities(&cluster.client)
            .await
            .context("failed to look up the optional APIs")?;
        (
            read.collect::<anyhow::Result<Vec<TpStack>>>()?,
            capabilities,
        )
    };
    let observed = Observed {
        capabilities,
        ..Observed::default()
    };
    let mut explanations = Vec::new();
    for stack in stacks {
        explanations.extend(children(stack, &arguments.place, &observed)?);
    }
    Ok(Answer::of(match arguments.output {
        Output::Json => json(&serde_json::json!({ "children": explanations }))?,
        Output::Text => text(&explanations),
    }))
}

fn children(
    mut raw: TpStack,
    place: &Place,
    observed: &Observed,
) -> anyhow::Result<Vec<Explanation>> {
    let namespace = place.namespace.clone();
    raw.metadata
        .namespace
        .get_or_insert_with(|| namespace.unwrap_or_else(|| "default".to_owned()));
    raw.metadata.uid = Some(String::new());
    raw.status = None;
    let mut stack = valid(&raw)?;
    // What is set aside while a stack is stopped is explained too.
    stack.stopped = false;
    let objects = fresh(&raw, &stack, &Images::default(), observed);
    objects
        .iter()
        .map(|object| explained(&stack.name, &object.id))
        .collect()
}

fn explained(stack: &str, id: &ObjectId) -> anyhow::Result<Explanation> {
    let entry = table::entry(stack, id)
        .with_context(|| format!("{id} is a child that nobody has explained"))?;
    Ok(Explanation {
        stack: stack.to_owned(),
        kind: id.kind.resource().kind,
        name: id.name.clone(),
        spec: entry.spec.to_vec(),
        compose: entry.compose.iter().map(ToString::to_string).collect(),
    })
}

fn text(explanations: &[Explanation]) -> String {
    let mut lines = Vec::new();
    for of in explanations {
        lines.push(format!("{} {}\n", of.kind, of.name));
        lines.push(format!("  made by     {}\n", of.spec.join(", ")));
        for (index, compose) in of.compose.iter().enumerate() {
            let head = if index == 0 { "in Compose" } else { "" };
            lines.push(format!("  {head:<11} {compose}\n"));
        }
    }
    lines.concat()
}
