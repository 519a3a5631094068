use serde_json::{Value, json};

use super::{insert, labels, names, owner, planned, settled, tp_stack, work};
use crate::kind::Kind;
use crate::observed::Observed;
use crate::plan::{Plan, Work, standing};
use crate::validate::validate;

#[test]
fn data_that_only_the_status_knows_of_is_marked() {
    let mut raw = tp_stack(&json!({}));
    let status = json!({"postgres": {"engine": "BuiltIn", "version": "16", "volume": "shop-postgres-data", "volumeUID": "v-postgres"}, "redisVolumeUID": "v-other"});
    raw.status = Some(serde_json::from_value(status).unwrap());
    let stores = standing(&raw, &validate(&raw).unwrap(), &settled());
    assert!(stores.postgres.unwrap().initialized);
    assert!(!stores.redis.unwrap().initialized, "it is another volume");
}

/// Kind and replicas of every workload that is to be applied.
fn counts(work: &Work) -> Vec<(String, Value)> {
    let workloads = [Kind::Deployment, Kind::StatefulSet];
    work.objects
        .iter()
        .filter(|object| workloads.contains(&object.id.kind))
        .map(|object| {
            (
                object.id.to_string(),
                object.value["spec"]["replicas"].clone(),
            )
        })
        .collect()
}

const STOPPED: &str = r#"{"stopped": true, "api": {"image": "shop:2", "autoscaling": {"minReplicas": 2, "maxReplicas": 4}}, "ingress": {"hosts": ["shop.example.org"]}}"#;

#[test]
fn a_stopped_stack_keeps_all_but_pods_and_autoscaler() {
    let spec: Value = serde_json::from_str(STOPPED).unwrap();
    let mut observed = settled();
    for kind in [Kind::HorizontalPodAutoscaler, Kind::PodDisruptionBudget] {
        let metadata = json!({"uid": format!("{kind:?}"), "labels": labels("api"), "ownerReferences": owner("stack-1")});
        insert(&mut observed, kind, "shop-api", metadata);
    }
    let work = work(&spec, &observed);
    let none = |name: &str| (name.to_owned(), json!(0));
    assert_eq!(
        counts(&work),
        [
            none("StatefulSet shop-postgres"),
            none("StatefulSet shop-redis"),
            none("Deployment shop-api"),
        ]
    );
    let pruned: Vec<String> = work.prune.iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(pruned, ["HorizontalPodAutoscaler shop-api"]);
    let names = names(&work);
    for kept in [
        "PersistentVolumeClaim shop-postgres-data",
        "Secret shop-redis-credentials",
        "Service shop-postgres",
        "IngressRoute shop-api",
        "PodDisruptionBudget shop-api",
    ] {
        assert!(names.contains(&kept.to_owned()), "{kept} of {names:?}");
    }
}

#[test]
fn a_stopped_store_that_was_ready_a_moment_ago_is_marked_all_the_same() {
    let mut observed = settled();
    observed.ready_stores.insert("shop-postgres".to_owned());
    let work = work(&json!({"stopped": true}), &observed);
    assert!(work.stores.postgres.unwrap().initialized);
}

#[test]
fn a_stack_stopped_from_the_start_still_makes_volumes_and_credentials() {
    let Plan::Create(creations) = planned(&json!({"stopped": true}), &Observed::default(), &[])
    else {
        panic!("nothing is created")
    };
    assert_eq!(creations.len(), 4);
    let work = work(&json!({"stopped": true}), &settled());
    assert_eq!(
        counts(&work).len(),
        2,
        "an API that needs a migration waits"
    );
    assert_eq!(work.waits, []);
}

#[test]
fn an_autoscaler_that_is_not_asked_for_any_more_is_pruned_after_the_count_is_set() {
    let mut observed = settled();
    let metadata =
        json!({"uid": "h", "labels": labels("api"), "ownerReferences": owner("stack-1")});
    insert(
        &mut observed,
        Kind::HorizontalPodAutoscaler,
        "shop-api",
        metadata,
    );
    let work = work(
        &json!({"api": {"image": "shop:1", "replicas": 3}}),
        &observed,
    );
    assert_eq!(
        counts(&work).last(),
        Some(&("Deployment shop-api".to_owned(), json!(3)))
    );
    assert_eq!(work.prune.len(), 1);
}
