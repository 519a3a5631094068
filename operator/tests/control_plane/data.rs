//! Volumes and credentials: made once, and once data was written under them never made again unasked.

use serde_json::{Value, json};

use crate::harness::{
    environment::paste,
    history::{self, Change},
    kinds::{self, CHILDREN, Child},
    objects::{uid, version},
    pods::Kubelet,
    sandbox::Sandbox,
    stack::{Stack, condition_of, last_command},
    wait::{eventually, holds},
};

const ACCEPT: &str = "tpstack.dev/accept-data-loss";

/// The stores of a stack: their volume, credentials and workload.
const STORES: [[Child; 3]; 2] = [
    [
        (kinds::VOLUME_CLAIM, "postgres-data"),
        (kinds::SECRET, "postgres-credentials"),
        (kinds::STATEFUL_SET, "postgres"),
    ],
    [
        (kinds::VOLUME_CLAIM, "redis-data"),
        (kinds::SECRET, "redis-credentials"),
        (kinds::STATEFUL_SET, "redis"),
    ],
];

#[tokio::test]
async fn before_data_was_written_volumes_and_credentials_are_simply_made_again() {
    let sandbox = Sandbox::shared().await;
    let stack = sandbox.stack("shop", json!({})).await;
    for [volume, secret, workload] in STORES {
        stack.applied([volume, secret, workload].into_iter()).await;
        for child in [volume, secret] {
            let lost = sandbox.destroy(&child.0, &stack.name_of(child)).await;
            made_again(&stack, child, &lost).await;
        }
    }
    // No kubelet so far: nothing ever ran on them. They serve as well as the first ones.
    let _kubelet = Kubelet::start(&sandbox);
    stack.ready().await;
}

#[tokio::test]
async fn ready_is_claimed_only_after_the_data_was_marked() {
    let sandbox = Sandbox::shared().await;
    let start = history::now(&sandbox, &kinds::TPSTACK).await;
    let _kubelet = Kubelet::start(&sandbox);
    // Several, since it is the moments that differ.
    let names = ["shop", "mart", "store", "stall"];
    for name in names {
        sandbox.stack(name, json!({})).await;
    }
    for name in names {
        Stack::named(&sandbox, name).ready().await;
    }
    let stacks = history::since(&sandbox, &kinds::TPSTACK, &start).await;
    for kind in [kinds::VOLUME_CLAIM, kinds::SECRET] {
        let kept = history::since(&sandbox, &kind, &start).await;
        for name in names {
            for store in ["Postgres", "Redis"] {
                let of_stack = |object: &Value| object["metadata"]["name"] == name;
                let claimed = first(&stacks, |object| {
                    let condition = condition_of(object, &format!("{store}Ready"));
                    of_stack(object)
                        && condition.is_some_and(|condition| condition.status == "True")
                });
                let of_store = format!("{name}-{}", store.to_lowercase());
                let marked = first(&kept, |object| {
                    let is_of_store = object["metadata"]["name"]
                        .as_str()
                        .is_some_and(|name| name.starts_with(&of_store));
                    is_of_store
                        && object["metadata"]["annotations"]["tpstack.dev/initialized"] == "true"
                });
                assert!(
                    marked < claimed,
                    "{store} of {name} was called ready at version {claimed}, its {} was marked at {marked}: \
                     data served in between would be lost sight of",
                    kind.kind
                );
            }
        }
    }
}

/// The version of the first object that is so. Versions are numbers of the one store, so they tell before from after.
fn first(history: &[(Change, Value)], is_so: impl Fn(&Value) -> bool) -> u64 {
    let object = history
        .iter()
        .map(|(_, object)| object)
        .find(|object| is_so(object));
    version(object.expect("it happened"))
        .parse()
        .expect("a version is a number")
}

#[tokio::test]
async fn a_lost_volume_stalls_the_stack_and_nothing_starts_on_an_empty_disk() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    for ([volume, secret, workload], name) in STORES.into_iter().zip(["shop", "mart"]) {
        let stack = sandbox.stack(name, json!({})).await;
        stack.ready().await;
        let others = stack.uids(all_but(volume)).await;
        let started = generation(&stack.must_child(workload).await);
        let lost = sandbox.destroy(&volume.0, &stack.name_of(volume)).await;

        let message = stack.stalled("VolumeLost").await;
        assert!(
            message.contains(&stack.name_of(volume)),
            "which volume? {message}"
        );
        assert_eq!(
            last_command(&message),
            format!(
                "kubectl --namespace {} annotate tpstack {name} --overwrite {ACCEPT}={lost}",
                sandbox.namespace
            )
        );
        let ready = stack.becomes("Ready", "False", "VolumeLost").await;
        assert!(
            ready.message.contains(&stack.name_of(volume)),
            "Ready should say why: {}",
            ready.message
        );

        stack.reconcile_again().await;
        stack.reconcile_again().await;
        stack.stalled("VolumeLost").await;
        assert!(
            stack.child(volume).await.is_none(),
            "a new volume was made over a lost one"
        );
        assert_eq!(
            generation(&stack.must_child(workload).await),
            started,
            "the workload was touched"
        );
        assert_eq!(
            stack.uids(all_but(volume)).await,
            others,
            "a child was replaced"
        );

        // An annotation for another loss, or a careless one, accepts nothing.
        for wrong in [
            "00000000-0000-0000-0000-000000000000",
            "true",
            stack.name_of(volume).as_str(),
        ] {
            stack.annotate(ACCEPT, wrong).await;
            stack.reconcile_again().await;
            stack.stalled("VolumeLost").await;
            assert!(
                stack.child(volume).await.is_none(),
                "{ACCEPT}={wrong} accepted the loss of {lost}"
            );
        }

        let password = stack.must_child(secret).await["data"]["password"].clone();
        paste(&last_command(&message));
        stack.ready().await;
        assert_ne!(uid(&stack.must_child(volume).await), lost);
        assert_eq!(
            stack.must_child(secret).await["data"]["password"],
            password,
            "credentials were not lost"
        );

        // The annotation is still there, and accepts no later loss.
        let second = sandbox.destroy(&volume.0, &stack.name_of(volume)).await;
        let message = stack.stalled("VolumeLost").await;
        assert!(
            message.contains(&second),
            "the second loss is {second}: {message}"
        );
        assert!(
            stack.child(volume).await.is_none(),
            "an old acceptance covered a new loss"
        );
    }
}

