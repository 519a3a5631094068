//! One item's life: made, read, replaced, deleted.

use super::assert_problem;
use crate::api::{Answer, Api};
use serde_json::{Value, json};

pub(super) const JSON: (&str, &str) = ("content-type", "application/json");

/// An item made of `body`.
pub(super) async fn made(api: &Api, body: &Value) -> Answer {
    let answer = api
        .send("POST", "/api/items", &[JSON], body.to_string())
        .await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer
}

/// A name nobody else gives, so that suites may share a database.
pub(super) fn unique(what: &str) -> String {
    format!("{what} {}", uuid::Uuid::now_v7())
}

pub(super) async fn live_from_creation_to_deletion(api: &Api) {
    a_created_item_is_answered_where_it_will_be_found(api).await;
    a_replaced_item_is_replaced_as_a_whole(api).await;
    a_deleted_item_is_gone_for_every_method(api).await;
    an_address_that_is_no_items_is_not_found(api).await;
    other_methods_are_told_which_there_are(api).await;
}

async fn a_created_item_is_answered_where_it_will_be_found(api: &Api) {
    let name = unique("Café \u{1f980}");
    let body = json!({ "name": name, "description": "one\n\ttwo" });
    let created = made(api, &body).await;
    let item = created.json();
    assert_eq!(created.header("content-type"), "application/json");
    assert_eq!(created.header("etag"), "\"1\"");
    assert_eq!(
        created.header("location"),
        format!("/api/items/{}", item["id"].as_str().unwrap())
    );
    assert_eq!(
        (&item["name"], &item["description"]),
        (&body["name"], &body["description"])
    );
    assert_eq!(
        (&item["version"], &item["created_at"]),
        (&json!(1), &item["updated_at"])
    );
    let created_at = chrono::DateTime::parse_from_rfc3339(item["created_at"].as_str().unwrap());
    let age = chrono::Utc::now() - created_at.expect("a time").to_utc();
    assert!(age.abs() < chrono::TimeDelta::minutes(1), "{item}");

    let read = api.get(created.header("location")).await;
    assert_eq!(
        (read.status, &read.body),
        (200, &created.body),
        "what is read is what was answered"
    );
    assert_eq!(
        (read.header("etag"), read.header("cache-control")),
        ("\"1\"", "no-cache")
    );
    let head = api.request("HEAD", created.header("location"), &[]).await;
    assert_eq!(
        (head.status, head.header("etag"), head.body.as_str()),
        (200, "\"1\"", "")
    );
}

async fn a_replaced_item_is_replaced_as_a_whole(api: &Api) {
    let created = made(api, &json!({ "name": unique("a"), "description": "first" })).await;
    let (address, name) = (created.header("location"), unique("b"));
    let replaced = api
        .send("PUT", address, &[JSON], json!({ "name": name }).to_string())
        .await;
    assert_eq!(
        (replaced.status, replaced.header("etag")),
        (200, "\"2\""),
        "{replaced:?}"
    );
    let (before, after) = (created.json(), replaced.json());
    assert_eq!(
        (&after["name"], &after["description"]),
        (&json!(name), &Value::Null)
    );
    assert_eq!(
        (&after["id"], &after["created_at"]),
        (&before["id"], &before["created_at"])
    );
    assert_ne!(after["updated_at"], before["updated_at"]);
    assert_eq!(api.get(address).await.body, replaced.body);
}

async fn a_deleted_item_is_gone_for_every_method(api: &Api) {
    let body = json!({ "name": unique("a") });
    let address = made(api, &body).await.header("location").to_owned();
    let deleted = api.request("DELETE", &address, &[]).await;
    assert_eq!(
        (deleted.status, deleted.body.as_str()),
        (204, ""),
        "{deleted:?}"
    );
    assert_problem(&api.get(&address).await, 404);
    assert_problem(&api.request("DELETE", &address, &[]).await, 404);
    assert_problem(
        &api.send("PUT", &address, &[JSON], body.to_string()).await,
        404,
    );
}

async fn an_address_that_is_no_items_is_not_found(api: &Api) {
    for id in [
        "00000000-0000-0000-0000-000000000000",
        "FFFFFFFF-FFFF-7FFF-BFFF-FFFFFFFFFFFF",
        "00000000000000000000000000000000",
        "{00000000-0000-0000-0000-000000000000}",
        "1",
        "%00",
        "%FF",
        "..%2F..%2Fhealth",
        "'%20OR%20'1'='1",
        "a%20b",
    ] {
        let address = format!("/api/items/{id}");
        for method in ["GET", "DELETE"] {
            assert_problem(&api.request(method, &address, &[]).await, 404);
        }
        let body = json!({ "name": "a" }).to_string();
        assert_problem(&api.send("PUT", &address, &[JSON], body).await, 404);
    }
    assert_problem(&api.get("/api/items/").await, 404);
}

