//! Redis stopped for 100 ms every now and then, and when exactly that was.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::figures::{Pause, now_ns};
use crate::floor::connect;

/// Pauses Redis until it is told to end.
pub(crate) struct Pauser {
    end: Arc<AtomicBool>,
    thread: JoinHandle<Result<Vec<Pause>>>,
}

impl Pauser {
    pub(crate) fn start(redis_url: &str) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let (url, ended) = (redis_url.to_owned(), Arc::clone(&end));
        let thread = spawn(move || pause(&url, &ended));
        Self { end, thread }
    }

    /// All the pauses there were.
    pub(crate) fn end(self) -> Result<Vec<Pause>> {
        self.end.store(true, Ordering::Relaxed);
        let joined = self.thread.join();
        joined.map_err(|_| anyhow!("the pauser panicked"))?
    }
}

fn pause(url: &str, end: &AtomicBool) -> Result<Vec<Pause>> {
    let mut connection = connect(url)?;
    let mut pauses = Vec::new();
    while !end.load(Ordering::Relaxed) {
        sleep(Duration::from_millis(rand::random_range(200..1_000)));
        let from = now_ns();
        let mut pause = redis::cmd("CLIENT");
        pause.arg(&["PAUSE", "100", "ALL"]).exec(&mut connection)?;
        // Answered when the pause is over: Redis looks at its clock only now and then.
        redis::cmd("PING").exec(&mut connection)?;
        pauses.push(Pause { from, to: now_ns() });
    }
    Ok(pauses)
}
