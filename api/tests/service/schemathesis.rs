//! Thousands of requests made of `/openapi.json`, valid and invalid, alone and in chains: no answer may be a server error, or
//! other than the document says. A run is made of its seed, which `SCHEMATHESIS_SEED` changes.

use crate::{
    api::Api,
    contract::{UNHURRIED, prepare},
    figures::tell,
    postgres::{self, Database},
    redis::{self, Redis},
    testbed::variable,
};
use serde_json::{Value, json};
use std::{env, fs, path::Path, process::Command};

/// What a run must have asked at least to have shown anything.
const LEAST_CASES: u64 = 5_000;

#[tokio::test]
async fn the_embedded_engines_answer_as_the_document_says() {
    let api = Api::start(&UNHURRIED).await;
    answers_as_it_says(&api, "sqlite and memory");
}

#[tokio::test]
async fn postgres_and_redis_answer_as_the_document_says() {
    let (database, redis) = (Database::create(), Redis::start().await);
    let port = redis.port.to_string();
    let settings = [
        &database.settings()[..],
        &[
            ("DB_PASSWORD", postgres::PASSWORD),
            ("REDIS_HOST", "127.0.0.1"),
            ("REDIS_PORT", &port),
            ("REDIS_PASSWORD", redis::PASSWORD),
        ],
        &UNHURRIED,
    ]
    .concat();
    prepare(&settings).await;
    let api = Api::start(&settings).await;
    api.until("/health/ready", "both are reached", |answer| {
        answer.body.matches(r#""status":"up""#).count() == 2
    })
    .await;
    answers_as_it_says(&api, "postgres and redis");
}

fn answers_as_it_says(api: &Api, engines: &str) {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let seed = env::var("SCHEMATHESIS_SEED").unwrap_or_else(|_| "1".to_owned());
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/service/schemathesis");
    let output = Command::new(variable("TESTBED_SCHEMATHESIS"))
        .arg("--config-file")
        .arg(own.join("schemathesis.toml"))
        .args(["run", &format!("http://{}/openapi.json", api.address)])
        .args([
            "--seed",
            &seed,
            "--no-color",
            "--report",
            "json",
            "--report-json-path",
        ])
        .arg(&report)
        .current_dir(&folder)
        .env("SCHEMATHESIS_HOOKS", "hooks")
        .env("PYTHONPATH", &own)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("NO_PROXY", "*")
        .output()
        .expect("Schemathesis starts");
    let told = String::from_utf8_lossy(&output.stdout);
    let context = format!(
        "seed {seed}, {engines}\n{told}\n{}\nlog of the API: {:#?}",
        String::from_utf8_lossy(&output.stderr),
        api.log()
    );
    let report = fs::read(&report).unwrap_or_else(|error| panic!("no report: {error}; {context}"));
    let report: Value = serde_json::from_slice(&report).expect("the report is JSON");
    assert_eq!(report["failures"], json!([]), "{context}");
    assert_eq!(report["complete"], true, "{context}");
    let (operations, cases) = (&report["operations"], &report["test_cases"]);
    assert_eq!(operations["tested"], operations["total"], "{context}");
    for nothing in ["with_failures", "errored", "without_checks"] {
        assert_eq!(cases[nothing], 0, "{nothing}: {context}");
    }
    let generated = cases["generated"].as_u64().expect("a count");
    assert!(generated >= LEAST_CASES, "{generated} cases: {context}");
    assert!(output.status.success(), "{context}");
    tell(
        &format!("Schemathesis, {engines}"),
        &format!(
            "{generated} cases on {} operations, 0 failures, seed {seed}",
            operations["tested"]
        ),
    );
}
