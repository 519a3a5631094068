//! A new image of the API waits until its database was migrated for it, and nothing else does.

use serde_json::{Value, json};

use crate::harness::{
    environment::{ENVIRONMENT, paste, tpstack},
    history::{self, Change},
    kinds::{self, CHILDREN, Child},
    objects::{uid, version},
    pods::{Kubelet, Migrations},
    sandbox::Sandbox,
    stack::{Stack, last_command},
    wait::{eventually, holds},
};

const DEPLOYMENT: Child = (kinds::DEPLOYMENT, "api");

/// A spec with an image of somebody's own that has migrations.
fn image(name: &str) -> Value {
    json!({"api": {"image": name, "migrate": {"command": ["shop", "migrate"]}}})
}

/// The Jobs of the namespace that are not on their way out.
async fn jobs(sandbox: &Sandbox) -> Vec<Value> {
    let jobs = sandbox.list(&kinds::JOB).await.into_iter();
    jobs.filter(|job| job.pointer("/metadata/deletionTimestamp").is_none())
        .collect()
}

fn name(object: &Value) -> String {
    let name = object["metadata"]["name"].as_str();
    name.expect("every object has a name").to_owned()
}

fn container(object: &Value) -> &Value {
    &object["spec"]["template"]["spec"]["containers"][0]
}

/// Waits for the one Job that migrates for this image.
async fn job_for(stack: &Stack<'_>, image: &str) -> Value {
    eventually(
        stack.sandbox,
        &format!("one Job migrates for {image}"),
        async || {
            let jobs = jobs(stack.sandbox).await;
            let [job] = &jobs[..] else {
                return Err(format!("there are {} Jobs", jobs.len()));
            };
            let found = &container(job)["image"];
            holds(found == image, || format!("it is for {found}"))?;
            Ok(job.clone())
        },
    )
    .await
}

/// Waits until the Deployment has this image, and returns it.
async fn serves(stack: &Stack<'_>, image: &str) -> Value {
    eventually(
        stack.sandbox,
        &format!("the Deployment has {image}"),
        async || {
            let deployment = stack.child(DEPLOYMENT).await.ok_or("it is not there")?;
            let found = container(&deployment)["image"].clone();
            holds(found == image, || format!("it has {found}"))?;
            Ok(deployment)
        },
    )
    .await
}

/// A migration that fails, as Kubernetes itself sees it: without its many tries, which take a quarter of an hour.
async fn fails(stack: &Stack<'_>, image: &str) -> Value {
    let job = job_for(stack, image).await;
    // A field that the operator does not set, so that it stays.
    let deadline = json!({"spec": {"activeDeadlineSeconds": 1}});
    stack
        .sandbox
        .merge(&kinds::JOB, &name(&job), deadline)
        .await;
    let condition = stack.becomes("ApiReady", "False", "MigrationFailed").await;
    assert_eq!(stack.stalled("MigrationFailed").await, condition.message);
    job
}

