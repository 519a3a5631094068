//! What is not quite HTTP: each case gets exactly these answers and then the end of the connection, in time, even if the
//! client sends everything before it reads; nothing sent behind it is taken for a request; the next client notices nothing.

use crate::api::{Api, PATIENCE};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

/// None of the cases takes longer, on a slow machine either: no deadline of the server is waited for.
const PROMPT: Duration = Duration::from_secs(5);

/// Bytes on a connection, and the statuses they are answered with.
struct Case {
    name: &'static str,
    sent: Vec<u8>,
    statuses: &'static [u16],
}

fn case(name: &'static str, sent: impl Into<Vec<u8>>, statuses: &'static [u16]) -> Case {
    let sent = sent.into();
    Case {
        name,
        sent,
        statuses,
    }
}

/// A head with these lines after the request line; the connection may go on after it.
fn head(request_line: &str, lines: &str) -> String {
    format!("{request_line}\r\nHost: test\r\n{lines}\r\n")
}

/// The same, and the last on its connection.
fn last(request_line: &str, lines: &str) -> String {
    head(request_line, &format!("Connection: close\r\n{lines}"))
}

fn get(lines: &str) -> String {
    last("GET /health HTTP/1.1", lines)
}

fn post(lines: &str, body: &str) -> String {
    head("POST /health HTTP/1.1", lines) + body
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Reads to the end: the statuses answered, and what was said.
fn answers(mut stream: TcpStream) -> (Vec<u16>, String) {
    let mut said = Vec::new();
    let length = stream.read_to_end(&mut said);
    length.expect("the connection ends without a reset, which would take the answer with it");
    let said = String::from_utf8_lossy(&said).into_owned();
    let statuses = said
        .match_indices("HTTP/1.")
        .filter_map(|(at, _)| said.get(at + 9..at + 12)?.parse().ok())
        .collect();
    (statuses, said)
}

async fn check(cases: Vec<Case>) {
    let api = Api::start(&[]).await;
    for Case {
        name,
        sent,
        statuses,
    } in cases
    {
        let started = Instant::now();
        let (answered, said) = tell(api.address, vec![sent]).await;
        assert!(answered == statuses, "{name}: {answered:?}, {said}");
        assert!(
            started.elapsed() < PROMPT,
            "{name}: {:?}",
            started.elapsed()
        );
        assert_eq!(api.get("/health").await.status, 200, "after {name}");
    }
    let smuggled = r#"app_requests_total{endpoint="unmatched",method="DELETE",status="404"}"#;
    assert_eq!(api.metric(smuggled).await, 0.0, "something was smuggled");
}

/// What must never be taken for a request of its own.
const SMUGGLED: &str = "DELETE /smuggled HTTP/1.1\r\nHost: test\r\n\r\n";

#[tokio::test]
async fn framing_that_two_servers_could_read_differently_is_refused() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let behind = |text: String| text + SMUGGLED;
    check(vec![
        case(
            "two lengths",
            behind(post("Content-Length: 1\r\nContent-Length: 2\r\n", "a")),
            &[400],
        ),
        case(
            "a list of lengths",
            behind(post("Content-Length: 1, 1\r\n", "a")),
            &[400],
        ),
        case(
            "a signed length",
            behind(post("Content-Length: +1\r\n", "a")),
            &[400],
        ),
        case(
            "a negative length",
            behind(post("Content-Length: -1\r\n", "a")),
            &[400],
        ),
        case(
            "a hexadecimal length",
            behind(post("Content-Length: 0x1\r\n", "a")),
            &[400],
        ),
        case(
            "a length beyond numbers",
            behind(post("Content-Length: 99999999999999999999999\r\n", "a")),
            &[400],
        ),
        // The chunks count, and the connection ends after them.
        case(
            "length, then chunks",
            behind(post(
                &format!("Content-Length: 4\r\n{chunked}"),
                "0\r\n\r\n",
            )),
            &[405],
        ),
        case(
            "chunks, then length",
            behind(post(
                &format!("{chunked}Content-Length: 4\r\n"),
                "0\r\n\r\n",
            )),
            &[405],
        ),
        case(
            "an unknown coding",
            behind(post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
            &[400],
        ),
        case(
            "chunked is not last",
            behind(post(
                "Transfer-Encoding: chunked, identity\r\n",
                "0\r\n\r\n",
            )),
            &[400],
        ),
        case(
            "two codings",
            behind(post(
                &format!("{chunked}Transfer-Encoding: identity\r\n"),
                "0\r\n\r\n",
            )),
            &[400],
        ),
        case(
            "a blank before the colon",
            behind(post("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")),
            &[400],
        ),
        case(
            "a vertical tab",
            behind(post("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n")),
            &[400],
        ),
        case(
            "chunks in HTTP/1.0",
            behind(head("POST /health HTTP/1.0", chunked) + "0\r\n\r\n"),
            &[400],
        ),
    ])
    .await;
}

#[tokio::test]
async fn chunks_that_are_none_end_the_connection() {
    let chunked = |body: &str| post("Transfer-Encoding: chunked\r\n", body) + SMUGGLED;
    let trailers = "Trailer: a\r\n".repeat(3000);
    check(vec![
        case("no number", chunked("zz\r\nab\r\n0\r\n\r\n"), &[400]),
        case("a negative size", chunked("-1\r\nab\r\n0\r\n\r\n"), &[400]),
        case(
            "a size beyond numbers",
            chunked("fffffffffffffffff\r\nab\r\n0\r\n\r\n"),
            &[400],
        ),
        case("lines that end in LF", chunked("1\na\n0\n\n"), &[400]),
        case(
            "no line end after a chunk",
            chunked("1\r\naXX0\r\n\r\n"),
            &[400],
        ),
        case(
            "an endless extension",
            chunked(&format!("1;{}\r\na\r\n0\r\n\r\n", "a".repeat(40_000))),
            &[400],
        ),
        case(
            "trailers without end",
            chunked(&format!("0\r\n{trailers}\r\n")),
            &[400],
        ),
        case(
            "more than a body may be",
            chunked(&format!(
                "{:x}\r\n{}\r\n0\r\n\r\n",
                70_000,
                "a".repeat(70_000)
            )),
            &[413],
        ),
    ])
    .await;
}

/// More than the buffers between a client and the server hold.
const LARGE: usize = 8_000_000;

#[tokio::test]
async fn whoever_is_refused_early_can_read_why_and_is_told_that_the_connection_ends() {
    let api = Api::start(&[]).await;
    for (path, length) in [
        ("/api/items", LARGE),
        ("/health", LARGE),
        ("/nothing", LARGE),
        // The rest of the body is awaited by nobody.
        ("/api/items", 2 * LARGE),
    ] {
        let lines = format!("Content-Length: {length}\r\n");
        let head = head(&format!("POST {path} HTTP/1.1"), &lines);
        let body = vec![b'a'; LARGE];
        for sent in [
            vec![[head.as_bytes(), &body].concat()],
            // The answer is there before the first byte of the body is sent.
            vec![head.into_bytes(), body],
        ] {
            let (answered, said) = tell(api.address, sent).await;
            assert_eq!(answered, [413], "{path}: {said}");
            assert!(said.contains("\r\nconnection: close\r\n"), "{path}: {said}");
        }
    }
    let (answered, said) = tell(api.address, vec![vec![b'a'; LARGE]]).await;
    assert_eq!(answered, [431], "{said}");
}

/// Sends the parts, each when there is something to read after the one before.
async fn tell(address: SocketAddr, parts: Vec<Vec<u8>>) -> (Vec<u16>, String) {
    let tell = move || {
        let mut stream = connect(address);
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                stream.peek(&mut [0]).expect("there is an answer");
            }
            stream.write_all(part).expect("everything is taken");
        }
        answers(stream)
    };
    tokio::task::spawn_blocking(tell).await.unwrap()
}

