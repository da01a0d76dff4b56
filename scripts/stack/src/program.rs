//! One program and how it is started, told to end, and ended.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::log::Log;

/// What a signal that should end a program needs at most.
const FORCED: Duration = Duration::from_millis(300);
/// What the wrappers need at most to become the program.
const BECOMES: Duration = Duration::from_millis(200);

/// A program with all it is started with.
#[derive(Clone, Debug)]
pub struct Program {
    pub name: &'static str,
    pub path: PathBuf,
    pub args: Vec<OsString>,
    /// The whole environment; nothing is inherited.
    pub env: Vec<(String, String)>,
    pub log: Log,
    /// User and group to run as, if not our own.
    pub user: Option<(u32, u32)>,
    /// A folder handed over as file descriptor 9: its owner reaches it even where the folders above are closed to him.
    pub folder: Option<PathBuf>,
    pub ending: Ending,
}

/// The signals that end a program.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// Asks it to end.
    pub gently: Signal,
    /// Makes it end when it did not.
    pub firmly: Signal,
    /// What the kernel sends when we are gone without a word.
    pub orphaned: &'static str,
}

impl Ending {
    /// For programs that may be killed at any line.
    pub const DRAINS: Self = Self {
        gently: Signal::TERM,
        firmly: Signal::KILL,
        orphaned: "KILL",
    };
}

impl Program {
    /// Starts it in a process group of its own; when this returns, the process is the program itself.
    pub async fn spawn(&self) -> Result<Child> {
        let log = self.log.writer()?;
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        if let Some(pid) = child.id() {
            timeout(BECOMES, become_program(pid)).await.ok();
        }
        Ok(child)
    }

    /// Runs it to its end, which must be a success.
    pub async fn finish(&self) -> Result<()> {
        let status = self.spawn().await?.wait().await?;
        if !status.success() {
            bail!("{} failed: {}", self.name, self.log.tail());
        }
        Ok(())
    }

    // setpriv and sh end as the program they are given: the pid stays.
    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        if let Some(folder) = &self.folder {
            command.args(["-c", r#"exec 9<"$1"; shift; exec "$@""#, "sh"]);
            command.arg(folder).arg("setpriv").current_dir("/");
        } else {
            command = Command::new("setpriv");
        }
        if let Some((user, group)) = self.user {
            command.args([format!("--reuid={user}"), format!("--regid={group}")]);
            command.arg("--clear-groups");
        }
        command.args(["--pdeathsig", self.ending.orphaned]);
        command.arg(&self.path).args(&self.args);
        command.env_clear().envs(self.env.iter().cloned());
        command
    }

    /// Ends it: asked first, made to after the grace, and then killed with all of its group.
    pub async fn end(&self, mut child: Child, grace: Duration) {
        let Some(pid) = child.id().and_then(pid) else {
            return;
        };
        // A process that is gone by now is what we want.
        kill_process(pid, self.ending.gently).ok();
        if timeout(grace, child.wait()).await.is_ok() {
            return;
        }
        kill_process(pid, self.ending.firmly).ok();
        if timeout(FORCED, child.wait()).await.is_ok() {
            return;
        }
        kill_process_group(pid, Signal::KILL).ok();
        timeout(FORCED, child.wait()).await.ok();
    }
}

/// A process id as system calls take it.
pub fn pid(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

/// Where a program is found that this machine must have.
pub fn find(name: &str) -> Option<PathBuf> {
    const USUAL: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&paths).chain(USUAL.split(':').map(PathBuf::from));
    folders
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

/// Whether this file can be run.
pub fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

async fn become_program(pid: u32) {
    loop {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        if !line.starts_with(b"setpriv\0") && !line.starts_with(b"sh\0-c\0") {
            return;
        }
        sleep(Duration::from_millis(1)).await;
    }
}
