//! The items as the store keeps them: one suite, both engines.

use crate::postgres::{self, Database};
use ::api::{
    config::{Config, StoreConfig, Variables},
    metrics::Metrics,
    store::{Changed, Created, Expected, Idempotency, Item, ItemContent, Store, migrate},
};
use std::{collections::BTreeSet, time::Instant};
use uuid::Uuid;

/// The store behind these settings, migrated.
pub(crate) async fn open(settings: &[(&str, &str)]) -> Store {
    let config = config(settings);
    migrate(&config).await.unwrap();
    let store = Store::open(&config, Metrics::new()).await.unwrap();
    // What runs in the background in the API: it warms the pool.
    assert!(store.probe().await, "the database is there");
    store
}

pub(crate) fn config(settings: &[(&str, &str)]) -> StoreConfig {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let variables: Variables = settings.iter().map(owned).collect();
    Config::parse(&variables).unwrap().store
}

pub(crate) fn content(name: &str) -> ItemContent {
    ItemContent {
        name: name.into(),
        description: None,
    }
}

pub(crate) fn keyed(key: &str, fingerprint: u8) -> Idempotency<'_> {
    Idempotency {
        key,
        fingerprint: [fingerprint; 32],
    }
}

async fn made(store: &Store, name: &str) -> Item {
    match store.create_item(&content(name), None).await.unwrap() {
        Created::New(item) => item,
        other => panic!("{other:?}"),
    }
}

async fn check(store: Store) {
    made_items_are_read_as_they_were_answered(&store).await;
    pages_follow_each_other_without_gap_or_overlap(&store).await;
    a_change_needs_the_version_it_was_meant_for(&store).await;
    one_of_many_changes_of_a_version_wins(&store).await;
    a_key_makes_one_item_however_often_it_is_used(&store).await;
    a_key_used_at_once_by_many_makes_one_item(&store).await;
    store.close().await;
}

#[tokio::test]
async fn the_embedded_store_keeps_items() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("api.db");
    check(open(&[("DATA_FILE", file.to_str().unwrap())]).await).await;
}

#[tokio::test]
async fn postgres_keeps_items() {
    let database = Database::create();
    let settings = [
        &database.settings()[..],
        &[
            ("DB_PASSWORD", postgres::PASSWORD),
            // This is about what is kept, not about how fast.
            ("DB_ACQUIRE_TIMEOUT_MS", "10000"),
            ("DB_CONNECT_TIMEOUT_MS", "10000"),
            ("DB_STATEMENT_TIMEOUT_MS", "10000"),
        ],
    ]
    .concat();
    check(open(&settings).await).await;
}

async fn made_items_are_read_as_they_were_answered(store: &Store) {
    for content in [
        content("plain"),
        ItemContent {
            name: "%_' \"; DROP TABLE items; -- \u{1F980} ﷽".into(),
            description: Some("first line\nsecond\tline".repeat(200)),
        },
        ItemContent {
            name: "n".repeat(200),
            description: Some(String::new()),
        },
    ] {
        let Created::New(item) = store.create_item(&content, None).await.unwrap() else {
            panic!("there is no key that could have been used");
        };
        assert_eq!((item.version, &item.name), (1, &content.name));
        assert_eq!(item.description, content.description);
        assert_eq!(item.created_at, item.updated_at);
        assert_eq!(item.id.get_version_num(), 7);
        assert_eq!(store.item(item.id).await.unwrap().as_ref(), Some(&item));
    }
    assert_eq!(store.item(Uuid::now_v7()).await.unwrap(), None);
}

async fn pages_follow_each_other_without_gap_or_overlap(store: &Store) {
    let mut expected = Vec::new();
    for number in 0..25 {
        expected.push(made(store, &format!("page {number}")).await.id);
    }
    assert!(expected.is_sorted(), "ids are in the order of creation");
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.items(after, 4).await.unwrap();
        assert!(page.len() <= 4);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|item| item.id));
    }
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
    let first = seen.iter().position(|id| *id == expected[0]).unwrap();
    assert_eq!(&seen[first..], expected);
    assert_eq!(store.items(after, 4).await.unwrap(), []);
}

