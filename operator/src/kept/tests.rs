use serde_json::{Value, json};

use super::{Pair, Store, Verdict, decide};
use crate::desired::metadata::Component;
use crate::kind::{Kind, ObjectId};
use crate::observed::Observed;
use crate::validate::{Stack, validate};

const LABELS: [(&str, &str); 2] = [
    ("app.kubernetes.io/managed-by", "tpstack-operator"),
    ("app.kubernetes.io/instance", "shop"),
];

fn stack() -> Stack {
    let stack =
        json!({"metadata": {"name": "shop", "namespace": "team", "uid": "stack-1"}, "spec": {}});
    validate(&serde_json::from_value(stack).unwrap()).unwrap()
}

/// A cluster with these kept objects: (UID, annotations), in the order volume, credentials.
fn observed(volume: Option<(&str, Value)>, secret: Option<(&str, Value)>) -> Observed {
    let mut observed = Observed::default();
    let kinds = [
        (Kind::PersistentVolumeClaim, "shop-postgres-data"),
        (Kind::Secret, "shop-postgres-credentials"),
    ];
    for ((kind, name), object) in kinds.into_iter().zip([volume, secret]) {
        if let Some((uid, annotations)) = object {
            let labels: Value = LABELS
                .iter()
                .map(|(k, v)| ((*k).to_owned(), json!(v)))
                .collect::<serde_json::Map<_, _>>()
                .into();
            let metadata = json!({"uid": uid, "labels": labels, "annotations": annotations});
            observed.objects.insert(
                ObjectId::new(kind, name),
                serde_json::from_value(metadata).unwrap(),
            );
        }
    }
    observed
}

fn postgres() -> Store<'static> {
    Store {
        component: Component::Postgres,
        wants_volume: true,
        major: Some("16"),
        remembered: None,
        accepted: None,
    }
}

fn tied_volume() -> Value {
    json!({"tpstack.dev/initialized": "true", "tpstack.dev/credentials-uid": "s1", "tpstack.dev/postgres-major": "16"})
}

fn tied_secret() -> Value {
    json!({"tpstack.dev/initialized": "true", "tpstack.dev/volume-uid": "v1"})
}

fn lost(verdict: &Verdict, reason: &str, command: &str) {
    match verdict {
        Verdict::Lost(loss) => {
            assert_eq!(loss.reason, reason, "{}", loss.message);
            assert!(
                loss.message.contains(command),
                "{:?} contains {command:?}",
                loss.message
            );
        }
        other => panic!("{other:?} is not a loss"),
    }
}

#[test]
fn a_new_stack_makes_both() {
    let verdict = decide(&stack(), &postgres(), &observed(None, None));
    assert_eq!(
        verdict,
        Verdict::Create {
            volume: true,
            credentials: true
        }
    );
}

#[test]
fn before_data_was_written_either_is_made_again() {
    let tied = json!({"tpstack.dev/volume-uid": "v1"});
    let verdict = decide(&stack(), &postgres(), &observed(None, Some(("s1", tied))));
    assert_eq!(
        verdict,
        Verdict::Create {
            volume: true,
            credentials: false
        }
    );
    let tied = json!({"tpstack.dev/credentials-uid": "s1"});
    let verdict = decide(&stack(), &postgres(), &observed(Some(("v1", tied)), None));
    assert_eq!(
        verdict,
        Verdict::Create {
            volume: false,
            credentials: true
        }
    );
}

#[test]
fn data_that_only_the_status_knows_of_is_not_given_another_password() {
    let tied = || json!({"tpstack.dev/credentials-uid": "s1"});
    let known = Store {
        remembered: Some("v1"),
        ..postgres()
    };
    let verdict = decide(&stack(), &known, &observed(Some(("v1", tied())), None));
    lost(&verdict, "CredentialsLost", "accept-data-loss=v1");
    let verdict = decide(&stack(), &known, &observed(Some(("v2", tied())), None));
    assert!(matches!(verdict, Verdict::Create { .. }), "{verdict:?}");
}

#[test]
fn a_matching_pair_is_kept() {
    let verdict = decide(
        &stack(),
        &postgres(),
        &observed(Some(("v1", tied_volume())), Some(("s1", tied_secret()))),
    );
    let pair = Pair {
        volume_uid: Some("v1".to_owned()),
        credentials_uid: "s1".to_owned(),
        initialized: true,
    };
    assert_eq!(verdict, Verdict::Keep(pair));
}

#[test]
fn a_mark_on_one_of_the_pair_counts_for_both() {
    let unmarked = json!({"tpstack.dev/credentials-uid": "s1"});
    let verdict = decide(
        &stack(),
        &postgres(),
        &observed(Some(("v1", unmarked)), Some(("s1", tied_secret()))),
    );
    assert!(
        matches!(
            verdict,
            Verdict::Keep(Pair {
                initialized: true,
                ..
            })
        ),
        "{verdict:?}"
    );
}

#[test]
fn a_lost_volume_is_never_replaced() {
    let secret = || Some(("s1", tied_secret()));
    lost(
        &decide(&stack(), &postgres(), &observed(None, secret())),
        "VolumeLost",
        "tpstack.dev/accept-data-loss=v1",
    );
    let wrong = Store {
        accepted: Some("shop-postgres-data"),
        ..postgres()
    };
    lost(
        &decide(&stack(), &wrong, &observed(None, secret())),
        "VolumeLost",
        "annotate tpstack shop",
    );
}

