//! One program of the stage: started, killed, frozen, thawed, and started again.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Signal, kill_process};
use stack::program::{Program, pid};
use tokio::process::Child;

/// A program and its process, if there is one.
#[derive(Debug)]
pub struct Process {
    program: Program,
    child: Option<Child>,
    /// Not to be started again by whoever keeps the stage up.
    pub is_down: bool,
    /// Stopped, but not dead.
    pub is_frozen: bool,
    /// How often it ended without anybody's help.
    pub deaths: u32,
    started: Instant,
}

impl Process {
    /// A program that does not run yet.
    pub fn new(program: Program) -> Self {
        Self {
            program,
            child: None,
            is_down: false,
            is_frozen: false,
            deaths: 0,
            started: Instant::now(),
        }
    }

    /// Sets a variable for the next start.
    pub fn tell(&mut self, name: &str, value: &str) {
        self.program.env.retain(|(known, _)| known != name);
        self.program.env.push((name.to_owned(), value.to_owned()));
    }

    /// Starts it unless it runs.
    pub async fn start(&mut self) -> Result<()> {
        if self.is_running()? {
            return Ok(());
        }
        self.is_down = false;
        self.started = Instant::now();
        self.child = Some(self.program.spawn().await?);
        Ok(())
    }

    /// Starts it again if it is gone but should not be.
    pub async fn keep_up(&mut self) -> Result<()> {
        if self.is_down || self.is_running()? {
            return Ok(());
        }
        self.start().await
    }

    fn is_running(&mut self) -> Result<bool> {
        let Some(child) = &mut self.child else {
            return Ok(false);
        };
        let Some(status) = child.try_wait()? else {
            return Ok(true);
        };
        self.child = None;
        self.deaths += 1;
        crate::figure::say(&format!("{} ended by itself: {status}", self.program.name));
        if self.deaths > 20 {
            bail!(
                "{} does not stay up: {}",
                self.program.name,
                self.program.log.tail()
            );
        }
        Ok(false)
    }

    /// How long it has been running.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Ends it at once: no line of its code runs any more.
    pub async fn kill(&mut self) -> Result<()> {
        self.end_by(Signal::KILL).await
    }

    /// Sends a signal that ends it, and waits until it has.
    pub async fn end_by(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        if let Some(mut child) = self.child.take() {
            child.wait().await?;
        }
        self.is_frozen = false;
        Ok(())
    }

    /// Stops it in the middle of whatever it does.
    pub fn freeze(&mut self) -> Result<()> {
        self.is_frozen = true;
        self.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn thaw(&mut self) -> Result<()> {
        self.is_frozen = false;
        self.signal(Signal::CONT)
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let running = self.child.as_ref().and_then(Child::id).and_then(pid);
        if let Some(pid) = running {
            kill_process(pid, signal)?;
        }
        Ok(())
    }

    /// Asks it to end, and makes it if it does not.
    pub async fn stop(&mut self) {
        self.is_down = true;
        if let Some(child) = self.child.take() {
            self.program.end(child, Duration::from_secs(10)).await;
        }
    }
}
