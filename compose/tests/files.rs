//! What can be read from the files alone.

use crate::stack::{IMAGES, root};
use anyhow::{Result, ensure};
use std::{collections::BTreeSet, fs, process::Command};

/// A tag alone can be moved, and a digest alone says nothing to a reader.
pub(crate) fn every_image_is_pinned_by_tag_and_digest() -> Result<()> {
    let output = Command::new(root().join("compose/images")).output()?;
    ensure!(output.status.success(), "compose/images failed");
    let printed = String::from_utf8(output.stdout)?;
    let mut names = BTreeSet::new();
    for line in printed.lines() {
        let (name, reference) = line.split_once('=').unwrap_or((line, ""));
        names.insert(name);
        let (image, digest) = reference.split_once("@sha256:").unwrap_or((reference, ""));
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        ensure!(tag.matches('.').count() >= 1, "{line}: no exact version");
        ensure!(
            digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{line}: no digest"
        );
    }
    let wanted = IMAGES.map(str::to_ascii_lowercase);
    let mut wanted: BTreeSet<&str> = wanted.iter().map(String::as_str).collect();
    wanted.extend(["curl", "grafana", "toolbox"]);
    ensure!(names == wanted, "the images are {names:?}");
    Ok(())
}

/// Whoever looks for a setting finds it, and finds no setting that is none.
pub(crate) fn every_knob_is_in_the_example() -> Result<()> {
    let mut compose = String::new();
    for file in ["compose/compose.yaml", "compose/acme.yaml"] {
        compose.push_str(&fs::read_to_string(root().join(file))?);
    }
    let used: BTreeSet<&str> = compose
        .split("${")
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_uppercase() && c != '_')
                .next()
                .unwrap_or(rest)
        })
        // Compose's own.
        .filter(|name| *name != "COMPOSE_PROJECT_NAME")
        .collect();
    let example = fs::read_to_string(root().join("compose/.env.example"))?;
    let named: BTreeSet<&str> = example
        .lines()
        .filter_map(|line| line.strip_prefix('#').unwrap_or(line).split_once('='))
        .map(|(name, _)| name)
        .filter(|name| {
            name.bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        })
        .collect();
    ensure!(used.len() > 10, "only {used:?} found in compose.yaml");
    ensure!(
        used == named,
        "only in one of compose.yaml and .env.example: {:?}",
        used.symmetric_difference(&named)
    );
    Ok(())
}
