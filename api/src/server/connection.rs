//! One connection: its protocol, its limits, its requests.

use super::{
    pace::{InFlight, Membership, Pace},
    stream::{Protocol, Stream},
};
use crate::layers::Front;
use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Request, Response, Version, header},
};
use futures::future::{BoxFuture, Either};
use hyper::{
    body::{Body as HttpBody, Frame, Incoming, SizeHint},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::{
    convert::Infallible,
    future::{Future, Ready, poll_fn},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

/// A head at most, request line included; longer ones are answered 431. Also what is kept of an answer that the client
/// does not take.
const LARGEST_HEAD: usize = 32 * 1024;
/// Streams of one HTTP/2 connection at once; browsers and proxies want about 100.
const STREAMS: u32 = 128;
/// Streams that the client gave up before we saw them, and those we reset: more end the connection (rapid reset).
const RESET_STREAMS: usize = 20;
const REFUSED_STREAMS: usize = 100;
/// What a client may send ahead: a body of the usual size on a stream, and a few of them on a connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// A peer of HTTP/2 that is gone without a word is asked now and then.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_DEADLINE: Duration = Duration::from_secs(10);

/// How connections of either protocol are served. Neither has a timer of its own on requests: `pace` watches.
#[derive(Clone)]
pub(super) struct Protocols {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
}

impl Protocols {
    pub(super) fn new() -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .header_read_timeout(None)
            .max_buf_size(LARGEST_HEAD)
            .writev(false);
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_pending_accept_reset_streams(RESET_STREAMS)
            .max_local_error_reset_streams(REFUSED_STREAMS)
            .max_header_list_size(16 * 1024)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(256 * 1024)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_DEADLINE);
        Self { http1, http2 }
    }

    /// Serves a client until it or the server has had enough.
    pub(super) async fn serve(self, mut stream: Stream, front: Front, membership: Membership) {
        let pace = Arc::clone(membership.pace());
        let protocol = match stream.protocol().await {
            Ok(Some(protocol)) => protocol,
            Ok(None) => return,
            Err(error) => {
                tracing::debug!(%error, "connection ended before a request");
                return;
            }
        };
        let stream = TokioIo::new(stream);
        let requests = Arc::clone(&pace);
        let service = service_fn(move |request| answer(&front, request, requests.begin()));
        let ended = match protocol {
            Protocol::Http1 => {
                let mut connection = pin!(self.http1.serve_connection(stream, service));
                drive(&pace, |context, stop| {
                    if stop {
                        connection.as_mut().graceful_shutdown();
                    }
                    connection.as_mut().poll(context)
                })
                .await
            }
            Protocol::Http2 => {
                pace.multiplexes();
                let mut connection = pin!(self.http2.serve_connection(stream, service));
                drive(&pace, |context, stop| {
                    if stop {
                        connection.as_mut().graceful_shutdown();
                    }
                    connection.as_mut().poll(context)
                })
                .await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended early");
        }
    }
}

/// Polls a connection to its end; `stop` is true once, when it should end gracefully.
async fn drive(
    pace: &Pace,
    mut poll: impl FnMut(&mut Context<'_>, bool) -> Poll<hyper::Result<()>>,
) -> hyper::Result<()> {
    let mut registered = false;
    let mut told = false;
    poll_fn(|context| {
        // A task keeps its waker: once is enough.
        if !registered {
            pace.woken_by(context.waker());
            registered = true;
        }
        let stop = !told && pace.stopping();
        told |= stop;
        poll(context, stop)
    })
    .await
}

type Answered = Result<Response<Answer>, Infallible>;

/// What can be answered at once needs no future of its own; what cannot is worth a box.
fn answer(
    front: &Front,
    request: Request<Incoming>,
    in_flight: InFlight,
) -> Either<Ready<Answered>, BoxFuture<'static, Answered>> {
    let request = request.map(|body| Asked::new(body, &in_flight));
    let hop = request.version() <= Version::HTTP_11;
    // A length beside it was ignored, as it must be; and then the connection must end (RFC 9112 §6.3).
    let chunked = hop && request.headers().contains_key(header::TRANSFER_ENCODING);
    // Clients of a server that drains look for another one by themselves, before this one hangs up.
    let finish = move |mut response: Response<Body>, draining: bool| {
        // Nobody reads the rest of a body that was refused: without this word a client would send its next request here.
        if hop && (chunked || draining || in_flight.pace().left_unread()) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        Ok(response.map(|body| Answer {
            body,
            _in_flight: in_flight,
        }))
    };
    match front.answer(request) {
        Either::Left(response) => {
            Either::Left(std::future::ready(finish(response, front.draining())))
        }
        Either::Right(answering) => {
            let front = front.clone();
            Either::Right(Box::pin(async move {
                let response = answering.await;
                finish(response, front.draining())
            }))
        }
    }
}

/// A request's body, which tells the connection's pace when it was read to its end.
struct Asked {
    body: Incoming,
    pace: Option<Arc<Pace>>,
}

impl Asked {
    fn new(body: Incoming, in_flight: &InFlight) -> Self {
        let pace = (!body.is_end_stream()).then(|| Arc::clone(in_flight.pace()));
        if let Some(pace) = &pace {
            pace.body_begins();
        }
        Self { body, pace }
    }
}

impl HttpBody for Asked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let ended = frame.is_none() || self.body.is_end_stream();
        if ended
            && !matches!(frame, Some(Err(_)))
            && let Some(pace) = self.pace.take()
        {
            pace.body_ended();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body; the request is over when it is handed over.
struct Answer {
    body: Body,
    _in_flight: InFlight,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
