//! The pool under clients that go away, connections that break and crowds: it stays whole, and nothing is written twice.

use crate::{
    api::eventually,
    figures,
    items_store::{content, keyed, open},
    postgres::{self, Postgres},
    proxy::{Fault, Proxy},
};
use ::api::store::{Changed, Created, Expected, Store};
use futures::{StreamExt, stream};
use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use std::time::{Duration, Instant};

const POOL_SIZE: &str = "4";

fn settings(server: &Postgres) -> Vec<(&str, &str)> {
    let mut settings = server.database.settings();
    settings.push(("DB_PASSWORD", postgres::PASSWORD));
    settings.push(("DB_POOL_SIZE", POOL_SIZE));
    settings
}

/// A connection of the test's own.
async fn session(server: &Postgres) -> PgConnection {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(server.database.port.parse().unwrap())
        .username("appuser")
        .password(postgres::PASSWORD)
        .database("postgres")
        .connect()
        .await
        .unwrap()
}

/// All connections can be used at once, none is in the middle of something, and there are no more than allowed.
async fn is_whole(store: &Store, server: &Postgres) {
    let ours = "FROM pg_stat_activity WHERE application_name = 'tpstack-api'";
    eventually("nothing is left half done", async || {
        let busy = server.sql(&format!("SELECT count(*) {ours} AND state <> 'idle'"));
        (busy == "0").then_some(()).ok_or(busy)
    })
    .await;
    eventually("all connections serve", async || {
        let reads = (0..100).map(|_| store.items(None, 1));
        let answers = futures::future::try_join_all(reads).await;
        answers.map(drop).map_err(|error| error.chain())
    })
    .await;
    let open: u32 = server
        .sql(&format!("SELECT count(*) {ours}"))
        .parse()
        .unwrap();
    assert!(open <= 4, "{open} connections for a pool of 4");
}