#[tokio::test]
async fn a_new_stack_is_migrated_before_its_api_starts() {
    let sandbox = Sandbox::shared().await;
    sandbox.migrations(Migrations::Hang);
    let _kubelet = Kubelet::start(&sandbox);
    // As long as a name may be: the Job's must fit the labels of its pods.
    let stack = sandbox.stack(&"s".repeat(40), json!({})).await;
    let told = stack.becomes("ApiReady", "False", "Migrating").await;
    stack.becomes("PostgresReady", "True", "Available").await;
    stack.reconcile_again().await;
    assert!(
        stack.child(DEPLOYMENT).await.is_none(),
        "the API was started"
    );
    let [job] = &jobs(&sandbox).await[..] else {
        panic!("one Job")
    };
    assert!(told.message.contains(&name(job)), "{}", told.message);
    // Its pod was admitted under Pod Security `restricted`, and is none of the API's.
    let service = stack.must_child((kinds::SERVICE, "api")).await;
    let selector = service["spec"]["selector"].as_object().expect("it has one");
    let pods = eventually(&sandbox, "the Job has a pod", async || {
        let mut pods = sandbox.list(&kinds::POD).await;
        pods.retain(|pod| pod["metadata"]["labels"]["job-name"] == name(job));
        holds(pods.len() == 1, || format!("it has {}", pods.len()))?;
        Ok(pods)
    })
    .await;
    assert!(
        selector
            .iter()
            .any(|(key, value)| pods[0]["metadata"]["labels"][key] != *value),
        "the Service finds a migration's pod"
    );

    sandbox.migrations(Migrations::Succeed);
    stack.ready().await;
    let deployment = stack.must_child(DEPLOYMENT).await;
    let notes = &deployment["metadata"]["annotations"];
    assert_eq!(
        notes["tpstack.dev/migrated-image"],
        container(&deployment)["image"]
    );
    let volume = stack
        .must_child((kinds::VOLUME_CLAIM, "postgres-data"))
        .await;
    assert_eq!(notes["tpstack.dev/migrated-volume"], json!(uid(&volume)));
    assert_eq!(container(job)["env"], container(&deployment)["env"]);
    assert_eq!(
        container(job)["volumeMounts"],
        container(&deployment)["volumeMounts"]
    );
}

#[tokio::test]
async fn a_new_image_waits_for_its_migration_and_scaling_does_not() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", image("shop:1")).await;
    stack.ready().await;
    sandbox.migrations(Migrations::Hang);
    let mut next = image("shop:2");
    next["api"]["env"] = json!([{"name": "SHOP_CURRENCY", "value": "EUR"}]);
    next["api"]["replicas"] = json!(3);
    stack.change(next).await;
    let told = stack.becomes("ApiReady", "False", "Migrating").await;
    assert!(
        told.message.contains("the pods of shop:1 stay as they are"),
        "{}",
        told.message
    );
    job_for(&stack, "shop:2").await;
    let deployment = stack.must_child(DEPLOYMENT).await;
    assert_eq!(deployment["spec"]["replicas"], json!(3));
    assert_eq!(container(&deployment)["image"], json!("shop:1"));
    assert!(
        !container(&deployment)["env"]
            .to_string()
            .contains("SHOP_CURRENCY"),
        "what comes with the new image reached the old one"
    );
    assert_eq!(
        deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        json!("1"),
        "pods were replaced"
    );

    sandbox.migrations(Migrations::Succeed);
    let deployment = serves(&stack, "shop:2").await;
    assert!(
        container(&deployment)["env"]
            .to_string()
            .contains("SHOP_CURRENCY")
    );
    assert_eq!(
        deployment["metadata"]["annotations"]["tpstack.dev/migrated-image"],
        json!("shop:2")
    );
    stack.ready().await;
}

#[tokio::test]
async fn while_a_migration_runs_another_look_writes_nothing() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", image("shop:1")).await;
    stack.ready().await;
    sandbox.migrations(Migrations::Hang);
    stack.change(image("shop:2")).await;
    let job = job_for(&stack, "shop:2").await;
    eventually(&sandbox, "the Job has its pod", async || {
        let job = sandbox.must_get(&kinds::JOB, &name(&job)).await;
        holds(job.pointer("/status/active") == Some(&json!(1)), || {
            job["status"].to_string()
        })
    })
    .await;
    stack.becomes("ApiReady", "False", "Migrating").await;
    stack.reconcile_again().await;
    let routes = [kinds::INGRESS_ROUTE, kinds::MIDDLEWARE];
    let children = || {
        CHILDREN
            .into_iter()
            .filter(|child| !routes.contains(&child.0))
    };
    let versions = async || {
        let mut versions = stack.versions(children()).await;
        let job = sandbox.must_get(&kinds::JOB, &name(&job)).await;
        versions.insert("Job".to_owned(), version(&job));
        versions
    };
    let before = versions().await;
    stack.reconcile_again().await;
    stack.reconcile_again().await;
    assert_eq!(versions().await, before);
}

