//! TLS towards both servers: used when asked for, and a stranger's certificate is refused.

use crate::{
    api::{Answer, Api},
    postgres::{self, Postgres},
    redis::{self, Redis},
    tls::Authority,
};

fn well(answer: &Answer) -> bool {
    answer.status == 200
}

fn refused_a_certificate(api: &Api) -> bool {
    let told = |line: &String| {
        line.contains("dependency unreachable") && line.to_lowercase().contains("certificate")
    };
    api.log().iter().any(told)
}

#[tokio::test]
async fn a_verified_postgres_is_used_and_a_strangers_is_refused() {
    let (ours, other) = (Authority::new(), Authority::new());
    let postgres = Postgres::start_with_tls(&ours).await;
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (trusted, strangers) = (ours.write(first.path()), other.write(second.path()));
    let start = async |ca: &std::path::Path| {
        let more = [
            ("DB_PASSWORD", postgres::PASSWORD),
            ("DB_CA_FILE", ca.to_str().unwrap()),
        ];
        Api::start(&[&postgres.database.settings()[..], &more].concat()).await
    };
    let api = start(&trusted).await;
    api.until("/api/data", "data is served", well).await;
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE application_name = 'tpstack-api'";
    assert_eq!(postgres.sql(encrypted), "t");

    let api = start(&strangers).await;
    api.until("/health", "the refusal is in the log", |_| {
        refused_a_certificate(&api)
    })
    .await;
    assert_eq!(api.get("/api/data").await.status, 503);
}

#[tokio::test]
async fn a_verified_redis_is_used_and_a_strangers_is_refused() {
    let (ours, other) = (Authority::new(), Authority::new());
    let redis = Redis::start_with_tls(&ours).await;
    let port = redis.port.to_string();
    let start = async |ca: &std::path::Path| {
        Api::start(&[
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", &port),
            ("REDIS_PASSWORD", redis::PASSWORD),
            ("REDIS_CA_FILE", ca.to_str().unwrap()),
        ])
        .await
    };
    let folder = tempfile::tempdir().unwrap();
    let api = start(&ours.write(folder.path())).await;
    api.until("/api/data", "the cache answers", |answer| {
        answer.source() == "cache"
    })
    .await;

    redis.command(&["DEL", "data_cache"]);
    let api = start(&other.write(folder.path())).await;
    api.until("/health", "the refusal is in the log", |_| {
        refused_a_certificate(&api)
    })
    .await;
    assert_eq!(api.get("/api/data").await.source(), "database");
    assert_eq!(api.get("/api/data").await.source(), "database");
}
