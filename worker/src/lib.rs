//! Runs every job until it is told to stop.

mod circuits;
mod due;
mod jobs;
mod purge;
mod slots;

use std::time::Duration;

use common::config::Config;
use common::flows::Context;
use common::flows::report_keys::complain_of_missing_keys;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::circuits::Circuits;
use self::slots::Slots;

/// Connections to PostgreSQL.
const POOL_SIZE: usize = 8;
/// How long running jobs may take to end; what does not is taken over by another worker.
const DRAIN: Duration = Duration::from_secs(8);

/// What every job works with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) ctx: Context,
    pub(crate) slots: Slots,
    pub(crate) circuits: Circuits,
    pub(crate) tasks: TaskTracker,
    /// Jobs of one kind and marketplace that run at the same moment.
    pub(crate) concurrency: usize,
}

/// Works until `stop`, then lets running jobs end.
pub async fn run(config: &Config, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
    let worker = Worker {
        ctx: Context::new(config, POOL_SIZE)?,
        slots: Slots::new(config.worker_concurrency),
        circuits: Circuits::default(),
        tasks: TaskTracker::new(),
        concurrency: config.worker_concurrency,
    };
    let stopping = CancellationToken::new();
    let hurry = worker
        .tasks
        .spawn(jobs::run_hurry(worker.clone(), stopping.clone()));
    let due = worker
        .tasks
        .spawn(due::run(worker.clone(), stopping.clone()));
    let (ctx, started) = (worker.ctx.clone(), stopping.clone());
    worker.tasks.spawn(async move {
        started
            .run_until_cancelled(complain_of_missing_keys(&ctx))
            .await;
    });
    let purge = worker
        .tasks
        .spawn(purge::run(worker.clone(), stopping.clone()));
    tracing::info!("worker started");
    stop.await;
    tracing::info!("worker stops");
    stopping.cancel();
    worker.tasks.close();
    let drained = timeout(DRAIN, async {
        hurry.await.ok();
        due.await.ok();
        purge.await.ok();
        worker.tasks.wait().await;
    });
    if drained.await.is_err() {
        tracing::warn!("jobs still running are left to another worker");
    }
    Ok(())
}