#[tokio::test]
async fn lost_credentials_stall_the_stack_and_are_never_made_up() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    for ([volume, secret, workload], name) in STORES.into_iter().zip(["shop", "mart"]) {
        let stack = sandbox.stack(name, json!({})).await;
        stack.ready().await;
        let others = stack.uids(all_but(secret)).await;
        let started = generation(&stack.must_child(workload).await);
        let copy = stack.must_child(secret).await;
        sandbox.destroy(&secret.0, &stack.name_of(secret)).await;

        let message = stack.stalled("CredentialsLost").await;
        assert!(
            message.contains(&stack.name_of(secret)),
            "which Secret? {message}"
        );
        stack.reconcile_again().await;
        stack.reconcile_again().await;
        stack.stalled("CredentialsLost").await;
        assert!(
            stack.child(secret).await.is_none(),
            "a password was made up over an existing volume"
        );
        assert_eq!(
            generation(&stack.must_child(workload).await),
            started,
            "the workload was touched"
        );
        assert_eq!(
            stack.uids(all_but(secret)).await,
            others,
            "a child was replaced"
        );

        // The copy is put back; it is another object, so the user has to say that it belongs to the volume.
        sandbox.restore(&kinds::SECRET, &copy).await;
        let message = stack.stalled("RetainedDataMismatch").await;
        paste(&last_command(&message));
        stack.ready().await;
        let restored = stack.must_child(secret).await;
        assert_eq!(
            restored["data"], copy["data"],
            "the restored credentials were changed"
        );
        assert_eq!(
            uid(&stack.must_child(volume).await),
            others[&format!("PersistentVolumeClaim/{}", stack.name_of(volume))]
        );
    }
}

#[tokio::test]
async fn lost_credentials_may_be_given_up_with_their_data() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let [volume, secret, _] = STORES[0];
    let old = (
        uid(&stack.must_child(volume).await),
        stack.must_child(secret).await,
    );
    sandbox.destroy(&secret.0, &stack.name_of(secret)).await;
    let message = stack.stalled("CredentialsLost").await;
    paste(&last_command(&message));
    stack.ready().await;
    let (new_volume, new_secret) = (
        stack.must_child(volume).await,
        stack.must_child(secret).await,
    );
    assert_ne!(uid(&new_volume), old.0, "the old data was not given up");
    assert_ne!(uid(&new_secret), uid(&old.1));
    assert_ne!(
        new_secret["data"]["password"], old.1["data"]["password"],
        "a given up password came back"
    );
    // The schema went with the data.
    let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
    assert_eq!(
        deployment["metadata"]["annotations"]["tpstack.dev/migrated-volume"],
        json!(uid(&new_volume)),
        "the new database was not migrated"
    );
}

#[tokio::test]
async fn volume_and_credentials_lost_together_are_not_made_again() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let [volume, secret, workload] = STORES[0];
    let started = generation(&stack.must_child(workload).await);
    sandbox.destroy(&volume.0, &stack.name_of(volume)).await;
    sandbox.destroy(&secret.0, &stack.name_of(secret)).await;
    stack.stalled("VolumeLost").await;
    stack.reconcile_again().await;
    assert!(
        stack.child(volume).await.is_none(),
        "a new volume was made over a lost one"
    );
    assert!(
        stack.child(secret).await.is_none(),
        "new credentials were made over lost ones"
    );
    assert_eq!(
        generation(&stack.must_child(workload).await),
        started,
        "the workload was touched"
    );
}

#[tokio::test]
async fn redis_without_persistence_has_no_volume_to_lose() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox
        .stack("shop", json!({"redis": {"persistence": {"mode": "None"}}}))
        .await;
    stack.ready().await;
    assert!(
        stack
            .child((kinds::VOLUME_CLAIM, "redis-data"))
            .await
            .is_none()
    );
    let secret = (kinds::SECRET, "redis-credentials");
    let lost = sandbox.destroy(&secret.0, &stack.name_of(secret)).await;
    made_again(&stack, secret, &lost).await;
    stack.ready().await;
}

async fn made_again(stack: &Stack<'_>, child: Child, lost: &str) {
    eventually(
        stack.sandbox,
        &format!("{} {} is made again", child.0.kind, stack.name_of(child)),
        async || {
            let now = stack.child(child).await.ok_or("it is not there")?;
            holds(uid(&now) != lost, || "it is the old one".to_owned())
        },
    )
    .await;
}

fn generation(object: &Value) -> i64 {
    object
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .expect("a workload has a generation")
}

fn all_but(child: Child) -> impl Iterator<Item = Child> {
    let without_optional = |(kind, _): &Child| kind.group != "traefik.io";
    CHILDREN
        .into_iter()
        .filter(without_optional)
        .filter(move |other| *other != child)
}
