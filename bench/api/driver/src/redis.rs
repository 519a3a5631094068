//! The two commands that the driver sends to Redis.

use anyhow::{Context, Result, bail, ensure};
use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

/// A connection.
pub(crate) struct Redis {
    stream: BufReader<TcpStream>,
}

impl Redis {
    /// Connects and gives the password.
    pub(crate) fn connect(host: &str, port: u16, password: &str) -> Result<Self> {
        let stream = TcpStream::connect((host, port)).context("failed to connect to Redis")?;
        stream.set_nodelay(true)?;
        let mut redis = Self {
            stream: BufReader::new(stream),
        };
        ensure!(
            redis.command(&["AUTH", password])? == "+OK",
            "Redis refuses the password"
        );
        Ok(redis)
    }

    /// Removes a key; tells whether it was there.
    pub(crate) fn delete(&mut self, key: &str) -> Result<bool> {
        match self.command(&["DEL", key])?.as_str() {
            ":0" => Ok(false),
            ":1" => Ok(true),
            other => bail!("Redis answered {other:?} to DEL"),
        }
    }

    /// Sends a command whose answer is one line.
    fn command(&mut self, words: &[&str]) -> Result<String> {
        let mut command = format!("*{}\r\n", words.len());
        for word in words {
            write!(command, "${}\r\n{word}\r\n", word.len())?;
        }
        self.stream.get_mut().write_all(command.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        ensure!(line.ends_with("\r\n"), "Redis closed the connection");
        Ok(line.trim_end().to_owned())
    }
}