#[test]
fn a_lost_volume_is_replaced_once_its_loss_is_accepted_by_uid() {
    let accepted = Store {
        accepted: Some("v1"),
        remembered: Some("v1"),
        ..postgres()
    };
    let verdict = decide(
        &stack(),
        &accepted,
        &observed(None, Some(("s1", tied_secret()))),
    );
    assert_eq!(
        verdict,
        Verdict::Create {
            volume: true,
            credentials: false
        }
    );
    // The new volume is there and not yet marked; the secret still names the old one.
    let verdict = decide(
        &stack(),
        &accepted,
        &observed(Some(("v2", json!({}))), Some(("s1", tied_secret()))),
    );
    assert!(
        matches!(
            verdict,
            Verdict::Keep(Pair {
                initialized: false,
                ..
            })
        ),
        "{verdict:?}"
    );
    // The next loss is not accepted by the old annotation.
    let tied = json!({"tpstack.dev/initialized": "true", "tpstack.dev/volume-uid": "v2"});
    let next = Store {
        accepted: Some("v1"),
        remembered: Some("v2"),
        ..postgres()
    };
    lost(
        &decide(&stack(), &next, &observed(None, Some(("s1", tied)))),
        "VolumeLost",
        "accept-data-loss=v2",
    );
}

#[test]
fn the_status_remembers_when_both_are_gone() {
    let store = Store {
        remembered: Some("v1"),
        ..postgres()
    };
    lost(
        &decide(&stack(), &store, &observed(None, None)),
        "VolumeLost",
        "accept-data-loss=v1",
    );
    let accepted = Store {
        accepted: Some("v1"),
        ..store
    };
    assert_eq!(
        decide(&stack(), &accepted, &observed(None, None)),
        Verdict::Create {
            volume: true,
            credentials: true
        }
    );
}

#[test]
fn lost_credentials_are_never_made_again() {
    let volume = || Some(("v1", tied_volume()));
    lost(
        &decide(&stack(), &postgres(), &observed(volume(), None)),
        "CredentialsLost",
        "apply -f",
    );
    // Not even when somebody accepts the loss of the volume that is still there.
    let accepted = Store {
        accepted: Some("v1"),
        ..postgres()
    };
    lost(
        &decide(&stack(), &accepted, &observed(volume(), None)),
        "CredentialsLost",
        "delete pvc shop-postgres-data",
    );
}

#[test]
fn restored_credentials_need_the_command_that_pairs_them() {
    let verdict = decide(
        &stack(),
        &postgres(),
        &observed(Some(("v1", tied_volume())), Some(("s2", tied_secret()))),
    );
    lost(
        &verdict,
        "RetainedDataMismatch",
        "tpstack.dev/credentials-uid=s2",
    );
    lost(
        &verdict,
        "RetainedDataMismatch",
        "tpstack.dev/volume-uid=v1",
    );
}

#[test]
fn a_restored_namespace_is_told_from_a_single_object_that_was_replaced() {
    let both = observed(Some(("v2", tied_volume())), Some(("s2", tied_secret())));
    let one = observed(Some(("v1", tied_volume())), Some(("s2", tied_secret())));
    let words = "backup tool";
    lost(
        &decide(&stack(), &postgres(), &both),
        "RetainedDataMismatch",
        words,
    );
    let Verdict::Lost(loss) = decide(&stack(), &postgres(), &one) else {
        panic!("a replaced Secret is no match")
    };
    assert!(!loss.message.contains(words), "{}", loss.message);
}

#[test]
fn a_volume_that_replaced_another_needs_the_command_that_pairs_them() {
    let verdict = decide(
        &stack(),
        &postgres(),
        &observed(Some(("v2", json!({}))), Some(("s1", tied_secret()))),
    );
    lost(
        &verdict,
        "RetainedDataMismatch",
        "annotate pvc shop-postgres-data",
    );
}

#[test]
fn data_of_another_major_is_not_opened() {
    let mut volume = tied_volume();
    volume["tpstack.dev/postgres-major"] = json!("15");
    let verdict = decide(
        &stack(),
        &postgres(),
        &observed(Some(("v1", volume)), Some(("s1", tied_secret()))),
    );
    lost(&verdict, "RetainedDataMismatch", "version 15");
}

#[test]
fn a_marked_volume_that_is_being_deleted_is_a_loss_and_another_is_waited_for() {
    let deleting = |annotations: Value| {
        let mut observed = observed(Some(("v1", annotations)), Some(("s1", json!({}))));
        let id = ObjectId::new(Kind::PersistentVolumeClaim, "shop-postgres-data");
        let time = serde_json::from_value(json!("2026-01-01T00:00:00Z")).unwrap();
        observed.objects.get_mut(&id).unwrap().deletion_timestamp = Some(time);
        observed
    };
    lost(
        &decide(&stack(), &postgres(), &deleting(tied_volume())),
        "VolumeLost",
        "being deleted",
    );
    let verdict = decide(&stack(), &postgres(), &deleting(json!({})));
    assert!(matches!(verdict, Verdict::Wait(_)), "{verdict:?}");
}

#[test]
fn somebody_elses_object_is_a_conflict() {
    let mut observed = observed(None, Some(("s1", json!({}))));
    let id = ObjectId::new(Kind::Secret, "shop-postgres-credentials");
    observed.objects.get_mut(&id).unwrap().labels = None;
    assert_eq!(
        decide(&stack(), &postgres(), &observed),
        Verdict::Conflict(id)
    );
}

#[test]
fn without_a_volume_credentials_are_made_when_they_are_missing() {
    let store = Store {
        component: Component::Redis,
        wants_volume: false,
        major: None,
        remembered: Some("v1"),
        accepted: None,
    };
    let verdict = decide(&stack(), &store, &Observed::default());
    assert_eq!(
        verdict,
        Verdict::Create {
            volume: false,
            credentials: true
        }
    );
}