#[tokio::test]
async fn a_migration_that_was_cleaned_up_is_not_run_again_until_its_record_is_gone() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let [job] = &jobs(&sandbox).await[..] else {
        panic!("the finished Job is left to its end")
    };
    let start = history::now(&sandbox, &kinds::JOB).await;
    sandbox.delete(&kinds::JOB, &name(job)).await;
    sandbox.gone(&kinds::JOB, &name(job)).await;
    stack.reconcile_again().await;
    stack.change(json!({"api": {"replicas": 3}})).await;
    stack.ready().await;
    stack
        .change(json!({"api": {"env": [{"name": "LOG_LEVEL", "value": "debug"}]}}))
        .await;
    stack.ready().await;
    let created = |changes: Vec<(Change, Value)>| {
        let created = changes.iter().filter(|(what, _)| *what == Change::Created);
        created.count()
    };
    let changes = history::since(&sandbox, &kinds::JOB, &start).await;
    assert_eq!(created(changes), 0, "it was run again");

    sandbox.delete(&kinds::DEPLOYMENT, "shop-api").await;
    eventually(&sandbox, "it is migrated again", async || {
        let changes = history::since(&sandbox, &kinds::JOB, &start).await;
        holds(created(changes) == 1, || "it is not".to_owned())
    })
    .await;
    stack.ready().await;
}

#[tokio::test]
async fn a_migration_that_fails_keeps_the_old_image_and_the_commands_told_go_on() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", image("shop:1")).await;
    stack.ready().await;
    sandbox.migrations(Migrations::Fail);
    stack.change(image("shop:2")).await;
    let failed = fails(&stack, "shop:2").await;
    serves(&stack, "shop:1").await;
    let message = stack.stalled("MigrationFailed").await;
    assert!(
        message.contains(&format!(
            "kubectl --namespace {} logs job/{}",
            sandbox.namespace,
            name(&failed)
        )),
        "{message}"
    );

    // Nothing else is held up meanwhile.
    stack.change(json!({"api": {"replicas": 3}})).await;
    eventually(&sandbox, "it is scaled", async || {
        let replicas = stack.must_child(DEPLOYMENT).await["spec"]["replicas"].clone();
        holds(replicas == 3, || format!("to {replicas}"))
    })
    .await;
    stack.stalled("MigrationFailed").await;
    assert_eq!(
        uid(&job_for(&stack, "shop:2").await),
        uid(&failed),
        "it was tried again by itself"
    );

    sandbox.migrations(Migrations::Succeed);
    paste(&last_command(&message));
    serves(&stack, "shop:2").await;
    stack.ready().await;
}

#[tokio::test]
async fn another_image_takes_the_place_of_a_failed_migration() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", image("shop:1")).await;
    stack.ready().await;
    sandbox.migrations(Migrations::Fail);
    stack.change(image("shop:2")).await;
    let failed = fails(&stack, "shop:2").await;

    // The way back needs no migration.
    stack.change(image("shop:1")).await;
    stack.ready().await;
    sandbox.gone(&kinds::JOB, &name(&failed)).await;

    stack.change(image("shop:2")).await;
    let failed = fails(&stack, "shop:2").await;
    sandbox.migrations(Migrations::Succeed);
    stack.change(image("shop:3")).await;
    serves(&stack, "shop:3").await;
    stack.ready().await;
    sandbox.gone(&kinds::JOB, &name(&failed)).await;

    // Without its command an image waits for nothing, and leaves nothing behind.
    stack
        .change(json!({"api": {"image": "shop:4", "migrate": null}}))
        .await;
    let deployment = serves(&stack, "shop:4").await;
    assert!(
        deployment
            .pointer("/metadata/annotations/tpstack.dev~1migrated-image")
            .is_none()
    );
    eventually(&sandbox, "no Job is left", async || {
        let left = jobs(&sandbox).await.len();
        holds(left == 0, || format!("{left} are"))
    })
    .await;
}

