//! How jobs come from Redis into this process: only as many as there are free slots, at once, whatever happens to Redis.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use apalis_core::worker::context::WorkerContext;
use futures::FutureExt;
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::connection::{ConnectionError, sort};
use super::keeping::{Running, Ticket};
use super::stream::{Delivery, Reading, Stream};
use super::{Job, Options};

const BLOCK: Duration = Duration::from_secs(2);
/// A blocked read that is this late will not return: Redis hangs, or the network.
const BLOCK_GRACE: Duration = Duration::from_secs(1);
/// How long an ended read may take to return.
const UNBLOCK_GRACE: Duration = Duration::from_millis(500);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A job on its way to a handler.
pub(super) struct Fetched<J> {
    pub(super) job: J,
    pub(super) ticket: Arc<Ticket>,
}

/// Reads jobs of one queue.
pub(super) struct Fetcher<J> {
    pub(super) stream: Stream,
    pub(super) options: Options,
    pub(super) running: Running,
    pub(super) slots: Arc<Semaphore>,
    pub(super) jobs: mpsc::UnboundedSender<Fetched<J>>,
    pub(super) worker: WorkerContext,
    pub(super) stop: CancellationToken,
}

impl<J: Job> Fetcher<J> {
    /// Reads until it is stopped; after a failure it tries again, at the latest a second later.
    pub(super) async fn run(self) {
        let mut pause = FIRST_PAUSE;
        while !self.stopping() {
            let began = Instant::now();
            match AssertUnwindSafe(self.session()).catch_unwind().await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.stream.redis.failed(&error),
                Err(_) => tracing::error!(queue = &*self.stream.queue, "the fetcher panicked"),
            }
            if began.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            let jitter = rand::random_range(0.8..=1.0);
            tokio::select! {
                () = sleep(pause.mul_f64(jitter)) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = self.stop.cancelled() => {}
            }
        }
    }

    /// Reads on one connection until it fails or the worker stops.
    async fn session(&self) -> Result<(), ConnectionError> {
        let mut connection = self.stream.redis.blocking_connection().await?;
        let mut client = redis::cmd("CLIENT");
        let client: i64 = answer(client.arg("ID").query_async(&mut connection)).await?;
        // What an earlier connection of ours was sent and never received.
        let mut own = true;
        let mut next_claim = Instant::now();
        while let Some(mut slots) = self.free_slots().await {
            if Instant::now() >= next_claim {
                let claimed = self.claim(own, slots.num_permits()).await?;
                if !own {
                    next_claim = Instant::now() + self.options.lease / 3;
                }
                own = false;
                self.dispatch(claimed, &mut slots);
                continue;
            }
            let read = self.read(&mut connection, client, slots.num_permits());
            let deliveries = read.await?;
            self.stream.redis.answered();
            if self.stopping() {
                return self.hand_back(&deliveries).await;
            }
            self.dispatch(deliveries, &mut slots);
        }
        Ok(())
    }

    /// All slots that are free, at least one; none when the worker stops.
    async fn free_slots(&self) -> Option<OwnedSemaphorePermit> {
        if self.stopping() {
            return None;
        }
        let mut free = tokio::select! {
            first = Arc::clone(&self.slots).acquire_owned() => first.ok()?,
            () = self.stop.cancelled() => return None,
        };
        let more = u32::try_from(self.slots.available_permits()).unwrap_or(u32::MAX);
        if let Ok(more) = Arc::clone(&self.slots).try_acquire_many_owned(more) {
            free.merge(more);
        }
        Some(free)
    }

    /// Takes over jobs whose process is gone, or (`own`) that this one never received.
    async fn claim(&self, own: bool, free: usize) -> Result<Vec<Delivery>, ConnectionError> {
        let idle = if own {
            Duration::ZERO
        } else {
            self.options.lease
        };
        let most = free + self.running.len();
        let mut pending = match self.stream.pending(idle, own, most).await {
            Err(error) if error.has_code("NOGROUP") => {
                self.stream.make_group().await?;
                return Ok(Vec::new());
            }
            pending => pending?,
        };
        pending.retain(|entry| !self.running.contains(&entry.id));
        pending.truncate(free);
        if pending.is_empty() {
            return Ok(Vec::new());
        }
        tracing::info!(
            queue = &*self.stream.queue,
            jobs = pending.len(),
            "taking over jobs"
        );
        self.stream.take_over(idle, &pending).await
    }

    /// New jobs; none when the time of blocking is over or the stream was just made anew.
    async fn read(
        &self,
        connection: &mut MultiplexedConnection,
        client: i64,
        count: usize,
    ) -> Result<Vec<Delivery>, ConnectionError> {
        let block = BLOCK.min(self.options.lease / 3);
        let reading = Reading { count, block };
        let read = timeout(block + BLOCK_GRACE, self.stream.read(connection, reading));
        tokio::pin!(read);
        let read = tokio::select! {
            read = &mut read => read,
            () = self.stop.cancelled() => {
                self.unblock(client).await;
                timeout(UNBLOCK_GRACE, read).await.unwrap_or_else(Err)
            }
        };
        match read {
            Ok(Ok(deliveries)) => Ok(deliveries),
            Ok(Err(error)) if is_stream_lost(&error) => {
                self.stream.make_group().await?;
                Ok(Vec::new())
            }
            Ok(Err(error)) => Err(sort(error)),
            Err(_) => {
                self.stream.redis.suspect();
                let reason = "a blocking read does not return".to_owned();
                Err(ConnectionError::Away { reason })
            }
        }
    }

    /// Makes Redis end a blocked read, so that no job is sent to a connection about to be closed.
    async fn unblock(&self, client: i64) {
        let mut unblock = redis::cmd("CLIENT");
        unblock.arg("UNBLOCK").arg(client);
        let unblocked: Result<i64, _> = self.stream.redis.command(&unblock).await;
        if let Err(error) = unblocked {
            tracing::debug!(%error, "blocked read not ended");
        }
    }

    fn dispatch(&self, deliveries: Vec<Delivery>, slots: &mut OwnedSemaphorePermit) {
        for mut delivery in deliveries {
            if delivery.attempts > self.options.max_attempts {
                delivery.attempts -= 1;
                let reason = "its process ended each time before it did";
                self.running.give_up(delivery, reason.to_owned());
                continue;
            }
            let job = match serde_json::from_str(&delivery.payload) {
                Ok(job) => job,
                Err(error) => {
                    delivery.attempts -= 1;
                    let reason = format!("not a job of kind {}: {error}", J::KIND);
                    self.running.give_up(delivery, reason);
                    continue;
                }
            };
            let slot = slots.split(1);
            let ticket = slot.and_then(|slot| self.running.register(delivery, slot));
            if let Some(ticket) = ticket {
                // Unsent only if the worker is gone: the ticket's end leaves the job to others.
                self.jobs.send(Fetched { job, ticket }).ok();
            }
        }
    }

    /// Queues again what came after the worker began to stop.
    async fn hand_back(&self, deliveries: &[Delivery]) -> Result<(), ConnectionError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        self.stream.give_back(deliveries).await
    }

    fn stopping(&self) -> bool {
        self.stop.is_cancelled() || self.worker.is_shutting_down()
    }
}

/// The stream or its group is gone, as after a loss of Redis's data.
fn is_stream_lost(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOGROUP" | "UNBLOCKED"))
}

async fn answer<T>(
    asked: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, ConnectionError> {
    match timeout(BLOCK, asked).await {
        Ok(answered) => answered.map_err(sort),
        Err(_) => Err(ConnectionError::Away {
            reason: "no answer in time".to_owned(),
        }),
    }
}
