//! A client's socket that notes the client's pace, and the telling apart of HTTP/1.1 and HTTP/2.

use super::pace::Pace;
use std::{
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// What a client of HTTP/2 says first (RFC 9113 §3.4). No request of HTTP/1.1 begins so.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// The socket, and what was read of it to know the protocol.
pub(super) struct Stream {
    socket: TcpStream,
    pace: Arc<Pace>,
    first: [u8; PREFACE.len()],
    /// How much of `first` is there, and how much of that was read again.
    length: usize,
    replayed: usize,
    /// The client has said its last.
    ended: bool,
    /// We have said ours.
    shut: bool,
}

impl Stream {
    pub(super) fn new(socket: TcpStream, pace: Arc<Pace>) -> Self {
        Self {
            socket,
            pace,
            first: [0; PREFACE.len()],
            length: 0,
            replayed: 0,
            ended: false,
            shut: false,
        }
    }

    /// Reads until the protocol is known: one byte tells, nearly always. `None` when the client has gone or the server
    /// stops before anything was said. Whoever is slow here is ended like whoever is slow with a head.
    pub(super) async fn protocol(&mut self) -> io::Result<Option<Protocol>> {
        loop {
            if let Some(protocol) = spoken(self.first.get(..self.length).unwrap_or_default()) {
                return Ok(Some(protocol));
            }
            let read = poll_fn(|context| {
                self.pace.woken_by(context.waker());
                if self.pace.stopping() && self.length == 0 {
                    return Poll::Ready(Ok(0));
                }
                let mut buffer =
                    ReadBuf::new(self.first.get_mut(self.length..).unwrap_or_default());
                ready!(pin!(&mut self.socket).poll_read(context, &mut buffer))?;
                Poll::Ready(io::Result::Ok(buffer.filled().len()))
            })
            .await?;
            if read == 0 {
                return Ok(None);
            }
            self.length += read;
            self.pace.read();
        }
    }
}

/// The protocol of a client that has said this much, when that can be told.
fn spoken(said: &[u8]) -> Option<Protocol> {
    if said.is_empty() {
        None
    } else if said == PREFACE {
        Some(Protocol::Http2)
    } else if PREFACE.starts_with(said) {
        None
    } else {
        Some(Protocol::Http1)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if let Some(left @ [_, ..]) = this.first.get(this.replayed..this.length) {
            let now = left.len().min(buffer.remaining());
            buffer.put_slice(left.get(..now).unwrap_or_default());
            this.replayed += now;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.socket).poll_read(context, buffer))?;
        if buffer.filled().len() > before {
            this.pace.read();
        } else if buffer.remaining() > 0 {
            this.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

/// Not vectored: answers are short, and one buffer is cheaper to send than two.
impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        if written.is_pending() {
            self.pace.blocked();
        }
        written
    }

    /// Called when everything was written.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pace.flushed();
        Pin::new(&mut self.socket).poll_flush(context)
    }

    /// Says that no more will come. To close a socket while bytes arrive that nobody read resets it, and the reset may
    /// overtake the answer that told the client what was wrong: so the rest of what was refused is read and dropped, until
    /// the client ends. For as long as it may take to read the answer, which is what it is given the time for.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.shut {
            ready!(Pin::new(&mut this.socket).poll_shutdown(context))?;
            this.shut = true;
            if this.pace.left_unread() || this.pace.left_unparsed() {
                this.pace.blocked();
            } else {
                this.ended = true;
            }
        }
        while !this.ended {
            let mut dropped = [MaybeUninit::uninit(); 4096];
            let mut buffer = ReadBuf::uninit(&mut dropped);
            let read = ready!(Pin::new(&mut this.socket).poll_read(context, &mut buffer));
            this.ended = read.is_err() || buffer.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_is_known_as_soon_as_it_can_be() {
        for (said, protocol) in [
            (&b""[..], None),
            (b"G", Some(Protocol::Http1)),
            (b"\r\n", Some(Protocol::Http1)),
            (b"P", None),
            (b"PR", None),
            (b"PO", Some(Protocol::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r", None),
            (b"PRI * HTTP/1.1\r\n", Some(Protocol::Http1)),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Some(Protocol::Http2)),
        ] {
            assert_eq!(spoken(said), protocol, "{}", said.escape_ascii());
        }
    }
}
