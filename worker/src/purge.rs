//! Removes what nobody needs any more: uploads that were never sent.

use std::time::Duration;

use common::flows::purge_files::purge_files;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::Worker;

const EVERY: Duration = Duration::from_secs(60);

/// Removes now and then until told to stop.
pub(crate) async fn run(worker: Worker, stopping: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match purge_files(&worker.ctx).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "unused uploads removed"),
            Err(problem) => tracing::debug!(%problem, "unused uploads not removed"),
        }
    }
}