/// A number below `end`, another one each time.
fn any(end: u32) -> u32 {
    getrandom::u32().unwrap() % end
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_go_away_leave_nothing_behind() {
    const CALLS: u32 = 4000;
    let server = Postgres::start().await;
    let store = open(&settings(&server)).await;
    let mut left = 0;
    let calls = stream::iter(0..CALLS).map(|number| {
        let store = store.clone();
        async move {
            let key = (number % 500).to_string();
            let patience = Duration::from_micros(any(4000).into());
            let new = content(&key);
            let call = store.create_item(&new, Some(keyed(&key, 1)));
            tokio::time::timeout(patience, call).await.is_err()
        }
    });
    let mut calls = calls.buffer_unordered(16);
    while let Some(went_away) = calls.next().await {
        left += u32::from(went_away);
    }
    drop(calls);
    assert!(
        left > CALLS / 10,
        "{left} of {CALLS} went away in the middle"
    );
    is_whole(&store, &server).await;
    // Whoever went away and comes back finds what was made.
    for key in (0..500).map(|key: u32| key.to_string()) {
        store
            .create_item(&content(&key), Some(keyed(&key, 1)))
            .await
            .unwrap();
    }
    assert_eq!(server.sql("SELECT count(*) FROM items"), "500");
    figures::tell(
        "clients gone in the middle",
        &format!("{left} of {CALLS}, the pool whole, 500 keys made 500 items"),
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_nobody_waits_for_end_by_themselves() {
    let server = Postgres::start().await;
    let store = open(&settings(&server)).await;
    let mut other = session(&server).await;
    let mut transaction = other.begin().await.unwrap();
    sqlx::query("LOCK TABLE items")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let calls = (0..2000).map(|_| {
        let store = store.clone();
        async move {
            let call = store.items(None, 1);
            tokio::time::timeout(Duration::from_millis(any(100).into()), call).await
        }
    });
    for call in futures::future::join_all(calls).await {
        assert!(!matches!(call, Ok(Ok(_))), "nothing can be read");
    }
    // Ended by their own limit, while the table is still locked.
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tpstack-api' AND state = 'active'";
    eventually("no statement waits for the lock", async || {
        let busy = server.sql(busy);
        (busy == "0").then_some(()).ok_or(busy)
    })
    .await;
    transaction.rollback().await.unwrap();
    is_whole(&store, &server).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_was_lost_is_found_by_the_retry() {
    const KEYS: u32 = 300;
    let server = Postgres::start().await;
    let mut proxy = Proxy::start(server.database.port.parse().unwrap()).await;
    let port = proxy.port().to_string();
    let store = open(&settings(&server)).await;
    store.close().await;
    let mut through_proxy = settings(&server);
    through_proxy.push(("DB_PORT", &port));
    let store = open(&through_proxy).await;
    let (mut found, mut failures) = (0, 0);
    for key in (0..KEYS).map(|key| key.to_string()) {
        // An end somewhere in the transaction: its replies are about that long.
        let after = usize::try_from(any(200)).unwrap();
        proxy.set(Fault::Cut { after }).await;
        let made = eventually("the item is made", async || {
            let answer = store
                .create_item(&content(&key), Some(keyed(&key, 1)))
                .await;
            if answer.is_err() {
                failures += 1;
                proxy.heal().await;
            }
            answer.map_err(|error| {
                assert!(error.is_unavailable(), "{}", error.chain());
                error.chain()
            })
        })
        .await;
        match made {
            Created::New(_) => {}
            Created::Replayed(_) => found += 1,
            Created::KeyReused => panic!("{key} was used once"),
        }
    }
    assert_eq!(server.sql("SELECT count(*) FROM items"), KEYS.to_string());
    assert_eq!(
        server.sql("SELECT count(DISTINCT name) FROM items"),
        KEYS.to_string()
    );
    assert_eq!(
        server.sql("SELECT count(*) FROM idempotency_keys"),
        KEYS.to_string()
    );
    assert!(
        found >= 3,
        "only {found} answers were lost after the commit"
    );
    figures::tell(
        "commits whose answer was lost",
        &format!("{KEYS} keys, {failures} failures told, {found} found by the retry, {KEYS} rows"),
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_refused_at_once_and_served_afterwards() {
    const CLIENTS: usize = 1000;
    let server = Postgres::start().await;
    let store = open(&settings(&server)).await;
    is_whole(&store, &server).await;
    let mut other = session(&server).await;
    let mut transaction = other.begin().await.unwrap();
    sqlx::query("LOCK TABLE items")
        .execute(&mut *transaction)
        .await
        .unwrap();
    let calls = (0..CLIENTS).map(|_| async {
        let started = Instant::now();
        let answer = store.items(None, 1).await;
        (answer, started.elapsed())
    });
    let (mut shed, mut crowded) = (Vec::new(), 0);
    for (answer, took) in futures::future::join_all(calls).await {
        let error = answer.unwrap_err();
        assert!(error.is_unavailable(), "{}", error.chain());
        match error.kind() {
            "crowded" => {
                crowded += 1;
                shed.push(took);
            }
            "timeout" => shed.push(took),
            // One of the four that had a connection: the server ended its statement.
            kind => assert_eq!(kind, "query", "{}", error.chain()),
        }
    }
    assert!(shed.len() >= CLIENTS - 8, "{} were shed", shed.len());
    assert!(crowded > CLIENTS / 2, "{crowded} were refused at once");
    shed.sort();
    let worst = shed.last().unwrap();
    assert!(*worst < Duration::from_secs(1), "{worst:?}");
    transaction.rollback().await.unwrap();
    let again = Instant::now();
    is_whole(&store, &server).await;
    figures::tell(
        "more clients than connections",
        &format!(
            "{} of {CLIENTS} shed, {crowded} at once, the last after {worst:.0?}; whole again {:.0?} later",
            shed.len(),
            again.elapsed()
        ),
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn there_are_never_more_connections_than_allowed() {
    let server = Postgres::start().await;
    let store = open(&settings(&server)).await;
    let many_calls = async {
        for _ in 0..40 {
            let calls = (0..100).map(|_| store.items(None, 1));
            futures::future::join_all(calls).await;
        }
    };
    let (sender, mut done) = tokio::sync::oneshot::channel::<()>();
    let count = tokio::task::spawn_blocking(move || {
        let mut most = 0;
        while done.try_recv() == Err(tokio::sync::oneshot::error::TryRecvError::Empty) {
            let open = server.sql(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tpstack-api'",
            );
            most = most.max(open.parse::<u32>().unwrap());
        }
        most
    });
    many_calls.await;
    drop(sender);
    assert_eq!(
        count.await.unwrap(),
        4,
        "a storm uses all connections, and no more"
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn conflicts_between_transactions_are_nobodys_error() {
    let server = Postgres::start().await;
    server.sql("ALTER ROLE appuser SET default_transaction_isolation = 'serializable'");
    let store = open(&settings(&server)).await;
    let Created::New(item) = store
        .create_item(&content("contended"), None)
        .await
        .unwrap()
    else {
        panic!("there is no key that could have been used");
    };
    let (new, expected) = (content("changed"), Expected::Anything);
    let attempts = (0..60).map(|_| store.replace_item(item.id, &new, &expected));
    let mut done = 0;
    for outcome in futures::future::join_all(attempts).await {
        match outcome {
            Ok(changed) => {
                assert!(matches!(changed, Changed::Done(_)), "{changed:?}");
                done += 1;
            }
            Err(error) => assert!(error.is_unavailable(), "{}", error.chain()),
        }
    }
    let version = store.item(item.id).await.unwrap().unwrap().version;
    assert_eq!(
        version,
        1 + done,
        "each change that was told was made, and no other"
    );
    let race = (0..40).map(|_| store.create_item(&new, Some(keyed("raced", 1))));
    for outcome in futures::future::join_all(race).await {
        match outcome {
            Ok(created) => assert_ne!(created, Created::KeyReused),
            Err(error) => assert!(error.is_unavailable(), "{}", error.chain()),
        }
    }
    assert_eq!(server.sql("SELECT count(*) FROM items"), "2");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_cannot_keep_is_refused_as_such() {
    let server = Postgres::start().await;
    let store = open(&settings(&server)).await;
    let error = store.create_item(&content("a\0b"), None).await.unwrap_err();
    assert!(
        error.is_refused() && !error.is_unavailable(),
        "{}",
        error.chain()
    );
    server.sql("ALTER TABLE items ADD CONSTRAINT short CHECK (length(name) < 5)");
    let error = store
        .create_item(&content("too long"), None)
        .await
        .unwrap_err();
    assert!(
        error.is_refused() && !error.is_unavailable(),
        "{}",
        error.chain()
    );
    is_whole(&store, &server).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_forgotten_after_a_day() {
    let server = Postgres::start().await;
    let settings = settings(&server);
    let store = open(&settings).await;
    let yesterday = "sha256('x'), '{}', now() - interval '25 hours'";
    server.sql(&format!(
        "INSERT INTO idempotency_keys SELECT 'old' || number, {yesterday} FROM generate_series(1, 2500) AS number"
    ));
    // An old key belongs to nobody, whether it was purged or not.
    let made = store
        .create_item(&content("new"), Some(keyed("old1", 1)))
        .await
        .unwrap();
    assert!(matches!(made, Created::New(_)), "{made:?}");
    for key in ["young1", "young2"] {
        store
            .create_item(&content("new"), Some(keyed(key, 1)))
            .await
            .unwrap();
    }
    let stop = tokio_util::sync::CancellationToken::new();
    let purging = tokio::spawn(store.clone().keep_purging(stop.clone()));
    eventually("all batches are purged", async || {
        let left = server.sql("SELECT string_agg(key, ' ' ORDER BY key) FROM idempotency_keys");
        (left == "old1 young1 young2")
            .then_some(())
            .ok_or(format!("{} bytes of keys", left.len()))
    })
    .await;
    stop.cancel();
    purging.await.unwrap();
    store.close().await;
}
