//! What may be sent as an item, and how mistakes are told.

use super::{
    assert_problem,
    items::{JSON, made, unique},
};
use crate::api::{Answer, Api};
use serde_json::json;

pub(super) async fn are_read_strictly(api: &Api) {
    all_mistakes_are_told_at_once_with_their_fields(api).await;
    what_is_not_json_is_refused(api).await;
    only_json_is_taken(api).await;
    the_longest_content_is_kept_and_longer_is_refused(api).await;
    control_characters_are_refused(api).await;
    large_and_deep_bodies_are_refused(api).await;
    query_parameters_are_known_or_refused(api).await;
}

async fn post(api: &Api, body: impl Into<Vec<u8>>) -> Answer {
    api.send("POST", "/api/items", &[JSON], body).await
}

/// The fields an answer complains of.
fn fields(answer: &Answer) -> Vec<String> {
    assert_problem(answer, 422);
    let problem = answer.json();
    let errors = problem["errors"].as_array().expect("fields are told");
    let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
    assert!(
        errors
            .iter()
            .all(|error| !text(&error["message"]).is_empty()),
        "{answer:?}"
    );
    errors.iter().map(|error| text(&error["field"])).collect()
}

async fn all_mistakes_are_told_at_once_with_their_fields(api: &Api) {
    for (body, wrong) in [
        (r"{}", &["name"][..]),
        (r#"{"name":""}"#, &["name"]),
        (r#"{"name":"  "}"#, &["name"]),
        (r#"{"name":null}"#, &["name"]),
        (
            r#"{"name":7,"description":false}"#,
            &["name", "description"],
        ),
        (
            r#"{"name":"a","id":"mine","version":7}"#,
            &["id", "version"],
        ),
        (r#"{"Name":"a"}"#, &["name", "Name"]),
        (r#"{"name":"a","name":"b"}"#, &["name"]),
        (
            r#"{"name":["a"],"x":{},"description":"\u0000"}"#,
            &["name", "description", "x"],
        ),
        ("[]", &[""]),
        ("null", &[""]),
        (r#""name""#, &[""]),
        ("1", &[""]),
    ] {
        assert_eq!(fields(&post(api, body).await), wrong, "{body}");
    }
    let address = made(api, &json!({ "name": unique("a") }))
        .await
        .header("location")
        .to_owned();
    let put = api
        .send("PUT", &address, &[JSON], r#"{"description":1,"x":1}"#)
        .await;
    assert_eq!(fields(&put), ["name", "description", "x"]);
    assert_eq!(
        api.get(&address).await.header("etag"),
        "\"1\"",
        "a refused change changes nothing"
    );
}

async fn what_is_not_json_is_refused(api: &Api) {
    for body in [
        &b""[..],
        b" ",
        b"{",
        b"{\"name\":\"a\"}}",
        b"{'name':'a'}",
        b"{\"name\":\"a\",}",
        b"{\"name\":\"\xff\"}",
        b"{\"name\":\"\\ud800\"}",
        b"\xff\xfe{\x00}\x00",
        b"name=a",
    ] {
        let answer = post(api, body).await;
        assert_problem(&answer, 400);
        assert!(
            answer.json()["detail"]
                .as_str()
                .unwrap()
                .contains("not JSON"),
            "{answer:?}"
        );
    }
}

async fn only_json_is_taken(api: &Api) {
    let body = json!({ "name": unique("a") }).to_string();
    for (headers, status) in [
        (
            &[("content-type", "application/json; charset=UTF-8")][..],
            201,
        ),
        (&[("content-type", "APPLICATION/JSON")], 201),
        (&[("content-type", "application/json; charset=utf-16")], 415),
        (&[("content-type", "text/plain")], 415),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            415,
        ),
        (&[("content-type", "application/problem+json")], 415),
        (&[], 415),
        (&[JSON, ("content-encoding", "gzip")], 415),
    ] {
        let answer = api.send("POST", "/api/items", headers, body.as_str()).await;
        assert_eq!(answer.status, status, "{headers:?}: {answer:?}");
        if status == 415 {
            assert_problem(&answer, 415);
        }
    }
}

async fn the_longest_content_is_kept_and_longer_is_refused(api: &Api) {
    // Characters of four bytes, in the longest way to write them: twelve bytes each.
    let escaped = |length: usize| "\\ud83e\\udd80".repeat(length);
    let body = |name: usize, description: usize| {
        format!(
            r#"{{"name":"{}","description":"{}"}}"#,
            escaped(name),
            escaped(description)
        )
    };
    let kept = post(api, body(200, 4000)).await;
    assert_eq!(kept.status, 201, "{}", kept.body);
    assert_eq!(kept.json()["name"], "🦀".repeat(200));
    assert_eq!(kept.json()["description"], "🦀".repeat(4000));
    let read = api.get(kept.header("location")).await;
    assert!(read.body == kept.body, "it is kept to the character");
    assert_eq!(
        fields(&post(api, body(201, 4001)).await),
        ["name", "description"]
    );
}

async fn control_characters_are_refused(api: &Api) {
    for (name, description, wrong) in [
        ("a\\u0000b", "", &["name"][..]),
        ("a\\nb", "", &["name"]),
        ("a\\u009f", "", &["name"]),
        ("a", "\\u0000", &["description"]),
        ("a", "\\r\\n", &["description"]),
        ("a\\u001b", "\\u001b", &["name", "description"]),
    ] {
        let body = format!(r#"{{"name":"{name}","description":"{description}"}}"#);
        assert_eq!(fields(&post(api, body.as_str()).await), wrong, "{body}");
    }
}

async fn large_and_deep_bodies_are_refused(api: &Api) {
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(70_000));
    assert_problem(&post(api, large).await, 413);
    let deep = format!("{}{}", "[".repeat(30_000), "]".repeat(30_000));
    let answer = post(api, deep.as_str()).await;
    assert!([400, 422].contains(&answer.status), "{answer:?}");
    let inside = format!(r#"{{"name":{deep}}}"#);
    let answer = post(api, inside).await;
    assert!([400, 422].contains(&answer.status), "{answer:?}");
    let many: Vec<String> = (0..4000).map(|number| format!("\"{number}\":0")).collect();
    let answer = post(api, format!("{{{}}}", many.join(","))).await;
    assert_problem(&answer, 422);
    assert!(
        answer.body.len() < 4000,
        "an answer stays small: {}",
        answer.body.len()
    );
}

async fn query_parameters_are_known_or_refused(api: &Api) {
    let address = made(api, &json!({ "name": unique("a") }))
        .await
        .header("location")
        .to_owned();
    for (method, path) in [
        ("GET", address.as_str()),
        ("PUT", &address),
        ("DELETE", &address),
        ("POST", "/api/items"),
        ("GET", "/api/session"),
        ("POST", "/api/session"),
        ("DELETE", "/api/session"),
    ] {
        let body = if method == "GET" || method == "DELETE" {
            ""
        } else {
            r#"{"name":"a"}"#
        };
        let answer = api
            .send(method, &format!("{path}?x=1"), &[JSON], body)
            .await;
        assert_problem(&answer, 400);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("this route takes none"), "{detail}");
    }
    assert_eq!(api.get(&address).await.status, 200, "and nothing happened");
}
