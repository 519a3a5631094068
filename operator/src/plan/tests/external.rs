//! Stores that somebody else runs: taken up once their Secrets are complete, and nothing of ours is lost on the way.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{insert, labels, owner, planned, settled, tp_stack, work};
use crate::kind::Kind;
use crate::migration::Stage;
use crate::observed::{Capabilities, Observed};
use crate::plan::{Plan, Work, fresh};
use crate::settings::Images;
use crate::validate::validate;

fn external(secret: &str) -> Value {
    json!({"engine": "External", "external": {"secretRef": {"name": secret}}})
}

fn both() -> Value {
    json!({"postgres": external("db"), "redis": external("cache")})
}

/// A Secret of somebody else's with these keys.
fn give(observed: &mut Observed, name: &str, keys: &[&str]) {
    let keys: Value = keys
        .iter()
        .map(|key| (format!("f:{key}"), json!({})))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let metadata =
        json!({"uid": format!("s-{name}"), "managedFields": [{"fieldsV1": {"f:data": keys}}]});
    let metadata = serde_json::from_value(metadata).unwrap();
    observed.references.insert(name.to_owned(), metadata);
}

fn complete() -> Observed {
    let mut observed = Observed {
        capabilities: Capabilities::all(),
        ..Observed::default()
    };
    let login = ["host", "port", "username", "password"];
    give(
        &mut observed,
        "db",
        &[&login[..], &["database", "sslmode"]].concat(),
    );
    give(&mut observed, "cache", &[&login[..], &["tls"]].concat());
    observed
}

fn kinds(work: &Work) -> BTreeSet<Kind> {
    work.objects.iter().map(|object| object.id.kind).collect()
}

#[test]
fn nothing_is_made_once_where_both_stores_are_somebody_elses() {
    let work = work(&both(), &complete());
    assert!(work.missing.is_empty(), "{:?}", work.missing);
    let made = kinds(&work);
    for none in [
        Kind::Secret,
        Kind::PersistentVolumeClaim,
        Kind::StatefulSet,
        Kind::NetworkPolicy,
    ] {
        assert!(!made.contains(&none), "{none:?} of {made:?}");
    }
    let maps = work.objects.iter();
    let maps: Vec<&str> = maps
        .filter(|object| object.id.kind == Kind::ConfigMap)
        .map(|object| object.id.name.as_str())
        .collect();
    assert!(
        maps.iter().all(|name| name.starts_with("shop-api")),
        "none of a store: {maps:?}"
    );
    assert!(
        matches!(work.migration.stage, Stage::Running(_)),
        "{:?}",
        work.migration.stage
    );
}

#[test]
fn a_secret_that_is_missing_holds_its_store_up_and_nothing_else() {
    let mut observed = complete();
    observed.references.remove("db");
    let work = work(&both(), &observed);
    let missing: Vec<_> = work
        .missing
        .iter()
        .map(|(part, missing)| (*part, missing.reason))
        .collect();
    assert_eq!(missing, [(crate::desired::Part::Postgres, "SecretMissing")]);
    assert!(matches!(&work.migration.stage, Stage::Waits(why) if why.contains("Secret")));
    assert!(kinds(&work).contains(&Kind::Service));
    assert!(work.stores.redis.is_some());
}

#[test]
fn our_redis_serves_until_the_secret_of_somebody_elses_is_complete() {
    let mut observed = settled();
    for kind in [Kind::StatefulSet, Kind::Service] {
        let metadata = json!({"uid": format!("{kind:?}"), "labels": labels("redis"), "ownerReferences": owner("stack-1")});
        insert(&mut observed, kind, "shop-redis", metadata);
    }
    let spec = json!({"redis": external("cache")});
    give(&mut observed, "cache", &["host"]);
    let waiting = work(&spec, &observed);
    assert_eq!(waiting.prune, [], "{:?}", waiting.missing);
    assert_eq!(waiting.missing.len(), 1);

    observed.references = complete().references;
    let pruned: Vec<Kind> = work(&spec, &observed)
        .prune
        .iter()
        .map(|(id, _)| id.kind)
        .collect();
    assert_eq!(
        pruned,
        [Kind::Service, Kind::StatefulSet],
        "volume and credentials are kept"
    );
}

