use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Change, Future, LATER, future};
use crate::crd::TpStack;
use crate::desired::{metadata::Component, migrate};
use crate::kind::{Kind, ObjectId};
use crate::observed::{Capabilities, JobState, Observed};
use crate::settings::Images;
use crate::validate::validate;

fn planned(spec: &Value, observed: &Observed) -> Future {
    let raw: TpStack = serde_json::from_value(json!({
        "apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack",
        "metadata": {"name": "shop", "namespace": "team", "uid": "stack-1"}, "spec": spec,
    }))
    .unwrap();
    future(&raw, &validate(&raw).unwrap(), &Images::default(), observed)
}

/// Changes by object: what happens, and the object.
fn changes(future: &Future) -> BTreeMap<String, (&'static str, Value)> {
    future
        .changes
        .iter()
        .map(|change| {
            let (what, value) = match change {
                Change::Make(object) => ("made", object.value.clone()),
                Change::Apply(object) => ("applied", object.value.clone()),
                Change::Delete(_) => ("deleted", Value::Null),
            };
            (change.id().to_string(), (what, value))
        })
        .collect()
}

fn empty() -> Observed {
    Observed {
        capabilities: Capabilities::all(),
        ..Observed::default()
    }
}

fn insert(observed: &mut Observed, kind: Kind, name: &str, metadata: Value) {
    let metadata = serde_json::from_value(metadata).unwrap();
    observed.objects.insert(ObjectId::new(kind, name), metadata);
}

fn ours(component: &str, uid: &str) -> Value {
    json!({
        "uid": uid,
        "labels": {"app.kubernetes.io/managed-by": "tpstack-operator", "app.kubernetes.io/instance": "shop", "app.kubernetes.io/component": component},
        "ownerReferences": [{"apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "name": "shop", "uid": "stack-1", "controller": true}],
    })
}

/// Kept objects of both stores, and a Deployment whose pods run this image, which is noted as migrated.
fn running(image: &str) -> Observed {
    let mut observed = empty();
    for store in [Component::Postgres, Component::Redis] {
        let mut volume = ours(store.as_str(), &format!("v-{}", store.as_str()));
        let mut secret = ours(store.as_str(), &format!("s-{}", store.as_str()));
        for kept in [&mut volume, &mut secret] {
            kept["ownerReferences"] = json!([]);
        }
        insert(
            &mut observed,
            Kind::PersistentVolumeClaim,
            &store.volume_name("shop"),
            volume,
        );
        insert(
            &mut observed,
            Kind::Secret,
            &store.credentials_name("shop"),
            secret,
        );
    }
    let mut deployment = ours("api", "d-1");
    deployment["annotations"] =
        json!({"tpstack.dev/migrated-image": image, "tpstack.dev/migrated-volume": "v-postgres"});
    insert(&mut observed, Kind::Deployment, "shop-api", deployment);
    observed.serving = Some(Box::new(
        serde_json::from_value(json!({"spec": {"containers": [{"name": "api", "image": image}]}}))
            .unwrap(),
    ));
    observed.live_replicas = Some(2);
    observed
}

fn image_of(change: &(&'static str, Value)) -> Value {
    change.1["spec"]["template"]["spec"]["containers"][0]["image"].clone()
}

#[test]
fn a_new_stack_is_shown_whole_and_its_passwords_are_not_drawn() {
    let future = planned(&json!({}), &empty());
    let changes = changes(&future);
    assert!(future.unknown.is_empty());
    let (what, secret) = &changes["Secret shop-postgres-credentials"];
    assert_eq!(*what, "made");
    let values = secret["stringData"].as_object().unwrap();
    assert!(
        !values.is_empty() && values.values().all(|value| value == LATER),
        "{secret}"
    );
    assert_eq!(changes["PersistentVolumeClaim shop-redis-data"].0, "made");
    assert_eq!(
        changes["PersistentVolumeClaim shop-postgres-data"].1["metadata"]["annotations"]["tpstack.dev/credentials-uid"],
        LATER
    );
    assert_eq!(changes["StatefulSet shop-postgres"].0, "applied");
    // The Deployment follows the migration: a reader wants to see both.
    assert_eq!(changes["Deployment shop-api"].0, "applied");
    assert_eq!(
        future
            .changes
            .iter()
            .filter(|change| change.id().kind == Kind::Job)
            .count(),
        1
    );
    assert!(
        future.notes.iter().any(|note| note.contains("migrated")),
        "{:?}",
        future.notes
    );
}

#[test]
fn a_new_image_is_shown_behind_its_migration() {
    let own = |image: &str| json!({"api": {"image": image, "migrate": {"command": ["migrate"]}}});
    let future = planned(&own("shop:2"), &running("shop:1"));
    let changes = changes(&future);
    assert_eq!(image_of(&changes["Deployment shop-api"]), "shop:2");
    assert!(
        changes
            .keys()
            .any(|id| id.starts_with("Job shop-api-migrate-")),
        "{:?}",
        changes.keys()
    );
    assert_eq!(future.notes.len(), 1, "{:?}", future.notes);
}

#[test]
fn an_image_that_is_migrated_needs_no_job() {
    let own = json!({"api": {"image": "shop:1", "migrate": {"command": ["migrate"]}}});
    let future = planned(&own, &running("shop:1"));
    assert!(future.notes.is_empty(), "{:?}", future.notes);
    assert!(
        future
            .changes
            .iter()
            .all(|change| change.id().kind != Kind::Job)
    );
}

#[test]
fn a_migration_that_failed_is_told_and_what_it_holds_back_is_shown() {
    let own = json!({"api": {"image": "shop:2", "migrate": {"command": ["migrate"]}}});
    let mut observed = running("shop:1");
    let raw: TpStack = serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "team", "uid": "stack-1"}, "spec": own,
    }))
    .unwrap();
    let job = migrate::job(&validate(&raw).unwrap(), &Images::default(), "v-postgres").unwrap();
    let name = job.metadata.name.clone().unwrap();
    observed
        .objects
        .insert(ObjectId::new(Kind::Job, name.clone()), job.metadata);
    observed
        .jobs
        .insert(name, JobState::Failed("BackoffLimitExceeded".to_owned()));
    let future = planned(&own, &observed);
    assert_eq!(image_of(&changes(&future)["Deployment shop-api"]), "shop:2");
    assert!(
        future
            .changes
            .iter()
            .all(|change| change.id().kind != Kind::Job),
        "it is there"
    );
    assert!(
        future.notes[0].contains("BackoffLimitExceeded"),
        "{:?}",
        future.notes
    );
}