async fn other_methods_are_told_which_there_are(api: &Api) {
    let item = "/api/items/00000000-0000-0000-0000-000000000000";
    for (path, method, allowed) in [
        ("/api/items", "PUT", "GET,HEAD,POST"),
        ("/api/items", "DELETE", "GET,HEAD,POST"),
        ("/api/items", "PATCH", "GET,HEAD,POST"),
        (item, "POST", "DELETE,GET,HEAD,PUT"),
        (item, "PATCH", "DELETE,GET,HEAD,PUT"),
        (item, "OPTIONS", "DELETE,GET,HEAD,PUT"),
    ] {
        let answer = api.request(method, path, &[]).await;
        assert_problem(&answer, 405);
        let mut told: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        told.sort_unstable();
        assert_eq!(told.join(","), allowed, "{method} {path}");
    }
}

pub(super) async fn are_made_once_under_one_key(api: &Api) {
    the_same_request_again_is_answered_as_it_was_and_makes_nothing(api).await;
    a_key_belongs_to_its_first_body(api).await;
    many_at_once_under_one_key_make_one_item(api).await;
    a_key_that_is_none_is_refused(api).await;
}

async fn keyed(api: &Api, key: &str, body: &str) -> Answer {
    api.send(
        "POST",
        "/api/items",
        &[JSON, ("idempotency-key", key)],
        body,
    )
    .await
}

fn told(answer: &Answer) -> (u16, &str, &str, &str) {
    (
        answer.status,
        answer.header("location"),
        answer.header("etag"),
        &answer.body,
    )
}

async fn the_same_request_again_is_answered_as_it_was_and_makes_nothing(api: &Api) {
    let (key, name) = (unique("key").replace(' ', "-"), unique("once"));
    let body = json!({ "name": name }).to_string();
    let first = keyed(api, &key, &body).await;
    assert_eq!(
        (first.status, first.header("idempotency-replayed")),
        (201, ""),
        "{first:?}"
    );
    // Written another way, the same content.
    for again in [
        &body,
        &format!(" {{ \"description\" : null, \"name\": \"{name}\" }} "),
    ] {
        let answer = keyed(api, &key, again).await;
        assert_eq!(told(&answer), told(&first));
        assert_eq!(answer.header("idempotency-replayed"), "true");
    }
    // Whatever became of the item since.
    let address = first.header("location");
    let other = json!({ "name": unique("other") }).to_string();
    assert_eq!(api.send("PUT", address, &[JSON], other).await.status, 200);
    assert_eq!(told(&keyed(api, &key, &body).await), told(&first));
    assert_eq!(api.request("DELETE", address, &[]).await.status, 204);
    assert_eq!(told(&keyed(api, &key, &body).await), told(&first));
    assert_problem(&api.get(address).await, 404);
}

async fn a_key_belongs_to_its_first_body(api: &Api) {
    let key = unique("key").replace(' ', "-");
    let body = json!({ "name": unique("first") }).to_string();
    let first = keyed(api, &key, &body).await;
    assert_eq!(first.status, 201);
    let other = json!({ "name": unique("second") }).to_string();
    assert_problem(&keyed(api, &key, &other).await, 422);
    assert_eq!(told(&keyed(api, &key, &body).await), told(&first));
    // A mistake takes no key.
    let unused = unique("key").replace(' ', "-");
    assert_problem(&keyed(api, &unused, "{}").await, 422);
    assert_eq!(keyed(api, &unused, &other).await.status, 201);
}

async fn many_at_once_under_one_key_make_one_item(api: &Api) {
    let key = unique("key").replace(' ', "-");
    let body = json!({ "name": unique("once") }).to_string();
    let all = futures::future::join_all((0..20).map(|_| keyed(api, &key, &body))).await;
    let first = &all[0];
    for answer in &all {
        assert_eq!(told(answer), told(first));
        assert_eq!(answer.status, 201);
    }
    let new = all
        .iter()
        .filter(|answer| answer.header("idempotency-replayed").is_empty());
    assert_eq!(new.count(), 1, "one made it, the others were told");
}

async fn a_key_that_is_none_is_refused(api: &Api) {
    let body = json!({ "name": unique("a") }).to_string();
    for key in ["", "a b", &"k".repeat(256)] {
        assert_problem(&keyed(api, key, &body).await, 400);
    }
    let twice = [JSON, ("idempotency-key", "a"), ("idempotency-key", "b")];
    assert_problem(&api.send("POST", "/api/items", &twice, body).await, 400);
}
