//! Stores that somebody else runs, on a real API server: what is missing is named, nothing of ours is made or lost.

use serde_json::{Value, json};

use crate::harness::{
    kinds::{self, CHILDREN, Child, SECRET},
    pods::Kubelet,
    sandbox::Sandbox,
};

fn external(secret: &str) -> Value {
    json!({"engine": "External", "external": {"secretRef": {"name": secret}}})
}

fn values(keys: &[&str]) -> Value {
    let value = |key: &&str| ((*key).to_owned(), json!("a-value"));
    Value::Object(keys.iter().map(value).collect())
}

const DATABASE: [&str; 6] = [
    "host", "port", "database", "username", "password", "sslmode",
];
const CACHE: [&str; 5] = ["host", "port", "tls", "username", "password"];

fn of_stores() -> impl Iterator<Item = Child> {
    CHILDREN
        .into_iter()
        .filter(|(_, name)| name.starts_with("postgres") || name.starts_with("redis"))
}

#[tokio::test]
async fn a_missing_secret_and_a_missing_key_are_named_and_mended_without_a_restart() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let spec = json!({"postgres": external("db"), "redis": external("cache")});
    let stack = sandbox.stack("shop", spec).await;
    let postgres = stack
        .becomes("PostgresReady", "False", "SecretMissing")
        .await;
    assert!(
        postgres.message.contains("Secret db")
            && postgres.message.contains("create secret generic db"),
        "{}",
        postgres.message
    );
    assert!(stack.stalled("SecretMissing").await.contains("Secret db"));

    let incomplete = json!({"metadata": {"name": "db"}, "stringData": values(&DATABASE[..4])});
    sandbox.create(&SECRET, incomplete).await;
    sandbox
        .create(
            &SECRET,
            json!({"metadata": {"name": "cache"}, "stringData": values(&CACHE)}),
        )
        .await;
    let postgres = stack
        .becomes("PostgresReady", "False", "SecretIncomplete")
        .await;
    assert!(
        postgres.message.contains("lacks sslmode, password:"),
        "{}",
        postgres.message
    );
    stack.becomes("RedisReady", "True", "External").await;
    // No pod was started that could not find its database.
    assert!(stack.child((kinds::DEPLOYMENT, "api")).await.is_none());

    let whole = json!({"stringData": values(&DATABASE)});
    sandbox.merge(&SECRET, "db", whole).await;
    stack.ready().await;
    stack.becomes("PostgresReady", "True", "External").await;
    for child in of_stores() {
        assert!(stack.child(child).await.is_none(), "{child:?} was made");
    }
    let secret = sandbox.must_get(&SECRET, "db").await;
    assert!(
        secret["metadata"]["labels"].is_null() && secret["metadata"]["annotations"].is_null(),
        "{secret}"
    );
    let status = stack.object().await["status"].clone();
    assert_eq!(status["postgres"], json!({"engine": "External"}));
    assert_eq!(status["summary"]["postgres"], json!("External"));
    let deployment = stack.must_child((kinds::DEPLOYMENT, "api")).await;
    assert_eq!(
        deployment["metadata"]["annotations"]["tpstack.dev/migrated-volume"],
        secret["metadata"]["uid"],
        "the database that was migrated is known by its Secret"
    );
}

#[tokio::test]
async fn redis_moves_to_somebody_elses_and_back_to_its_own_volume() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let volume = stack
        .uids([(kinds::VOLUME_CLAIM, "redis-data")].into_iter())
        .await;

    stack.change(json!({"redis": external("cache")})).await;
    stack.becomes("RedisReady", "False", "SecretMissing").await;
    assert!(
        stack.child((kinds::STATEFUL_SET, "redis")).await.is_some(),
        "ours serves meanwhile"
    );
    sandbox
        .create(
            &SECRET,
            json!({"metadata": {"name": "cache"}, "stringData": values(&CACHE)}),
        )
        .await;
    stack.ready().await;
    sandbox.gone(&kinds::STATEFUL_SET, "shop-redis").await;
    sandbox.gone(&kinds::NETWORK_POLICY, "shop-redis").await;

    stack
        .change(json!({"redis": {"engine": "BuiltIn", "external": null}}))
        .await;
    stack.ready().await;
    assert_eq!(
        stack
            .uids([(kinds::VOLUME_CLAIM, "redis-data")].into_iter())
            .await,
        volume
    );
}

#[tokio::test]
async fn settings_of_postgres_restart_it_and_go_away_again() {
    let sandbox = Sandbox::shared().await;
    let _kubelet = Kubelet::start(&sandbox);
    let stack = sandbox.stack("shop", json!({})).await;
    stack.ready().await;
    let template = async || {
        let set = stack.must_child((kinds::STATEFUL_SET, "postgres")).await;
        set["spec"]["template"].clone()
    };
    let before = template().await;
    stack
        .change(
            json!({"postgres": {"parameters": {"work_mem": "8MB", "log_line_prefix": "it's \\ "}}}),
        )
        .await;
    stack.ready().await;
    let first = template().await;
    assert_ne!(
        first["metadata"]["annotations"],
        before["metadata"]["annotations"]
    );
    let map = stack.must_child((kinds::CONFIG_MAP, "postgres")).await;
    let file = map["data"]["postgresql.conf"]
        .as_str()
        .expect("the settings");
    assert!(
        file.contains("work_mem = '8MB'\n") && file.contains(r"log_line_prefix = 'it''s \\ '"),
        "{file}"
    );
    stack
        .change(json!({"postgres": {"parameters": {"work_mem": "16MB"}}}))
        .await;
    stack.ready().await;
    assert_ne!(template().await, first, "a change restarts the server");
    stack
        .change(json!({"postgres": {"parameters": null}}))
        .await;
    stack.ready().await;
    assert_eq!(template().await, before);
}