#[test]
fn what_an_autoscaler_sets_is_none_of_our_business() {
    let spec = json!({"api": {
        "image": "shop:1", "autoscaling": {"minReplicas": 2, "maxReplicas": 9},
        "resources": {"requests": {"cpu": "50m"}},
    }});
    let mut observed = running("shop:1");
    observed.live_replicas = Some(7);
    let future = planned(&spec, &observed);
    assert_eq!(
        changes(&future)["Deployment shop-api"].1["spec"]["replicas"],
        7
    );
}

#[test]
fn what_goes_is_deleted_and_what_is_somebody_elses_stays() {
    let mut observed = running("shop:1");
    insert(
        &mut observed,
        Kind::IngressRoute,
        "shop-api",
        ours("api", "r-1"),
    );
    insert(
        &mut observed,
        Kind::Service,
        "shop-postgres",
        json!({"uid": "x"}),
    );
    let future = planned(&json!({"api": {"image": "shop:1"}}), &observed);
    let changes = changes(&future);
    assert_eq!(changes["IngressRoute shop-api"].0, "deleted");
    assert!(!changes.contains_key("Service shop-postgres"));
    assert!(
        future.notes[0].contains("Service shop-postgres"),
        "{:?}",
        future.notes
    );
}

#[test]
fn lost_data_stops_everything() {
    let mut observed = running("shop:1");
    let lost = ObjectId::new(Kind::PersistentVolumeClaim, "shop-postgres-data");
    observed.objects.remove(&lost);
    let secret = ObjectId::new(Kind::Secret, "shop-postgres-credentials");
    let marks = json!({"tpstack.dev/initialized": "true", "tpstack.dev/volume-uid": "v-postgres"});
    observed.objects.get_mut(&secret).unwrap().annotations = serde_json::from_value(marks).unwrap();
    let future = planned(&json!({}), &observed);
    assert!(future.notes[0].contains("VolumeLost"), "{:?}", future.notes);
    assert!(
        future
            .changes
            .iter()
            .all(|change| change.id().kind.is_kept())
    );
}

#[test]
fn what_may_not_be_read_is_not_known() {
    let mut observed = running("shop:1");
    observed
        .forbidden
        .insert(Kind::Secret, "secrets is forbidden".to_owned());
    let future = planned(&json!({}), &observed);
    assert_eq!(future.unknown, ["secrets is forbidden"]);
    observed.forbidden.clear();
    observed
        .forbidden
        .insert(Kind::Service, "services is forbidden".to_owned());
    let future = planned(&json!({}), &observed);
    assert_eq!(future.unknown, ["services is forbidden"]);
    assert!(
        future
            .changes
            .iter()
            .all(|change| change.id().kind != Kind::Service)
    );
}

#[test]
fn a_stack_that_is_paused_shows_what_waits() {
    let future = planned(
        &json!({"paused": true, "api": {"image": "shop:1"}}),
        &running("shop:1"),
    );
    assert!(future.notes[0].contains("paused"), "{:?}", future.notes);
    assert!(changes(&future).contains_key("Deployment shop-api"));
}
