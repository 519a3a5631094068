//! Listening, serving and stopping. Connections are driven here rather than by axum, whose server sets no timer: a
//! half-sent request would stay for ever, and a stop would wait for it.

use crate::{config::ServerConfig, health::Health};
use axum::{Router, body::Body, extract::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use std::{future::Future, io, net::SocketAddr, pin::pin, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tower::ServiceExt;

/// How long to leave the listener alone when the system is out of files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    };
    open().map_err(|source| ListenError { address, source })
}

/// Serves until SIGTERM or SIGINT, then drains: unready at once, still accepting for the delay (SIGTERM only: at a
/// terminal nobody routes traffic to us), then no more connections, and an end to those that outstay the deadline.
pub async fn serve(listener: TcpListener, router: Router, health: &Health, config: ServerConfig) {
    let mut signals = Signals::new();
    let mut connections = Connections::new(router, config);
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening");
    }
    let delay = match connections.accept_until(&listener, signals.next()).await {
        Signal::Terminate => config.drain_delay,
        Signal::Interrupt => Duration::ZERO,
    };
    let deadline = Instant::now() + config.drain_deadline;
    health.drain();
    tracing::info!("draining");
    connections.accept_until(&listener, sleep(delay)).await;
    drop(listener);
    connections.drain(deadline).await;
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

/// The open connections.
struct Connections {
    router: Router,
    builder: http1::Builder,
    graceful: GracefulShutdown,
    tasks: JoinSet<()>,
}

impl Connections {
    fn new(router: Router, config: ServerConfig) -> Self {
        // HTTP/1 only: telling the versions apart waits for the first bytes without a limit, and no proxy of ours speaks
        // HTTP/2 in clear text.
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(config.header_deadline);
        Self {
            router,
            builder,
            graceful: GracefulShutdown::new(),
            tasks: JoinSet::new(),
        }
    }

    /// Accepts connections until `stop` is ready.
    async fn accept_until<T>(
        &mut self,
        listener: &TcpListener,
        stop: impl Future<Output = T>,
    ) -> T {
        let mut stop = pin!(stop);
        loop {
            tokio::select! {
                biased;
                stopped = &mut stop => return stopped,
                Some(_) = self.tasks.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => self.start(stream),
                    // The peer is gone already, or the system is out of files: neither lasts.
                    Err(error) => {
                        tracing::warn!(%error, "failed to accept a connection");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
    }

    fn start(&mut self, stream: TcpStream) {
        _ = stream.set_nodelay(true);
        let router = self.router.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            router.clone().oneshot(request.map(Body::new))
        });
        let connection = self.builder.serve_connection(TokioIo::new(stream), service);
        let connection = self.graceful.watch(connection);
        self.tasks.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "connection ended early");
            }
        });
    }

    /// Lets requests in hand finish, then cuts what is left.
    async fn drain(mut self, deadline: Instant) {
        if timeout_at(deadline, self.graceful.shutdown())
            .await
            .is_err()
        {
            tracing::warn!(
                connections = self.tasks.len(),
                "drain deadline reached, closing what is left"
            );
        }
        self.tasks.shutdown().await;
    }
}
