use serde_json::{Value, json};

use super::{Migration, Rollout, Stage, decide};
use crate::crd::TpStack;
use crate::desired::{Stores, migrate};
use crate::kept::Pair;
use crate::kind::{Kind, ObjectId};
use crate::observed::{JobState, Observed};
use crate::settings::Images;
use crate::validate::{Stack, validate};

const VOLUME: &str = "v-postgres";

fn stack(spec: &Value) -> Stack {
    let raw: TpStack = serde_json::from_value(json!({
        "metadata": {"name": "shop", "namespace": "team", "uid": "stack-1"}, "spec": spec,
    }))
    .unwrap();
    validate(&raw).unwrap()
}

fn image(name: &str) -> Stack {
    stack(&json!({"api": {"image": name, "migrate": {"command": ["shop", "migrate"]}}}))
}

fn stores(volume: Option<&str>) -> Stores {
    Stores {
        postgres: volume.map(|uid| Pair {
            volume_uid: Some(uid.to_owned()),
            ..Pair::default()
        }),
        redis: None,
    }
}

fn decided(stack: &Stack, observed: &Observed) -> Migration {
    decide(stack, &Images::default(), observed, &stores(Some(VOLUME)))
}

fn insert(observed: &mut Observed, kind: Kind, name: &str, metadata: &Value) {
    observed.objects.insert(
        ObjectId::new(kind, name),
        serde_json::from_value(metadata.clone()).unwrap(),
    );
}

/// Metadata of something that is ours.
fn ours(uid: &str, annotations: &Value) -> Value {
    json!({
        "uid": uid,
        "annotations": annotations,
        "labels": {"app.kubernetes.io/managed-by": "tpstack-operator", "app.kubernetes.io/instance": "shop", "app.kubernetes.io/component": "api-migrate"},
        "ownerReferences": [{"apiVersion": "tpstack.dev/v1alpha1", "kind": "TpStack", "name": "shop", "uid": "stack-1", "controller": true}],
    })
}

/// A Deployment whose pods run this image, with what it notes as migrated.
fn serving(observed: &mut Observed, image: &str, record: Option<(&str, &str)>) {
    let annotations = record.map_or(json!({}), |(image, volume)| {
        json!({"tpstack.dev/migrated-image": image, "tpstack.dev/migrated-volume": volume})
    });
    insert(
        observed,
        Kind::Deployment,
        "shop-api",
        &ours("d-1", &annotations),
    );
    let template = json!({"spec": {"containers": [{"name": "api", "image": image}]}});
    observed.serving = Some(Box::new(serde_json::from_value(template).unwrap()));
}

/// The Job that this stack would have, in this state.
fn job(observed: &mut Observed, stack: &Stack, state: JobState) -> String {
    let job = migrate::job(stack, &Images::default(), VOLUME).unwrap();
    let name = job.metadata.name.clone().unwrap();
    let annotations = serde_json::to_value(job.metadata.annotations).unwrap();
    insert(observed, Kind::Job, &name, &ours("j-1", &annotations));
    observed.jobs.insert(name.clone(), state);
    name
}

fn held(migration: &Migration) -> &str {
    migration.held().unwrap_or("none is held")
}

#[test]
fn nothing_is_migrated_for_an_image_that_asks_for_nothing() {
    let mut observed = Observed::default();
    serving(&mut observed, "old:1", Some(("old:1", VOLUME)));
    let migration = decided(&stack(&json!({"api": {"image": "any/image:1"}})), &observed);
    assert_eq!(migration.stage, Stage::NotAsked);
    assert!(matches!(migration.rollout, Rollout::Wanted));
    assert_eq!(
        migration.record, None,
        "a later migrate command starts afresh"
    );
}

#[test]
fn at_first_there_is_the_job_and_no_deployment() {
    let migration = decided(&stack(&json!({})), &Observed::default());
    assert!(
        matches!(migration.stage, Stage::Running(_)),
        "{migration:?}"
    );
    assert!(matches!(migration.rollout, Rollout::Withheld));
    assert!(migration.job.is_some());
}

#[test]
fn a_new_image_waits_for_its_own_job_while_the_old_pods_stay() {
    let new = image("shop:2");
    let mut observed = Observed::default();
    serving(&mut observed, "shop:1", Some(("shop:1", VOLUME)));
    let name = job(&mut observed, &new, JobState::Running);
    let migration = decided(&new, &observed);
    assert_eq!(migration.stage, Stage::Running(name.clone()));
    assert_eq!(held(&migration), "shop:1");
    assert_eq!(
        migration.record.unwrap().image,
        "shop:1",
        "the way back is open"
    );

    observed.jobs.insert(name.clone(), JobState::Complete);
    let migration = decided(&new, &observed);
    assert_eq!(migration.stage, Stage::Done(name));
    assert!(matches!(migration.rollout, Rollout::Wanted));
    let record = migration.record.unwrap();
    assert_eq!(
        (record.image.as_str(), record.volume.as_str()),
        ("shop:2", VOLUME)
    );
    assert!(migration.job.is_none(), "a finished Job is left to its end");
}

