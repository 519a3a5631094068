//! HTTP/2 in clear text, by prior knowledge, on the same port.

use crate::api::{Api, PATIENCE, eventually};
use ::http::Request;
use h2::{
    Reason,
    client::{Connection, SendRequest, handshake},
};
use hyper::body::Bytes;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
    time::timeout,
};

type Driver = JoinHandle<Result<(), h2::Error>>;

async fn connect(api: &Api) -> (SendRequest<Bytes>, Driver) {
    let stream = TcpStream::connect(api.address).await.unwrap();
    let (client, connection): (_, Connection<_, Bytes>) = handshake(stream).await.unwrap();
    (client, tokio::spawn(connection))
}

fn request(method: &str, path: &str) -> Request<()> {
    let uri = format!("http://test{path}");
    let request = Request::builder().method(method).uri(uri);
    request.body(()).unwrap()
}

/// The status and the body.
async fn ask(client: SendRequest<Bytes>, method: &str, path: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut client = client.ready().await.unwrap();
    let (answer, mut upload) = client
        .send_request(request(method, path), body.is_empty())
        .unwrap();
    if !body.is_empty() {
        upload
            .send_data(Bytes::copy_from_slice(body), true)
            .unwrap();
    }
    let answer = answer.await.unwrap();
    let status = answer.status().as_u16();
    let mut received = Vec::new();
    let mut download = answer.into_body();
    while let Some(data) = download.data().await {
        let data = data.unwrap();
        download
            .flow_control()
            .release_capacity(data.len())
            .unwrap();
        received.extend_from_slice(&data);
    }
    (status, received)
}

#[tokio::test]
async fn the_same_answers_come_over_http_2() {
    let api = Api::start(&[]).await;
    let (client, _driver) = connect(&api).await;
    let (status, body) = ask(client.clone(), "GET", "/health", b"").await;
    assert_eq!(
        (status, body.as_slice()),
        (200, br#"{"status":"healthy"}"#.as_slice())
    );
    for (method, path, body, status) in [
        ("GET", "/api/data", &b""[..], 200),
        ("GET", "/nothing", b"", 404),
        ("POST", "/health", b"small", 405),
        ("POST", "/health", "x".repeat(100_000).as_bytes(), 413),
    ] {
        let (answered, body) = ask(client.clone(), method, path, body).await;
        assert_eq!(answered, status, "{method} {path}: {body:?}");
    }
}

#[tokio::test]
async fn many_streams_share_a_connection_up_to_a_bound() {
    let api = Api::start(&[]).await;
    let (client, _driver) = connect(&api).await;
    // The first answer comes behind the server's settings: before those, a client knows no bound.
    assert_eq!(ask(client.clone(), "GET", "/health", b"").await.0, 200);
    let answers = (0..500).map(|_| ask(client.clone(), "GET", "/api/data", b""));
    let answers = futures::future::join_all(answers).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    assert_eq!(client.current_max_send_streams(), 128);
}

#[tokio::test]
async fn a_client_that_resets_what_it_asks_is_hung_up() {
    let api = Api::start(&[]).await;
    let (client, driver) = connect(&api).await;
    let storm = async {
        loop {
            let Ok(mut client) = client.clone().ready().await else {
                return;
            };
            let Ok((answer, mut upload)) = client.send_request(request("POST", "/api/data"), false)
            else {
                return;
            };
            upload.send_reset(Reason::CANCEL);
            drop(answer);
            // The connection's own task is to send it.
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, storm).await.expect("it is hung up");
    let ended = timeout(PATIENCE, driver).await.unwrap().unwrap();
    let error = ended.expect_err("it ends by an error");
    // What is still under way when the server hangs up takes its last word with it: that is TCP.
    let told = error.reason() == Some(Reason::ENHANCE_YOUR_CALM);
    assert!(told || error.is_io(), "{error:?}");
    assert_eq!(api.get("/health").await.status, 200);
}

#[tokio::test]
async fn a_slow_preface_and_a_client_that_asks_nothing_are_hung_up() {
    let api = Api::start(&[("HEADER_TIMEOUT_SECONDS", "1")]).await;
    for said in [&b"PRI * HT"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = TcpStream::connect(api.address).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut answer = Vec::new();
        let ended = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{} is kept", said.escape_ascii());
    }
    let cut = r#"app_connections_cut_total{reason="head"}"#;
    assert_eq!(api.metric(cut).await, 2.0);
}

#[tokio::test]
async fn a_stop_tells_the_client_to_go_away_and_waits_for_nobody_idle() {
    let mut api = Api::start(&[
        ("DRAIN_DELAY_SECONDS", "0"),
        ("DRAIN_TIMEOUT_SECONDS", "60"),
    ])
    .await;
    let (client, driver) = connect(&api).await;
    assert_eq!(ask(client, "GET", "/health", b"").await.0, 200);
    let started = Instant::now();
    api.signal("TERM");
    let ended = timeout(PATIENCE, driver).await.unwrap().unwrap();
    assert!(ended.is_ok(), "not by GOAWAY without error: {ended:?}");
    assert_eq!(api.end().await.code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn connections_are_counted_while_they_last() {
    let api = Api::start(&[]).await;
    let (client, driver) = connect(&api).await;
    assert_eq!(ask(client.clone(), "GET", "/health", b"").await.0, 200);
    // And the one that asks.
    assert_eq!(api.metric("app_connections").await, 2.0);
    drop(client);
    driver.await.unwrap().unwrap();
    eventually("the connection is gone", async || {
        match api.metric("app_connections").await {
            1.0 => Ok(()),
            open => Err(format!("{open} are open")),
        }
    })
    .await;
}
