//! A world of stand-ins, started as a person would start it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::Value;
use stack::ports;
use stack::program::pid;
use tempfile::TempDir;

/// Whether the process is there and more than a name.
pub(crate) fn is_running(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = status
        .rsplit_once(") ")
        .map(|(_, rest)| rest.chars().next());
    !matches!(state, None | Some(Some('Z' | 'X')))
}

/// Waits until something is so.
pub(crate) fn eventually(within: Duration, what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < within, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn signal(id: u32, signal: Signal) {
    kill_process(pid(id).unwrap(), signal).unwrap();
}

/// The folder, ports and stand-ins of one world.
pub(crate) struct Place {
    folder: TempDir,
    pub(crate) api_port: u16,
    pub(crate) sandbox_port: u16,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let programs = folder.path().join("programs");
        std::fs::create_dir(&programs).unwrap();
        let tests = std::env::current_exe().unwrap();
        let profile = tests.parent().unwrap().parent().unwrap();
        for name in ["api", "worker", "sandbox"] {
            let fake = profile.join("examples/fake_product");
            std::fs::copy(fake, programs.join(name)).unwrap();
        }
        Self {
            folder,
            api_port: ports::free().unwrap(),
            sandbox_port: ports::free().unwrap(),
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.folder().join("state").join(name)
    }

    /// A command line in this place, with nothing of our own environment but the path.
    pub(crate) fn stack(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stack"));
        command
            .current_dir(self.folder())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("STATE_DIR", self.folder().join("state"))
            .env("APP_PORT", self.api_port.to_string())
            .env("SANDBOX_PORT", self.sandbox_port.to_string())
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self) -> Command {
        let mut command = self.stack();
        command
            .arg("run")
            .arg("--programs")
            .arg(self.folder().join("programs"));
        command
    }

    pub(crate) fn rotate_keys(&self) -> Command {
        let mut command = self.stack();
        command
            .arg("rotate-keys")
            .arg("--programs")
            .arg(self.folder().join("programs"));
        command
    }

    /// Starts a world that must become ready.
    pub(crate) fn start(&self, command: &mut Command) -> World {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(process.stdout.take().unwrap());
        let ready = format!("ready http://127.0.0.1:{}\n", self.api_port);
        while !said.ends_with(&ready) {
            assert!(lines.read_line(&mut said).unwrap() > 0, "it ended: {said}");
        }
        World {
            process,
            said,
            run_file: self.state("run.json"),
        }
    }
}

/// A world that is ready.
pub(crate) struct World {
    process: Child,
    pub(crate) said: String,
    run_file: PathBuf,
}

impl World {
    pub(crate) fn run_json(&self) -> Value {
        serde_json::from_slice(&std::fs::read(&self.run_file).unwrap()).unwrap()
    }

    pub(crate) fn pid(&self, name: &str) -> u32 {
        let pid = self.run_json()["pids"][name].as_u64().unwrap();
        pid.try_into().unwrap()
    }

    pub(crate) fn supervisor(&self) -> u32 {
        self.process.id()
    }

    /// Ends it with this signal: how long that took.
    pub(crate) fn end(mut self, with: Signal) -> Duration {
        let told = Instant::now();
        signal(self.process.id(), with);
        self.process.wait().unwrap();
        told.elapsed()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Runs a command that must fail: the one line it says.
pub(crate) fn failure(command: &mut Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert_eq!(status.code(), Some(1));
    let mut said = String::new();
    stderr.as_slice().read_to_string(&mut said).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    said.trim().to_owned()
}
