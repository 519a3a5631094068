//! Clients that send half of something, each in its way.

use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// What a client's system takes for it while it does not read: little, or the server would be busy for long before it
/// notices that nobody reads.
const UNREAD: u32 = 4096;

/// A way to dawdle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dawdler {
    /// Connects and says nothing.
    Silent,
    /// Sends half of a request's head.
    HalfHead,
    /// Sends a head, and half of the body that it announces.
    HalfBody,
    /// Sends half of what a client of HTTP/2 says first.
    HalfPreface,
    /// Greets in HTTP/2, and begins a frame that never ends.
    HalfFrame,
    /// Asks and asks, and reads no answer.
    Deaf,
}

impl Dawdler {
    pub(super) const KINDS: [Self; 6] = [
        Self::Silent,
        Self::HalfHead,
        Self::HalfBody,
        Self::HalfPreface,
        Self::HalfFrame,
        Self::Deaf,
    ];

    /// The kinds of a crowd, again and again. Few are deaf: each has the server fill its buffers first.
    pub(super) fn crowd() -> impl Iterator<Item = Self> {
        let most = Self::KINDS.into_iter().filter(|kind| *kind != Self::Deaf);
        let most = most.collect::<Vec<_>>().repeat(4);
        most.into_iter()
            .chain([Self::Deaf])
            .collect::<Vec<_>>()
            .into_iter()
            .cycle()
    }

    fn sends(self) -> &'static [u8] {
        match self {
            Self::Silent => b"",
            Self::HalfHead => b"GET /health HTTP/1.1\r\nhost: api\r\nx-half: ",
            Self::HalfBody => {
                b"POST /api/items HTTP/1.1\r\nhost: api\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"name\":"
            }
            Self::HalfPreface => b"PRI * HTTP/2.0\r\n\r\nS",
            // The preface, and five of the nine bytes of a SETTINGS frame's head.
            Self::HalfFrame => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00",
            Self::Deaf => b"GET /openapi.json HTTP/1.1\r\nhost: api\r\n\r\n",
        }
    }

    pub(super) async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(UNREAD)?;
        socket.connect(address).await
    }

    /// Dawdles until the server hangs up.
    pub(super) async fn dawdle(self, mut stream: TcpStream) {
        if self == Self::Deaf {
            // More than fits between the two; then, now and then, another one: that is how it learns of the end.
            let many = self.sends().repeat(64);
            let mut sent = stream.write_all(&many).await;
            while sent.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
                sent = stream.write_all(self.sends()).await;
            }
            return;
        }
        // What ends badly has ended too.
        _ = stream.write_all(self.sends()).await;
        let mut answer = [0; 1024];
        while stream
            .read(&mut answer)
            .await
            .is_ok_and(|length| length > 0)
        {}
    }
}
