mod certificate;
mod fixture;
mod stopped;

use serde_json::{Value, json};

use self::fixture::{at, check, condition, ready, told, tp_stack};
use crate::crd::{ConditionStatus, Phase, TpStackStatus};
use crate::desired::Part;
use crate::kept::Loss;
use crate::kind::{Kind, ObjectId};
use crate::migration::{Migration, Rollout, Stage};
use crate::observed::Capabilities;
use crate::outcome::Outcome;

#[test]
fn a_stack_whose_components_are_there_is_ready() {
    let raw = tp_stack(&json!({"ingress": {"hosts": ["shop.example.org"]}}));
    let status = told(
        &raw,
        &TpStackStatus::default(),
        &Outcome::Worked(Box::new(ready(&raw))),
        1,
    );
    check(
        &status,
        "Ready",
        ConditionStatus::True,
        "AllComponentsReady",
    );
    check(&status, "Reconciling", ConditionStatus::False, "UpToDate");
    check(&status, "Stalled", ConditionStatus::False, "NotStalled");
    check(
        &status,
        "IngressReady",
        ConditionStatus::True,
        "RoutesApplied",
    );
    assert_eq!(status.phase, Some(Phase::Running));
    assert_eq!(status.observed_generation, Some(3));
    assert_eq!(status.summary.unwrap().api, "2/2");
    assert_eq!(
        status.endpoints.first().unwrap().url,
        "https://shop.example.org"
    );
}

#[test]
fn old_pods_of_a_rollout_are_not_ready() {
    let raw = tp_stack(&json!({}));
    let mut worked = ready(&raw);
    let deployment = worked
        .applied
        .objects
        .get_mut(&ObjectId::new(Kind::Deployment, "shop-api"))
        .unwrap();
    deployment.data["status"]["replicas"] = json!(3);
    let status = told(
        &raw,
        &TpStackStatus::default(),
        &Outcome::Worked(Box::new(worked)),
        1,
    );
    check(&status, "ApiReady", ConditionStatus::False, "Progressing");
    check(
        &status,
        "Ready",
        ConditionStatus::False,
        "ComponentsNotReady",
    );
    assert_eq!(status.phase, Some(Phase::Progressing));
}

#[test]
fn a_store_whose_data_is_not_marked_yet_is_not_ready() {
    let raw = tp_stack(&json!({}));
    let mut worked = ready(&raw);
    let pair = crate::kept::Pair {
        volume_uid: Some("v1".to_owned()),
        credentials_uid: "s1".to_owned(),
        initialized: false,
    };
    worked.work.stores.postgres = Some(pair);
    let outcome = Outcome::Worked(Box::new(worked));
    assert!(
        outcome.is_unfinished(),
        "the next run comes soon and marks it"
    );
    let status = told(&raw, &TpStackStatus::default(), &outcome, 1);
    check(
        &status,
        "PostgresReady",
        ConditionStatus::False,
        "Progressing",
    );
    check(
        &status,
        "Ready",
        ConditionStatus::False,
        "ComponentsNotReady",
    );
}

#[test]
fn a_workload_that_its_controller_has_not_seen_is_not_ready() {
    let raw = tp_stack(&json!({}));
    let mut worked = ready(&raw);
    let set = worked
        .applied
        .objects
        .get_mut(&ObjectId::new(Kind::StatefulSet, "shop-postgres"))
        .unwrap();
    set.metadata.generation = Some(2);
    let status = told(
        &raw,
        &TpStackStatus::default(),
        &Outcome::Worked(Box::new(worked)),
        1,
    );
    check(
        &status,
        "PostgresReady",
        ConditionStatus::False,
        "Progressing",
    );
}

