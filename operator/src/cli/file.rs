//! `TpStacks` in a file, or on standard input. [io: reads]

use std::io::Read;
use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::crd::{GROUP, TpStack};
use crate::validate::{Stack, validate};

/// What a file holds.
#[derive(Debug)]
pub(super) struct File {
    /// The file's name, for messages.
    pub(super) name: String,
    /// Its `TpStacks`, at least one.
    pub(super) stacks: Vec<Value>,
}

impl File {
    /// Reads a file; `-` is standard input.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let text = if path.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin()
                .read_to_string(&mut text)
                .context("failed to read standard input")?;
            text
        } else {
            std::fs::read_to_string(path).with_context(|| format!("failed to read {name}"))?
        };
        let stacks = documents(&text).with_context(|| format!("in {name}"))?;
        if stacks.is_empty() {
            bail!("{name} has no TpStack");
        }
        Ok(Self { name, stacks })
    }
}

fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).context("not valid YAML")?;
    let documents: Vec<Value> = documents
        .into_iter()
        .filter(|document| !document.is_null())
        .collect();
    for document in &documents {
        let field = |key: &str| {
            document
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        if field("kind") != "TpStack" || !field("apiVersion").starts_with(&format!("{GROUP}/")) {
            bail!(
                "a document is no TpStack of {GROUP} but kind {:?}, apiVersion {:?}: remove it",
                field("kind"),
                field("apiVersion")
            );
        }
    }
    Ok(documents)
}

/// The validated spec, or every violation, one a line.
pub(super) fn valid(stack: &TpStack) -> anyhow::Result<Stack> {
    validate(stack).map_err(|violations| {
        let lines: Vec<String> = violations
            .iter()
            .map(|violation| format!("\n  {violation}"))
            .collect();
        anyhow::anyhow!(
            "TpStack {:?} is not valid:{}",
            stack.metadata.name.as_deref().unwrap_or_default(),
            lines.concat()
        )
    })
}
