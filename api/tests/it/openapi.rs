//! The document that describes the API: what it says, to the letter, and that it is served as such.

use crate::api::Api;
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

const METHODS: [&str; 6] = ["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"];

/// Each operation with its path and method.
fn operations(document: &Value) -> Vec<(&str, String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let mut all = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            all.push((path.as_str(), method.to_uppercase(), operation));
        }
    }
    all
}

#[tokio::test]
async fn every_path_takes_the_methods_it_is_said_to_take_and_no_other() {
    let api = Api::start(&[]).await;
    let document = api.get("/openapi.json").await.json();
    let operations = operations(&document);
    let paths: BTreeSet<&str> = operations.iter().map(|(path, ..)| *path).collect();
    assert!(paths.len() >= 8, "{paths:?}");
    for path in paths {
        let said: BTreeSet<&str> = operations
            .iter()
            .filter(|(one, ..)| *one == path)
            .map(|(_, method, _)| method.as_str())
            .collect();
        let address = path.replace("{id}", "00000000-0000-0000-0000-000000000000");
        for method in METHODS {
            let answer = api.request(method, &address, &[]).await;
            if said.contains(method) {
                let nothing_here = r#""title":"There is nothing at this address""#;
                let missing = answer.status == 404 && answer.body.contains(nothing_here);
                assert!(answer.status != 405 && !missing, "{method} {path}");
                continue;
            }
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            let told: BTreeSet<&str> = answer.header("allow").split(',').map(str::trim).collect();
            let expected = said.iter().copied().chain(said.get("GET").map(|_| "HEAD"));
            assert_eq!(told, expected.collect(), "{method} {path}");
        }
    }
}

#[tokio::test]
async fn every_operation_is_named_grouped_and_says_what_its_errors_look_like() {
    let api = Api::start(&[]).await;
    let document = api.get("/openapi.json").await.json();
    let tags: HashSet<&str> = document["tags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| tag["name"].as_str().unwrap())
        .collect();
    let mut names = HashSet::new();
    for (path, method, operation) in operations(&document) {
        let what = format!("{method} {path}");
        assert!(
            names.insert(operation["operationId"].as_str().unwrap()),
            "{what}"
        );
        assert!(
            tags.contains(operation["tags"][0].as_str().unwrap()),
            "{what}"
        );
        assert!(operation["summary"].is_string(), "{what}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            let what = format!("{what} {status}");
            assert!(
                !response["description"].as_str().unwrap().is_empty(),
                "{what}"
            );
            let content = response["content"].as_object();
            let kinds: Vec<&str> = content
                .iter()
                .flat_map(|content| content.keys())
                .map(String::as_str)
                .collect();
            let error = status.starts_with(['4', '5']);
            let expected: &[&str] = match path {
                _ if ["204", "304"].contains(&status.as_str()) => &[],
                "/api/data" => &["application/json"],
                "/health/ready" if status == "503" => &["application/json"],
                _ if error => &["application/problem+json"],
                _ => &kinds,
            };
            assert_eq!(kinds, expected, "{what}");
            let retries = response["headers"]["Retry-After"].is_object();
            // Readiness is asked again as its asker pleases.
            assert_eq!(
                retries,
                status == "503" && path != "/health/ready",
                "{what}"
            );
        }
    }
}

#[tokio::test]
async fn the_document_says_what_it_always_did() {
    let api = Api::start(&[]).await;
    let answer = api.get("/openapi.json").await;
    assert_eq!(
        (answer.status, answer.header("content-type")),
        (200, "application/json")
    );
    let mut document = answer.json();
    document["info"]["version"] = "[version]".into();
    insta::assert_json_snapshot!(document);
}

#[tokio::test]
async fn a_client_that_knows_the_document_is_not_sent_it_again() {
    let api = Api::start(&[]).await;
    let first = api.get("/openapi.json").await;
    let tag = first.header("etag");
    assert!(tag.starts_with('"'), "{first:?}");
    for known in [tag, "*", &format!("\"x\", W/{tag}")] {
        let again = api
            .request("GET", "/openapi.json", &[("if-none-match", known)])
            .await;
        assert_eq!((again.status, again.body.as_str()), (304, ""), "{known}");
        assert_eq!(again.header("etag"), tag);
    }
    let other = api
        .request("GET", "/openapi.json", &[("if-none-match", "\"x\"")])
        .await;
    assert_eq!(other.body, first.body);
    let nonsense = api
        .request("GET", "/openapi.json", &[("if-none-match", "x")])
        .await;
    assert_eq!(nonsense.status, 400, "{nonsense:?}");
}
