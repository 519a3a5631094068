//! As much HTTP/1.1 as a load generator needs: one request at a time on a connection, answers with a length.

use anyhow::{Context, Result, bail, ensure};

/// The bytes of `GET path`.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n").into_bytes()
}

/// Collects the bytes of one answer after the other.
#[derive(Default)]
pub(crate) struct Answers {
    bytes: Vec<u8>,
    /// Where the head ends and where the whole answer ends, once the head is there.
    extent: Option<(usize, usize)>,
}

impl Answers {
    /// Takes what arrived; tells the body once the answer is whole. An answer other than 200 is an error.
    pub(crate) fn take<T>(
        &mut self,
        bytes: &[u8],
        done: impl FnOnce(&str) -> T,
    ) -> Result<Option<T>> {
        self.bytes.extend_from_slice(bytes);
        if self.extent.is_none() {
            self.extent = extent(&self.bytes)?;
        }
        let Some((head, end)) = self.extent else {
            return Ok(None);
        };
        ensure!(self.bytes.len() <= end, "more bytes than the answer has");
        if self.bytes.len() < end {
            return Ok(None);
        }
        let body = self.bytes.get(head..).unwrap_or_default();
        let told = done(std::str::from_utf8(body).context("the answer is no text")?);
        self.bytes.clear();
        self.extent = None;
        Ok(Some(told))
    }
}

/// Where the head and the answer end, if the head is complete.
fn extent(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = std::str::from_utf8(bytes.get(..head).unwrap_or_default())?;
    let mut lines = text.lines();
    let status = lines.next().unwrap_or_default();
    ensure!(
        status.starts_with("HTTP/1.1 200"),
        "the answer is not 200: {}",
        String::from_utf8_lossy(bytes)
    );
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            let length: usize = value.trim().parse().context("content-length")?;
            return Ok(Some((head + 4, head + 4 + length)));
        }
    }
    bail!("the answer tells no content-length:\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody";

    #[test]
    fn an_answer_is_whole_however_it_is_cut() {
        for cut in 0..ANSWER.len() {
            let mut answers = Answers::default();
            let (first, second) = ANSWER.split_at(cut);
            assert_eq!(answers.take(first, str::to_owned).unwrap(), None, "{cut}");
            let body = answers.take(second, str::to_owned).unwrap();
            assert_eq!(body.as_deref(), Some("body"), "{cut}");
            let again = answers.take(ANSWER, str::to_owned).unwrap();
            assert_eq!(again.as_deref(), Some("body"), "{cut}, the next one");
        }
    }

    #[test]
    fn what_is_not_a_200_with_a_length_is_an_error() {
        for answer in [
            "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
        ] {
            let mut answers = Answers::default();
            assert!(answers.take(answer.as_bytes(), |_| ()).is_err(), "{answer}");
        }
    }
}
