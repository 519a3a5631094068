//! Sessions in Redis: what replicas share, what a dump of the server tells, and what happens while it is away.

use crate::{
    api::{Answer, Api, eventually},
    proxy::{Fault, Proxy},
    redis::{self, Redis},
};
use std::time::Duration;

const PATH: &str = "/api/session";

/// This is not about speed.
const UNHURRIED: (&str, &str) = ("REDIS_TIMEOUT_MS", "10000");

async fn start(port: u16, more: &[(&str, &str)]) -> Api {
    let port = port.to_string();
    let settings = [
        ("REDIS_HOST", "127.0.0.1"),
        ("REDIS_PORT", port.as_str()),
        ("REDIS_PASSWORD", redis::PASSWORD),
    ];
    let api = Api::start(&[&settings[..], more].concat()).await;
    api.until("/health/ready", "Redis is reached", |answer| {
        answer.body.contains(r#""redis","status":"up""#)
    })
    .await;
    api
}

async fn with(api: &Api, method: &str, cookie: &str) -> Answer {
    api.request(method, PATH, &[("cookie", cookie)]).await
}

/// The cookie of a new session, with some visits.
async fn begin(api: &Api, visits: u32) -> String {
    let begun = api.request("POST", PATH, &[]).await;
    assert_eq!(begun.status, 201, "{begun:?}");
    let cookie = begun
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    for _ in 0..visits {
        api.request("GET", "/", &[("cookie", &cookie)]).await;
    }
    cookie
}

/// The only key of a session.
fn key(redis: &Redis) -> String {
    let keys = redis.command(&["KEYS", "session:*"]);
    assert_eq!(keys.lines().count(), 1, "{keys:?}");
    keys
}

#[tokio::test]
async fn replicas_share_sessions_and_a_restart_loses_none() {
    let redis = Redis::start().await;
    let (first, second) = tokio::join!(
        start(redis.port, &[UNHURRIED]),
        start(redis.port, &[UNHURRIED])
    );
    let cookie = begin(&first, 1).await;
    assert_eq!(with(&second, "GET", &cookie).await.json()["visits"], 1);
    drop(first);
    let third = start(redis.port, &[UNHURRIED]).await;
    assert_eq!(with(&third, "GET", &cookie).await.json()["visits"], 1);

    // Visits through both at once are all counted, and one renewal of many takes them.
    let visit = async |api: &Api| api.request("GET", "/", &[("cookie", &cookie)]).await;
    let visits = (0..100).map(|number| visit(if number % 2 == 0 { &second } else { &third }));
    futures::future::join_all(visits).await;
    assert_eq!(with(&second, "GET", &cookie).await.json()["visits"], 101);
    let renewals = (0..20).map(|number| {
        with(
            if number % 2 == 0 { &second } else { &third },
            "POST",
            &cookie,
        )
    });
    let renewed = futures::future::join_all(renewals).await;
    let moved: Vec<_> = renewed
        .iter()
        .filter(|answer| answer.json()["visits"] == 101)
        .collect();
    assert_eq!(moved.len(), 1, "{renewed:?}");
    for api in [&second, &third] {
        assert_eq!(with(api, "GET", &cookie).await.status, 404);
        let new = moved[0].header("set-cookie").split(';').next().unwrap();
        assert_eq!(with(api, "GET", new).await.json()["visits"], 101);
    }
}

#[tokio::test]
async fn a_dump_of_redis_opens_no_session() {
    let redis = Redis::start().await;
    let api = start(redis.port, &[UNHURRIED]).await;
    let cookie = begin(&api, 1).await;
    let id = cookie.strip_prefix("session=").unwrap();
    let key = key(&redis);
    let values = redis.command(&["HGETALL", &key]);
    assert!(!key.contains(id) && !values.contains(id), "{key}: {values}");
    let digest = key.strip_prefix("session:").unwrap();
    assert_eq!(digest.len(), 64, "{key}");
    assert_eq!(
        with(&api, "GET", &format!("session={digest}")).await.status,
        404
    );
}

#[tokio::test]
async fn use_prolongs_a_session_up_to_its_absolute_end() {
    let redis = Redis::start().await;
    let api = start(redis.port, &[UNHURRIED, ("SESSION_TTL_SECONDS", "600")]).await;
    let cookie = begin(&api, 0).await;
    let key = key(&redis);
    let left = || redis.command(&["PTTL", &key]).parse::<i64>().unwrap();
    assert!((1..=600_000).contains(&left()), "{}", left());
    redis.command(&["PEXPIRE", &key, "60000"]);
    assert_eq!(with(&api, "GET", &cookie).await.status, 200);
    assert!(
        (60_001..=600_000).contains(&left()),
        "reading prolongs: {}",
        left()
    );
    redis.command(&["PEXPIRE", &key, "60000"]);
    api.request("GET", "/", &[("cookie", &cookie)]).await;
    assert!(
        (60_001..=600_000).contains(&left()),
        "visiting prolongs: {}",
        left()
    );

    // As if it had begun long ago.
    let created: i64 = redis.command(&["HGET", &key, "created"]).parse().unwrap();
    let ago = |milliseconds: i64| (created - milliseconds).to_string();
    let lifetime = 12 * 60 * 60 * 1000;
    redis.command(&["HSET", &key, "created", &ago(lifetime - 100_000)]);
    assert_eq!(with(&api, "GET", &cookie).await.status, 200);
    assert!(
        (1..=100_000).contains(&left()),
        "no further than its end: {}",
        left()
    );
    let renewed = with(&api, "POST", &cookie).await;
    let cookie = renewed
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let key = self::key(&redis);
    let left: i64 = redis.command(&["PTTL", &key]).parse().unwrap();
    assert!(
        (1..=100_000).contains(&left),
        "a new id is no new life: {left}"
    );
    redis.command(&["HSET", &key, "created", &ago(lifetime + 1000)]);
    assert_eq!(with(&api, "GET", &cookie).await.status, 404);
    assert_eq!(with(&api, "POST", &cookie).await.json()["visits"], 0);
}

/// No answer while it lasts, and no cookie that would replace the one the client has. An end that was asked for may come
/// about, though: that is asked of another session.
async fn assert_unavailable(api: &Api, cookie: &str, doomed: &str) {
    for (method, cookie) in [("POST", cookie), ("GET", cookie), ("DELETE", doomed)] {
        let answer = with(api, method, cookie).await;
        assert_eq!(
            (answer.status, answer.header("retry-after")),
            (503, "1"),
            "{method}: {answer:?}"
        );
        assert_eq!(answer.header("set-cookie"), "", "{method}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(
            answer.body.contains("Sessions are unavailable"),
            "{answer:?}"
        );
        assert!(
            answer.took < Duration::from_secs(1),
            "{method}: {:?}",
            answer.took
        );
    }
    let page = api.request("GET", "/", &[("cookie", cookie)]).await;
    assert_eq!(
        (page.status, page.header("set-cookie")),
        (200, ""),
        "{page:?}"
    );
}

#[tokio::test]
async fn while_redis_is_away_nothing_is_answered_and_no_session_is_lost() {
    let redis = Redis::start().await;
    let mut proxy = Proxy::start(redis.port).await;
    let api = start(proxy.port(), &[]).await;
    let (cookie, doomed) = (begin(&api, 0).await, begin(&api, 0).await);
    for fault in [
        Fault::Refuse,
        Fault::Reset,
        Fault::Hang,
        Fault::HalfOpen,
        Fault::Cut { after: 3 },
    ] {
        proxy.set(fault).await;
        assert_unavailable(&api, &cookie, &doomed).await;
        proxy.heal().await;
        let found = async || {
            let answer = with(&api, "GET", &cookie).await;
            match answer.status {
                200 => Ok(()),
                503 => Err(format!("{answer:?}")),
                _ => panic!("after {fault:?}: {answer:?}"),
            }
        };
        eventually("the session is found again", found).await;
    }
}

#[tokio::test]
async fn a_full_redis_takes_no_session_and_loses_none() {
    let redis = Redis::start().await;
    let api = start(redis.port, &[UNHURRIED]).await;
    let cookie = begin(&api, 2).await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = with(&api, "POST", &cookie).await;
    assert_eq!(
        (refused.status, refused.header("set-cookie")),
        (503, ""),
        "{refused:?}"
    );
    redis.command(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(with(&api, "GET", &cookie).await.json()["visits"], 2);
    assert_eq!(with(&api, "POST", &cookie).await.json()["visits"], 2);
}

#[tokio::test]
async fn what_is_no_session_under_a_sessions_key_is_none() {
    let redis = Redis::start().await;
    let api = start(redis.port, &[UNHURRIED]).await;
    let poisons: [&[&str]; 4] = [
        &["SET", "KEY", "a string"],
        &["LPUSH", "KEY", "a list"],
        &["HSET", "KEY", "created", "yesterday", "visits", "many"],
        &["HSET", "KEY", "visits", "1"],
    ];
    for poison in poisons {
        let cookie = begin(&api, 1).await;
        let key = key(&redis);
        redis.command(&["DEL", &key]);
        let words: Vec<&str> = poison
            .iter()
            .map(|word| if *word == "KEY" { key.as_str() } else { word })
            .collect();
        redis.command(&words);
        assert_eq!(with(&api, "GET", &cookie).await.status, 404, "{poison:?}");
        let begun = with(&api, "POST", &cookie).await;
        assert_eq!(
            (begun.status, &begun.json()["visits"]),
            (201, &0.into()),
            "{poison:?}"
        );
        redis.command(&["FLUSHALL"]);
    }
}