#[test]
fn another_secret_is_another_database_to_migrate_and_the_same_one_is_not() {
    let stage = |mut observed: Observed, migrated: &str| {
        let deployment = json!({
            "uid": "d", "labels": labels("api"), "ownerReferences": owner("stack-1"),
            "annotations": {"tpstack.dev/migrated-image": Images::default().api, "tpstack.dev/migrated-volume": migrated},
        });
        insert(&mut observed, Kind::Deployment, "shop-api", deployment);
        work(&both(), &observed).migration.stage
    };
    assert!(matches!(stage(complete(), "s-db"), Stage::Done(_)));
    assert!(matches!(stage(complete(), "s-other"), Stage::Running(_)));
    // While the Secret is away nothing is known to have changed.
    let mut away = complete();
    away.references.clear();
    assert!(matches!(stage(away, "s-db"), Stage::Done(_)));
}

#[test]
fn secrets_that_may_not_be_read_are_told_as_such() {
    let mut observed = Observed::default();
    observed.forbidden.insert(Kind::Secret, "no".to_owned());
    let Plan::Apply(work) = planned(&both(), &observed, &[]) else {
        panic!("nothing is created")
    };
    assert!(work.missing.is_empty());
    assert!(work.forbidden.len() >= 2, "{:?}", work.forbidden);
}

#[test]
fn a_file_is_rendered_as_if_the_secrets_were_there() {
    let raw = tp_stack(&both());
    let objects = fresh(
        &raw,
        &validate(&raw).unwrap(),
        &Images::default(),
        &Observed::default(),
    );
    let names: Vec<String> = objects.iter().map(|object| object.id.to_string()).collect();
    assert!(
        names.contains(&"Deployment shop-api".to_owned()),
        "{names:?}"
    );
    assert!(
        names.iter().all(|name| !name.contains("shop-postgres")),
        "{names:?}"
    );
}

/// The pods of an API that was given this Secret.
fn serving(observed: &mut Observed, secret: &str) {
    let host =
        json!({"name": "DB_HOST", "valueFrom": {"secretKeyRef": {"name": secret, "key": "host"}}});
    let container = json!({"name": "api", "image": Images::default().api, "env": [host]});
    let template = serde_json::from_value(json!({"spec": {"containers": [container]}})).unwrap();
    observed.serving = Some(Box::new(template));
    let metadata = json!({
        "uid": "d", "labels": labels("api"), "ownerReferences": owner("stack-1"),
        "annotations": {"tpstack.dev/migrated-image": Images::default().api, "tpstack.dev/migrated-volume": "s-db"},
    });
    insert(observed, Kind::Deployment, "shop-api", metadata);
}

#[test]
fn pods_keep_the_database_they_have_until_the_next_one_is_migrated() {
    let moved = json!({"postgres": external("next"), "redis": external("cache")});
    let mut observed = complete();
    serving(&mut observed, "db");
    // Not even its Secret is there.
    let work_ = work(&moved, &observed);
    assert!(
        work_.migration.held().is_some(),
        "{:?}",
        work_.migration.stage
    );
    assert!(matches!(work_.migration.stage, Stage::Waits(_)));

    let keys = [
        "host", "port", "username", "password", "database", "sslmode",
    ];
    give(&mut observed, "next", &keys);
    let work_ = work(&moved, &observed);
    assert!(work_.migration.held().is_some());
    assert!(
        matches!(work_.migration.stage, Stage::Running(_)),
        "{:?}",
        work_.migration.stage
    );

    // A Secret made again under the same name leads to pods that are there already.
    serving(&mut observed, "next");
    let work_ = work(&moved, &observed);
    assert!(work_.migration.held().is_none());
    assert!(matches!(work_.migration.stage, Stage::Running(_)));
}
