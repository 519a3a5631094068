//! Where alerts arrive in the tests: a web hook and a mail server, on every address of this machine.

use anyhow::{Context, Result};
use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// What has come, as text.
type Received = Arc<Mutex<Vec<String>>>;

/// Takes what is posted to it.
pub(crate) struct Webhook {
    pub(crate) port: u16,
    bodies: Received,
}

/// Takes mail for everybody.
pub(crate) struct Mailbox {
    pub(crate) port: u16,
    mails: Received,
}

impl Webhook {
    pub(crate) fn start() -> Result<Self> {
        let (port, bodies) = listen(post)?;
        Ok(Self { port, bodies })
    }

    /// Whether a group with this status and this alert in it has come.
    pub(crate) fn got(&self, alert: &str, status: &str) -> bool {
        let bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        bodies.iter().any(|body| {
            let group: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
            group["status"] == status && group["alerts"].to_string().contains(alert)
        })
    }
}

impl Mailbox {
    pub(crate) fn start() -> Result<Self> {
        let (port, mails) = listen(mail)?;
        Ok(Self { port, mails })
    }

    /// Whether a mail whose subject has both words has come.
    pub(crate) fn got(&self, alert: &str, status: &str) -> bool {
        let mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = |line: &str| {
            let line = line.to_ascii_lowercase();
            line.starts_with("subject:")
                && line.contains(&alert.to_ascii_lowercase())
                && line.contains(status)
        };
        mails.iter().any(|mail| mail.lines().any(wanted))
    }
}

/// Serves each connection by a thread of its own, for as long as the process lives.
fn listen(serve: fn(TcpStream) -> Result<String>) -> Result<(u16, Received)> {
    let listener = TcpListener::bind("0.0.0.0:0")?;
    let port = listener.local_addr()?.port();
    let received = Received::default();
    let all = Arc::clone(&received);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let all = Arc::clone(&all);
            thread::spawn(move || {
                let limit = Some(Duration::from_secs(10));
                if stream.set_read_timeout(limit).is_ok()
                    && let Ok(text) = serve(stream)
                {
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.push(text);
                }
            });
        }
    });
    Ok((port, received))
}

/// One HTTP request; its body.
fn post(stream: TcpStream) -> Result<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let line = line(&mut reader)?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    reader
        .get_mut()
        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(String::from_utf8(body)?)
}

/// One mail, by as much of SMTP as it takes.
fn mail(stream: TcpStream) -> Result<String> {
    let mut reader = BufReader::new(stream);
    say(&mut reader, "220 sink.test")?;
    loop {
        let command = line(&mut reader)?.to_ascii_uppercase();
        match command.split([' ', ':']).next().unwrap_or_default() {
            "EHLO" | "HELO" | "MAIL" | "RCPT" | "NOOP" | "RSET" => {
                say(&mut reader, "250 sink.test")?;
            }
            "DATA" => break,
            _ => say(&mut reader, "502 not here")?,
        }
    }
    say(&mut reader, "354 go on")?;
    let mut mail = String::new();
    loop {
        let line = line(&mut reader)?;
        if line == "." {
            break;
        }
        mail.push_str(&line);
        mail.push('\n');
    }
    say(&mut reader, "250 taken")?;
    Ok(mail)
}

fn say(reader: &mut BufReader<TcpStream>, line: &str) -> Result<()> {
    Ok(reader
        .get_mut()
        .write_all(format!("{line}\r\n").as_bytes())?)
}

fn line(reader: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    let read = reader.read_line(&mut line)?;
    (read > 0).then_some(()).context("the connection ended")?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}
