//! A client that sends a path exactly as it is written, many of them on one connection: libraries tidy paths up, and the
//! untidy ones are what is tested.

use anyhow::{Context, Result, bail, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

/// What a client trusts.
#[derive(Clone)]
pub(crate) struct Authority(Arc<RootCertStore>);

/// An HTTP/1.1 connection that stays open between requests.
pub(crate) struct Connection(BufReader<Box<dyn Stream>>);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    /// The body as text; what is none is lost.
    pub(crate) body: String,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Authority {
    /// Trusts the certificates of a PEM text and nothing else.
    pub(crate) fn from_pem(text: &str) -> Result<Self> {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(text.as_bytes()) {
            store.add(certificate?)?;
        }
        ensure!(
            !store.is_empty(),
            "there is no certificate in the authority's file"
        );
        Ok(Self(Arc::new(store)))
    }
}

impl Connection {
    /// Connects to a port of this machine in clear text.
    pub(crate) fn plain(port: u16) -> Result<Self> {
        Ok(Self(BufReader::new(Box::new(dial(port)?))))
    }

    /// Connects to a port of this machine over TLS, and checks that whoever answers may do so for `host`.
    pub(crate) fn tls(port: u16, host: &str, authority: &Authority) -> Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(&authority.0))
            .with_no_client_auth();
        let name = ServerName::try_from(host.to_owned())?;
        let mut client = ClientConnection::new(Arc::new(config), name)?;
        let mut stream = dial(port)?;
        while client.is_handshaking() {
            client.complete_io(&mut stream).context("TLS handshake")?;
        }
        Ok(Self(BufReader::new(Box::new(StreamOwned::new(
            client, stream,
        )))))
    }

    /// Asks for a path.
    pub(crate) fn get(&mut self, host: &str, target: &str) -> Result<Response> {
        self.request("GET", host, target)
    }

    /// Sends a request line as it is given.
    pub(crate) fn request(&mut self, method: &str, host: &str, target: &str) -> Result<Response> {
        self.send(method, host, target, "", "")
    }

    /// Asks for a path with one more header, `Name: value`.
    pub(crate) fn get_with(&mut self, host: &str, target: &str, header: &str) -> Result<Response> {
        self.send("GET", host, target, &format!("{header}\r\n"), "")
    }

    /// Asks for a path as somebody, `name:password`.
    pub(crate) fn get_as(
        &mut self,
        host: &str,
        target: &str,
        credentials: Option<&str>,
    ) -> Result<Response> {
        let header = credentials.map_or_else(String::new, |credentials| {
            format!("Authorization: Basic {}\r\n", STANDARD.encode(credentials))
        });
        self.send("GET", host, target, &header, "")
    }

    /// Sends JSON.
    pub(crate) fn post(
        &mut self,
        host: &str,
        target: &str,
        body: &serde_json::Value,
    ) -> Result<Response> {
        let kind = "Content-Type: application/json\r\n";
        self.send("POST", host, target, kind, &body.to_string())
    }

    fn send(
        &mut self,
        method: &str,
        host: &str,
        target: &str,
        headers: &str,
        body: &str,
    ) -> Result<Response> {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.get_mut().write_all(request.as_bytes())?;
        self.0.get_mut().flush()?;
        self.read_response(method)
            .with_context(|| format!("{method} {target}"))
    }

    fn read_response(&mut self, method: &str) -> Result<Response> {
        let status_line = self.read_line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("not a status line: {status_line:?}"))?;
        let mut headers = Vec::new();
        loop {
            let line = self.read_line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line
                .split_once(':')
                .with_context(|| format!("not a header: {line:?}"))?;
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut response = Response {
            status,
            headers,
            body: String::new(),
        };
        let bodiless = method == "HEAD" || status == 204 || status == 304;
        let body = if bodiless {
            Vec::new()
        } else {
            self.read_body(&response)?
        };
        response.body = String::from_utf8_lossy(&body).into_owned();
        Ok(response)
    }

    fn read_body(&mut self, response: &Response) -> Result<Vec<u8>> {
        if response.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            loop {
                let size = self.read_line()?;
                let chunk = self.read_exactly(usize::from_str_radix(&size, 16)?)?;
                ensure!(
                    self.read_line()?.is_empty(),
                    "a chunk does not end where it says"
                );
                if chunk.is_empty() {
                    return Ok(body);
                }
                body.extend(chunk);
            }
        }
        let length = response
            .header("content-length")
            .context("neither a length nor chunks")?;
        self.read_exactly(length.parse()?)
    }

    fn read_exactly(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            bail!("the connection was closed");
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
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

    /// The body as JSON, if the status is 200.
    pub(crate) fn json(&self) -> Result<serde_json::Value> {
        ensure!(self.status == 200, "status {}: {}", self.status, self.body);
        Ok(serde_json::from_str(&self.body)?)
    }
}

fn dial(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect(("127.0.0.1", port))
        .with_context(|| format!("connecting to port {port}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    Ok(stream)
}
