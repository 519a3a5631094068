//! The debugging exercise, `compose/lab`: a fault shows, is taken away again, and costs nothing.

use crate::{
    items,
    secrets::digests,
    stack::{Stack, root},
    wait::{eventually, eventually_within},
};
use anyhow::{Context, Result, bail, ensure};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

/// Every scenario, with the symptoms that tell it from a stack that only starts.
const FAULTS: [(&str, &[&str]); 10] = [
    ("wrong-service-name", &["/api/data answers 503"]),
    ("wrong-port", &["/api/data answers 503"]),
    ("missing-network", &["/api/data answers 503"]),
    (
        "database-down",
        &[
            "/api/items answers 503",
            "containers that are not as they should be",
        ],
    ),
    (
        "redis-down",
        &[
            "never comes from the cache",
            "/api/session (POST) answers 503",
        ],
    ),
    (
        "unhealthy-container",
        &[
            "/api/data answers 503",
            "containers that are not as they should be",
        ],
    ),
    ("bad-certificate", &["a certificate that cannot be trusted"]),
    ("wrong-traefik-network", &["/api/data answers 50"]),
    (
        "full-disk",
        &[
            "never comes from the cache",
            "/api/session (POST) answers 503",
        ],
    ),
    ("slow-database", &["/api/items answers 503"]),
];

/// What one fault must not be mistaken for.
const ABSENT: [(&str, &str); 3] = [
    ("wrong-service-name", "containers"),
    ("bad-certificate", "answers"),
    ("slow-database", "containers"),
];

/// Where the table of a language is.
fn table(language: &str) -> PathBuf {
    root().join(format!("compose/lab.d/messages.{language}"))
}

/// The words of a language by their key.
fn words(language: &str) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(table(language))?;
    text.lines()
        .map(|line| {
            let (key, words) = line
                .split_once(": ")
                .with_context(|| format!("not `key: words`: {line}"))?;
            Ok((key.to_owned(), words.to_owned()))
        })
        .collect()
}

fn scenarios() -> Result<Vec<String>> {
    let output = Command::new(root().join("compose/lab"))
        .arg("list")
        .output()?;
    ensure!(output.status.success(), "`compose/lab list` failed");
    let listed = String::from_utf8(output.stdout)?;
    Ok(listed.lines().map(str::to_owned).collect())
}

pub(crate) fn every_scenario_has_a_file_or_a_deed_two_hints_and_a_solution() -> Result<()> {
    let listed = scenarios()?;
    let tested: Vec<&str> = FAULTS.iter().map(|(name, _)| *name).collect();
    ensure!(listed == tested, "listed: {listed:?}");
    let words = words("en")?;
    let exercise = fs::read_to_string(root().join("compose/lab.d/README.md"))?;
    for name in &listed {
        for hint in [1, 2] {
            let key = format!("{name}.{hint}");
            ensure!(words.contains_key(&key), "{key} is missing");
        }
        ensure!(
            exercise.contains(&format!("### {name}\n")),
            "{name} has no solution"
        );
    }
    for file in fs::read_dir(root().join("compose/lab.d"))? {
        let path = file?.path();
        let stem = path.file_stem().map(|stem| stem.to_string_lossy());
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let stem = stem.context("no name")?;
            ensure!(
                listed.iter().any(|name| *name == stem),
                "{stem} is not listed"
            );
        }
    }
    Ok(())
}

pub(crate) fn both_languages_say_the_same() -> Result<()> {
    let (english, french) = (words("en")?, words("fr")?);
    let values = |words: &BTreeMap<String, String>| -> BTreeSet<(String, usize)> {
        words
            .iter()
            .map(|(key, text)| (key.clone(), text.matches("%s").count()))
            .collect()
    };
    ensure!(english.len() > 30, "only {} words", english.len());
    ensure!(
        values(&english) == values(&french),
        "keys, or how many values they take, differ"
    );
    let same: Vec<&String> = english
        .iter()
        .filter(|(key, text)| french.get(*key) == Some(text))
        .map(|(key, _)| key)
        .collect();
    ensure!(same.is_empty(), "not translated: {same:?}");
    // Whatever the script says is in the tables, but for the hints, whose keys it makes.
    let script = fs::read_to_string(root().join("compose/lab"))?;
    for key in english.keys().filter(|key| !key.contains('.')) {
        ensure!(
            script
                .split(|c: char| !c.is_ascii_lowercase() && c != '-')
                .any(|word| word == key),
            "nobody says {key}"
        );
    }
    let shown = Command::new(root().join("compose/lab"))
        .env("LC_ALL", "fr_FR.UTF-8")
        .output()?;
    let shown = String::from_utf8(shown.stderr)?;
    ensure!(shown.contains("SCÉNARIO"), "in French it says {shown}");
    Ok(())
}

