//! `tpstack status`: how stacks are, and what to do next. [io: reads]

use anyhow::Context;
use clap::Args;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::api::{Api, ListParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;

use super::cluster::{Which, forbidden};
use super::{Answer, Output, json};
use crate::desired::metadata::{MANAGED_BY, MANAGED_BY_LABEL};

mod report;
mod screen;

pub use report::{Report, Seen, report};
pub use screen::text;

/// Which stacks to show.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which stacks.
    #[command(flatten)]
    which: Which,
    /// How to write it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Shows the stacks. The exit code is 0 if all of them are ready, 1 if not.
pub async fn status(arguments: &Arguments) -> anyhow::Result<Answer> {
    let (cluster, stacks) = arguments.which.find().await?;
    let namespace = arguments.which.namespace(&cluster);
    let seen = look(&cluster.client, namespace).await?;
    let reports: Vec<Report> = stacks.iter().map(|stack| report(stack, &seen)).collect();
    let code = u8::from(!reports.iter().all(Report::is_ready));
    let text = match arguments.output {
        Output::Json => json(&serde_json::json!({ "stacks": reports }))?,
        Output::Text => {
            let screens: Vec<String> = reports.iter().map(text).collect();
            screens.join("\n")
        }
    };
    Ok(Answer {
        code,
        ..Answer::of(text)
    })
}

/// What stands beside the stacks: one look for all of them. What may not be read is said, and the rest is shown.
async fn look(client: &Client, namespace: Option<&str>) -> anyhow::Result<Seen> {
    let (deployments, sets, claims) = tokio::join!(
        list::<Deployment>(client, namespace),
        list::<StatefulSet>(client, namespace),
        list::<PersistentVolumeClaim>(client, namespace),
    );
    let mut seen = Seen::default();
    seen.deployments = noted(deployments?, &mut seen.unread);
    seen.stateful_sets = noted(sets?, &mut seen.unread);
    seen.claims = noted(claims?, &mut seen.unread);
    Ok(seen)
}

fn noted<K>(read: Result<Vec<K>, String>, unread: &mut Vec<String>) -> Vec<K> {
    read.unwrap_or_else(|words| {
        unread.push(words);
        Vec::new()
    })
}

/// What wears our label, or the API server's words why it may not be read.
async fn list<K>(client: &Client, namespace: Option<&str>) -> anyhow::Result<Result<Vec<K>, String>>
where
    K: Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let api: Api<K> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let params = ListParams::default().labels(&format!("{MANAGED_BY_LABEL}={MANAGED_BY}"));
    match api.list(&params).await {
        Ok(list) => Ok(Ok(list.items)),
        Err(error) => forbidden(error)
            .map(Err)
            .with_context(|| format!("failed to list {}", K::plural(&()))),
    }
}
