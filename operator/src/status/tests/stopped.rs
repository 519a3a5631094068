use serde_json::json;

use super::fixture::{check, condition, ready, told, tp_stack};
use crate::crd::{ConditionStatus, Phase, TpStackStatus};
use crate::desired::Stores;
use crate::kind::{Kind, ObjectId};
use crate::migration::{Migration, Rollout, Stage};
use crate::outcome::Outcome;
use crate::paused::Paused;

#[test]
fn a_paused_stack_claims_nothing_and_forgets_nothing() {
    let mut raw = tp_stack(&json!({"paused": true}));
    let before = told(
        &raw,
        &TpStackStatus::default(),
        &Outcome::Worked(Box::new(ready(&raw))),
        1,
    );
    raw.metadata.generation = Some(4);
    let pair = crate::kept::Pair {
        volume_uid: Some("v1".to_owned()),
        credentials_uid: "s1".to_owned(),
        initialized: true,
    };
    let paused = |stores| {
        Outcome::Paused(Paused {
            stores,
            ..Paused::default()
        })
    };
    let stores = Stores {
        postgres: Some(pair),
        redis: None,
    };
    let status = told(&raw, &before, &paused(stores), 2);
    check(&status, "Ready", ConditionStatus::Unknown, "Paused");
    check(&status, "Reconciling", ConditionStatus::False, "Paused");
    check(&status, "Stalled", ConditionStatus::False, "NotStalled");
    check(&status, "ApiReady", ConditionStatus::True, "Available");
    assert_eq!(status.phase, Some(Phase::Paused));
    let api = status.conditions.iter().find(|c| c.type_ == "ApiReady");
    assert_eq!(api.unwrap().observed_generation, Some(3), "of before");
    let volume = |status: &TpStackStatus| status.postgres.clone().unwrap().volume_uid;
    assert_eq!(volume(&status).as_deref(), Some("v1"));
    let later = told(&raw, &status, &paused(Stores::default()), 3);
    assert_eq!(volume(&later).as_deref(), Some("v1"));
    assert!(!paused(Stores::default()).is_unfinished());

    let fresh = told(
        &raw,
        &TpStackStatus::default(),
        &paused(Stores::default()),
        1,
    );
    check(&fresh, "ApiReady", ConditionStatus::Unknown, "NotEvaluated");
}

/// A run over a stopped stack whose workloads have this many pods left.
fn stopped(left: i64) -> Outcome {
    let raw = tp_stack(&json!({"stopped": true}));
    let mut worked = ready(&raw);
    for object in worked.applied.objects.values_mut() {
        object.data["status"] = json!({"observedGeneration": 1, "replicas": left});
    }
    Outcome::Worked(Box::new(worked))
}

#[test]
fn a_stopped_stack_is_ready_once_no_pod_is_left() {
    let raw = tp_stack(&json!({"stopped": true}));
    let status = told(&raw, &TpStackStatus::default(), &stopped(1), 1);
    for part in ["ApiReady", "PostgresReady", "RedisReady"] {
        check(&status, part, ConditionStatus::False, "Progressing");
    }
    check(
        &status,
        "Ready",
        ConditionStatus::False,
        "ComponentsNotReady",
    );
    assert_eq!(status.phase, Some(Phase::Progressing));

    let status = told(&raw, &TpStackStatus::default(), &stopped(0), 1);
    for part in ["Ready", "ApiReady", "PostgresReady", "RedisReady"] {
        check(&status, part, ConditionStatus::True, "Stopped");
    }
    check(&status, "Reconciling", ConditionStatus::False, "UpToDate");
    assert_eq!(status.phase, Some(Phase::Stopped));
    assert_eq!(status.summary.unwrap().api, "0/0");
}

#[test]
fn pods_of_a_deployment_on_their_way_out_are_counted_where_they_are_told() {
    let raw = tp_stack(&json!({"stopped": true}));
    let Outcome::Worked(mut worked) = stopped(0) else {
        panic!("it is work")
    };
    let id = ObjectId::new(Kind::Deployment, "shop-api");
    let deployment = worked.applied.objects.get_mut(&id).unwrap();
    deployment.data["status"]["terminatingReplicas"] = json!(2);
    let status = told(&raw, &TpStackStatus::default(), &Outcome::Worked(worked), 1);
    check(&status, "ApiReady", ConditionStatus::False, "Progressing");
}

#[test]
fn a_stopped_stack_that_was_never_migrated_waits_for_nothing() {
    let raw = tp_stack(&json!({"stopped": true}));
    let told_at = |stage| {
        let Outcome::Worked(mut worked) = stopped(0) else {
            panic!("it is work")
        };
        worked
            .applied
            .objects
            .remove(&ObjectId::new(Kind::Deployment, "shop-api"));
        worked.work.migration = Migration {
            stage,
            rollout: Rollout::Withheld,
            ..Migration::default()
        };
        told(&raw, &TpStackStatus::default(), &Outcome::Worked(worked), 1)
    };
    check(
        &told_at(Stage::Stopped),
        "Ready",
        ConditionStatus::True,
        "Stopped",
    );
    let ending = told_at(Stage::Waits("waiting until its Job is gone".to_owned()));
    check(&ending, "ApiReady", ConditionStatus::False, "Progressing");
}

#[test]
fn where_an_autoscaler_counts_the_deployment_says_how_many_are_wanted() {
    let raw = tp_stack(&json!({"api": {"autoscaling": {"minReplicas": 1, "maxReplicas": 9}}}));
    let told_at = |pods: i64| {
        let mut worked = ready(&raw);
        let id = ObjectId::new(Kind::Deployment, "shop-api");
        let deployment = worked.applied.objects.get_mut(&id).unwrap();
        deployment.data["spec"] = json!({"replicas": 5});
        for field in [
            "replicas",
            "updatedReplicas",
            "availableReplicas",
            "readyReplicas",
        ] {
            deployment.data["status"][field] = json!(pods);
        }
        told(
            &raw,
            &TpStackStatus::default(),
            &Outcome::Worked(Box::new(worked)),
            1,
        )
    };
    check(
        &told_at(2),
        "ApiReady",
        ConditionStatus::False,
        "Progressing",
    );
    let status = told_at(5);
    check(&status, "ApiReady", ConditionStatus::True, "Available");
    assert!(
        condition(&status, "ApiReady").2.contains("between 1 and 9"),
        "who counts is told"
    );
    assert_eq!(status.summary.unwrap().api, "5/5");
}
