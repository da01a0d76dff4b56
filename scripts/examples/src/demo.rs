//! The demo that answers: one that runs, or one of our own for as long as it is asked.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use reqwest::Client;
use rustix::process::{Signal, kill_process};
use serde::Deserialize;
use stack::program::pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const REQUEST: Duration = Duration::from_secs(15);
const ENDS_WITHIN: Duration = Duration::from_secs(12);

/// A running demo.
#[derive(Debug)]
pub struct Demo {
    pub world: World,
    pub client: Client,
    own: Option<(Child, TempDir)>,
}

/// What `run.json` says.
#[derive(Debug, Deserialize)]
pub struct World {
    pub api: String,
    pub sandbox: String,
    pub logins: Vec<Login>,
}

/// Somebody who may sign in.
#[derive(Debug, Deserialize)]
pub struct Login {
    pub tenant: String,
    pub email: String,
    pub password: String,
    pub role: String,
}

impl Demo {
    /// The demo whose `run.json` this is.
    pub fn of(file: &Path) -> Result<Self> {
        Ok(Self {
            world: read(file)?,
            client: Client::builder().no_proxy().timeout(REQUEST).build()?,
            own: None,
        })
    }

    /// Starts a demo with a folder and ports of its own.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("examples-").tempdir()?;
        let log = std::fs::File::create(folder.path().join("stack.log"))?;
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM"])
            .arg(beside_us("stack")?)
            .arg("run")
            .env("STATE_DIR", folder.path())
            .env("APP_PORT", stack::ports::free()?.to_string())
            .env("SANDBOX_PORT", stack::ports::free()?.to_string())
            // A demo by itself, whatever this machine or .env say.
            .envs(
                [
                    "APP_ENV",
                    "APP_HOST",
                    "APP_BASE_URL",
                    "DATABASE_URL",
                    "REDIS_URL",
                ]
                .map(|name| (name, "")),
            )
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start a demo")?;
        let file = folder.path().join("run.json");
        while !file.exists() {
            if child.try_wait()?.is_some() {
                let log = std::fs::read_to_string(folder.path().join("stack.log"))?;
                bail!("the demo did not start: {}", log.trim());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(Self {
            own: Some((child, folder)),
            ..Self::of(&file)?
        })
    }

    /// Ends it if it is ours.
    pub async fn end(self) {
        let Some((mut child, _folder)) = self.own else {
            return;
        };
        if let Some(pid) = child.id().and_then(pid) {
            kill_process(pid, Signal::TERM).ok();
        }
        timeout(ENDS_WITHIN, child.wait()).await.ok();
    }

    /// An address of the api.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.world.api)
    }
}

fn read(file: &Path) -> Result<World> {
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).context("this is not the run.json of a demo")
}

fn beside_us(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    if !program.exists() {
        bail!("{} is not built", program.display());
    }
    Ok(program)
}
