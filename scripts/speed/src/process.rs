//! Programs of a bench: started beside this one, ended with it, and what they cost.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::http::{Client, request};

/// A process; ended when it is dropped.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
}

/// The environment of the product's programs.
#[derive(Clone, Debug)]
pub(crate) struct Environment(Vec<(&'static str, String)>);

impl Environment {
    /// Keys of this bench and the servers that it runs beside.
    pub(crate) fn new(database_url: &str, redis_url: &str) -> Self {
        let secret = || {
            format!(
                "{:032x}{:032x}",
                rand::random::<u128>(),
                rand::random::<u128>()
            )
        };
        Self(vec![
            ("DATABASE_URL", database_url.to_owned()),
            ("REDIS_URL", redis_url.to_owned()),
            ("ENCRYPTION_KEY", ENCRYPTION_KEY.to_owned()),
            ("JWT_SECRET", secret()),
            ("AUTH_TOKEN_SECRET", secret()),
            ("JWT_EXPIRE_MINUTES", "600".to_owned()),
            ("APP_ENV", "dev".to_owned()),
        ])
    }

    /// The same with one more variable.
    pub(crate) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.0.push((name, value.to_string()));
        self
    }
}

/// Seals the keys of shops that a bench makes; 32 bytes, known to everybody.
pub(crate) const ENCRYPTION_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

/// A port on which nobody listens.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

impl Process {
    /// Starts one of the product's programs; what it says goes to a file of the folder.
    pub(crate) fn start(
        name: &'static str,
        args: &[&str],
        environment: &Environment,
        folder: &Path,
    ) -> Result<Self> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(folder.join(format!("{name}.log")))?;
        let variables = environment.0.iter().map(|(name, value)| (*name, value));
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(beside(name)?)
            .args(args)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, child })
    }

    /// Runs a program to its end.
    pub(crate) fn finish(mut self) -> Result<()> {
        let status = self.child.wait()?;
        ensure!(status.success(), "{} ended with {status}", self.name);
        Ok(())
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until its server says that it is ready; the time that took.
    pub(crate) fn answers(&mut self, port: u16, path: &str) -> Result<Duration> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            let asked =
                Client::connect(port).and_then(|mut it| it.send(&request(path, None, None)));
            if asked.is_ok_and(|answer| answer.status == 200) {
                return Ok(began.elapsed());
            }
            ensure!(self.child.try_wait()?.is_none(), "{} ended", self.name);
            sleep(Duration::from_millis(1));
        }
        bail!("{} does not answer", self.name)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A program that was built together with this one.
fn beside(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    let path = own.parent().context("this program is nowhere")?.join(name);
    ensure!(path.exists(), "{} is not built", path.display());
    Ok(path)
}

/// CPU time that a process, those it waited for and its children have used, in steps of 10 ms.
pub(crate) fn cpu_of_family(parent: u32) -> Result<Duration> {
    let mut ticks = times(parent)?.iter().sum::<u64>();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let id = entry.file_name().to_str().and_then(|it| it.parse().ok());
        if let Some(id) = id
            && parent_of(id) == Some(parent)
        {
            // Whoever ended meanwhile counts with its parent.
            ticks += times(id).map_or(0, |times| times[..2].iter().sum());
        }
    }
    Ok(Duration::from_millis(ticks * 10))
}

/// CPU time of one process.
pub(crate) fn cpu_of(id: u32) -> Result<Duration> {
    let times = times(id)?;
    Ok(Duration::from_millis((times[0] + times[1]) * 10))
}

/// The process that started this one.
pub(crate) fn parent_of(id: u32) -> Option<u32> {
    stat(id)?.get(1)?.parse().ok()
}

/// In user and in system mode, and the same of children that ended.
fn times(id: u32) -> Result<[u64; 4]> {
    let fields = stat(id).with_context(|| format!("no process {id}"))?;
    let mut times = [0; 4];
    for (time, field) in times.iter_mut().zip(fields.iter().skip(11)) {
        *time = field.parse()?;
    }
    Ok(times)
}

/// The fields of `/proc/<id>/stat` behind the name.
fn stat(id: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    Some(fields.split(' ').map(str::to_owned).collect())
}
