mod certificate;
mod external;
mod stopped;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Plan, Work, plan};
use crate::crd::TpStack;
use crate::desired::metadata::Component;
use crate::kind::{Kind, ObjectId};
use crate::observed::{Capabilities, Observed};
use crate::settings::Images;
use crate::validate::validate;

fn tp_stack(spec: &Value) -> TpStack {
    serde_json::from_value(json!({
        "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack",
        "metadata": {"name": "shop", "namespace": "team", "uid": "stack-1"}, "spec": spec,
    }))
    .unwrap()
}

/// A cluster in which both stores' kept objects are there and tied.
fn settled() -> Observed {
    let mut observed = Observed {
        capabilities: Capabilities::all(),
        ..Observed::default()
    };
    for store in ["postgres", "redis"] {
        let labels = labels(store);
        let volume = json!({"uid": format!("v-{store}"), "labels": labels});
        let secret = json!({"uid": format!("s-{store}"), "labels": labels});
        insert(
            &mut observed,
            Kind::PersistentVolumeClaim,
            &format!("shop-{store}-data"),
            volume,
        );
        insert(
            &mut observed,
            Kind::Secret,
            &format!("shop-{store}-credentials"),
            secret,
        );
    }
    observed
}

fn labels(component: &str) -> Value {
    json!({"app.kubernetes.io/managed-by": "tpstack-operator", "app.kubernetes.io/instance": "shop", "app.kubernetes.io/component": component})
}

