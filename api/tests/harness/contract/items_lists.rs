//! Lists of items, page by page.

use super::{
    assert_problem,
    items::{made, unique},
};
use crate::api::{Answer, Api};
use serde_json::{Value, json};

pub(super) async fn are_read_page_by_page(api: &Api) {
    no_items_are_an_empty_page(api).await;
    let ids = every_item_is_on_one_page_in_the_order_of_creation(api).await;
    a_page_begins_after_an_item_even_if_it_is_deleted(api, &ids).await;
    twenty_items_are_a_page_when_nobody_says(api).await;
    wrong_pages_are_refused_with_what_is_allowed(api).await;
}

fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{answer:?}");
    let page = answer.json();
    let items = page["items"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["id"].as_str().expect("an id").to_owned())
        .collect()
}

/// The next page's address, which the body and the header tell alike.
fn next(answer: &Answer) -> Option<String> {
    let next = answer.json()["next"].as_str().map(str::to_owned);
    let link = next.as_ref().map(|next| format!("<{next}>; rel=\"next\""));
    assert_eq!(answer.header("link"), link.unwrap_or_default());
    next
}

async fn no_items_are_an_empty_page(api: &Api) {
    let answer = api.get("/api/items").await;
    assert_eq!(
        (answer.status, answer.json()),
        (200, json!({ "items": [], "next": null }))
    );
    assert_eq!(answer.header("link"), "");
}

async fn every_item_is_on_one_page_in_the_order_of_creation(api: &Api) -> Vec<String> {
    let mut created = Vec::new();
    for number in 0..7 {
        let answer = made(api, &json!({ "name": unique(&format!("item {number}")) })).await;
        created.push(answer.json());
    }
    let wanted: Vec<String> = created
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();
    for limit in [1, 2, 3, 6, 7, 100] {
        let (mut seen, mut path) = (Vec::new(), format!("/api/items?limit={limit}"));
        loop {
            let page = api.get(&path).await;
            let found = ids(&page);
            assert!(found.len() <= limit && !found.is_empty(), "{page:?}");
            seen.extend(found);
            match next(&page) {
                Some(next) => path = next,
                None => break,
            }
        }
        assert_eq!(seen, wanted, "with {limit} on a page");
    }
    let all: Value = api.get("/api/items?limit=100").await.json();
    assert_eq!(
        all["items"],
        json!(created),
        "a list shows items as they are read"
    );
    wanted
}

async fn a_page_begins_after_an_item_even_if_it_is_deleted(api: &Api, all: &[String]) {
    let first = api.get("/api/items?limit=3").await;
    let path = next(&first).expect("there is more");
    assert_eq!(
        api.request("DELETE", &format!("/api/items/{}", all[2]), &[])
            .await
            .status,
        204
    );
    assert_eq!(ids(&api.get(&path).await), all[3..6]);
    let later = made(api, &json!({ "name": unique("later") })).await.json();
    let last = format!("/api/items?after={}", all[6]);
    assert_eq!(ids(&api.get(&last).await), [later["id"].as_str().unwrap()]);
    let beyond = "/api/items?after=ffffffff-ffff-ffff-ffff-ffffffffffff";
    assert_eq!(
        api.get(beyond).await.json(),
        json!({ "items": [], "next": null })
    );
}

async fn twenty_items_are_a_page_when_nobody_says(api: &Api) {
    for number in 0..20 {
        made(api, &json!({ "name": unique(&format!("more {number}")) })).await;
    }
    let page = api.get("/api/items").await;
    assert_eq!(ids(&page).len(), 20);
    assert!(next(&page).expect("there is more").contains("limit=20&"));
}

async fn wrong_pages_are_refused_with_what_is_allowed(api: &Api) {
    for (query, told) in [
        ("limit=0", "from 1 to 100"),
        ("limit=101", "from 1 to 100"),
        ("limit=ten", "from 1 to 100"),
        ("limit=", "from 1 to 100"),
        ("limit=%00", "from 1 to 100"),
        (
            "limit=1&limit=1",
            "given twice; allowed, once each: limit, after",
        ),
        (
            "offset=3",
            "unknown parameter; allowed, once each: limit, after",
        ),
        ("Limit=3", "unknown parameter"),
        ("after=1", "`next`"),
        ("after=%27%20OR%201=1--", "`next`"),
        ("after=%FF", "`next`"),
    ] {
        let answer = api.get(&format!("/api/items?{query}")).await;
        assert_problem(&answer, 400);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(told), "{query}: {detail}");
    }
}
