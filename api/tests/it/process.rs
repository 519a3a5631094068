//! The binary as a process: what it refuses, what it says, how it ends.

use crate::api::{Api, command, eventually};
use std::process::Output;

fn run(variables: &[(&str, &str)], arguments: &[&str]) -> (Output, String) {
    let output = command(variables)
        .args(arguments)
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, said)
}

#[test]
fn wrong_settings_end_it_with_a_message_that_tells_all() {
    let variables = [
        ("PORT", "http"),
        ("DB_HOST", "db"),
        ("DB_PASSWORD", "hunter2"),
        ("DB_PASSWORD_FILE", "/x"),
    ];
    let (output, said) = run(&variables, &[]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!(said, @r#"
    api: the settings are wrong
      PORT="http": expected a whole number from 0 to 65535
      DB_PASSWORD and DB_PASSWORD_FILE are both set: keep one
    `api --help` lists every variable
    "#);
}

#[test]
fn a_data_file_that_cannot_be_made_ends_it_with_its_name() {
    let (output, said) = run(
        &[("DATA_FILE", "/proc/nowhere/api.db"), ("PORT", "0")],
        &["serve"],
    );
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains("cannot use the database file /proc/nowhere/api.db (DATA_FILE)"),
        "{said}"
    );
}

#[tokio::test]
async fn a_taken_port_ends_it_with_the_address() {
    let api = Api::start(&[]).await;
    let port = api.address.port().to_string();
    let (output, said) = run(&[("PORT", &port), ("BIND_ADDRESS", "127.0.0.1")], &[]);
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "failed to listen on 127.0.0.1:{port} (BIND_ADDRESS, PORT): Address already in use"
    );
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn the_help_lists_every_variable_and_shows_no_value() {
    let (output, _) = run(&[("DB_PASSWORD", "hunter2")], &["--help"]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    for name in [
        "PORT",
        "DB_PASSWORD_FILE",
        "REDIS_HOST",
        "DRAIN_TIMEOUT_SECONDS",
    ] {
        assert!(help.contains(name), "{name} is not in\n{help}");
    }
    assert!(!help.contains("hunter2"));
}

#[test]
fn config_prints_what_is_in_force_and_no_secret() {
    let variables = [
        ("PORT", "8080"),
        ("REDIS_HOST", "redis"),
        ("REDIS_PASSWORD", "hunter2"),
    ];
    let print = |arguments: &[&str]| {
        let (output, said) = run(&variables, arguments);
        assert!(output.status.success() && said.is_empty(), "{said}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = print(&["config"]);
    let json = print(&["config", "--output", "json"]);
    assert!(!(text.clone() + &json).contains("hunter2"));
    for line in [
        "PORT                     environment  8080",
        "DATA_FILE                default      ./data/api.db",
        "DB_PORT                  unused       -",
        "REDIS_PASSWORD           environment  [hidden]",
        "REDIS_USER               default      -",
    ] {
        assert!(
            text.lines().any(|printed| printed == line),
            "{line} is not in\n{text}"
        );
    }
    let settings: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(settings.len(), text.lines().count());
    assert!(
        settings.contains(
            &serde_json::json!({"name": "PORT", "value": "8080", "source": "environment"})
        )
    );
    let wrong = [("PORT", "http")];
    let ((served, by_serve), (shown, by_config)) =
        (run(&wrong, &["serve"]), run(&wrong, &["config"]));
    assert_eq!(served.status.code(), Some(1));
    assert_eq!((served.status, by_serve), (shown.status, by_config));
    assert!(shown.stdout.is_empty());
}

#[tokio::test]
async fn healthcheck_tells_a_healthy_api_from_none() {
    let api = Api::start(&[]).await;
    let port = api.address.port().to_string();
    let (healthy, _) = run(&[("PORT", &port)], &["healthcheck"]);
    assert!(healthy.status.success());
    drop(api);
    let (gone, said) = run(&[("PORT", &port)], &["healthcheck"]);
    assert_eq!(gone.status.code(), Some(1));
    assert!(
        said.contains(&format!("no healthy API on port {port}")),
        "{said}"
    );
}

#[test]
fn healthcheck_fails_on_an_unhealthy_or_foreign_server() {
    for answer in [
        "HTTP/1.1 503 Service Unavailable\r\n\r\n",
        "SSH-2.0-nothing\r\n",
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        });
        let (output, said) = run(&[("PORT", &port)], &["healthcheck"]);
        assert_eq!(output.status.code(), Some(1), "{said}");
        server.join().unwrap();
    }
}

#[tokio::test]
async fn both_signals_end_it_with_success() {
    for signal in ["TERM", "INT"] {
        let mut api = Api::start(&[("DRAIN_DELAY_SECONDS", "0")]).await;
        api.signal(signal);
        assert_eq!(
            api.end().await.code(),
            Some(0),
            "{signal}: {:#?}",
            api.log()
        );
    }
}

#[tokio::test]
async fn after_sigterm_it_says_it_drains_while_it_still_answers() {
    let mut api = Api::start(&[("DRAIN_DELAY_SECONDS", "5"), ("DRAIN_TIMEOUT_SECONDS", "6")]).await;
    api.until("/health/ready", "the API is ready", |answer| {
        answer.status == 200
    })
    .await;
    api.signal("TERM");
    let answer = api
        .until("/health/ready", "the API drains", |answer| {
            answer.status == 503
        })
        .await;
    assert_eq!(answer.json()["status"], "draining");
    assert_eq!(api.get("/health").await.status, 200);
    assert_eq!(api.get("/api/data").await.status, 200);
    assert_eq!(api.end().await.code(), Some(0));
}

#[tokio::test]
async fn its_log_is_json_when_nobody_watches_and_text_when_asked() {
    let mut api = Api::start(&[("DRAIN_DELAY_SECONDS", "0"), ("LOG_LEVEL", "debug")]).await;
    api.request("GET", "/api/data", &[("x-request-id", "find-me")])
        .await;
    api.signal("TERM");
    api.end().await;
    let line = eventually("the request is in the log", async || {
        let found = api.log().into_iter().find(|line| line.contains("find-me"));
        found.ok_or_else(|| format!("{:#?}", api.log()))
    })
    .await;
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["span"]["endpoint"], "/api/data", "{line}");
    for line in api.log() {
        serde_json::from_str::<serde_json::Value>(&line)
            .unwrap_or_else(|error| panic!("{error}: {line}"));
    }

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("api.db");
    let variables = [
        ("LOG_FORMAT", "text"),
        ("PORT", "0"),
        ("DATA_FILE", file.to_str().unwrap()),
    ];
    let mut child = command(&variables)
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    std::io::BufRead::read_line(
        &mut std::io::BufReader::new(child.stdout.take().unwrap()),
        &mut first,
    )
    .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first.contains("INFO") && !first.starts_with('{'), "{first}");
}