#[test]
fn the_job_of_one_image_opens_the_gate_for_no_other() {
    let mut observed = Observed::default();
    serving(&mut observed, "shop:1", Some(("shop:1", VOLUME)));
    job(&mut observed, &image("shop:2"), JobState::Complete);
    let migration = decided(&image("shop:3"), &observed);
    assert!(matches!(migration.stage, Stage::Waits(_)), "{migration:?}");
    assert_eq!(held(&migration), "shop:1");
}

#[test]
fn what_was_migrated_is_not_migrated_again_when_its_job_is_gone() {
    let mut observed = Observed::default();
    serving(&mut observed, "shop:1", Some(("shop:1", VOLUME)));
    let migration = decided(&image("shop:1"), &observed);
    assert!(matches!(migration.stage, Stage::Done(_)), "{migration:?}");
    assert!(migration.job.is_none());
    assert_eq!(migration.record.unwrap().image, "shop:1");
}

#[test]
fn a_database_on_another_volume_is_migrated_again() {
    let mut observed = Observed::default();
    serving(&mut observed, "shop:1", Some(("shop:1", "v-given-up")));
    let migration = decided(&image("shop:1"), &observed);
    assert!(
        matches!(migration.stage, Stage::Running(_)),
        "{migration:?}"
    );
    assert!(
        matches!(migration.rollout, Rollout::Wanted),
        "its own pods are not held back from themselves"
    );
    // The Job that migrated the volume that was given up says nothing about the new one.
    let job = migrate::job(&image("shop:1"), &Images::default(), "v-given-up").unwrap();
    let name = job.metadata.name.clone().unwrap();
    let annotations = serde_json::to_value(job.metadata.annotations).unwrap();
    insert(&mut observed, Kind::Job, &name, &ours("j-1", &annotations));
    observed.jobs.insert(name, JobState::Complete);
    let migration = decided(&image("shop:1"), &observed);
    assert!(matches!(migration.stage, Stage::Waits(_)), "{migration:?}");
    assert_eq!(migration.superseded.len(), 1);
}

#[test]
fn without_postgres_nothing_new_is_migrated_and_nothing_old_is_held_up() {
    let mut observed = Observed::default();
    let images = Images::default();
    let migration = decide(&image("shop:1"), &images, &observed, &stores(None));
    assert!(matches!(migration.stage, Stage::Waits(_)), "{migration:?}");
    serving(&mut observed, "shop:1", Some(("shop:1", VOLUME)));
    let migration = decide(&image("shop:1"), &images, &observed, &stores(None));
    assert!(matches!(migration.stage, Stage::Done(_)), "{migration:?}");
}

#[test]
fn a_job_that_gave_up_stays_until_somebody_acts() {
    let mut observed = Observed::default();
    serving(&mut observed, "shop:1", Some(("shop:1", VOLUME)));
    let words = "Job has reached the specified backoff limit".to_owned();
    let new = image("shop:2");
    let name = job(&mut observed, &new, JobState::Failed(words.clone()));
    let migration = decided(&new, &observed);
    assert_eq!(migration.stage, Stage::Failed(name, words));
    assert_eq!(held(&migration), "shop:1");
    assert!(migration.job.is_none() && migration.superseded.is_empty());
    // Back to the image that serves: nothing is held up by a failure of another.
    let migration = decided(&image("shop:1"), &observed);
    assert!(matches!(migration.stage, Stage::Done(_)), "{migration:?}");
}