pub(crate) fn an_override_of_ones_own_is_left_alone(stack: &Stack) -> Result<()> {
    let own = PathBuf::from(stack.scratch()).join("compose.override.yaml");
    let text = "services: {api: {labels: {mine: \"yes\"}}}\n";
    fs::write(&own, text)?;
    let refused = stack.lab(&["break", "wrong-port"])?;
    let kept = fs::read_to_string(&own)?;
    fs::remove_file(&own)?;
    ensure!(
        !refused.success && refused.all.contains("of your own"),
        "it was not refused: {}",
        refused.all
    );
    ensure!(kept == text, "it is now {kept}");
    let checked = stack.lab(&["check"])?;
    ensure!(checked.success, "something was broken: {}", checked.all);
    Ok(())
}

pub(crate) fn each_fault_is_found_by_check_and_mended_by_fix(stack: &Stack) -> Result<()> {
    let path = items::make(stack, "kept through every fault")?;
    let secrets = digests(stack)?;
    for (name, symptoms) in FAULTS {
        played(stack, name, symptoms).with_context(|| name.to_owned())?;
    }
    if let Some(found) = checked(stack)? {
        bail!("the last one was not mended: {found}");
    }
    items::has_name(stack, &path, "kept through every fault")?;
    ensure!(digests(stack)? == secrets, "a secret changed");
    Ok(())
}

/// One scenario from the first break to the last check.
fn played(stack: &Stack, name: &str, symptoms: &[&str]) -> Result<()> {
    let said = succeed(stack, &["break", name])?;
    ensure!(
        said.lines().count() == 1,
        "it tells more than it should: {said}"
    );
    ensure!(!said.contains(name), "it names what it did: {said}");

    // A container that has just been replaced shows symptoms of its own for a moment.
    eventually_within(Duration::from_secs(30), || {
        let found = checked(stack)?.context("all is well")?;
        for symptom in symptoms {
            ensure!(found.contains(symptom), "no word of {symptom:?}: {found}");
        }
        for (_, symptom) in ABSENT.iter().filter(|(fault, _)| *fault == name) {
            ensure!(!found.contains(symptom), "{symptom:?} as well: {found}");
        }
        Ok(())
    })?;

    let hints = [succeed(stack, &["hint"])?, succeed(stack, &["hint"])?];
    ensure!(hints[0] != hints[1], "twice the same hint: {}", hints[0]);
    // Whether it is mended is asked by the next break, which refuses otherwise.
    succeed(stack, &["fix"])?;
    Ok(())
}

pub(crate) fn one_fault_at_a_time(stack: &Stack) -> Result<()> {
    succeed(stack, &["break", "redis-down"])?;
    let second = stack.lab(&["break", "database-down"])?;
    ensure!(
        !second.success && second.all.contains("already"),
        "a second fault was not refused: {}",
        second.all
    );
    stack.exec("postgres", &["pg_isready", "--quiet"])?;
    succeed(stack, &["fix"])?;
    Ok(())
}

pub(crate) fn a_fix_that_was_killed_is_done_again(stack: &Stack) -> Result<()> {
    let path = items::make(stack, "kept through the kill")?;
    let fault = PathBuf::from(stack.scratch()).join("compose.override.yaml");
    let redis = || stack.compose(&["ps", "--all", "--quiet", "redis"]);
    // Soon after it has begun, and in the middle of bringing the stack back.
    for moment in ["the file is gone", "the container is another"] {
        succeed(stack, &["break", "full-disk"])?;
        let faulty = redis()?;
        let mut fix = stack
            .lab_command(&["fix"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        eventually(|| {
            ensure!(!fault.exists(), "the file is there");
            ensure!(
                moment == "the file is gone" || redis()? != faulty,
                "the container is the faulty one"
            );
            Ok(())
        })?;
        fix.kill()?;
        fix.wait()?;
        succeed(stack, &["fix"])?;
        // And once more, where nothing is to be done.
        succeed(stack, &["fix"])?;
        ensure!(
            checked(stack)?.is_none(),
            "killed when {moment}, it is not mended"
        );
    }
    items::has_name(stack, &path, "kept through the kill")
}

/// What `check` finds at one look: nothing when all is well.
fn checked(stack: &Stack) -> Result<Option<String>> {
    let outcome = stack.lab(&["check"])?;
    Ok((!outcome.success).then_some(outcome.all))
}

fn succeed(stack: &Stack, arguments: &[&str]) -> Result<String> {
    let outcome = stack.lab(arguments)?;
    ensure!(
        outcome.success,
        "`compose/lab {}` failed: {}",
        arguments.join(" "),
        outcome.all
    );
    Ok(outcome.all)
}
