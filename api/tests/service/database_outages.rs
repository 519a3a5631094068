//! Postgres away, silent, refusing or back: an answer or a refusal in time, never a restart.

use crate::{
    api::{Answer, Api, PATIENCE},
    postgres::{self, Postgres},
    redis::{self, Redis},
    testbed::Stranger,
};
use std::time::Duration;

/// More than any answer may take, on a machine that is busy.
const BUDGET: Duration = Duration::from_secs(5);

async fn start(postgres: &Postgres, more: &[(&str, &str)]) -> Api {
    Api::start(&[&postgres.database.settings()[..], more].concat()).await
}

fn well(answer: &Answer) -> bool {
    answer.status == 200
}

/// A refusal in the course's shape, in time, on every try.
async fn refuses_in_time(api: &Api) {
    for _ in 0..5 {
        let answer = api.get("/api/data").await;
        assert_eq!(answer.status, 503, "{answer:?}\nlog: {:#?}", api.log());
        assert_eq!(answer.header("retry-after"), "1", "{answer:?}");
        assert!(answer.json()["error"].is_string(), "{answer:?}");
        assert!(answer.took < BUDGET, "{answer:?}");
        let alive = api.get("/health").await;
        assert_eq!(alive.status, 200);
        assert!(alive.took < BUDGET, "{alive:?}");
    }
}

