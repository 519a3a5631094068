//! The rules of two stacks in one Prometheus, by promtool: each sees its own stack's series alone.
//!
//! The cases are those of the rules as Compose has them, asked of one stack while a neighbour of the same name in another
//! namespace, and one of another name beside it, serve on in good health.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, Value, json};

use crate::harness::environment::{ENVIRONMENT, tpstack};

/// The stack that the cases are about.
const ASKED: [&str; 2] = ["team", "shop"];
/// Those that must neither hide its failures nor tell of them: as often as it could happen, in many copies of each other.
const NEIGHBOURS: [[&str; 2]; 2] = [["other", "shop"], ["team", "shop-two"]];
/// How many times more the neighbours have to do: a sum over all would be theirs.
const BUSY: &str = "0+300000x";
/// Longer than any case, in its own intervals.
const SAMPLES: &str = "4000";

#[test]
fn the_rules_of_a_stack_are_sound() {
    let folder = folder("sound");
    let rules = rules(&folder, ASKED);
    promtool(
        &folder,
        &["check", "rules", "--lint=all", "--lint-fatal", &rules],
    );
}

#[test]
fn each_case_of_an_alert_is_told_for_its_own_stack_alone() {
    cases("api.yml");
}

#[test]
fn each_case_of_the_error_budget_is_told_for_its_own_stack_alone() {
    cases("api-slo.yml");
}

#[test]
fn each_case_that_takes_days_is_told_for_its_own_stack_alone() {
    cases("api-slo-days.yml");
}

/// Runs a file of `compose/prometheus/tests` on the rules that the operator makes.
fn cases(file: &str) {
    let folder = folder(file);
    let path = ENVIRONMENT
        .repository
        .join("compose/prometheus/tests")
        .join(file);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut tests: Value = serde_saphyr::from_str(&text).expect("the cases are YAML");
    let stacks = [&[ASKED][..], &NEIGHBOURS].concat();
    let files: Vec<String> = stacks.iter().map(|stack| rules(&folder, *stack)).collect();
    tests["rule_files"] = json!(files);
    let mut alerts = 0;
    for test in array(&mut tests["tests"]) {
        for series in array(&mut test["input_series"]) {
            let name = series["series"].as_str().expect("a series has a name");
            series["series"] = json!(labelled(name, ASKED));
        }
        for neighbour in NEIGHBOURS {
            array(&mut test["input_series"]).extend(in_good_health(neighbour));
        }
        for case in array(&mut test["alert_rule_test"]) {
            for alert in array(&mut case["exp_alerts"]) {
                let labels = alert["exp_labels"]
                    .as_object_mut()
                    .expect("an alert has labels");
                labels.extend(scope(ASKED));
                alerts += 1;
            }
        }
    }
    assert!(alerts > 0, "no alert is expected in {file}");
    let name = format!("tests-{file}");
    let text = serde_saphyr::to_string(&tests).expect("the cases are plain data");
    fs::write(folder.join(&name), text).expect("the folder is ours");
    promtool(&folder, &["test", "rules", &name]);
}

fn array(value: &mut Value) -> &mut Vec<Value> {
    if value.is_null() {
        *value = json!([]);
    }
    value.as_array_mut().expect("a list")
}

/// The labels that prometheus-operator and the `ServiceMonitor` give every series of a stack.
fn scope([namespace, stack]: [&str; 2]) -> Map<String, Value> {
    [("namespace", namespace), ("stack", stack)]
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .into_iter()
        .collect()
}

fn labelled(series: &str, stack: [&str; 2]) -> String {
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let mut more = String::new();
    for (label, value) in scope(stack) {
        write!(more, "{label}={value},").expect("a String takes all");
    }
    format!("{name}{{{more}{labels}")
}

/// What a stack that serves many and lacks nothing tells.
fn in_good_health(stack: [&str; 2]) -> impl Iterator<Item = Value> {
    let replica = r#"job="api",instance="10.9.9.9:5000""#;
    let request = format!(r#"{replica},endpoint="/api/data",method="GET""#);
    let steady = |value: &str| format!("{value}x{SAMPLES}");
    let rising = format!("{BUSY}{SAMPLES}");
    [
        (format!("up{{{replica}}}"), steady("1")),
        (
            format!(r#"app_requests_total{{{request},status="200"}}"#),
            rising.clone(),
        ),
        (
            format!(r#"app_dependency_up{{{replica},dependency="database"}}"#),
            steady("1"),
        ),
        (
            format!(r#"app_dependency_up{{{replica},dependency="cache"}}"#),
            steady("1"),
        ),
        (
            format!(r#"app_breaker_state{{{replica},dependency="cache"}}"#),
            steady("0"),
        ),
        (format!("app_cache_tracking{{{replica}}}"), steady("1")),
        (
            format!(r#"app_build_info{{{replica},cache="redis"}}"#),
            steady("1"),
        ),
        (format!("app_db_pool_shed_total{{{replica}}}"), steady("0")),
        (
            format!(r#"app_request_latency_seconds_bucket{{{request},le="0.1"}}"#),
            rising.clone(),
        ),
        (
            format!(r#"app_request_latency_seconds_bucket{{{request},le="+Inf"}}"#),
            rising.clone(),
        ),
        (
            format!("app_request_latency_seconds_count{{{request}}}"),
            rising,
        ),
    ]
    .into_iter()
    .map(move |(series, values)| json!({"series": labelled(&series, stack), "values": values}))
}

fn folder(name: &str) -> PathBuf {
    let folder = ENVIRONMENT.folder.join(format!("alerts-{name}"));
    fs::create_dir_all(&folder).expect("the folder is ours");
    folder
}

/// The rules of a stack as Prometheus reads them, from what `tpstack render` prints: the name of the file.
fn rules(folder: &Path, [namespace, name]: [&str; 2]) -> String {
    let stack = folder.join(format!("stack-{namespace}-{name}.yaml"));
    let object = json!({
        "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack",
        "metadata": {"name": name, "namespace": namespace}, "spec": {},
    });
    fs::write(&stack, object.to_string()).expect("the folder is ours");
    let rendered = tpstack(&["render", "-f", &stack.display().to_string()]);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&rendered).expect("it prints YAML");
    let rule = documents
        .iter()
        .find(|object| object["kind"] == "PrometheusRule")
        .expect("a stack has rules");
    let file = format!("rules-{namespace}-{name}.yaml");
    let text = serde_saphyr::to_string(&rule["spec"]).expect("rules are plain data");
    fs::write(folder.join(&file), text).expect("the folder is ours");
    file
}

fn promtool(folder: &Path, arguments: &[&str]) {
    let tools = ENVIRONMENT.repository.join("testbed/tools");
    let found = Command::new(tools)
        .args(["path", "promtool"])
        .output()
        .expect("the testbed is there");
    let program = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    assert!(
        found.status.success(),
        "{}",
        String::from_utf8_lossy(&found.stderr)
    );
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("promtool runs");
    assert!(
        output.status.success(),
        "promtool {} in {}:\n{}{}",
        arguments.join(" "),
        folder.display(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