#[test]
fn a_job_made_from_something_else_goes_before_the_next_is_made() {
    let spec =
        |level: &str| stack(&json!({"api": {"env": [{"name": "LOG_LEVEL", "value": level}]}}));
    for state in [
        JobState::Running,
        JobState::Failed("no".to_owned()),
        JobState::Complete,
    ] {
        let mut observed = Observed::default();
        let name = job(&mut observed, &spec("info"), state.clone());
        let migration = decided(&spec("debug"), &observed);
        assert!(
            matches!(migration.stage, Stage::Waits(_)) && migration.job.is_none(),
            "{state:?}: {migration:?}"
        );
        assert_eq!(
            migration.superseded,
            [(ObjectId::new(Kind::Job, name.clone()), "j-1".to_owned())]
        );
        // On its way out it is waited for, and not deleted again.
        let mut going = ours("j-1", &json!({"tpstack.dev/recipe": "another"}));
        going["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        insert(&mut observed, Kind::Job, &name, &going);
        let migration = decided(&spec("debug"), &observed);
        assert!(matches!(migration.stage, Stage::Waits(_)), "{migration:?}");
        assert_eq!(migration.superseded, []);
    }
}

#[test]
fn a_job_whose_note_somebody_took_off_is_not_made_again_for_ever() {
    let mut observed = Observed::default();
    let spec = stack(&json!({}));
    let name = job(&mut observed, &spec, JobState::Running);
    insert(&mut observed, Kind::Job, &name, &ours("j-1", &json!({})));
    let migration = decided(&spec, &observed);
    assert_eq!(migration.stage, Stage::Running(name));
    assert_eq!(migration.superseded, []);
}

#[test]
fn somebody_elses_job_neither_opens_the_gate_nor_goes() {
    let spec = stack(&json!({}));
    let mut observed = Observed::default();
    let name = job(&mut observed, &spec, JobState::Complete);
    insert(&mut observed, Kind::Job, &name, &json!({"uid": "foreign"}));
    let migration = decided(&spec, &observed);
    assert!(matches!(migration.stage, Stage::Waits(_)), "{migration:?}");
    assert!(matches!(migration.rollout, Rollout::Withheld));
    assert!(migration.job.is_some(), "the conflict is told of it");
    assert_eq!(migration.superseded, []);
}

#[test]
fn the_job_of_a_deleted_namesake_is_waited_for() {
    let spec = stack(&json!({}));
    let mut observed = Observed::default();
    let mut orphan = ours("j-0", &json!({}));
    orphan["ownerReferences"][0]["uid"] = json!("stack-0");
    insert(&mut observed, Kind::Job, "shop-api-migrate-0", &orphan);
    let migration = decided(&spec, &observed);
    assert!(matches!(migration.stage, Stage::Waits(_)), "{migration:?}");
    assert_eq!(migration.superseded, [], "it is the garbage collector's");
}

#[test]
fn an_api_that_cannot_follow_is_not_migrated_for() {
    let spec = stack(&json!({}));
    let mut observed = Observed::default();
    insert(
        &mut observed,
        Kind::Deployment,
        "shop-api",
        &json!({"uid": "foreign"}),
    );
    assert!(decided(&spec, &observed).job.is_none());
}

/// The stack of that image, stopped.
fn stopped(name: &str) -> Stack {
    let mut stack = image(name);
    stack.stopped = true;
    stack
}

#[test]
fn a_stopped_stack_migrates_nothing_and_keeps_its_pods() {
    let mut observed = Observed::default();
    serving(&mut observed, "shop:1", Some(("shop:1", VOLUME)));
    let migration = decided(&stopped("shop:2"), &observed);
    assert_eq!(migration.stage, Stage::Stopped);
    assert_eq!(held(&migration), "shop:1");
    assert_eq!(migration.record.unwrap().image, "shop:1");
    assert!(migration.job.is_none());

    let migration = decided(&stopped("shop:1"), &observed);
    assert!(matches!(migration.stage, Stage::Done(_)), "{migration:?}");
    let migration = decided(&stopped("shop:1"), &Observed::default());
    assert!(
        migration.is_withheld(),
        "it is not made to be migrated later"
    );
    let rendered = Migration::fresh(&stopped("shop:1"), &Images::default());
    assert!(rendered.is_withheld() && rendered.job.is_none());
}

#[test]
fn a_migration_that_runs_when_its_stack_is_stopped_is_removed_and_one_that_ended_is_not() {
    let new = stopped("shop:2");
    let mut observed = Observed::default();
    serving(&mut observed, "shop:1", Some(("shop:1", VOLUME)));
    let name = job(&mut observed, &new, JobState::Running);
    let migration = decided(&new, &observed);
    assert!(matches!(migration.stage, Stage::Waits(_)), "{migration:?}");
    assert_eq!(migration.superseded.len(), 1);
    assert!(migration.job.is_none());
    assert_eq!(held(&migration), "shop:1");

    for ended in [JobState::Complete, JobState::Failed("gave up".to_owned())] {
        observed.jobs.insert(name.clone(), ended);
        let migration = decided(&new, &observed);
        assert_eq!(migration.stage, Stage::Stopped);
        assert_eq!(migration.superseded, []);
    }
    let resumed = decided(&image("shop:2"), &observed);
    assert!(matches!(resumed.stage, Stage::Failed(..)), "{resumed:?}");
}

#[test]
fn names_fit_and_differ_with_the_image() {
    let images = Images::default();
    let mut long = stack(&json!({}));
    long.name = "a".repeat(crate::crd::MAX_NAME_LENGTH);
    let name = migrate::name(&long, &images).unwrap();
    assert!(name.len() <= 63, "{name}");
    let names = ["shop:1", "shop:2"].map(|name| migrate::name(&image(name), &images).unwrap());
    assert_ne!(names[0], names[1]);
}
