//! The same contract on every pair of engines; and what other images of the stack see of ours.

use crate::{
    api::Api,
    items_store,
    postgres::{self, Database},
    redis::{self, Redis},
    suite::keeps_the_contract,
};
use ::api::store::migrate;

/// This is not about speed: a busy machine must not turn a hit into a miss.
pub(crate) const UNHURRIED: [(&str, &str); 3] = [
    ("REDIS_TIMEOUT_MS", "10000"),
    ("DB_ACQUIRE_TIMEOUT_MS", "10000"),
    ("DB_CONNECT_TIMEOUT_MS", "10000"),
];

fn redis_settings(port: &str) -> [(&str, &str); 3] {
    [
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", port),
        ("REDIS_PASSWORD", redis::PASSWORD),
    ]
}

/// What `api migrate` does, once for a database.
pub(crate) async fn prepare(settings: &[(&str, &str)]) {
    migrate(&items_store::config(settings)).await.unwrap();
}

#[tokio::test]
async fn the_embedded_engines_keep_the_contract() {
    let api = Api::start(&[]).await;
    keeps_the_contract(&api, "sqlite", "memory").await;
}

#[tokio::test]
async fn postgres_alone_keeps_the_contract() {
    let database = Database::create();
    let settings = [
        &database.settings()[..],
        &[("DB_PASSWORD", postgres::PASSWORD)],
        &UNHURRIED,
    ]
    .concat();
    prepare(&settings).await;
    let api = Api::start(&settings).await;
    keeps_the_contract(&api, "postgres", "memory").await;
}

#[tokio::test]
async fn postgres_and_redis_keep_the_contract_with_passwords_in_files() {
    let (database, redis) = (Database::create(), Redis::start().await);
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (folder.path().join("postgres"), folder.path().join("redis"));
    std::fs::write(&first, format!("{}\n", postgres::PASSWORD)).unwrap();
    std::fs::write(&second, format!("{}\n", redis::PASSWORD)).unwrap();
    let port = redis.port.to_string();
    let settings = [
        &database.settings()[..],
        &[
            ("DB_PASSWORD_FILE", first.to_str().unwrap()),
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", &port),
            ("REDIS_USER", "default"),
            ("REDIS_PASSWORD_FILE", second.to_str().unwrap()),
        ],
        &UNHURRIED,
    ]
    .concat();
    prepare(&settings).await;
    let api = Api::start(&settings).await;
    keeps_the_contract(&api, "postgres", "redis").await;
}

#[tokio::test]
async fn the_cached_answer_is_the_courses_key_for_a_minute_and_anyone_may_drop_it() {
    let redis = Redis::start().await;
    let port = redis.port.to_string();
    let api = Api::start(&[&redis_settings(&port)[..], &UNHURRIED].concat()).await;
    api.until("/health/ready", "Redis is reached", |answer| {
        answer.body.contains(r#""redis","status":"up""#)
    })
    .await;
    let first = api.get("/api/data").await;
    assert_eq!(first.source(), "database");
    assert_eq!(
        redis.command(&["GET", "data_cache"]),
        first.json()["data"].as_str().unwrap()
    );
    let lifetime: u32 = redis.command(&["TTL", "data_cache"]).parse().unwrap();
    assert!((1..=60).contains(&lifetime), "{lifetime}");
    redis.command(&["SET", "data_cache", "written by another image"]);
    api.until("/api/data", "the other's value is told", |answer| {
        answer.source() == "cache" && answer.json()["data"] == "written by another image"
    })
    .await;
    redis.command(&["DEL", "data_cache"]);
    api.until("/api/data", "the deletion is seen", |answer| {
        answer.source() == "database"
    })
    .await;
}

#[tokio::test]
async fn a_redis_user_with_the_least_rights_is_enough() {
    let redis = Redis::start().await;
    let rules = [
        "reset",
        "on",
        ">least-Secret",
        "~data_cache",
        "+get",
        "+set",
        "~session:*",
        "+eval",
        "+time",
        "+hmget",
        "+hset",
        "+pexpire",
        "+del",
    ];
    redis.command(&[&["ACL", "SETUSER", "least"][..], &rules].concat());
    let port = redis.port.to_string();
    let settings = [
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", port.as_str()),
        ("REDIS_USER", "least"),
        ("REDIS_PASSWORD", "least-Secret"),
    ];
    let api = Api::start(&[&settings[..], &UNHURRIED].concat()).await;
    keeps_the_contract(&api, "sqlite", "redis").await;
}

#[tokio::test]
async fn a_poisoned_key_is_a_miss_and_is_mended() {
    let redis = Redis::start().await;
    let port = redis.port.to_string();
    let api = Api::start(&[&redis_settings(&port)[..], &UNHURRIED].concat()).await;
    api.until("/health/ready", "Redis is reached", |answer| {
        answer.body.contains(r#""redis","status":"up""#)
    })
    .await;
    let too_long = "x".repeat(100_000);
    let poisons: [&[&str]; 5] = [
        &["LPUSH", "data_cache", "a list"],
        &["HSET", "data_cache", "a", "hash"],
        &["SET", "data_cache", ""],
        &["SETBIT", "data_cache", "0", "1"],
        &["SET", "data_cache", &too_long],
    ];
    for poison in poisons {
        redis.command(&["DEL", "data_cache"]);
        redis.command(poison);
        api.until("/api/data", "the poison is seen", |answer| {
            answer.source() == "database"
        })
        .await;
        assert_eq!(
            api.get("/api/data").await.source(),
            "cache",
            "{} was not mended",
            poison[0]
        );
    }
    let errors = api
        .metric(r#"app_dependency_errors_total{dependency="cache",kind="value"}"#)
        .await;
    assert_eq!(
        errors, 4.0,
        "an empty value is a plain miss, the others are told"
    );
}
