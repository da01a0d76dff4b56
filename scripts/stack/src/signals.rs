//! Hears Ctrl-C and SIGTERM, and SIGUSR1, which asks for the keys to be read again.

use anyhow::Result;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Both signals, from the moment this is made.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    pub fn listen() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them.
    pub async fn any(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// From the moment this is made, whoever changed the keys can say so.
pub fn keys_changed() -> Result<Signal> {
    Ok(signal(SignalKind::user_defined1())?)
}
