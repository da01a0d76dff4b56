//! A Redis of our own: nothing of it is ever written to disk.

use anyhow::{Context, Result};
use rustix::process::geteuid;

use crate::log::Log;
use crate::postgres::plain_environment;
use crate::program::{Ending, Program, find};

pub const NAME: &str = "redis";

/// `nobody`, who need not own anything to serve from memory.
const NOBODY: (u32, u32) = (65_534, 65_534);

/// The server on a port.
pub fn server(port: u16, log: Log) -> Result<Program> {
    let port = port.to_string();
    let args = [
        "--port",
        &port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ];
    Ok(Program {
        name: NAME,
        path: find("redis-server").context("redis-server is not installed")?,
        args: args.iter().map(Into::into).collect(),
        env: plain_environment(),
        log,
        user: geteuid().is_root().then_some(NOBODY),
        folder: None,
        ending: Ending::DRAINS,
    })
}

/// The address of the server on this port.
pub fn url(port: u16) -> String {
    format!("redis://127.0.0.1:{port}")
}

/// Whether something answers there.
pub async fn answers(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    let host = url
        .host_str()
        .unwrap_or("127.0.0.1")
        .trim_matches(['[', ']']);
    let address = (host, url.port().unwrap_or(6379));
    tokio::net::TcpStream::connect(address).await.is_ok()
}
