//! The contract any store and any cache must keep, seen from the socket. Run by both levels.

#[path = "contract/items.rs"]
mod items;
#[path = "contract/items_bodies.rs"]
mod items_bodies;
#[path = "contract/items_lists.rs"]
mod items_lists;
#[path = "contract/items_versions.rs"]
mod items_versions;
#[path = "contract/session.rs"]
mod session;

use super::api::{Answer, Api, PATIENCE};

/// Every route, on an API that was just started and whose cache is empty.
pub(crate) async fn keeps_the_contract(api: &Api, store: &str, cache: &str) {
    health(api, store, cache).await;
    data(api).await;
    errors(api).await;
    counts(api).await;
    // Before there is any item.
    items_lists::are_read_page_by_page(api).await;
    items::live_from_creation_to_deletion(api).await;
    items::are_made_once_under_one_key(api).await;
    items_versions::protect_from_lost_changes(api).await;
    items_bodies::are_read_strictly(api).await;
    session::keeps_its_contract(api).await;
}

/// The answer is a problem of this status, in full.
fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        "application/problem+json",
        "{answer:?}"
    );
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{answer:?}");
    assert_eq!(problem["type"], "about:blank", "{answer:?}");
    assert!(
        problem["title"]
            .as_str()
            .is_some_and(|title| !title.is_empty()),
        "{answer:?}"
    );
}

async fn health(api: &Api, store: &str, cache: &str) {
    let answer = api.get("/health").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, r#"{"status":"healthy"}"#)
    );
    let both_up = |answer: &super::api::Answer| {
        let dependencies = &answer.json()["dependencies"];
        answer.status == 200
            && dependencies["database"]["status"] == "up"
            && dependencies["cache"]["status"] == "up"
    };
    let ready = api
        .until("/health/ready", "both dependencies are up", both_up)
        .await
        .json();
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["dependencies"]["database"]["engine"], store);
    assert_eq!(ready["dependencies"]["cache"]["engine"], cache);
}

async fn data(api: &Api) {
    let first = api.get("/api/data").await;
    assert_eq!(first.source(), "database", "{first:?}");
    assert_eq!(first.header("content-type"), "application/json");
    let time = first.json()["data"]
        .as_str()
        .expect("data is a string")
        .to_owned();
    let time_of_day = chrono::DateTime::parse_from_rfc3339(&time).expect("data is a time");
    let off = (chrono::Utc::now() - time_of_day.to_utc()).abs();
    assert!(off < chrono::TimeDelta::minutes(1), "{time} is not now");
    assert_eq!(time.len(), "2026-01-01T00:00:00.000Z".len(), "{time}");
    let second = api.get("/api/data").await;
    assert_eq!(second.source(), "cache", "{second:?}");
    assert_eq!(second.json()["data"], time.as_str());
    assert!(first.took + second.took < PATIENCE, "{first:?} {second:?}");
}

async fn errors(api: &Api) {
    let missing = api.get("/nothing/here").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("content-type"), "application/problem+json");
    assert_eq!(missing.json()["status"], 404);
    let wrong = api.request("DELETE", "/api/data", &[]).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "GET,HEAD"));
    assert!(wrong.json()["error"].is_string(), "{wrong:?}");
}

async fn counts(api: &Api) {
    for (series, count) in [
        (
            r#"app_requests_total{endpoint="/api/data",method="GET",status="200"}"#,
            2.0,
        ),
        (
            r#"app_requests_total{endpoint="/api/data",method="DELETE",status="405"}"#,
            1.0,
        ),
        (
            r#"app_requests_total{endpoint="unmatched",method="GET",status="404"}"#,
            1.0,
        ),
        (
            r#"app_request_latency_seconds_count{endpoint="/api/data"}"#,
            3.0,
        ),
        (r#"app_cache_requests_total{result="hit"}"#, 1.0),
        (r#"app_cache_requests_total{result="miss"}"#, 1.0),
        (r#"app_dependency_up{dependency="database"}"#, 1.0),
        (r#"app_dependency_up{dependency="cache"}"#, 1.0),
    ] {
        assert_eq!(api.metric(series).await, count, "{series}");
    }
}
