//! Finds in PostgreSQL what is due and runs it here: polls, retries, and whatever lost its hint.
//!
//! A worker without Redis still polls and delivers.

use std::time::Duration;

use common::channel::Marketplace;
use common::db::sellers;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::Worker;
use crate::jobs::{SWEEPS, Sweep};

const TICK: Duration = Duration::from_millis(250);
/// How often it is seen whether the clock was put back.
const CLOCK_EVERY_TICKS: u32 = 120;

/// Claims and starts what is due until told to stop.
pub(crate) async fn run(worker: Worker, stopping: CancellationToken) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut tick = 0_u32;
    let mut is_down = false;
    loop {
        tokio::select! {
            () = stopping.cancelled() => return,
            _ = ticks.tick() => {}
        }
        let swept = sweep_all(&worker, tick).await;
        tick = tick.wrapping_add(1);
        match swept {
            Ok(()) if is_down => {
                is_down = false;
                tracing::info!("database answers again");
            }
            Err(problem) if !is_down => {
                is_down = true;
                tracing::warn!(%problem, "database does not answer");
            }
            _ => {}
        }
    }
}

async fn sweep_all(worker: &Worker, tick: u32) -> Result<(), common::flows::FlowError> {
    if tick.is_multiple_of(CLOCK_EVERY_TICKS) {
        let mut conn = worker.ctx.pool.get().await?;
        let now = worker.ctx.clock.now();
        let waiting = sellers::pull_back_across_tenants(&mut conn, now).await?;
        if waiting > 0 {
            tracing::warn!(
                shops = waiting,
                "the clock was put back: their polls are due now"
            );
        }
    }
    for sweep in SWEEPS {
        if tick.is_multiple_of(sweep.every_ticks) {
            for marketplace in Marketplace::ALL {
                sweep_one(worker, sweep, marketplace).await?;
            }
        }
    }
    Ok(())
}

async fn sweep_one(
    worker: &Worker,
    sweep: &Sweep,
    marketplace: Marketplace,
) -> Result<(), common::flows::FlowError> {
    let free = if sweep.asks_marketplace {
        worker.circuits.allow(marketplace, usize::MAX)
    } else {
        usize::MAX
    };
    let mut slots = worker.slots.take(sweep.kind, marketplace, free);
    if slots.is_empty() {
        return Ok(());
    }
    let limit = i64::try_from(slots.len()).unwrap_or(i64::MAX);
    for job in (sweep.claim)(worker.clone(), marketplace, limit).await? {
        let slot = slots.pop();
        worker.tasks.spawn(async move {
            job.await;
            drop(slot);
        });
    }
    Ok(())
}
