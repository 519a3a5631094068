use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{note, shorten, transitions};
use crate::crd::{Condition, ConditionStatus};

use ConditionStatus::{False, True, Unknown};

fn condition(type_: &str, status: ConditionStatus, reason: &str) -> Condition {
    Condition {
        type_: type_.to_owned(),
        status,
        reason: reason.to_owned(),
        message: "words".to_owned(),
        observed_generation: Some(1),
        last_transition_time: Time("2026-01-01T00:00:00Z".parse().unwrap()),
    }
}

/// `Warning ApiReady/ApplyFailed` for each.
fn told(old: &[Condition], new: &[Condition]) -> Vec<String> {
    transitions(old, new)
        .iter()
        .map(|transition| {
            let kind = if transition.is_warning {
                "Warning"
            } else {
                "Normal"
            };
            format!(
                "{kind} {}/{}",
                transition.condition.type_, transition.condition.reason
            )
        })
        .collect()
}

#[test]
fn a_change_of_status_or_reason_is_told_and_nothing_else() {
    let old = [condition("ApiReady", False, "Progressing")];
    let mut same = old.clone();
    same[0].message = "other words".to_owned();
    same[0].observed_generation = Some(2);
    assert!(told(&old, &same).is_empty());
    assert_eq!(
        told(&old, &[condition("ApiReady", True, "Available")]),
        ["Normal ApiReady/Available"]
    );
    assert_eq!(
        told(&old, &[condition("ApiReady", False, "ApplyFailed")]),
        ["Warning ApiReady/ApplyFailed"]
    );
    assert_eq!(
        told(&old, &[condition("ApiReady", False, "Migrating")]),
        ["Normal ApiReady/Migrating"]
    );
}

#[test]
fn at_first_what_is_well_is_no_news() {
    let new = [
        condition("Ready", False, "ComponentsNotReady"),
        condition("Reconciling", True, "Progressing"),
        condition("Stalled", False, "NotStalled"),
        condition("ApiReady", False, "Progressing"),
        condition("RedisReady", True, "Disabled"),
        condition("MonitoringReady", Unknown, "NotEvaluated"),
    ];
    assert_eq!(
        told(&[], &new),
        [
            "Normal Ready/ComponentsNotReady",
            "Normal ApiReady/Progressing"
        ]
    );
}

#[test]
fn a_stall_is_told_once_and_so_is_its_end() {
    let good = [
        condition("Ready", True, "AllComponentsReady"),
        condition("Stalled", False, "NotStalled"),
    ];
    let stalled = [
        condition("Ready", False, "VolumeLost"),
        condition("Stalled", True, "VolumeLost"),
    ];
    assert_eq!(told(&good, &stalled), ["Warning Stalled/VolumeLost"]);
    assert_eq!(
        told(&stalled, &good),
        [
            "Normal Ready/AllComponentsReady",
            "Normal Stalled/NotStalled"
        ]
    );
}

#[test]
fn a_note_names_the_condition_and_ends_between_two_characters() {
    let mut condition = condition("Stalled", True, "NameConflict");
    assert_eq!(note(&condition), "Stalled is True: words");
    condition.message = "é".repeat(2000);
    let note = note(&condition);
    assert!(note.len() <= 1024 && note.len() > 1020, "{}", note.len());
    assert!(note.ends_with('…'));
    let mut text = "ab…".to_owned();
    shorten(&mut text, 5);
    assert_eq!(text, "ab…");
    shorten(&mut text, 4);
    assert_eq!(text, "a…");
}
