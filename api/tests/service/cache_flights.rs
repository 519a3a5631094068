//! A thousand clients that miss at once: the database is asked once.

use crate::{
    api::{Api, eventually},
    figures::tell,
    postgres::{self, Postgres},
    redis::{self, Redis},
};
use futures::future::join_all;
use tokio::io::AsyncWriteExt;

const CLIENTS: usize = 1000;
/// This is about how often the database is asked, not how fast.
const UNHURRIED: [(&str, &str); 2] = [
    ("REDIS_TIMEOUT_MS", "10000"),
    ("DB_ACQUIRE_TIMEOUT_MS", "10000"),
];

/// Makes the database count how often the API's role asks it for the time, and take its time to answer: a function
/// that is named without its schema is looked for here first.
const COUNTING: &str = "\
    CREATE SCHEMA counting; \
    CREATE SEQUENCE counting.asked; \
    CREATE FUNCTION counting.clock_timestamp() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN \
        PERFORM nextval('counting.asked'), pg_sleep(0.15); \
        RETURN pg_catalog.clock_timestamp(); \
    END $$; \
    ALTER ROLE appuser SET search_path = counting, public, pg_catalog;";

async fn start(postgres: &Postgres, redis: &Redis) -> Api {
    let port = redis.port.to_string();
    let settings = [
        &postgres.database.settings()[..],
        &[
            ("DB_PASSWORD", postgres::PASSWORD),
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", &port),
            ("REDIS_PASSWORD", redis::PASSWORD),
        ],
        &UNHURRIED,
    ]
    .concat();
    Api::start(&settings).await
}

fn asked(postgres: &Postgres) -> u32 {
    let count = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM counting.asked";
    postgres.sql(count).parse().unwrap()
}

/// Lets the value expire, in Redis and in the processes.
async fn expire(redis: &Redis, apis: &[&Api]) {
    for api in apis {
        // Read from Redis first, so that there is a copy that has to go.
        for _ in 0..3 {
            api.until("/api/data", "the cache answers", |answer| {
                answer.source() == "cache"
            })
            .await;
        }
    }
    redis.command(&["PEXPIRE", "data_cache", "1"]);
    eventually("the value is gone", async || {
        match redis.command(&["GET", "data_cache"]) {
            gone if gone.is_empty() => Ok(()),
            held => Err(held),
        }
    })
    .await;
}

/// Asks each process so many times at once, over connections that are open already; how many of the answers came from
/// the database.
async fn crowd(apis: &[&Api]) -> usize {
    let ask = |path| {
        apis.iter()
            .flat_map(move |api| (0..CLIENTS).map(move |_| api.get(path)))
    };
    join_all(ask("/health")).await;
    let answers = join_all(ask("/api/data")).await;
    let first = answers[0].json()["data"].clone();
    if let [_] = apis {
        assert!(answers.iter().all(|answer| answer.json()["data"] == first));
    }
    answers
        .iter()
        .filter(|answer| answer.source() == "database")
        .count()
}

#[tokio::test]
async fn a_thousand_clients_on_an_expired_key_cost_each_process_one_query() {
    let (postgres, redis) = (Postgres::start().await, Redis::start().await);
    postgres.sql(COUNTING);
    let (one, other) = (
        start(&postgres, &redis).await,
        start(&postgres, &redis).await,
    );
    let mut told = Vec::new();
    for apis in [&[&one][..], &[&other], &[&one, &other]] {
        expire(&redis, apis).await;
        let before = asked(&postgres);
        let from_database = crowd(apis).await;
        let queries = asked(&postgres) - before;
        assert!(queries >= 1, "nothing was asked: the count is wrong");
        assert!(
            queries as usize <= apis.len(),
            "{queries} queries by {} processes",
            apis.len()
        );
        told.push(format!(
            "{} process(es): {queries} query for {} requests ({from_database} got its answer)",
            apis.len(),
            apis.len() * CLIENTS
        ));
    }
    let mut waits = 0.0;
    for api in [&one, &other] {
        waits += api.metric("app_single_flight_waits_total").await;
    }
    assert!(waits > 0.0, "nobody waited: they did not come at once");
    tell(
        "single flight",
        &format!("{}; {waits} waited", told.join(", ")),
    );
}

#[tokio::test]
async fn a_client_that_leaves_takes_nothing_from_the_others() {
    let (postgres, redis) = (Postgres::start().await, Redis::start().await);
    postgres.sql(COUNTING);
    let api = start(&postgres, &redis).await;
    expire(&redis, &[&api]).await;
    let before = asked(&postgres);
    // Sent, and hung up as soon as the database was asked for it.
    let mut first = tokio::net::TcpStream::connect(api.address).await.unwrap();
    let request = "GET /api/data HTTP/1.1\r\nHost: test\r\n\r\n";
    first.write_all(request.as_bytes()).await.unwrap();
    eventually("the database is asked", async || {
        match asked(&postgres) - before {
            1 => Ok(()),
            other => Err(format!("{other} times")),
        }
    })
    .await;
    drop(first);
    let answer = api.get("/api/data").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(asked(&postgres) - before, 1, "the second client asked anew");
}
