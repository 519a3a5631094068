//! Items through the socket while replicas work side by side and the database fails under them.

use crate::{
    api::{Answer, Api, eventually},
    figures, items_store,
    postgres::{self, Database},
    proxy::{Fault, Proxy},
};
use ::api::store::migrate;
use serde_json::json;
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

const JSON: (&str, &str) = ("content-type", "application/json");

/// This is not about speed: on a busy machine, opening a connection takes its time.
const UNHURRIED: [(&str, &str); 2] = [
    ("DB_ACQUIRE_TIMEOUT_MS", "10000"),
    ("DB_CONNECT_TIMEOUT_MS", "10000"),
];

/// The settings that lead to `database`, in which there are tables.
async fn prepared(database: &Database) -> Vec<(&str, &str)> {
    let settings = [
        &database.settings()[..],
        &[("DB_PASSWORD", postgres::PASSWORD)],
    ]
    .concat();
    migrate(&items_store::config(&settings)).await.unwrap();
    settings
}

async fn ready(settings: &[(&str, &str)]) -> Api {
    let api = Api::start(settings).await;
    api.until("/health/ready", "the API is ready", |answer| {
        answer.status == 200
    })
    .await;
    api
}

async fn post(api: &Api, key: &str, name: &str) -> Answer {
    let body = json!({ "name": name }).to_string();
    api.send(
        "POST",
        "/api/items",
        &[JSON, ("idempotency-key", key)],
        body,
    )
    .await
}

/// The names of all items, each once.
async fn names(api: &Api) -> BTreeSet<String> {
    let (mut names, mut path) = (BTreeSet::new(), "/api/items?limit=100".to_owned());
    loop {
        let page = api.get(&path).await.json();
        for item in page["items"].as_array().unwrap() {
            let name = item["name"].as_str().unwrap().to_owned();
            assert!(names.insert(name), "{item} is there twice");
        }
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut path),
            None => return names,
        }
    }
}

#[tokio::test]
async fn one_key_makes_one_item_whichever_replica_is_asked() {
    let database = Database::create();
    let settings = [&prepared(&database).await[..], &UNHURRIED].concat();
    let (first, second) = tokio::join!(ready(&settings), ready(&settings));
    for number in 0..10 {
        let key = format!("key-{number}");
        let attempts = (0..10).map(|attempt| {
            let api = if attempt % 2 == 0 { &first } else { &second };
            post(api, &key, &key)
        });
        let answers = futures::future::join_all(attempts).await;
        for answer in &answers {
            assert_eq!(
                (answer.status, &answer.body),
                (201, &answers[0].body),
                "{answer:?}"
            );
        }
    }
    assert_eq!(names(&first).await.len(), 10);
}

#[tokio::test]
async fn retries_under_one_key_make_one_item_whatever_happens_to_the_connections() {
    const CLIENTS: usize = 8;
    const EACH: usize = 20;
    const ROUNDS: u32 = 10;
    const BETWEEN_FAULTS: u32 = 14;
    let database = Database::create();
    let port = database.port.parse().unwrap();
    let mut proxy = Proxy::start(port).await;
    let settings = prepared(&database).await;
    let port = proxy.port().to_string();
    let through: Vec<_> = settings
        .iter()
        .map(|&(name, value)| {
            if name == "DB_PORT" {
                (name, port.as_str())
            } else {
                (name, value)
            }
        })
        .collect();
    let api = ready(&[&through[..], &UNHURRIED].concat()).await;
    let (made, failed) = (AtomicU32::new(0), AtomicU32::new(0));
    let client = async |client: usize| {
        for number in 0..EACH {
            let name = format!("item-{client}-{number}");
            eventually("the item is made", async || {
                let answer = post(&api, &name, &name).await;
                if answer.status == 201 {
                    made.fetch_add(1, Relaxed);
                    return Ok(());
                }
                // Whether it was made or not, nobody knows: that is what the key is for.
                let told = (answer.status, answer.header("retry-after"));
                assert_eq!(told, (503, "1"), "{answer:?}");
                failed.fetch_add(1, Relaxed);
                Err(format!("{answer:?}"))
            })
            .await;
        }
    };
    // Again and again, every connection is cut in the middle of whatever it does.
    let faults = async {
        for round in 1..=ROUNDS {
            eventually("some items are made", async || {
                let made = made.load(Relaxed);
                if made >= round * BETWEEN_FAULTS {
                    Ok(())
                } else {
                    Err(format!("{made}"))
                }
            })
            .await;
            proxy.set(Fault::Reset).await;
            proxy.heal().await;
        }
    };
    futures::join!(futures::future::join_all((0..CLIENTS).map(client)), faults);
    let made = names(&api).await;
    assert_eq!(made.len(), CLIENTS * EACH, "{made:?}");
    figures::tell(
        "idempotent creation",
        &format!(
            "{} items asked for until made, {ROUNDS} cuts, {} failed attempts, 0 duplicates",
            made.len(),
            failed.into_inner()
        ),
    );
}
