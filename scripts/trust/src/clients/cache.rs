//! Redis as anybody on its port sees it: commands and answers as bytes, no library of the product's.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(30);

/// A connection.
#[derive(Debug)]
pub struct Cache {
    stream: BufReader<TcpStream>,
}

/// What Redis answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Bytes(Vec<u8>),
    Number(i64),
    List(Vec<Reply>),
    Nothing,
    Error(String),
}

impl Reply {
    /// The bytes, if it is some.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The list, empty if it is none.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            _ => &[],
        }
    }

    /// The number, also where it is written as text; none if it is neither.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => u64::try_from(*number).ok(),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            _ => None,
        }
    }
}

impl Cache {
    /// Connects to the server on this port.
    pub async fn connect(port: u16) -> Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Asks one thing.
    pub async fn ask(&mut self, words: &[&[u8]]) -> Result<Reply> {
        let mut replies = self.ask_all(&[words.to_vec()]).await?;
        match replies.pop() {
            Some(Reply::Error(error)) => bail!("redis: {error}"),
            Some(reply) => Ok(reply),
            None => bail!("redis says nothing"),
        }
    }

    /// Asks many things at once; errors are among the answers.
    pub async fn ask_all(&mut self, commands: &[Vec<&[u8]>]) -> Result<Vec<Reply>> {
        let mut bytes = Vec::new();
        for words in commands {
            bytes.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
            for word in words {
                bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
                bytes.extend_from_slice(word);
                bytes.extend_from_slice(b"\r\n");
            }
        }
        self.stream.get_mut().write_all(&bytes).await?;
        let mut replies = Vec::with_capacity(commands.len());
        for _ in commands {
            replies.push(timeout(PATIENCE, self.read()).await??);
        }
        Ok(replies)
    }

    async fn read(&mut self) -> Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line).await?;
        let (kind, rest) = line
            .trim_end()
            .split_at_checked(1)
            .context("redis closed the connection")?;
        Ok(match kind {
            "+" => Reply::Bytes(rest.as_bytes().to_vec()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Number(rest.parse()?),
            "$" => match usize::try_from(rest.parse::<i64>()?) {
                Ok(length) => {
                    let mut bytes = vec![0; length + 2];
                    self.stream.read_exact(&mut bytes).await?;
                    bytes.truncate(length);
                    Reply::Bytes(bytes)
                }
                Err(_) => Reply::Nothing,
            },
            "*" => match usize::try_from(rest.parse::<i64>()?) {
                Ok(length) => {
                    let mut list = Vec::with_capacity(length);
                    for _ in 0..length {
                        list.push(Box::pin(self.read()).await?);
                    }
                    Reply::List(list)
                }
                Err(_) => Reply::Nothing,
            },
            _ => bail!("redis answers {line}"),
        })
    }
}
