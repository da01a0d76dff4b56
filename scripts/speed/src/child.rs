//! The programs that wait for jobs, each in a process of its own: asked for what they saw and what it cost.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::figures::Start;

/// A program that waits; ended by its process when it is dropped.
pub(crate) struct Waiter {
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Waiter {
    /// Starts this program again, as one of its hidden commands.
    pub(crate) fn start(command: &str, redis_url: &str) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([command, "--redis-url", redis_url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command}"))?;
        let (asks, answers) = (process.stdin.take(), process.stdout.take());
        Ok(Self {
            process,
            asks: asks.context("no way to ask")?,
            answers: BufReader::new(answers.context("no way to hear")?),
        })
    }

    /// What the program saw since it was last asked, when it has seen `count` jobs.
    pub(crate) fn starts(&mut self, count: usize) -> Result<Vec<Start>> {
        let mut all = Vec::new();
        for _ in 0..500 {
            writeln!(self.asks, "report")?;
            let mut line = String::new();
            self.answers.read_line(&mut line)?;
            let seen: Vec<Start> = serde_json::from_str(&line).context("no report")?;
            all.extend(seen);
            if all.len() >= count {
                return Ok(all);
            }
            sleep(Duration::from_millis(20));
        }
        bail!("only {} of {count} jobs began", all.len())
    }

    /// The CPU time of all its threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut total = Duration::ZERO;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let times = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let nanos = times.split(' ').next().and_then(|first| first.parse().ok());
            total += Duration::from_nanos(nanos.context("no CPU time")?);
        }
        Ok(total)
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // It is gone already, or goes now.
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// What a waiting program has seen.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<Start>>>);

impl Seen {
    pub(crate) fn add(&self, start: Start) {
        self.lock().push(start);
    }

    /// Answers each question until nobody asks any more.
    pub(crate) fn report(&self) -> Result<()> {
        for _ask in std::io::stdin().lines() {
            let starts = std::mem::take(&mut *self.lock());
            let mut out = std::io::stdout().lock();
            serde_json::to_writer(&mut out, &starts)?;
            writeln!(out)?;
            out.flush()?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Start>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
