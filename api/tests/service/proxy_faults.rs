//! The proxy itself: each fault does what its name says, or the outages shown with it would show nothing.

use crate::{
    api::{PATIENCE, eventually},
    proxy::{Fault, Proxy},
};
use std::{
    io::ErrorKind,
    net::Ipv4Addr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Long enough for what is under way on loopback to arrive, if it is under way at all.
const MOMENT: Duration = Duration::from_millis(100);

/// A server that says its name after each byte it is sent, until the test ends.
async fn server(name: &'static str) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while stream.read_u8().await.is_ok() {
                    _ = stream.write_all(name.as_bytes()).await;
                }
            });
        }
    });
    port
}

async fn connect(proxy: &Proxy) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()))
        .await
        .unwrap()
}

async fn send(stream: &mut TcpStream) {
    stream.write_all(b"?").await.unwrap();
}

/// The next `length` bytes.
async fn receive(stream: &mut TcpStream, length: usize) -> String {
    let mut bytes = vec![0; length];
    let read = timeout(PATIENCE, stream.read_exact(&mut bytes));
    read.await
        .expect("something comes")
        .expect("all of it comes");
    String::from_utf8(bytes).unwrap()
}

async fn ask(stream: &mut TcpStream, length: usize) -> String {
    send(stream).await;
    receive(stream, length).await
}

/// What is read until the end, and how it ends.
async fn rest(stream: &mut TcpStream) -> (String, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    let end = end.expect("the connection ends");
    (
        String::from_utf8(bytes).unwrap(),
        end.err().map(|error| error.kind()),
    )
}

async fn is_mute(stream: &mut TcpStream) -> bool {
    timeout(MOMENT, stream.read_u8()).await.is_err()
}

#[tokio::test]
async fn without_a_fault_everything_goes_through_and_is_counted() {
    let proxy = Proxy::start(server("echo").await).await;
    let (mut first, mut second) = (connect(&proxy).await, connect(&proxy).await);
    assert_eq!(ask(&mut first, 4).await, "echo");
    assert_eq!(ask(&mut second, 4).await, "echo");
    assert_eq!((proxy.accepted(), proxy.open()), (2, 2));
    drop((first, second));
    eventually("they are gone", async || match proxy.open() {
        0 => Ok(()),
        open => Err(open.to_string()),
    })
    .await;
}

#[tokio::test]
async fn refused_means_that_nobody_listens_and_open_connections_end() {
    let mut proxy = Proxy::start(server("echo").await).await;
    let mut open = connect(&proxy).await;
    ask(&mut open, 4).await;
    for _ in 0..3 {
        proxy.set(Fault::Refuse).await;
        let refused = TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(rest(&mut open).await, (String::new(), None));
        proxy.heal().await;
        open = connect(&proxy).await;
        assert_eq!(ask(&mut open, 4).await, "echo");
    }
}

#[tokio::test]
async fn reset_means_that_connections_old_and_new_break() {
    let mut proxy = Proxy::start(server("echo").await).await;
    let mut open = connect(&proxy).await;
    ask(&mut open, 4).await;
    proxy.set(Fault::Reset).await;
    let broken = (String::new(), Some(ErrorKind::ConnectionReset));
    assert_eq!(rest(&mut open).await, broken);
    // A new one may be broken before it is known to be there, or after.
    match TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port())).await {
        Ok(mut stream) => assert_eq!(rest(&mut stream).await, broken),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
    proxy.heal().await;
    assert_eq!(ask(&mut connect(&proxy).await, 4).await, "echo");
}

#[tokio::test]
async fn what_hangs_goes_on_where_it_was_and_what_is_half_open_never_does() {
    let mut proxy = Proxy::start(server("echo").await).await;
    for (fault, goes_on) in [(Fault::Hang, true), (Fault::HalfOpen, false)] {
        let mut open = connect(&proxy).await;
        ask(&mut open, 4).await;
        proxy.set(fault).await;
        send(&mut open).await;
        let mut late = connect(&proxy).await;
        send(&mut late).await;
        assert!(is_mute(&mut open).await && is_mute(&mut late).await);
        proxy.heal().await;
        if goes_on {
            assert_eq!(receive(&mut open, 4).await, "echo");
            assert_eq!(receive(&mut late, 4).await, "echo");
        } else {
            send(&mut open).await;
            assert!(is_mute(&mut open).await && is_mute(&mut late).await);
        }
        assert_eq!(ask(&mut connect(&proxy).await, 4).await, "echo");
    }
}

#[tokio::test]
async fn slow_is_late_and_no_faster_than_told() {
    let mut proxy = Proxy::start(server("0123456789012345678901234567890123456789").await).await;
    let delay = Duration::from_millis(100);
    let slow = |bytes_per_second| Fault::Slow {
        delay,
        bytes_per_second,
    };
    for (bytes_per_second, at_least) in [(100_000, 2 * delay), (100, Duration::from_millis(350))] {
        proxy.set(slow(bytes_per_second)).await;
        let started = Instant::now();
        ask(&mut connect(&proxy).await, 40).await;
        let took = started.elapsed();
        assert!(took >= at_least, "{took:?} at {bytes_per_second} B/s");
    }
}

#[tokio::test]
async fn a_cut_comes_after_so_many_bytes_of_replies() {
    let mut proxy = Proxy::start(server("echo").await).await;
    let mut open = connect(&proxy).await;
    ask(&mut open, 4).await;
    proxy.set(Fault::Cut { after: 6 }).await;
    for stream in [&mut open, &mut connect(&proxy).await] {
        send(stream).await;
        assert_eq!(receive(stream, 4).await, "echo");
        send(stream).await;
        assert_eq!(rest(stream).await, ("ec".to_owned(), None));
    }
    proxy.set(Fault::Cut { after: 0 }).await;
    let mut stream = connect(&proxy).await;
    send(&mut stream).await;
    assert_eq!(rest(&mut stream).await, (String::new(), None));
}

#[tokio::test]
async fn another_target_is_met_by_new_connections_and_old_ones_break() {
    let mut proxy = Proxy::start(server("first").await).await;
    let mut open = connect(&proxy).await;
    assert_eq!(ask(&mut open, 5).await, "first");
    proxy.retarget(server("other").await).await;
    assert_eq!(rest(&mut open).await.1, Some(ErrorKind::ConnectionReset));
    assert_eq!(ask(&mut connect(&proxy).await, 5).await, "other");
}

#[tokio::test]
async fn flapping_comes_and_goes_until_it_is_healed() {
    let mut proxy = Proxy::start_with(server("echo").await, Fault::Refuse).await;
    let flapping = proxy.flap(Fault::Refuse, MOMENT);
    let address = (Ipv4Addr::LOCALHOST, proxy.port());
    for _ in 0..2 {
        for wanted in [true, false] {
            eventually("it flaps", async || {
                let connected = TcpStream::connect(address).await.is_ok();
                (connected == wanted).then_some(()).ok_or_else(String::new)
            })
            .await;
        }
    }
    drop(flapping);
    proxy.heal().await;
    assert_eq!(ask(&mut connect(&proxy).await, 4).await, "echo");
}