#[test]
fn dates_move_only_with_the_status_of_their_condition() {
    let raw = tp_stack(&json!({}));
    let outcome = || Outcome::Worked(Box::new(ready(&raw)));
    let first = told(&raw, &TpStackStatus::default(), &outcome(), 1);
    assert_eq!(
        told(&raw, &first, &outcome(), 2),
        first,
        "the same outcome is the same status"
    );
    let mut worked = ready(&raw);
    worked.applied.objects.clear();
    let second = told(&raw, &first, &Outcome::Worked(Box::new(worked)), 3);
    let date = |status: &TpStackStatus, name: &str| {
        status
            .conditions
            .iter()
            .find(|c| c.type_ == name)
            .unwrap()
            .last_transition_time
            .clone()
    };
    assert_eq!(date(&second, "Ready"), at(3));
    assert_eq!(date(&second, "Stalled"), at(1));
}

#[test]
fn a_loss_stalls_and_keeps_what_was_known() {
    let raw = tp_stack(&json!({}));
    let mut worked = ready(&raw);
    worked.work.stores.postgres = Some(crate::kept::Pair {
        volume_uid: Some("v1".to_owned()),
        credentials_uid: "s1".to_owned(),
        initialized: true,
    });
    let before = told(
        &raw,
        &TpStackStatus::default(),
        &Outcome::Worked(Box::new(worked)),
        1,
    );
    assert_eq!(
        before.postgres.as_ref().unwrap().volume_uid.as_deref(),
        Some("v1")
    );
    let loss = Loss {
        reason: "VolumeLost",
        message: "gone".to_owned(),
    };
    let after = told(&raw, &before, &Outcome::Lost(loss, Vec::new()), 2);
    check(&after, "Stalled", ConditionStatus::True, "VolumeLost");
    check(&after, "Ready", ConditionStatus::False, "VolumeLost");
    check(&after, "ApiReady", ConditionStatus::True, "Available");
    assert_eq!(after.phase, Some(Phase::Stalled));
    assert_eq!(
        after.postgres.unwrap().volume_uid.as_deref(),
        Some("v1"),
        "the lost volume is remembered"
    );
}

#[test]
fn a_namespace_without_a_grant_is_told_with_the_command() {
    let raw = tp_stack(&json!({}));
    let status = told(&raw, &TpStackStatus::default(), &Outcome::NotGranted, 1);
    let (stalled, reason, message) = condition(&status, "Stalled");
    assert_eq!(
        (stalled, reason.as_str()),
        (ConditionStatus::True, "NamespaceNotGranted")
    );
    assert!(
        message.contains(
            "kubectl create rolebinding tpstack-operator --clusterrole=tpstack-operator-children \
             --serviceaccount=tpstack-system:tpstack-operator --namespace=team"
        ),
        "{message}"
    );
    check(
        &status,
        "ApiReady",
        ConditionStatus::Unknown,
        "NotEvaluated",
    );
}

#[test]
fn a_foreign_object_stalls_by_its_name() {
    let raw = tp_stack(&json!({}));
    let mut worked = ready(&raw);
    worked.work.conflicts.push((
        Part::Postgres,
        ObjectId::new(Kind::Service, "shop-postgres"),
    ));
    let status = told(
        &raw,
        &TpStackStatus::default(),
        &Outcome::Worked(Box::new(worked)),
        1,
    );
    check(&status, "Stalled", ConditionStatus::True, "NameConflict");
    check(
        &status,
        "PostgresReady",
        ConditionStatus::False,
        "NameConflict",
    );
    check(&status, "ApiReady", ConditionStatus::True, "Available");
    assert!(
        condition(&status, "Stalled")
            .2
            .contains("Service shop-postgres")
    );
}

