//! Redis away, silent, wrong or back: requests never fail because of it.

use crate::{
    api::{Answer, Api, PATIENCE, eventually},
    figures::tell,
    proxy::{Fault, Proxy},
    redis::{self, Redis},
    testbed::Stranger,
};
use std::time::{Duration, Instant};

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
    // A copy in the process is good for half a second after Redis was last heard.
    api.until("/api/data", "the copy is no longer trusted", |answer| {
        answer.source() == "database"
    })
    .await;
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
async fn a_slow_redis_is_left_alone_but_for_a_probe_a_second_and_taken_back_soon() {
    const WATCHED: Duration = Duration::from_secs(3);
    let redis = Redis::start().await;
    let mut proxy = Proxy::start(redis.port).await;
    let port = proxy.port().to_string();
    let settings = [
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", port.as_str()),
        ("REDIS_PASSWORD", redis::PASSWORD),
    ];
    let api = Api::start(&settings).await;
    api.until("/api/data", "the cache answers", from_cache)
        .await;
    // Slow for a command's 50 ms, not for the connection's life.
    let delay = Duration::from_millis(100);
    let bytes_per_second = 1_000_000;
    proxy
        .set(Fault::Slow {
            delay,
            bytes_per_second,
        })
        .await;
    redis.command(&["DEL", "data_cache"]);
    let failed = async |kind: &str| {
        let series = format!(r#"app_dependency_errors_total{{dependency="cache",kind="{kind}"}}"#);
        api.metric(&series).await
    };
    let state = r#"app_breaker_state{dependency="cache"}"#;
    eventually("the breaker opens", async || {
        api.get("/api/data").await;
        match api.metric(state).await {
            2.0 => Ok(()),
            other => Err(format!("{other}")),
        }
    })
    .await;
    let (waited, spared) = (failed("timeout").await, failed("breaker").await);
    let started = Instant::now();
    while started.elapsed() < WATCHED {
        assert_eq!(api.get("/api/data").await.source(), "database");
    }
    let (waited, spared) = (
        failed("timeout").await - waited,
        failed("breaker").await - spared,
    );
    // A probe that a request makes costs it the wait; the heart's beats make most of them.
    let probes = WATCHED.as_secs_f64() + 1.0;
    assert!(
        waited <= probes && spared > probes,
        "{waited} waited, {spared} did not"
    );

    proxy.heal().await;
    let healed = Instant::now();
    api.until("/api/data", "the cache answers again", from_cache)
        .await;
    let back = healed.elapsed();
    assert!(back < BUDGET, "{back:?}");
    assert_eq!(api.metric(state).await, 0.0);
    tell(
        "breaker",
        &format!(
            "open: {spared} calls failed at once, {waited} waited in {WATCHED:?}; in use {back:.0?} after the return"
        ),
    );
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