#[tokio::test]
async fn heads_that_are_none_are_refused() {
    let many = "X-Many: a\r\n".repeat(200);
    check(vec![
        case("a folded line", get("X-Folded: a\r\n b\r\n"), &[400]),
        case(
            "a fold before any header",
            "GET /health HTTP/1.1\r\n Host: test\r\n\r\n",
            &[400],
        ),
        case("a NUL", get("X-Nul: a\0b\r\n"), &[400]),
        case("a CR alone", get("X-Cr: a\rb\r\n"), &[400]),
        case(
            "lines that end in CR",
            "GET /health HTTP/1.1\rHost: test\r\r",
            &[400],
        ),
        case(
            "a control character in a name",
            get("X-\x01: a\r\n"),
            &[400],
        ),
        case("no colon", get("nonsense\r\n"), &[400]),
        case("no name", get(": a\r\n"), &[400]),
        case(
            "a header of 100 kB",
            get(&format!("X-Long: {}\r\n", "a".repeat(100_000))),
            &[431],
        ),
        case("two hundred headers", get(&many), &[431]),
        case(
            "an address of 9 kB",
            last(&format!("GET /{} HTTP/1.1", "a".repeat(9000)), ""),
            &[414],
        ),
        case(
            "a query of 9 kB",
            last(&format!("GET /?{} HTTP/1.1", "a".repeat(9000)), ""),
            &[414],
        ),
        case(
            "an address of 90 kB",
            last(&format!("GET /{} HTTP/1.1", "a".repeat(90_000)), ""),
            &[431],
        ),
        case(
            "no host",
            "GET /health HTTP/1.1\r\nConnection: close\r\n\r\n",
            &[400],
        ),
        case("two hosts", get("Host: test\r\n"), &[400]),
        case(
            "a host that is none",
            "GET /health HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n",
            &[400],
        ),
        case(
            "a host with a path",
            "GET /health HTTP/1.1\r\nHost: a/b\r\nConnection: close\r\n\r\n",
            &[400],
        ),
        case("two blanks", last("GET  /health HTTP/1.1", ""), &[400]),
        case(
            "a byte beyond ASCII",
            [
                b"GET /\xff HTTP/1.1\r\nHost: test\r\n\r\n".as_slice(),
                SMUGGLED.as_bytes(),
            ]
            .concat(),
            &[400],
        ),
        case(
            "TLS",
            *b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            &[400],
        ),
    ])
    .await;
}

