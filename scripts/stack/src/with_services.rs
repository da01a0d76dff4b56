//! Runs a command beside a PostgreSQL and a Redis of its own, which vanish with it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::environment::Environment;
use crate::program::pid;
use crate::services::{Services, Wanted};
use crate::signals::Signals;
use crate::state_dir::{self, StateDir};
use crate::supervisor::Supervisor;
use crate::{postgres, redis, settings};

/// How long the command may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(5);
const INTERRUPTED: ExitCode = ExitCode::FAILURE;
const WANTED: Wanted<'_> = Wanted {
    database_url: None,
    redis_url: None,
    database: "postgres",
    // Tests crash servers, never the machine: nothing has to reach the disk.
    settings: &[
        "fsync=off",
        "synchronous_commit=off",
        "full_page_writes=off",
    ],
};

/// Runs the command and answers as it does.
pub async fn run(command: &[OsString]) -> Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let place = Place::make()?;
    let mut supervisor = Supervisor::default();
    let services = tokio::select! {
        services = Services::start(&mut supervisor, &place.state, WANTED) => services.map(Some),
        () = signals.any() => Ok(None),
    };
    let outcome = match services {
        Ok(Some(services)) => run_beside(&services, command, &mut signals).await,
        Ok(None) => Ok(INTERRUPTED),
        Err(problem) => Err(problem),
    };
    let servers = [redis::NAME, postgres::NAME];
    supervisor.stop(&servers, Duration::from_secs(2)).await;
    outcome
}

async fn run_beside(
    services: &Services,
    command: &[OsString],
    signals: &mut Signals,
) -> Result<ExitCode> {
    let (program, args) = command.split_first().context("no command given")?;
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "TERM"])
        .arg(program)
        .args(args)
        .env("DATABASE_URL", &services.database_url)
        .env("REDIS_URL", &services.redis_url)
        .kill_on_drop(true)
        .spawn()
        .context("cannot run the command")?;
    tokio::select! {
        ended = child.wait() => Ok(code(ended?)),
        () = signals.any() => {
            end(&mut child).await;
            Ok(INTERRUPTED)
        }
    }
}

/// A Ctrl-C has reached the command too, which is why it is only asked, and given time.
async fn end(child: &mut Child) {
    if let Some(pid) = child.id().and_then(pid) {
        kill_process(pid, Signal::TERM).ok();
    }
    if timeout(GRACE, child.wait()).await.is_err() {
        child.kill().await.ok();
    }
}

fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

/// A folder for one command, removed with it.
struct Place {
    path: PathBuf,
    state: StateDir,
}

impl Place {
    fn make() -> Result<Self> {
        let tests = settings::state_dir(&Environment::of_process()).join("test");
        sweep(&tests);
        let path = tests.join(std::process::id().to_string());
        let state = StateDir::take(&path)?;
        Ok(Self { path, state })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next.
        state_dir::remove(&self.path).ok();
    }
}

/// Removes what killed runs left: folders named after processes that are gone.
fn sweep(tests: &Path) {
    for folder in std::fs::read_dir(tests).into_iter().flatten().flatten() {
        if !Path::new("/proc").join(folder.file_name()).exists() {
            state_dir::remove(&folder.path()).ok();
        }
    }
}
