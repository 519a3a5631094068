//! Redis away, silent, wrong or back: requests never fail because of it.

use crate::{
    api::{Answer, Api, PATIENCE},
    redis::{self, Redis},
    testbed::Stranger,
};
use std::time::Duration;

/// More than any answer may take, on a machine that is busy.
const BUDGET: Duration = Duration::from_secs(5);

async fn start(redis: &Redis, password: (&str, &str)) -> Api {
    let port = redis.port.to_string();
    Api::start(&[("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", &port), password]).await
}

fn from_cache(answer: &Answer) -> bool {
    answer.source() == "cache"
}

async fn answers_from_the_database(api: &Api) {
    for _ in 0..10 {
        let answer = api.get("/api/data").await;
        assert_eq!(answer.source(), "database");
        assert!(answer.took < BUDGET, "{answer:?}");
    }
    assert_eq!(api.get("/health").await.status, 200);
    assert_eq!(api.get("/health/ready").await.status, 200);
}

/// What the log says must never be a password.
fn keeps_its_secret(api: &Api) {
    for line in api.log() {
        assert!(
            !line.contains(redis::PASSWORD) && !line.contains("wrong-Secret"),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_killed_redis_costs_nothing_and_comes_back_by_itself() {
    let mut redis = Redis::start().await;
    let api = start(&redis, ("REDIS_PASSWORD", redis::PASSWORD)).await;
    api.until("/api/data", "the cache answers", from_cache)
        .await;
    for _ in 0..2 {
        redis.kill().await;
        answers_from_the_database(&api).await;
        api.until("/health/ready", "the outage is told", |answer| {
            answer.body.contains(r#""redis","status":"down""#)
        })
        .await;
        assert!(
            api.metric(r#"app_cache_requests_total{result="error"}"#)
                .await
                >= 10.0
        );
        assert_eq!(
            api.metric(r#"app_dependency_up{dependency="cache"}"#).await,
            0.0
        );
        redis.bring_up().await;
        api.until("/api/data", "the cache answers again", from_cache)
            .await;
    }
    keeps_its_secret(&api);
}

#[tokio::test]
async fn a_silent_redis_costs_its_deadline_at_most_and_comes_back_by_itself() {
    let redis = Redis::start().await;
    let api = start(&redis, ("REDIS_PASSWORD", redis::PASSWORD)).await;
    api.until("/api/data", "the cache answers", from_cache)
        .await;
    redis.signal("STOP");
    answers_from_the_database(&api).await;
    api.until("/health/ready", "the silence is told", |answer| {
        answer.body.contains(r#""redis","status":"down""#)
    })
    .await;
    answers_from_the_database(&api).await;
    redis.signal("CONT");
    api.until("/api/data", "the cache answers again", from_cache)
        .await;
}

#[tokio::test]
async fn redis_may_come_after_the_api() {
    let mut redis = Redis::absent();
    let api = start(&redis, ("REDIS_PASSWORD", redis::PASSWORD)).await;
    api.until("/health/ready", "the API is ready", |answer| {
        answer.status == 200
    })
    .await;
    answers_from_the_database(&api).await;
    redis.bring_up().await;
    api.until("/api/data", "the cache answers", from_cache)
        .await;
}

#[tokio::test]
async fn a_wrong_password_is_told_without_showing_it_and_a_rotated_one_is_taken() {
    let redis = Redis::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "wrong-Secret").unwrap();
    let api = start(&redis, ("REDIS_PASSWORD_FILE", file.to_str().unwrap())).await;
    api.until("/health/ready", "the API is ready", |answer| {
        answer.status == 200
    })
    .await;
    answers_from_the_database(&api).await;
    api.until("/health", "the cause is in the log", |_| {
        api.log().iter().any(|line| line.contains("WRONGPASS"))
    })
    .await;
    std::fs::write(&file, redis::PASSWORD).unwrap();
    api.until("/api/data", "the cache answers", from_cache)
        .await;
    keeps_its_secret(&api);
}

#[tokio::test]
async fn a_password_changed_under_a_live_connection_is_followed() {
    let redis = Redis::start().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, redis::PASSWORD).unwrap();
    let api = start(&redis, ("REDIS_PASSWORD_FILE", file.to_str().unwrap())).await;
    api.until("/api/data", "the cache answers", from_cache)
        .await;
    std::fs::write(&file, "rotated-Secret-2").unwrap();
    redis.command(&[
        "ACL",
        "SETUSER",
        "default",
        ">rotated-Secret-2",
        &format!("<{}", redis::PASSWORD),
    ]);
    drop_clients(&redis);
    api.until(
        "/api/data",
        "the cache answers with the new password",
        from_cache,
    )
    .await;
}

/// Hangs up everyone else, as a server that restarts would. Done with the new password.
fn drop_clients(redis: &Redis) {
    redis.command(&[
        "-a",
        "rotated-Secret-2",
        "CLIENT",
        "KILL",
        "TYPE",
        "normal",
        "SKIPME",
        "yes",
    ]);
}

#[tokio::test]
async fn a_silent_redis_does_not_hold_up_a_stop() {
    let redis = Redis::start().await;
    let mut api = start(&redis, ("REDIS_PASSWORD", redis::PASSWORD)).await;
    api.until("/api/data", "the cache answers", from_cache)
        .await;
    redis.signal("STOP");
    let started = std::time::Instant::now();
    api.signal("TERM");
    assert_eq!(api.end().await.code(), Some(0));
    assert!(started.elapsed() < PATIENCE / 2, "{:?}", started.elapsed());
}

#[tokio::test]
async fn something_else_on_rediss_port_costs_no_request() {
    for behaviour in [Stranger::Silent, Stranger::Hangs, Stranger::Babbles] {
        let port = behaviour.listen().to_string();
        let api = Api::start(&[("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", &port)]).await;
        api.until("/health/ready", "the API is ready", |answer| {
            answer.status == 200
        })
        .await;
        answers_from_the_database(&api).await;
        assert_eq!(
            api.metric(r#"app_cache_requests_total{result="hit"}"#)
                .await,
            0.0
        );
    }
}
