//! A Redis for the time of a run, so that its pauses disturb nobody.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::floor::connect;
use crate::process::free_port;

/// A private server, ended by its process when it is dropped.
pub(crate) struct RedisServer {
    port: String,
    dir: PathBuf,
    process: Child,
}

impl RedisServer {
    /// A server on a free port, without persistence.
    pub(crate) fn start() -> Result<Self> {
        let port = free_port()?.to_string();
        let dir = std::env::temp_dir().join(format!("speed-redis-{port}"));
        std::fs::create_dir_all(&dir)?;
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .args(["--port", &port])
            .arg("--dir")
            .arg(&dir)
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server does not start")?;
        let server = Self { port, dir, process };
        for _ in 0..200 {
            if connect(&server.url()).is_ok() {
                return Ok(server);
            }
            sleep(Duration::from_millis(25));
        }
        bail!("redis-server does not answer")
    }

    pub(crate) fn port(&self) -> &str {
        &self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        self.process.kill().ok();
        self.process.wait().ok();
        std::fs::remove_dir_all(&self.dir).ok();
    }
}
