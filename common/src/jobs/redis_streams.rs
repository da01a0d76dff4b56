//! Jobs for apalis from Redis Streams: a consumer group per queue, read as soon as a job is pushed.
//!
//! ```ignore
//! let jobs = RedisStreams::new(&redis, DeliverChat::queue(marketplace), Options::default());
//! WorkerBuilder::new("deliver_chat:ozon").backend(jobs).data(state).build(deliver_chat)
//! ```
//!
//! A handler that ends well, or with [`JobError::GiveUp`](super::JobError::GiveUp), ends its job; after any other error
//! or a panic the job runs again when its lease has run out, at most [`Options::max_attempts`] times in all. While a
//! handler runs its lease is renewed; the jobs of a process that died are taken over by others.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use apalis_core::backend::finalize::Ephemeral;
use apalis_core::backend::{Backend, BackendConfig};
use apalis_core::task::Task;
use apalis_core::task::builder::TaskBuilder;
use apalis_core::task::task_id::{RandomId, TaskId};
use apalis_core::worker::context::WorkerContext;
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::fetching::{Fetched, Fetcher};
pub use super::handling::{JobLayer, JobService};
use super::keeping::{Keeper, Running};
use super::stream::Stream;
use super::{Job, Queue, Redis};

/// The longest that a worker waits for Redis when it stops; what is not told by then, leases settle.
const CLOSE_WITHIN: Duration = Duration::from_secs(4);

/// How a worker takes jobs from its queue.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Jobs that run at the same moment; no others are taken from the queue.
    pub concurrency: usize,
    /// A process that has not renewed a job for this long has lost it.
    pub lease: Duration,
    /// How often a job is started before it is given up.
    pub max_attempts: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            concurrency: 16,
            lease: Duration::from_secs(20),
            max_attempts: 5,
        }
    }
}

/// A queue as an apalis backend; it may be made and started while Redis is down.
pub struct RedisStreams<J> {
    redis: Redis,
    queue: Queue<J>,
    options: Options,
    at_work: Option<AtWork<J>>,
    closing: Option<BoxFuture<'static, ()>>,
}

impl<J: Job> RedisStreams<J> {
    /// The queue's jobs; nothing is read before the worker runs.
    pub fn new(redis: &Redis, queue: Queue<J>, options: Options) -> Self {
        Self {
            redis: redis.clone(),
            queue,
            options,
            at_work: None,
            closing: None,
        }
    }
}

impl<J: Job> Backend for RedisStreams<J> {
    type Task = Task<J>;
    type Error = Infallible;

    fn poll_ready(
        &mut self,
        _cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        worker: &WorkerContext,
    ) -> Poll<Option<Result<Task<J>, Infallible>>> {
        let at_work = self
            .at_work
            .get_or_insert_with(|| AtWork::begin(&self.redis, &self.queue, self.options, worker));
        let fetched = at_work.jobs.poll_recv(cx);
        fetched.map(|fetched| fetched.map(|fetched| Ok(task_of(fetched))))
    }

    fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        _worker: &WorkerContext,
    ) -> Poll<Result<(), Infallible>> {
        if let Some(at_work) = self.at_work.take() {
            let end = timeout(CLOSE_WITHIN, at_work.end());
            self.closing = Some(end.map(drop).boxed());
        }
        match &mut self.closing {
            Some(closing) => closing.poll_unpin(cx).map(|()| {
                self.closing = None;
                Ok(())
            }),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl<J: Job> BackendConfig for RedisStreams<J> {
    type Args = J;
    type Id = RandomId;
    type Kind = Ephemeral;
    type Config = Options;
    type Layer = JobLayer;

    fn config(&self) -> &Options {
        &self.options
    }

    fn middleware(&mut self, _worker: &mut WorkerContext) -> JobLayer {
        JobLayer::new(&self.queue.name, self.options.max_attempts)
    }
}

fn task_of<J>(fetched: Fetched<J>) -> Task<J> {
    let ticket = fetched.ticket;
    // apalis counts the attempt when the handler starts.
    let attempts_before = ticket.attempts().saturating_sub(1) as usize;
    TaskBuilder::new(fetched.job)
        .task_id(TaskId::from_string(ticket.id()))
        .attempt(attempts_before)
        .data(ticket)
        .build()
}

/// The two tasks of a worker that runs.
struct AtWork<J> {
    stream: Stream,
    jobs: mpsc::UnboundedReceiver<Fetched<J>>,
    fetcher: JoinHandle<()>,
    keeper: JoinHandle<()>,
    stop_fetching: DropGuard,
    stop_keeping: DropGuard,
}

impl<J: Job> AtWork<J> {
    fn begin(redis: &Redis, queue: &Queue<J>, options: Options, worker: &WorkerContext) -> Self {
        let stream = Stream::new(redis, queue.name(), &consumer_name());
        let (running, ends) = Running::new();
        // Unbounded, but never longer than there are slots.
        let (sender, jobs) = mpsc::unbounded_channel();
        let (stop_fetching, stop_keeping) = (CancellationToken::new(), CancellationToken::new());
        let fetcher = Fetcher {
            stream: stream.clone(),
            options,
            running: running.clone(),
            slots: Arc::new(Semaphore::new(options.concurrency.max(1))),
            jobs: sender,
            worker: worker.clone(),
            stop: stop_fetching.clone(),
        };
        let keeper = Keeper {
            stream: stream.clone(),
            running,
            ends,
            lease: options.lease,
            stop: stop_keeping.clone(),
        };
        let tasks = TaskTracker::new();
        Self {
            stream,
            jobs,
            fetcher: tasks.spawn(fetcher.run()),
            keeper: tasks.spawn(keeper.run()),
            stop_fetching: stop_fetching.drop_guard(),
            stop_keeping: stop_keeping.drop_guard(),
        }
    }

    /// Called when no handler runs any more: leaves nothing behind that others would have to take over.
    async fn end(mut self) {
        drop(self.stop_fetching);
        ended(self.fetcher).await;
        let mut left = Vec::new();
        while let Ok(fetched) = self.jobs.try_recv() {
            left.extend(fetched.ticket.leave());
        }
        // A job on its second attempt keeps its count, and waits for its lease instead.
        left.retain(|delivery| delivery.attempts == 1);
        if !left.is_empty() {
            self.stream.give_back(&left).await.ok();
        }
        drop(self.stop_keeping);
        ended(self.keeper).await;
        self.stream.leave().await.ok();
    }
}

async fn ended(task: JoinHandle<()>) {
    if task.await.is_err() {
        tracing::error!("a task of the job queue panicked");
    }
}

/// Unique, so that no process mistakes another's jobs for its own.
fn consumer_name() -> String {
    format!("{}-{:016x}", std::process::id(), rand::random::<u64>())
}
