//! Listening, serving and stopping. Connections are driven here rather than by axum, whose server sets no timer: a
//! half-sent request would stay for ever, and a stop would wait for it.

mod connection;
mod pace;
mod stream;

use self::{
    connection::Protocols,
    pace::{Connections, Limits, Membership},
    stream::Stream,
};
use crate::{
    config::ServerConfig,
    layers::{Front, REQUEST_DEADLINE},
};
use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::task::TaskTracker;

/// How long to leave the listener alone when the system is out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often at most the log tells that.
const TELL_AGAIN: Duration = Duration::from_secs(10);
/// How long a client may keep a connection it does not use: longer than proxies keep theirs, so that they hang up first
/// and never send a request into a connection that is just being closed.
const IDLE: Duration = Duration::from_mins(2);
/// Connections that may wait to be accepted. One that finds no room tries again after a second, which looks like an outage.
const BACKLOG: u32 = 1024;
/// What a client beyond the last hears.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
#[error("failed to listen on {address} (BIND_ADDRESS, PORT)")]
pub struct ListenError {
    address: SocketAddr,
    source: io::Error,
}

/// Opens the port. Connections wait in its queue until [`serve`].
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    let open = || {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        // As the standard library does: connections of the process before must not keep the port.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    open().map_err(|source| ListenError { address, source })
}

/// Serves until SIGTERM or SIGINT, then drains: unready at once, still accepting for the delay (SIGTERM only: at a
/// terminal nobody routes traffic to us), then no more connections, and an end to those that outstay the deadline.
pub async fn serve(listener: TcpListener, front: Front, config: ServerConfig) {
    let mut signals = Signals::new();
    let server = Server::new(front, config);
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening");
    }
    let connections = server.connections.clone();
    let watch = tokio::spawn(async move { connections.watch().await });
    let delay = match server.accept_until(&listener, signals.next()).await {
        Signal::Terminate => config.drain_delay,
        Signal::Interrupt => Duration::ZERO,
    };
    let deadline = Instant::now() + config.drain_deadline;
    server.front.drain();
    tracing::info!("draining");
    server.accept_until(&listener, sleep(delay)).await;
    drop(listener);
    server.drain(deadline).await;
    watch.abort();
}

#[derive(Clone, Copy)]
enum Signal {
    Terminate,
    Interrupt,
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Self {
        let open = |kind| signal(kind).expect("the runtime has signals, and these may be caught");
        Self {
            terminate: open(SignalKind::terminate()),
            interrupt: open(SignalKind::interrupt()),
        }
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Interrupt,
        }
    }
}

struct Server {
    front: Front,
    protocols: Protocols,
    connections: Connections,
    most: usize,
    tasks: TaskTracker,
}

impl Server {
    fn new(front: Front, config: ServerConfig) -> Self {
        let head = config.header_deadline;
        let write = head * 3;
        let limits = Limits {
            head,
            write,
            // The body gets as long as the head.
            request: head + REQUEST_DEADLINE + write,
            idle: IDLE,
        };
        Self {
            connections: Connections::new(limits, front.metrics().clone()),
            front,
            protocols: Protocols::new(),
            most: config.connections,
            tasks: TaskTracker::new(),
        }
    }

    /// Accepts connections until `stop` is ready.
    async fn accept_until<T>(&self, listener: &TcpListener, stop: impl Future<Output = T>) -> T {
        let mut stop = pin!(stop);
        let mut told: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                stopped = &mut stop => return stopped,
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => self.start(socket),
                    // The peer is gone already, or the system is out of files: neither lasts.
                    Err(error) => {
                        if told.is_none_or(|told| told.elapsed() > TELL_AGAIN) {
                            tracing::warn!(%error, "failed to accept a connection");
                            told = Some(Instant::now());
                        }
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    fn start(&self, socket: TcpStream) {
        if self.connections.len() >= self.most {
            // Turned away rather than left in the queue: a load balancer knows at once, and tries elsewhere.
            self.front.metrics().connection_refused();
            _ = socket.try_write(FULL);
            return;
        }
        _ = socket.set_nodelay(true);
        let membership = self.connections.join();
        let pace = Arc::clone(membership.pace());
        let stream = Stream::new(socket, Arc::clone(&pace));
        let serving = self
            .protocols
            .clone()
            .serve(stream, self.front.clone(), membership);
        Membership::task(&pace, self.tasks.spawn(serving).abort_handle());
    }

    /// Lets requests in hand finish, then cuts what is left.
    async fn drain(self, deadline: Instant) {
        self.tasks.close();
        self.connections.stop();
        if timeout_at(deadline, self.tasks.wait()).await.is_err() {
            tracing::warn!(
                connections = self.connections.len(),
                "drain deadline reached, closing what is left"
            );
            self.connections.cut();
            self.tasks.wait().await;
        }
    }
}