async fn a_change_needs_the_version_it_was_meant_for(store: &Store) {
    let item = made(store, "before").await;
    let replace = async |expected: Expected| {
        store
            .replace_item(item.id, &content("after"), &expected)
            .await
            .unwrap()
    };
    // 1 must not be found in 11, nor in an empty list.
    for wrong in [vec![], vec![0], vec![2], vec![11, 21], vec![-1]] {
        assert_eq!(replace(Expected::OneOf(wrong)).await, Changed::Conflict);
    }
    assert_eq!(store.item(item.id).await.unwrap(), Some(item.clone()));
    let mut version = item.version;
    for right in [
        Expected::OneOf(vec![1]),
        Expected::OneOf(vec![7, 2, 9]),
        Expected::Existing,
        Expected::Anything,
    ] {
        let Changed::Done(changed) = replace(right).await else {
            panic!("version {version} was expected");
        };
        version += 1;
        assert_eq!((changed.version, changed.name.as_str()), (version, "after"));
        assert_eq!(changed.created_at, item.created_at);
        assert!(changed.updated_at > item.updated_at);
        assert_eq!(store.item(item.id).await.unwrap(), Some(changed));
    }
    let delete = async |expected| store.delete_item(item.id, &expected).await.unwrap();
    assert_eq!(delete(Expected::OneOf(vec![1])).await, Changed::Conflict);
    assert_eq!(
        delete(Expected::OneOf(vec![version])).await,
        Changed::Done(())
    );
    for expected in [
        Expected::Anything,
        Expected::Existing,
        Expected::OneOf(vec![version]),
    ] {
        assert_eq!(delete(expected.clone()).await, Changed::Absent);
        assert_eq!(replace(expected).await, Changed::Absent);
    }
    assert_eq!(store.item(item.id).await.unwrap(), None);
}

async fn one_of_many_changes_of_a_version_wins(store: &Store) {
    let item = made(store, "contended").await;
    let (new, expected) = (content("won"), Expected::OneOf(vec![1]));
    let changes = (0..20).map(|_| store.replace_item(item.id, &new, &expected));
    let outcomes = futures::future::join_all(changes).await;
    let won = outcomes.iter().filter(
        |outcome| matches!(outcome.as_ref().unwrap(), Changed::Done(item) if item.version == 2),
    );
    assert_eq!(won.count(), 1, "{outcomes:?}");
    assert_eq!(store.item(item.id).await.unwrap().unwrap().version, 2);
}

async fn a_key_makes_one_item_however_often_it_is_used(store: &Store) {
    let create = async |name: &str, key: &str, fingerprint: u8| {
        store
            .create_item(&content(name), Some(keyed(key, fingerprint)))
            .await
            .unwrap()
    };
    let Created::New(first) = create("once", "key", 1).await else {
        panic!("the key is new");
    };
    assert_eq!(
        create("once", "key", 1).await,
        Created::Replayed(first.clone())
    );
    assert_eq!(create("else", "key", 2).await, Created::KeyReused);
    assert!(matches!(create("once", "Key", 1).await, Created::New(_)));
    // Whatever becomes of the item, the key's answer stays.
    let expected = Expected::Anything;
    store
        .replace_item(first.id, &content("changed"), &expected)
        .await
        .unwrap();
    assert_eq!(
        create("once", "key", 1).await,
        Created::Replayed(first.clone())
    );
    store.delete_item(first.id, &expected).await.unwrap();
    assert_eq!(
        create("once", "key", 1).await,
        Created::Replayed(first.clone())
    );
    assert_eq!(store.item(first.id).await.unwrap(), None);
}

async fn a_key_used_at_once_by_many_makes_one_item(store: &Store) {
    let started = Instant::now();
    let new = content("raced");
    let race = (0..20).map(|_| store.create_item(&new, Some(keyed("raced", 3))));
    let outcomes = futures::future::join_all(race).await;
    let (mut ids, mut made) = (BTreeSet::new(), 0);
    for outcome in outcomes {
        match outcome.unwrap() {
            Created::New(item) => {
                made += 1;
                ids.insert(item.id);
            }
            Created::Replayed(item) => _ = ids.insert(item.id),
            Created::KeyReused => panic!("all asked for the same"),
        }
    }
    assert_eq!((made, ids.len()), (1, 1), "after {:?}", started.elapsed());
}