#[tokio::test]
async fn a_job_deleted_while_it_runs_is_made_again_and_opens_nothing() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", image("shop:1")).await;
    stack.ready().await;
    sandbox.migrations(Migrations::Hang);
    stack.change(image("shop:2")).await;
    let mut last = String::new();
    for _ in 0..3 {
        let job = job_for(&stack, "shop:2").await;
        assert_ne!(uid(&job), last);
        last = sandbox.destroy(&kinds::JOB, &name(&job)).await;
    }
    job_for(&stack, "shop:2").await;
    let deployment = stack.must_child(DEPLOYMENT).await;
    assert_eq!(container(&deployment)["image"], json!("shop:1"));
    sandbox.migrations(Migrations::Succeed);
    stack.ready().await;
    serves(&stack, "shop:2").await;
}

#[tokio::test]
async fn a_migration_whose_environment_changed_starts_over_once() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    sandbox.migrations(Migrations::Hang);
    let stack = sandbox.stack("shop", image("shop:1")).await;
    let first = job_for(&stack, "shop:1").await;
    let start = history::now(&sandbox, &kinds::JOB).await;
    stack
        .change(json!({"api": {"env": [{"name": "SHOP_CURRENCY", "value": "EUR"}]}}))
        .await;
    eventually(&sandbox, "another Job takes its place", async || {
        let job = job_for(&stack, "shop:1").await;
        holds(uid(&job) != uid(&first), || "it is the first".to_owned())
    })
    .await;
    sandbox.migrations(Migrations::Succeed);
    stack.ready().await;
    stack.reconcile_again().await;
    let changes = history::since(&sandbox, &kinds::JOB, &start).await;
    let created = changes.iter().filter(|(what, _)| *what == Change::Created);
    assert_eq!(created.count(), 1, "it was made again and again");
}

#[tokio::test]
async fn somebody_elses_job_at_the_name_is_left_alone_and_opens_nothing() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let sample = ENVIRONMENT
        .repository
        .join("manifests/samples/minimal.yaml");
    let sample = sample.to_str().expect("the repository's path is text");
    let rendered = tpstack(&["render", "-f", sample]);
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(&rendered).expect("`tpstack render` prints YAML");
    let ours = documents.iter().find(|document| document["kind"] == "Job");
    let name = name(ours.expect("it renders the Job"));
    let theirs = |name: &str, labels: Value| {
        json!({"metadata": {"name": name, "labels": labels}, "spec": {"suspend": true, "template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "main", "image": "example.org/theirs:1"}],
        }}}})
    };
    let before = sandbox.create(&kinds::JOB, theirs(&name, json!({}))).await;
    let labels = json!({
        "app.kubernetes.io/name": "tpstack", "app.kubernetes.io/instance": "minimal",
        "app.kubernetes.io/component": "api-migrate", "app.kubernetes.io/managed-by": "tpstack-operator",
    });
    let canary = sandbox
        .create(&kinds::JOB, theirs("minimal-api-migrate-canary", labels))
        .await;

    let stack = sandbox.stack("minimal", json!({})).await;
    let message = stack.stalled("NameConflict").await;
    assert!(message.contains(&format!("Job {name}")), "{message}");
    stack.becomes("ApiReady", "False", "NameConflict").await;
    stack.becomes("PostgresReady", "True", "Available").await;
    stack.reconcile_again().await;
    assert!(
        stack.child(DEPLOYMENT).await.is_none(),
        "the API was started"
    );
    let now = sandbox.must_get(&kinds::JOB, &name).await;
    assert_eq!(uid(&now), uid(&before));
    assert_eq!(now["metadata"]["labels"], before["metadata"]["labels"]);

    sandbox.destroy(&kinds::JOB, &name).await;
    stack.ready().await;
    let left = sandbox.must_get(&kinds::JOB, &self::name(&canary)).await;
    assert_eq!(uid(&left), uid(&canary), "labels alone made it ours");
}
