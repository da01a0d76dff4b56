//! Every job: its queue in Redis, and the sweep that finds its rows in PostgreSQL.

mod deliver_chat;
mod fetch_file;
mod mark_read;
mod probe_seller;
mod rekey_sellers;
mod start_chat;
mod suggest_replies;
mod sync_seller;
mod watch_chats;

use std::time::Duration;

use apalis::prelude::{Data, Monitor, WorkerBuilder};
use common::channel::Marketplace;
use common::flows::FlowError;
use common::jobs::{
    DeliverChat, FetchFile, Job, MarkRead, Options, ProbeSeller, RedisStreams, StartChat,
    SyncSeller,
};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::Worker;
use crate::slots::Kind;

/// A job that people wait for: it comes through Redis.
trait Hurry: Job {
    /// Whose slots it takes.
    const SLOTS: Kind;

    /// Claims the job's row and does the work; nothing if the row is not due or somebody else has it.
    fn run(self, worker: Worker, at: Marketplace) -> BoxFuture<'static, Result<(), FlowError>>;
}

/// Claimed work, ready to run.
pub(crate) type Claimed = BoxFuture<'static, ()>;

/// Claims at most so many due rows of a marketplace.
type Claim = fn(Worker, Marketplace, i64) -> BoxFuture<'static, Result<Vec<Claimed>, FlowError>>;

/// How due rows of one kind are claimed.
pub(crate) struct Sweep {
    pub(crate) kind: Kind,
    /// How often, in ticks of the sweeper.
    pub(crate) every_ticks: u32,
    /// Whether the job asks the marketplace: one that is silent is spared.
    pub(crate) asks_marketplace: bool,
    pub(crate) claim: Claim,
}

/// What PostgreSQL is asked for.
pub(crate) const SWEEPS: &[Sweep] = &[
    Sweep {
        kind: Kind::DeliverChat,
        every_ticks: 1,
        asks_marketplace: true,
        claim: deliver_chat::claim,
    },
    Sweep {
        kind: Kind::SyncSeller,
        every_ticks: 1,
        asks_marketplace: true,
        claim: sync_seller::claim,
    },
    Sweep {
        kind: Kind::FetchFile,
        every_ticks: 4,
        asks_marketplace: true,
        claim: fetch_file::claim,
    },
    Sweep {
        kind: Kind::MarkRead,
        every_ticks: 8,
        asks_marketplace: true,
        claim: mark_read::claim,
    },
    Sweep {
        kind: Kind::StartChat,
        every_ticks: 2,
        asks_marketplace: true,
        claim: start_chat::claim,
    },
    Sweep {
        kind: Kind::ProbeSeller,
        every_ticks: 8,
        asks_marketplace: true,
        claim: probe_seller::claim,
    },
    Sweep {
        kind: Kind::WatchChats,
        every_ticks: 2,
        asks_marketplace: false,
        claim: watch_chats::claim,
    },
    Sweep {
        kind: Kind::SuggestReplies,
        every_ticks: 1,
        asks_marketplace: false,
        claim: suggest_replies::claim,
    },
    Sweep {
        kind: Kind::RekeySellers,
        every_ticks: 20,
        asks_marketplace: false,
        claim: rekey_sellers::claim,
    },
];

/// Adds a worker for one kind of job at one marketplace.
macro_rules! register {
    ($monitor:expr, $worker:expr, $marketplace:expr, $job:ty) => {{
        let (worker, marketplace) = ($worker.clone(), $marketplace);
        let options = Options {
            concurrency: worker.concurrency,
            ..Options::default()
        };
        $monitor.register(move |_restarts| {
            let queue = <$job>::queue(marketplace);
            WorkerBuilder::new(queue.name().to_owned())
                .backend(RedisStreams::new(&worker.ctx.redis, queue, options))
                .data((worker.clone(), marketplace))
                .build(hurry::<$job>)
        })
    }};
}

/// Takes what is pushed to Redis until told to stop.
pub(crate) async fn run_hurry(worker: Worker, stopping: CancellationToken) {
    let mut monitor = Monitor::new().shutdown_timeout(Duration::from_secs(8));
    for marketplace in Marketplace::ALL {
        monitor = register!(monitor, worker, marketplace, DeliverChat);
        monitor = register!(monitor, worker, marketplace, SyncSeller);
        monitor = register!(monitor, worker, marketplace, FetchFile);
        monitor = register!(monitor, worker, marketplace, MarkRead);
        monitor = register!(monitor, worker, marketplace, StartChat);
        monitor = register!(monitor, worker, marketplace, ProbeSeller);
    }
    let signal = async move {
        stopping.cancelled().await;
        Ok(())
    };
    if let Err(problem) = monitor.run_with_signal(signal).await {
        tracing::error!(%problem, "job monitor ended");
    }
}

/// Does a pushed job. A failure is not tried again from here: its row stays due, and the sweep finds it.
async fn hurry<J: Hurry>(job: J, data: Data<(Worker, Marketplace)>) {
    let (worker, marketplace) = (*data).clone();
    let Some(_slot) = worker.slots.wait(J::SLOTS, marketplace).await else {
        return;
    };
    report(J::KIND, &job.run(worker.clone(), marketplace).await);
}

/// Logs how a job ended, if that is worth a line.
fn report(kind: &'static str, result: &Result<(), FlowError>) {
    match result {
        Ok(()) | Err(FlowError::LeaseLost) => {}
        // What a marketplace answers is shown at its shop.
        Err(FlowError::Vendor(problem)) => tracing::debug!(kind, %problem, "job not done"),
        Err(problem) => tracing::warn!(kind, %problem, "job not done"),
    }
}
