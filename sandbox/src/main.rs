//! Runs the simulated outside world as a process.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use sandbox::{Options, Sandbox};
use tracing_subscriber::EnvFilter;

/// Simulates the marketplaces, their buyers, and nothing else.
#[derive(Debug, Parser)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, env = "SANDBOX_HOST", default_value = "127.0.0.1")]
    host: String,
    /// Port to listen on.
    #[arg(long, env = "SANDBOX_PORT", default_value_t = 8100)]
    port: u16,
    /// Folder under which `sandbox` keeps the world.
    #[arg(long, env = "STATE_DIR", default_value = ".local")]
    state_dir: PathBuf,
    /// Seed of a new world.
    #[arg(long, env = "SANDBOX_SEED", default_value_t = 1)]
    seed: u64,
    /// Chats which automatic buyers begin a minute in a new world.
    #[arg(long, env = "SANDBOX_BUYERS_PER_MINUTE", default_value_t = 2.0)]
    buyers_per_minute: f64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let filter = EnvFilter::try_from_env("LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .init();
    let options = Options {
        state_dir: Some(arguments.state_dir.join("sandbox")),
        host: arguments.host,
        port: arguments.port,
        seed: arguments.seed,
        buyers_per_minute: arguments.buyers_per_minute,
        ..Options::default()
    };
    let sandbox = Sandbox::start(options).await?;
    end_requested().await?;
    sandbox.stop().await;
    Ok(())
}

async fn end_requested() -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        () = async { terminate.recv().await; } => {}
        interrupted = tokio::signal::ctrl_c() => interrupted?,
    }
    Ok(())
}
