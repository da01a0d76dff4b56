//! A lean HTTP client: one connection that stays open, and requests as bytes that are made beforehand.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// A connection to a server on this machine.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

/// A complete answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The JSON of an answer that says yes.
    pub(crate) fn json(&self) -> Result<Value> {
        self.expect_success()?;
        serde_json::from_slice(&self.body).context("the answer is no JSON")
    }

    pub(crate) fn expect_success(&self) -> Result<()> {
        let text = || String::from_utf8_lossy(&self.body);
        let is_success = (200..300).contains(&self.status);
        ensure!(is_success, "answer {}: {}", self.status, text());
        Ok(())
    }
}

/// The bytes of a request; with a body it is a POST.
pub(crate) fn request(path: &str, token: Option<&str>, body: Option<&Value>) -> Vec<u8> {
    let method = if body.is_some() { "POST" } else { "GET" };
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    if let Some(token) = token {
        text += &format!("Authorization: Bearer {token}\r\n");
    }
    match body {
        Some(body) => {
            let body = body.to_string();
            let length = body.len();
            text += "Content-Type: application/json\r\n";
            text += &format!("Content-Length: {length}\r\n\r\n{body}");
        }
        None => text += "\r\n",
    }
    text.into_bytes()
}

impl Client {
    pub(crate) fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            stream,
            received: Vec::with_capacity(64 * 1024),
        })
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Answer> {
        self.stream.write_all(request)?;
        self.received.clear();
        let head = loop {
            if let Some(end) = find(&self.received, b"\r\n\r\n") {
                break end + 4;
            }
            self.receive()?;
        };
        let text = std::str::from_utf8(&self.received[..head])?;
        let status = text.get(9..12).and_then(|it| it.parse().ok());
        let status = status.context("no status")?;
        let length = content_length(text)?;
        while self.received.len() < head + length {
            self.receive()?;
        }
        Ok(Answer {
            status,
            body: self.received[head..head + length].to_vec(),
        })
    }

    fn receive(&mut self) -> Result<()> {
        let mut part = [0; 16 * 1024];
        let length = self.stream.read(&mut part)?;
        ensure!(length > 0, "the server hung up");
        self.received.extend_from_slice(&part[..length]);
        Ok(())
    }
}

fn content_length(head: &str) -> Result<usize> {
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(value.trim().parse()?);
        }
    }
    bail!("an answer without length: {head}")
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|it| it == part)
}