#[test]
fn a_missing_optional_api_is_a_failure_only_where_it_was_asked_for() {
    let told_without = |spec: &Value| {
        let raw = tp_stack(spec);
        let mut worked = ready(&raw);
        worked.observed.capabilities = Capabilities::default();
        told(
            &raw,
            &TpStackStatus::default(),
            &Outcome::Worked(Box::new(worked)),
            1,
        )
    };
    let status = told_without(&json!({"ingress": {"hosts": ["a"]}}));
    check(
        &status,
        "IngressReady",
        ConditionStatus::False,
        "CRDNotInstalled",
    );
    check(
        &status,
        "MonitoringReady",
        ConditionStatus::True,
        "CRDNotInstalled",
    );
    assert_eq!(status.endpoints, []);
    let status = told_without(&json!({"monitoring": {"mode": "Enabled"}}));
    check(
        &status,
        "IngressReady",
        ConditionStatus::True,
        "NotConfigured",
    );
    check(
        &status,
        "MonitoringReady",
        ConditionStatus::False,
        "CRDNotInstalled",
    );
    let status = told_without(&json!({"monitoring": {"mode": "Disabled"}}));
    check(
        &status,
        "MonitoringReady",
        ConditionStatus::True,
        "Disabled",
    );
}

#[test]
fn conditions_always_come_in_the_same_order() {
    let raw = tp_stack(&json!({}));
    let status = told(
        &raw,
        &TpStackStatus::default(),
        &Outcome::Unread("no answer".to_owned()),
        1,
    );
    let names: Vec<&str> = status
        .conditions
        .iter()
        .map(|condition| condition.type_.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "Ready",
            "Reconciling",
            "Stalled",
            "ApiReady",
            "PostgresReady",
            "RedisReady",
            "IngressReady",
            "MonitoringReady"
        ]
    );
    check(&status, "Reconciling", ConditionStatus::True, "ReadFailed");
}

/// What is told while a migration is at this stage, and pods of `shop:1` serve, if any.
fn told_of_migration(stage: Stage, serving: bool) -> TpStackStatus {
    let raw = tp_stack(&json!({}));
    let mut worked = ready(&raw);
    let template = json!({"spec": {"containers": [{"name": "api", "image": "shop:1"}]}});
    worked.work.migration = Migration {
        stage,
        image: "shop:2".to_owned(),
        rollout: if serving {
            Rollout::Held(Box::new(serde_json::from_value(template).unwrap()))
        } else {
            Rollout::Withheld
        },
        ..Migration::default()
    };
    let outcome = Outcome::Worked(Box::new(worked));
    assert!(
        !outcome.is_unfinished(),
        "the Job's own events start the next run"
    );
    told(&raw, &TpStackStatus::default(), &outcome, 1)
}

#[test]
fn a_running_migration_is_told_and_stalls_nothing() {
    let status = told_of_migration(Stage::Running("shop-api-migrate-1".to_owned()), true);
    check(&status, "ApiReady", ConditionStatus::False, "Migrating");
    check(&status, "Stalled", ConditionStatus::False, "NotStalled");
    let message = condition(&status, "ApiReady").2;
    for words in [
        "shop-api-migrate-1",
        "shop:2",
        "the pods of shop:1 stay as they are",
        "kubectl --namespace team describe job",
    ] {
        assert!(message.contains(words), "{words:?} in {message}");
    }
}

#[test]
fn a_failed_migration_stalls_with_the_commands() {
    let words = "Job has reached the specified backoff limit".to_owned();
    for serving in [true, false] {
        let stage = Stage::Failed("shop-api-migrate-1".to_owned(), words.clone());
        let status = told_of_migration(stage, serving);
        check(
            &status,
            "ApiReady",
            ConditionStatus::False,
            "MigrationFailed",
        );
        check(&status, "Stalled", ConditionStatus::True, "MigrationFailed");
        assert_eq!(status.phase, Some(Phase::Stalled));
        let message = condition(&status, "Stalled").2;
        assert!(message.contains(&words), "{message}");
        assert!(
            message.contains("kubectl --namespace team logs job/shop-api-migrate-1"),
            "{message}"
        );
        assert!(
            message.ends_with("kubectl --namespace team delete job shop-api-migrate-1"),
            "{message}"
        );
        assert_eq!(
            message.contains("The API is not started"),
            !serving,
            "{message}"
        );
    }
}
