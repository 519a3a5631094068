//! The rules as files: each alert says what to do, and is shown to fire and to stay silent.

use crate::stack::root;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::PathBuf};

/// A file of compose/prometheus/rules.
pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) rules: Vec<Rule>,
}

/// A recording rule or an alert.
#[derive(Deserialize)]
pub(crate) struct Rule {
    pub(crate) alert: Option<String>,
    pub(crate) record: Option<String>,
    pub(crate) expr: String,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Groups {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Tests {
    rule_files: Vec<String>,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    alert_rule_test: Vec<AlertCase>,
}

#[derive(Deserialize)]
struct AlertCase {
    alertname: String,
    #[serde(default)]
    exp_alerts: Vec<serde_json::Value>,
}

/// Where our runbooks can be read.
const RUNBOOKS: &str = "/docs/runbooks/";

/// Every rule that the stack has.
pub(crate) fn files() -> Result<Vec<File>> {
    let mut files = Vec::new();
    for path in yaml_files("compose/prometheus/rules")? {
        let name = path
            .file_name()
            .context("no name")?
            .to_string_lossy()
            .into_owned();
        let groups: Groups =
            serde_saphyr::from_str(&fs::read_to_string(&path)?).with_context(|| name.clone())?;
        let rules = groups
            .groups
            .into_iter()
            .flat_map(|group| group.rules)
            .collect();
        files.push(File { name, rules });
    }
    Ok(files)
}

/// What an alert asks.
pub(crate) fn expression(alert: &str) -> Result<String> {
    let mut rules = files()?.into_iter().flat_map(|file| file.rules);
    let found = rules.find(|rule| rule.alert.as_deref() == Some(alert));
    Ok(found.with_context(|| format!("no alert {alert}"))?.expr)
}

/// An alert that does not say what it means and what to do wakes somebody for nothing.
pub(crate) fn every_alert_says_how_grave_it_is_what_it_means_and_what_to_do() -> Result<()> {
    let mut alerts = 0;
    let index = fs::read_to_string(root().join("docs/runbooks/README.md"))?;
    for file in files()? {
        for rule in file.rules {
            ensure!(
                rule.alert.is_some() != rule.record.is_some(),
                "{}: a rule is an alert or a recording rule",
                file.name
            );
            let Some(alert) = rule.alert else { continue };
            alerts += 1;
            let severity = rule.labels.get("severity").map_or("", String::as_str);
            let wanted = if alert == "Watchdog" {
                "none"
            } else if severity == "critical" {
                "critical"
            } else {
                "warning"
            };
            ensure!(severity == wanted, "{alert}: severity {severity:?}");
            for annotation in ["summary", "description", "runbook_url"] {
                ensure!(
                    rule.annotations
                        .get(annotation)
                        .is_some_and(|text| text.len() > 10),
                    "{alert}: no {annotation}"
                );
            }
            let page = format!("{alert}.md");
            ensure!(
                rule.annotations["runbook_url"].ends_with(&format!("{RUNBOOKS}{page}")),
                "{alert}: its runbook is not {page}"
            );
            ensure!(
                root().join("docs/runbooks").join(&page).is_file(),
                "{alert}: docs/runbooks/{page} is missing"
            );
            ensure!(
                index.contains(&page),
                "{alert}: not in docs/runbooks/README.md"
            );
        }
    }
    ensure!(alerts >= 25, "only {alerts} alerts were found");
    let pages = fs::read_dir(root().join("docs/runbooks"))?.count();
    ensure!(
        pages == alerts + 1,
        "{pages} runbooks for {alerts} alerts and an index"
    );
    Ok(())
}

/// `promtool` runs the cases (`promtool_agrees`); here it is shown that none is missing.
pub(crate) fn every_alert_has_a_case_that_fires_and_one_that_is_silent() -> Result<()> {
    let mut cases: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    let mut tested = Vec::new();
    for path in yaml_files("compose/prometheus/tests")? {
        let tests: Tests = serde_saphyr::from_str(&fs::read_to_string(&path)?)
            .with_context(|| path.display().to_string())?;
        tested.extend(tests.rule_files);
        for case in tests
            .tests
            .into_iter()
            .flat_map(|case| case.alert_rule_test)
        {
            let silent = usize::from(case.exp_alerts.is_empty());
            cases.entry(case.alertname).or_default()[silent] += 1;
        }
    }
    for file in files()? {
        ensure!(
            tested.iter().any(|path| path.ends_with(&file.name)),
            "no test reads {}",
            file.name
        );
        for alert in file.rules.into_iter().filter_map(|rule| rule.alert) {
            let [fires, silent] = cases.remove(&alert).unwrap_or_default();
            // It has no silent moment: that is what it is for.
            let silent_wanted = alert != "Watchdog";
            ensure!(
                fires > 0 && (silent > 0 || !silent_wanted),
                "{alert}: {fires} cases in which it fires, {silent} in which it does not"
            );
        }
    }
    ensure!(cases.is_empty(), "cases of no alert: {:?}", cases.keys());
    Ok(())
}

/// Of the folder, in order.
fn yaml_files(folder: &str) -> Result<Vec<PathBuf>> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .with_context(|| folder.to_owned())?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yml"));
    paths.sort();
    ensure!(!paths.is_empty(), "{folder} is empty");
    Ok(paths)
}
