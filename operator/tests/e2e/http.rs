//! An HTTP/1.1 client that sends a path as it is written, and several of them over one connection: libraries tidy paths up,
//! and the untidy ones are what is tested.

use anyhow::{Context, Result, ensure};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring, pki_types::ServerName,
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(10);

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection that stays open between requests.
pub(crate) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    host: String,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: String,
    headers: Vec<(String, String)>,
}

impl Connection {
    /// Connects in clear text.
    pub(crate) fn plain(address: SocketAddr, host: &str) -> Result<Self> {
        Ok(Self::over(Box::new(dial(address)?), host))
    }

    /// Connects over TLS and checks that a certificate under `roots` says that this is `host`.
    pub(crate) fn tls(address: SocketAddr, host: &str, roots: RootCertStore) -> Result<Self> {
        Self::tls_over(dial(address)?, host, roots)
    }

    /// The same over a connection that is there.
    pub(crate) fn tls_over(mut tcp: TcpStream, host: &str, roots: RootCertStore) -> Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut session =
            ClientConnection::new(Arc::new(config), ServerName::try_from(host.to_owned())?)?;
        while session.is_handshaking() {
            session
                .complete_io(&mut tcp)
                .with_context(|| format!("TLS handshake for {host}"))?;
        }
        Ok(Self::over(Box::new(StreamOwned::new(session, tcp)), host))
    }

    /// Asks for a path.
    pub(crate) fn get(&mut self, path: &str) -> Result<Response> {
        self.get_with(path, "")
    }

    /// Asks for a path, with these lines of headers, each ended.
    pub(crate) fn get_with(&mut self, path: &str, headers: &str) -> Result<Response> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\n{headers}\r\n",
            self.host
        );
        self.exchange(&request)
            .with_context(|| format!("GET {path}"))
    }

    /// Sends JSON.
    pub(crate) fn post(&mut self, path: &str, body: &serde_json::Value) -> Result<Response> {
        let body = body.to_string();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        );
        self.exchange(&request)
            .with_context(|| format!("POST {path}"))
    }

    fn over(stream: Box<dyn Stream>, host: &str) -> Self {
        Self {
            stream: BufReader::new(stream),
            host: host.to_owned(),
        }
    }

    fn exchange(&mut self, request: &str) -> Result<Response> {
        self.stream.get_mut().write_all(request.as_bytes())?;
        self.stream.get_mut().flush()?;
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        let mut response = Response {
            status: status.with_context(|| format!("not an HTTP answer: {status_line:?}"))?,
            body: String::new(),
            headers: Vec::new(),
        };
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else {
                ensure!(line.is_empty(), "not a header: {line:?}");
                break;
            };
            response
                .headers
                .push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let body = if response.header("transfer-encoding") == Some("chunked") {
            self.chunks()?
        } else {
            self.bytes(response.header("content-length").unwrap_or("0").parse()?)?
        };
        // What is compressed is no text, and nobody looks for any in it.
        response.body = String::from_utf8_lossy(&body).into_owned();
        Ok(response)
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = usize::from_str_radix(&self.line()?, 16).context("not a chunk's size")?;
            body.extend(self.bytes(size)?);
            self.line()?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    fn bytes(&mut self, count: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(
            self.stream.read_line(&mut line)? > 0,
            "the server closed the connection"
        );
        Ok(line.trim_end().to_owned())
    }
}

impl Response {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

fn dial(address: SocketAddr) -> Result<TcpStream> {
    let tcp = TcpStream::connect_timeout(&address, PATIENCE)
        .with_context(|| format!("connecting to {address}"))?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.set_write_timeout(Some(PATIENCE))?;
    Ok(tcp)
}
