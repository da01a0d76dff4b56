//! The worker: polls the marketplaces, delivers messages, and whatever else is not inside a request.

use common::config::Config;
use common::telemetry;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    common::http::install_crypto();
    let config = Config::from_env()?;
    let _logs = telemetry::start(&config.log, "worker.log")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    worker::run(&config, stop).await
}
