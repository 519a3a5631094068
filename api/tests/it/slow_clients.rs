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
