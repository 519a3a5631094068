//! Clients that dawdle: they keep neither a connection for ever nor a stop from happening.

use crate::api::{Api, PATIENCE, eventually};
use std::{
    io::{ErrorKind, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// A connection on which `sent` was sent, and nothing more.
fn dawdler(api: &Api, sent: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(api.address).unwrap();
    stream.write_all(sent).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads until the server hangs up; what it said before.
fn rest(mut stream: TcpStream) -> String {
    let mut said = Vec::new();
    match stream.read_to_end(&mut said) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the server keeps the connection: {error}"),
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn a_half_sent_request_is_hung_up() {
    let api = Api::start(&[("HEADER_TIMEOUT_SECONDS", "1")]).await;
    for sent in [
        &b""[..],
        b"GET /health HT",
        b"GET /health HTTP/1.1\r\nhost: x\r\n",
    ] {
        let stream = dawdler(&api, sent);
        tokio::task::spawn_blocking(move || rest(stream))
            .await
            .unwrap();
    }
    assert_eq!(api.get("/health").await.status, 200);
}

#[tokio::test]
async fn idle_half_sent_and_silent_connections_do_not_hold_up_a_stop() {
    let mut api = Api::start(&[
        ("HEADER_TIMEOUT_SECONDS", "300"),
        ("DRAIN_DELAY_SECONDS", "0"),
        ("DRAIN_TIMEOUT_SECONDS", "2"),
    ])
    .await;
    let silent = dawdler(&api, b"");
    let half = dawdler(&api, b"GET /health HT");
    let mut idle = dawdler(&api, b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut start = [0; 12];
    idle.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    let started = Instant::now();
    api.signal("TERM");
    assert_eq!(api.end().await.code(), Some(0));
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    for stream in [silent, half, idle] {
        rest(stream);
    }
}

#[tokio::test]
async fn a_stopped_api_takes_no_new_connection() {
    let mut api = Api::start(&[("DRAIN_DELAY_SECONDS", "0")]).await;
    api.signal("TERM");
    api.end().await;
    eventually(
        "connections are refused",
        async || match TcpStream::connect(api.address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            other => Err(format!("{other:?}")),
        },
    )
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_408() {
    let api = Api::start(&[("HEADER_TIMEOUT_SECONDS", "1")]).await;
    for framing in ["content-length: 10", "transfer-encoding: chunked"] {
        let sent = format!("POST /api/data HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n3\r\n");
        let stream = dawdler(&api, sent.as_bytes());
        let said = tokio::task::spawn_blocking(move || rest(stream))
            .await
            .unwrap();
        assert!(said.starts_with("HTTP/1.1 408 "), "{framing}: {said}");
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_hung_up() {
    let api = Api::start(&[("HEADER_TIMEOUT_SECONDS", "1")]).await;
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(api.address).await.unwrap();
    // Far more answers than any buffer between the two holds, and not one is read.
    let requests = "GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n".repeat(10_000);
    let asking = tokio::io::AsyncWriteExt::write_all(&mut stream, requests.as_bytes());
    let ended = tokio::time::timeout(PATIENCE, asking);
    let cut = eventually("it is hung up", async || {
        match api
            .metric(r#"app_connections_cut_total{reason="write"}"#)
            .await
        {
            1.0 => Ok(()),
            cut => Err(format!("{cut} were")),
        }
    });
    let (ended, ()) = tokio::join!(ended, cut);
    // The rest of what it asks has nowhere to go.
    assert!(ended.is_ok(), "it still asks");
}

#[tokio::test]
async fn a_refused_client_that_neither_ends_nor_goes_is_hung_up() {
    let api = Api::start(&[("HEADER_TIMEOUT_SECONDS", "1")]).await;
    let head = b"POST /api/items HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000\r\n\r\n";
    let mut refused = dawdler(&api, head);
    let mut start = [0; 12];
    refused.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
    eventually("it is hung up", async || {
        let cut = r#"app_connections_cut_total{reason="write"}"#;
        match (api.metric(cut).await, api.metric("app_connections").await) {
            (1.0, 1.0) => Ok(()),
            (cut, open) => Err(format!("{cut} were, {open} are open")),
        }
    })
    .await;
}

#[tokio::test]
async fn clients_beyond_the_last_are_turned_away_at_once() {
    let api = Api::start(&[("MAX_CONNECTIONS", "3")]).await;
    assert_eq!(api.get("/health").await.status, 200);
    let kept = [dawdler(&api, b"G"), dawdler(&api, b"G")];
    // They are connected; that they were accepted is another matter.
    eventually("all three are open", async || {
        match api.metric("app_connections").await {
            3.0 => Ok(()),
            open => Err(format!("{open} are")),
        }
    })
    .await;
    let said = tokio::task::spawn_blocking({
        let stream = dawdler(&api, b"");
        move || rest(stream)
    })
    .await
    .unwrap();
    assert!(said.starts_with("HTTP/1.1 503 "), "{said}");
    assert!(said.contains("retry-after: 1\r\n"), "{said}");
    assert_eq!(api.metric("app_connections_refused_total").await, 1.0);
    drop(kept);
    eventually("there is room again", async || {
        match api.metric("app_connections").await {
            1.0 => Ok(()),
            open => Err(format!("{open} are open")),
        }
    })
    .await;
    let again = dawdler(
        &api,
        b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    let said = tokio::task::spawn_blocking(move || rest(again))
        .await
        .unwrap();
    assert!(said.starts_with("HTTP/1.1 200 "), "{said}");
}

#[tokio::test]
async fn answers_tell_clients_to_look_elsewhere_while_the_server_drains() {
    let mut api = Api::start(&[("DRAIN_DELAY_SECONDS", "2")]).await;
    assert_eq!(api.get("/health").await.header("connection"), "");
    api.signal("TERM");
    api.until("/health", "answers say close", |answer| {
        assert_eq!(answer.status, 200);
        answer.header("connection") == "close"
    })
    .await;
    assert_eq!(api.end().await.code(), Some(0));
}
