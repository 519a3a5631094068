//! `tpstack doctor`: what the cluster lacks for the stacks in it, each with the next command to run. It reads only, as the
//! user, and says what it could not read. [io: reads]

use clap::Args;
use serde::Serialize;

use super::cluster::Which;
use super::installation::Operator;
use super::{Answer, Output, json, plain};

mod checks;
mod facts;
mod read;
mod traefik;

pub use checks::{of_cluster, of_stack};
pub use facts::{ClusterFacts, Rights, Scraper, StackFacts, StorageClassFacts, Workload};

/// Which stacks to look at.
#[derive(Args, Debug)]
pub struct Arguments {
    /// Which stacks.
    #[command(flatten)]
    which: Which,
    /// Whose rights are looked at.
    #[command(flatten)]
    operator: Operator,
    /// How to write it
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

/// Something that is not as a stack needs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// One word for programs. Example: `EntryPointMissing`
    pub reason: &'static str,
    /// What is the matter.
    pub problem: String,
    /// The next command to run.
    pub next: String,
}

impl Finding {
    fn new(reason: &'static str, problem: impl Into<String>, next: impl Into<String>) -> Self {
        Self {
            reason,
            problem: problem.into(),
            next: next.into(),
        }
    }
}

/// What is told of one stack or, without a name, of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Its namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Looks at the cluster and at each stack. The exit code is 0 if nothing was found, 1 if something was.
pub async fn doctor(arguments: &Arguments) -> anyhow::Result<Answer> {
    let (cluster, stacks) = arguments.which.find().await?;
    let mut unread = Vec::new();
    let facts = read::cluster(&cluster.client, &arguments.operator, &mut unread).await?;
    let mut diagnoses = vec![Diagnosis {
        namespace: None,
        name: None,
        findings: of_cluster(&facts),
    }];
    for stack in &stacks {
        let own = read::stack(
            &cluster.client,
            stack,
            &arguments.operator,
            &facts,
            &mut unread,
        )
        .await?;
        diagnoses.push(Diagnosis {
            namespace: stack.metadata.namespace.clone(),
            name: stack.metadata.name.clone(),
            findings: of_stack(&facts, &own),
        });
    }
    unread.sort();
    unread.dedup();
    diagnoses.retain(|of| !of.findings.is_empty());
    let text = match arguments.output {
        Output::Json => json(&serde_json::json!({ "found": diagnoses, "unread": unread }))?,
        Output::Text => text(stacks.len(), &diagnoses, &unread),
    };
    Ok(Answer {
        code: u8::from(!diagnoses.is_empty()),
        ..Answer::of(text)
    })
}

fn text(stacks: usize, diagnoses: &[Diagnosis], unread: &[String]) -> String {
    let mut lines = Vec::new();
    for of in diagnoses {
        lines.push(match (&of.namespace, &of.name) {
            (Some(namespace), Some(name)) => format!("TpStack {name} in namespace {namespace}"),
            _ => "the cluster".to_owned(),
        });
        for finding in &of.findings {
            lines.push(format!("  {}: {}", finding.reason, finding.problem));
            lines.push(format!("    next: {}", finding.next));
        }
    }
    if diagnoses.is_empty() {
        lines.push(format!(
            "nothing is amiss, as far as could be read ({stacks} looked at)"
        ));
    }
    lines.extend(unread.iter().map(|words| format!("not read: {words}")));
    let lines: Vec<String> = lines.iter().map(|line| plain(line)).collect();
    format!("{}\n", lines.join("\n"))
}