fn owner(uid: &str) -> Value {
    json!([{"apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "name": "shop", "uid": uid, "controller": true}])
}

fn insert(observed: &mut Observed, kind: Kind, name: &str, metadata: Value) {
    observed.objects.insert(
        ObjectId::new(kind, name),
        serde_json::from_value(metadata).unwrap(),
    );
}

fn planned(spec: &Value, observed: &Observed, blocked: &[Component]) -> Plan {
    let raw = tp_stack(spec);
    let blocked: BTreeSet<Component> = blocked.iter().copied().collect();
    plan(
        &raw,
        &validate(&raw).unwrap(),
        &Images::default(),
        observed,
        &blocked,
    )
}

fn work(spec: &Value, observed: &Observed) -> Work {
    match planned(spec, observed, &[]) {
        Plan::Apply(work) => *work,
        other => panic!("{other:?} is no work"),
    }
}

fn names(work: &Work) -> Vec<String> {
    work.objects
        .iter()
        .map(|object| object.id.to_string())
        .collect()
}

#[test]
fn kept_objects_are_made_before_anything_else() {
    let Plan::Create(creations) = planned(&json!({}), &Observed::default(), &[]) else {
        panic!("nothing is created")
    };
    assert_eq!(creations.len(), 4);
}

#[test]
fn a_store_whose_volume_cannot_be_made_does_not_hold_up_the_rest() {
    let both = [Component::Postgres, Component::Redis];
    let Plan::Apply(work) = planned(&json!({}), &Observed::default(), &both) else {
        panic!("nothing is applied")
    };
    let names = names(&work);
    assert!(names.contains(&"Service shop-api".to_owned()), "{names:?}");
    assert!(
        !names.iter().any(|name| name.contains("StatefulSet")),
        "{names:?}"
    );
}

#[test]
fn disabled_redis_is_pruned_without_its_volume_and_credentials() {
    let mut observed = settled();
    for kind in [Kind::StatefulSet, Kind::Service, Kind::ConfigMap] {
        let metadata = json!({"uid": format!("{kind:?}"), "labels": labels("redis"), "ownerReferences": owner("stack-1")});
        insert(&mut observed, kind, "shop-redis", metadata);
    }
    let work = work(&json!({"redis": {"engine": "Disabled"}}), &observed);
    let pruned: Vec<String> = work.prune.iter().map(|(id, _)| id.to_string()).collect();
    assert_eq!(
        pruned,
        [
            "ConfigMap shop-redis",
            "Service shop-redis",
            "StatefulSet shop-redis"
        ]
    );
    assert!(
        names(&work).contains(&"PersistentVolumeClaim shop-redis-data".to_owned()),
        "its marks are still held"
    );
}

#[test]
fn what_is_not_ours_is_never_pruned() {
    let mut observed = settled();
    let foreign = [
        ("no-owner", json!({"uid": "a", "labels": labels("redis")})),
        (
            "other-uid",
            json!({"uid": "b", "labels": labels("redis"), "ownerReferences": owner("stack-0")}),
        ),
        (
            "no-label",
            json!({"uid": "c", "ownerReferences": owner("stack-1")}),
        ),
        (
            "going",
            json!({"uid": "d", "labels": labels("redis"), "ownerReferences": owner("stack-1"), "deletionTimestamp": "2026-01-01T00:00:00Z"}),
        ),
    ];
    for (name, metadata) in foreign {
        insert(&mut observed, Kind::Service, name, metadata);
    }
    assert_eq!(work(&json!({}), &observed).prune, []);
}

#[test]
fn nothing_of_a_store_that_is_left_alone_is_pruned() {
    let mut observed = settled();
    insert(
        &mut observed,
        Kind::Secret,
        "shop-postgres-credentials",
        json!({"uid": "foreign"}),
    );
    let metadata =
        json!({"uid": "x", "labels": labels("postgres"), "ownerReferences": owner("stack-1")});
    insert(&mut observed, Kind::StatefulSet, "shop-postgres", metadata);
    let work = work(&json!({}), &observed);
    assert_eq!(work.prune, []);
    assert_eq!(work.conflicts.len(), 1, "{:?}", work.conflicts);
}

#[test]
fn a_foreign_object_is_named_and_the_rest_is_applied() {
    let mut observed = settled();
    insert(
        &mut observed,
        Kind::Service,
        "shop-api",
        json!({"uid": "foreign"}),
    );
    let work = work(&json!({}), &observed);
    assert_eq!(
        work.conflicts
            .iter()
            .map(|(_, id)| id.to_string())
            .collect::<Vec<_>>(),
        ["Service shop-api"]
    );
    let names = names(&work);
    assert!(!names.contains(&"Service shop-api".to_owned()));
    assert!(names.contains(&"StatefulSet shop-postgres".to_owned()));
}

#[test]
fn children_of_a_deleted_namesake_are_waited_for() {
    let mut observed = settled();
    let metadata =
        json!({"uid": "old", "labels": labels("api"), "ownerReferences": owner("stack-0")});
    insert(&mut observed, Kind::Deployment, "shop-api", metadata);
    let work = work(&json!({}), &observed);
    assert_eq!(work.waits.len(), 1);
    assert!(!names(&work).contains(&"Deployment shop-api".to_owned()));
}

#[test]
fn the_mark_is_set_once_the_store_was_ready() {
    let mut observed = settled();
    assert!(
        !work(&json!({}), &observed)
            .stores
            .postgres
            .unwrap()
            .initialized
    );
    observed.ready_stores.insert("shop-postgres".to_owned());
    let work = work(&json!({}), &observed);
    assert!(work.stores.postgres.as_ref().unwrap().initialized);
    assert!(!work.stores.redis.as_ref().unwrap().initialized);
    let volume = work
        .objects
        .iter()
        .find(|o| o.id.to_string() == "PersistentVolumeClaim shop-postgres-data")
        .unwrap();
    assert_eq!(
        volume.value["metadata"]["annotations"]["tpstack.dev/initialized"],
        "true"
    );
    assert_eq!(
        volume.value["metadata"]["annotations"]["tpstack.dev/credentials-uid"],
        "s-postgres"
    );
}

#[test]
fn the_deletion_policy_puts_owners_on_kept_objects_and_takes_them_off() {
    let owners = |spec: &Value| -> Vec<bool> {
        let work = work(spec, &settled());
        let kept = work
            .objects
            .iter()
            .filter(|object| object.id.kind.is_kept());
        kept.map(|object| object.value["metadata"].get("ownerReferences").is_some())
            .collect()
    };
    assert_eq!(owners(&json!({"deletionPolicy": "Delete"})), [true; 4]);
    assert_eq!(owners(&json!({"deletionPolicy": "Retain"})), [false; 4]);
    // Redis that is turned off follows the policy too, or its data would go with the TpStack.
    assert_eq!(
        owners(&json!({"deletionPolicy": "Delete", "redis": {"engine": "Disabled"}})),
        [true; 4]
    );
    assert_eq!(
        owners(&json!({"redis": {"engine": "Disabled"}})),
        [false; 4]
    );
}

#[test]
fn optional_kinds_are_made_only_where_they_are_served() {
    let spec = json!({"ingress": {"hosts": ["shop.example.org"]}});
    let optional = |observed: &Observed| {
        work(&spec, observed)
            .objects
            .iter()
            .filter(|o| o.id.kind.optional().is_some())
            .count()
    };
    assert_eq!(optional(&settled()), 5);
    assert_eq!(
        optional(&Observed {
            capabilities: Capabilities::default(),
            ..settled()
        }),
        0
    );
}

#[test]
fn an_adopted_volume_is_never_shrunk() {
    let mut observed = settled();
    observed.volume_sizes.insert(
        "shop-postgres-data".to_owned(),
        crate::quantity::Size::parse("5Gi").unwrap(),
    );
    let size = |spec: &Value| {
        let work = work(spec, &observed);
        let volume = work
            .objects
            .iter()
            .find(|o| o.id.to_string() == "PersistentVolumeClaim shop-postgres-data")
            .unwrap();
        volume.value["spec"]["resources"]["requests"]["storage"].clone()
    };
    assert_eq!(size(&json!({})), "5Gi");
    assert_eq!(
        size(&json!({"postgres": {"storage": {"size": "6Gi"}}})),
        "6Gi"
    );
}

#[test]
fn a_kind_that_may_not_be_read_is_named_and_the_rest_is_applied() {
    let mut observed = settled();
    observed.forbidden.insert(
        Kind::ServiceMonitor,
        "servicemonitors is forbidden".to_owned(),
    );
    let work = work(&json!({}), &observed);
    assert_eq!(
        work.forbidden,
        [(
            crate::desired::Part::Monitoring,
            "servicemonitors is forbidden".to_owned()
        )]
    );
    assert!(names(&work).contains(&"StatefulSet shop-postgres".to_owned()));
}

#[test]
fn a_store_whose_kept_objects_may_not_be_read_is_left_alone() {
    let mut observed = settled();
    observed.objects.retain(|id, _| id.kind != Kind::Secret);
    observed
        .forbidden
        .insert(Kind::Secret, "secrets is forbidden".to_owned());
    let metadata =
        json!({"uid": "x", "labels": labels("postgres"), "ownerReferences": owner("stack-1")});
    insert(&mut observed, Kind::StatefulSet, "shop-postgres", metadata);
    let work = work(&json!({}), &observed);
    let names = names(&work);
    assert!(
        !names
            .iter()
            .any(|name| name.contains("StatefulSet") || name.contains("Secret")),
        "{names:?}"
    );
    assert_eq!(work.prune, []);
}

#[test]
fn the_deletion_policy_holds_for_what_is_left_of_a_stack_that_lost_data() {
    let mut observed = settled();
    let tied = json!({"tpstack.dev/initialized": "true", "tpstack.dev/volume-uid": "lost"});
    let metadata = json!({"uid": "s-postgres", "labels": labels("postgres"), "annotations": tied, "ownerReferences": owner("stack-1")});
    insert(
        &mut observed,
        Kind::Secret,
        "shop-postgres-credentials",
        metadata,
    );
    observed.objects.remove(&ObjectId::new(
        Kind::PersistentVolumeClaim,
        "shop-postgres-data",
    ));
    let Plan::Stop(loss, kept) = planned(&json!({"deletionPolicy": "Retain"}), &observed, &[])
    else {
        panic!("nothing is lost")
    };
    assert_eq!(loss.reason, "VolumeLost");
    assert!(
        kept.iter().all(|object| object.id.kind.is_kept()),
        "nothing else is written"
    );
    assert_eq!(kept.len(), 3);
    for object in kept {
        assert!(
            object.value["metadata"].get("ownerReferences").is_none(),
            "{object:?}"
        );
        let marks = &object.value["metadata"]["annotations"];
        assert_eq!(
            marks.get("tpstack.dev/volume-uid").is_some(),
            object.id.name == "shop-postgres-credentials",
            "{object:?}"
        );
    }
}

/// A Deployment and a Job of ours, as they are while the image `shop:2` is migrated for.
fn migrating(spec: &Value) -> (Observed, String) {
    let mut observed = settled();
    let metadata =
        json!({"uid": "d", "labels": labels("api"), "ownerReferences": owner("stack-1")});
    insert(&mut observed, Kind::Deployment, "shop-api", metadata);
    let template = json!({"spec": {"containers": [{"name": "api", "image": "shop:1"}]}});
    observed.serving = Some(Box::new(serde_json::from_value(template).unwrap()));
    let work = work(spec, &observed);
    let job = work
        .objects
        .iter()
        .find(|object| object.id.kind == Kind::Job)
        .unwrap();
    let mut metadata = job.value["metadata"].clone();
    metadata["uid"] = json!("j");
    insert(&mut observed, Kind::Job, &job.id.name, metadata);
    (observed, job.id.name.clone())
}

const MIGRATED: &str =
    r#"{"api": {"image": "shop:2", "replicas": 5, "migrate": {"command": ["m"]}}}"#;

#[test]
fn scaling_does_not_wait_for_a_migration() {
    let spec: Value = serde_json::from_str(MIGRATED).unwrap();
    let (observed, _) = migrating(&spec);
    let work = work(&spec, &observed);
    let deployment = work
        .objects
        .iter()
        .find(|object| object.id.kind == Kind::Deployment)
        .unwrap();
    assert_eq!(deployment.value["spec"]["replicas"], 5);
    let container = &deployment.value["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["image"], "shop:1");
    assert_eq!(work.prune, []);
}

#[test]
fn a_finished_job_is_left_to_its_end_and_another_is_pruned() {
    let spec: Value = serde_json::from_str(MIGRATED).unwrap();
    let (mut observed, name) = migrating(&spec);
    observed
        .jobs
        .insert(name.clone(), crate::observed::JobState::Complete);
    let other =
        json!({"uid": "o", "labels": labels("api-migrate"), "ownerReferences": owner("stack-1")});
    insert(&mut observed, Kind::Job, "shop-api-migrate-0", other);
    let work = work(&spec, &observed);
    let pruned: Vec<&str> = work.prune.iter().map(|(id, _)| id.name.as_str()).collect();
    assert_eq!(pruned, ["shop-api-migrate-0"], "and not {name}");
    assert!(
        !names(&work).contains(&format!("Job {name}")),
        "it is not written again"
    );
}

#[test]
fn jobs_that_may_not_be_read_hold_back_a_new_image_and_are_named() {
    let spec: Value = serde_json::from_str(MIGRATED).unwrap();
    let (mut observed, _) = migrating(&spec);
    observed.objects.retain(|id, _| id.kind != Kind::Job);
    observed
        .forbidden
        .insert(Kind::Job, "jobs.batch is forbidden".to_owned());
    let work = work(&spec, &observed);
    assert_eq!(
        work.forbidden,
        [(
            crate::desired::Part::Api,
            "jobs.batch is forbidden".to_owned()
        )]
    );
    assert_eq!(work.migration.held(), Some("shop:1"));
}
