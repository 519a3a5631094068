//! The pages about the course: what they claim can be looked up.

use crate::stack::root;
use anyhow::{Context, Result, bail, ensure};
use std::{
    fs,
    path::{Component, Path},
};

/// The page that tells each defect of the course's stack.
const PAGE: &str = "docs/cours/corrections.md";

/// How many there are.
const DEFECTS: usize = 47;

/// A proof that is gone proves nothing, and a defect without a row is one that nobody looks at.
pub(crate) fn every_defect_of_the_course_is_answered_by_something_that_exists() -> Result<()> {
    let page = fs::read_to_string(root().join(PAGE)).context(PAGE)?;
    let mut told = Vec::new();
    for line in page.lines() {
        let Some(row) = line
            .strip_prefix("| ")
            .and_then(|rest| rest.strip_suffix(" |"))
        else {
            continue;
        };
        // A pipe within a cell is written `\|`, and so is no separator.
        let cells: Vec<&str> = row.split(" | ").collect();
        let Some(number) = cells.first().and_then(|cell| cell.parse::<usize>().ok()) else {
            continue;
        };
        let [_, place, defect, answer, proofs] = cells.as_slice() else {
            bail!("defect {number}: {} cells, not 5", cells.len());
        };
        ensure!(
            [place, defect, answer]
                .iter()
                .all(|cell| !cell.trim().is_empty()),
            "defect {number}: an empty cell"
        );
        let proofs: Vec<&str> = proofs.split('`').skip(1).step_by(2).collect();
        ensure!(!proofs.is_empty(), "defect {number}: no proof");
        for proof in proofs {
            exists(proof).with_context(|| format!("defect {number}: `{proof}`"))?;
        }
        told.push(number);
    }
    ensure!(
        told == (1..=DEFECTS).collect::<Vec<_>>(),
        "the rows are {told:?}"
    );
    Ok(())
}

/// A path in the repository; with `::`, a function in that file, or in a module of this folder.
fn exists(proof: &str) -> Result<()> {
    let Some((place, sentence)) = proof.split_once("::") else {
        ensure!(
            root().join(inside(proof)?).exists(),
            "there is no such file"
        );
        return Ok(());
    };
    let file = if place.contains('/') {
        place.to_owned()
    } else {
        format!("compose/tests/{place}.rs")
    };
    let text = fs::read_to_string(root().join(inside(&file)?)).with_context(|| file.clone())?;
    ensure!(
        text.contains(&format!("fn {sentence}(")),
        "there is no such sentence in {file}"
    );
    Ok(())
}

/// The same path, if it stays within the repository: what is elsewhere is not ours to cite.
fn inside(path: &str) -> Result<&Path> {
    let path = Path::new(path);
    ensure!(
        path.components()
            .all(|part| matches!(part, Component::Normal(_))),
        "not a path in the repository"
    );
    Ok(path)
}