#[tokio::test]
async fn other_versions_and_forms_are_answered_for_what_they_are() {
    check(vec![
        case("HTTP/0.9", "GET /health\r\n\r\n", &[400]),
        case("HTTP/1.0", "GET /health HTTP/1.0\r\n\r\n", &[200]),
        case("HTTP/1.2", last("GET /health HTTP/1.2", ""), &[400]),
        case("HTTP/2.0 as text", last("GET /health HTTP/2.0", ""), &[400]),
        case(
            "half a preface, then nonsense",
            "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
            &[400],
        ),
        case(
            "a preface, then nonsense",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned() + &"\x7f".repeat(100),
            &[],
        ),
        case(
            "a preface, then HTTP/1.1",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned() + SMUGGLED,
            &[],
        ),
        case(
            "the absolute form",
            last("GET http://test/health HTTP/1.1", ""),
            &[200],
        ),
        case("the asterisk form", last("OPTIONS * HTTP/1.1", ""), &[404]),
        case(
            "the asterisk form with GET",
            last("GET * HTTP/1.1", ""),
            &[404],
        ),
        case("CONNECT", last("CONNECT test:80 HTTP/1.1", ""), &[404]),
        case(
            "an upgrade to HTTP/2 (not offered)",
            get("Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"),
            &[200],
        ),
        case(
            "empty lines first",
            "\r\n\r\n".to_owned() + &get(""),
            &[200],
        ),
        case(
            "lines that end in LF",
            get("").replace("\r\n", "\n"),
            &[200],
        ),
        case(
            "an escape that is none",
            last("GET /%zz HTTP/1.1", ""),
            &[404],
        ),
        case(
            "a body announced, and wanted",
            get("Expect: 100-continue\r\nContent-Length: 1\r\n") + "a",
            &[100, 200],
        ),
    ])
    .await;
}

#[tokio::test]
async fn requests_one_behind_the_other_are_answered_in_their_order() {
    let one = head("GET /health HTTP/1.1", "");
    let none = head("GET /nothing HTTP/1.1", "");
    let with_body = head("GET /health HTTP/1.1", "Content-Length: 3\r\n") + "abc";
    check(vec![
        case("three", one.clone() + &none + &get(""), &[200, 404, 200]),
        // A body that no route wants is read all the same: what follows it is the next request.
        case(
            "a body between",
            with_body + &none + &get(""),
            &[200, 404, 200],
        ),
        case(
            "a good one before a bad one",
            one + "nonsense\r\n\r\n" + SMUGGLED,
            &[200, 400],
        ),
    ])
    .await;
}
