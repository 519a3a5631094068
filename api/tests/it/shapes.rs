//! What answers look like, to the letter.

use crate::{api::Api, contract::keeps_the_contract};
use std::fmt::Write;

#[tokio::test]
async fn the_embedded_engines_keep_the_contract() {
    let api = Api::start(&[]).await;
    keeps_the_contract(&api, "sqlite", "memory").await;
}

#[tokio::test]
async fn answers_look_as_they_always_did() {
    let api = Api::start(&[]).await;
    api.until("/health/ready", "the API is ready", |answer| {
        answer.status == 200
    })
    .await;
    let mut seen = String::new();
    for (method, path) in [
        ("GET", "/health"),
        ("GET", "/health/ready"),
        ("GET", "/api/data"),
        ("GET", "/api/data"),
        ("HEAD", "/api/data"),
        ("POST", "/api/data"),
        ("POST", "/health"),
        ("GET", "/nothing"),
        ("GET", "/"),
    ] {
        let answer = api.request(method, path, &[]).await;
        let mut headers: Vec<_> = answer
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .filter(|(name, _)| !["content-length", "date", "x-request-id"].contains(name))
            .collect();
        headers.sort_unstable();
        writeln!(seen, "# {method} {path}\n{}", answer.status).unwrap();
        for (name, value) in headers {
            writeln!(seen, "{name}: {value}").unwrap();
        }
        writeln!(seen, "\n{}\n", answer.body).unwrap();
    }
    let time = api.get("/api/data").await.json()["data"]
        .as_str()
        .unwrap()
        .to_owned();
    let seen = seen
        .replace(&time, "[time]")
        .replace(env!("CARGO_PKG_VERSION"), "[version]");
    // Looks are seen in a browser.
    let seen = without(&without(&seen, "<style>", "</style>"), "'sha256-", "'");
    insta::assert_snapshot!(seen);
}

/// The text without what is between the first `from` and the next `to`.
fn without(text: &str, from: &str, to: &str) -> String {
    let (before, rest) = text.split_once(from).expect("the mark is there");
    let (_, after) = rest.split_once(to).expect("its end is there");
    format!("{before}{from}…{to}{after}")
}

#[tokio::test]
async fn metric_names_labels_and_types_look_as_they_always_did() {
    let api = Api::start(&[]).await;
    api.get("/api/data").await;
    api.get("/nothing").await;
    let text = api.get("/metrics").await.body;
    let families: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("# ") && !line.contains(" process_"))
        .collect();
    insta::assert_snapshot!(families.join("\n"));
}

#[tokio::test]
async fn the_landing_page_speaks_the_readers_language() {
    let api = Api::start(&[]).await;
    let french = api
        .request(
            "GET",
            "/",
            &[("accept-language", "fr-FR,fr;q=0.9,en;q=0.8")],
        )
        .await;
    assert!(french.body.contains("L’API fonctionne"), "{french:?}");
    assert_eq!(french.header("content-language"), "fr");
    let english = api.get("/").await;
    assert!(english.body.contains("The API is running"), "{english:?}");
}

#[tokio::test]
async fn strangers_cannot_make_series_or_name_requests_as_they_please() {
    let api = Api::start(&[]).await;
    for path in ["/a", "/b/c", "/api/data/1", "/%00", "/health/"] {
        assert_eq!(api.get(path).await.status, 404, "{path}");
    }
    assert_eq!(api.request("BREW", "/a", &[]).await.status, 404);
    let unmatched = r#"app_requests_total{endpoint="unmatched",method="GET",status="404"}"#;
    assert_eq!(api.metric(unmatched).await, 5.0);
    let other = r#"app_requests_total{endpoint="unmatched",method="other",status="404"}"#;
    assert_eq!(api.metric(other).await, 1.0);
    let named = api
        .request("GET", "/health", &[("x-request-id", "mine-1")])
        .await;
    assert_eq!(named.header("x-request-id"), "mine-1");
    let forged = api
        .request("GET", "/health", &[("x-request-id", "a b\tc")])
        .await;
    assert_eq!(forged.header("x-request-id").len(), 16, "{forged:?}");
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let api = Api::start(&[]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("http://{}/health", api.address);
    let response = client
        .post(url)
        .body(vec![b'x'; 100_000])
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 413);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
}