fn keeps_its_secret(api: &Api) {
    for line in api.log() {
        assert!(
            !line.contains(postgres::PASSWORD) && !line.contains("wrong-Secret"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn postgres_may_come_after_the_api_which_is_not_ready_before() {
    let mut postgres = Postgres::absent();
    let api = start(&postgres, &[("DB_PASSWORD", postgres::PASSWORD)]).await;
    refuses_in_time(&api).await;
    let waiting = api.get("/health/ready").await;
    assert_eq!(
        (waiting.status, &waiting.json()["status"]),
        (503, &"starting".into())
    );
    api.until("/health", "the cause is in the log", |_| {
        api.log().iter().any(|line| {
            line.contains("Connection refused") && line.contains("dependency unreachable")
        })
    })
    .await;
    postgres.bring_up().await;
    api.until("/health/ready", "the API is ready", well).await;
    api.until("/api/data", "data is served", well).await;
}

#[tokio::test]
async fn a_killed_postgres_is_refused_for_and_comes_back_by_itself() {
    let (mut postgres, redis) = (Postgres::start().await, Redis::start().await);
    let port = redis.port.to_string();
    let api = start(
        &postgres,
        &[
            ("DB_PASSWORD", postgres::PASSWORD),
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", &port),
            ("REDIS_PASSWORD", redis::PASSWORD),
            ("REDIS_TIMEOUT_MS", "10000"),
        ],
    )
    .await;
    api.until("/api/data", "the answer is cached", |answer| {
        well(answer) && answer.source() == "cache"
    })
    .await;
    postgres.kill().await;
    assert_eq!(
        api.get("/api/data").await.source(),
        "cache",
        "what is cached is served all the same"
    );
    redis.command(&["DEL", "data_cache"]);
    // Redis tells of the deletion after it has answered whoever deleted.
    api.until("/api/data", "the deletion is seen", |answer| !well(answer))
        .await;
    refuses_in_time(&api).await;
    let down = |answer: &Answer| answer.body.contains(r#""postgres","status":"down""#);
    let ready = api.until("/health/ready", "the outage is told", down).await;
    assert_eq!(
        ready.status, 200,
        "an outage all replicas share takes none of them away"
    );
    assert!(
        api.metric(r#"app_requests_total{endpoint="/api/data",method="GET",status="503"}"#)
            .await
            >= 5.0
    );
    assert!(
        api.metric(r#"app_request_latency_seconds_count{endpoint="/api/data"}"#)
            .await
            >= 7.0
    );
    let told = api
        .log()
        .iter()
        .filter(|line| line.contains("request failed"))
        .count();
    let refused = api
        .metric(r#"app_requests_total{endpoint="/api/data",method="GET",status="503"}"#)
        .await;
    assert_eq!(
        told.to_string(),
        refused.to_string(),
        "one line for each refusal: {:#?}",
        api.log()
    );
    postgres.bring_up().await;
    api.until("/api/data", "data is served again", well).await;
    keeps_its_secret(&api);
}

#[tokio::test]
async fn a_silent_postgres_is_refused_for_and_comes_back_by_itself() {
    // Nothing must be cached, so the cache is one that cannot be reached.
    let postgres = Postgres::start().await;
    let port = Redis::absent().port.to_string();
    let settings = [
        ("DB_PASSWORD", postgres::PASSWORD),
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", port.as_str()),
        ("DB_POOL_SIZE", "3"),
    ];
    let mut api = start(&postgres, &settings).await;
    for _ in 0..2 {
        api.until("/api/data", "data is served", well).await;
        postgres.signal("STOP");
        refuses_in_time(&api).await;
        postgres.signal("CONT");
    }
    api.until("/api/data", "data is served again", well).await;
    postgres.signal("STOP");
    let started = std::time::Instant::now();
    api.signal("TERM");
    assert_eq!(api.end().await.code(), Some(0));
    assert!(
        started.elapsed() < PATIENCE / 2,
        "a silent server holds up no stop: {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn more_clients_than_connections_are_all_answered() {
    let postgres = Postgres::start().await;
    let port = Redis::absent().port.to_string();
    let settings = [
        ("DB_PASSWORD", postgres::PASSWORD),
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", port.as_str()),
        ("DB_POOL_SIZE", "2"),
    ];
    let api = start(&postgres, &settings).await;
    api.until("/api/data", "data is served", well).await;
    let answers = futures::future::join_all((0..200).map(|_| api.get("/api/data"))).await;
    for answer in &answers {
        assert!(
            [200, 503].contains(&answer.status) && answer.took < PATIENCE / 2,
            "{answer:?}"
        );
    }
    assert!(answers.iter().any(well), "none was served");
    api.until("/api/data", "the pool is whole again", well)
        .await;
    let open = postgres
        .sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tpstack-api'");
    assert!(
        open.parse::<u32>().unwrap() <= 3,
        "{open} connections for a pool of 2 and a probe"
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_without_showing_it_and_a_rotated_one_is_taken() {
    let postgres = Postgres::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong-Secret").unwrap();
    let api = start(&postgres, &[("DB_PASSWORD_FILE", file.to_str().unwrap())]).await;
    refuses_in_time(&api).await;
    api.until("/health", "the cause is in the log", |_| {
        api.log()
            .iter()
            .any(|line| line.contains("password authentication failed"))
    })
    .await;
    std::fs::write(&file, postgres::PASSWORD).unwrap();
    api.until("/api/data", "data is served", well).await;
    keeps_its_secret(&api);
}

#[tokio::test]
async fn a_slow_statement_is_cancelled_on_the_server_too() {
    let postgres = Postgres::start().await;
    // A function found before the server's own makes our query take ten minutes.
    for statement in [
        "CREATE SCHEMA slow",
        "CREATE FUNCTION slow.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE \
         AS 'SELECT pg_catalog.pg_sleep(600); SELECT pg_catalog.now()'",
        "ALTER ROLE appuser SET search_path = slow, pg_catalog",
    ] {
        postgres.sql(statement);
    }
    let port = Redis::absent().port.to_string();
    let settings = [
        ("DB_PASSWORD", postgres::PASSWORD),
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", port.as_str()),
        ("DB_STATEMENT_TIMEOUT_MS", "200"),
    ];
    let api = start(&postgres, &settings).await;
    refuses_in_time(&api).await;
    api.until("/health", "the server's own words are in the log", |_| {
        api.log()
            .iter()
            .any(|line| line.contains("canceling statement due to statement timeout"))
    })
    .await;
    postgres.sql("ALTER ROLE appuser RESET search_path");
    let ours = "application_name = 'tpstack-api'";
    postgres.sql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"
    ));
    api.until("/api/data", "data is served", well).await;
    let busy = postgres.sql(&format!(
        "SELECT count(*) FROM pg_stat_activity WHERE {ours} AND now() - query_start > '5 min' AND state = 'active'"
    ));
    assert_eq!(busy, "0");
}

#[tokio::test]
async fn something_else_on_the_databases_port_is_refused_for_in_time() {
    for behaviour in [Stranger::Silent, Stranger::Hangs, Stranger::Babbles] {
        let port = behaviour.listen().to_string();
        let api = Api::start(&[
            ("DB_HOST", "127.0.0.1"),
            ("DB_PORT", &port),
            ("DB_PASSWORD", postgres::PASSWORD),
        ])
        .await;
        refuses_in_time(&api).await;
        assert_eq!(api.get("/health/ready").await.status, 503);
    }
}
