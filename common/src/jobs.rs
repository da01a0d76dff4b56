//! What is asked of the worker in a hurry: ids pushed to Redis after the rows that call for the work are stored.

mod connection;
mod dead_letters;
mod fetching;
mod handling;
mod keeping;
pub mod redis_streams;
mod stream;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::channel::Marketplace;
use crate::ids::{ChatId, ChatStartId, SellerId, TenantId};

pub(crate) use self::connection::sort;
pub use self::connection::{ConnectionError, Redis};
pub use self::dead_letters::DeadLetter;
pub use self::redis_streams::{Options, RedisStreams};

/// More jobs than this wait in no queue: the oldest are dropped, as their rows call for them anyway.
const QUEUE_BOUND: usize = 100_000;

/// A piece of work: ids only, as the truth is in PostgreSQL.
pub trait Job: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// The kind's name in keys, metrics and logs.
    const KIND: &'static str;

    /// The queue of this kind for one marketplace, so that one that hangs fills only its own.
    fn queue(marketplace: Marketplace) -> Queue<Self> {
        Queue::named(format!("{}:{marketplace}", Self::KIND))
    }
}

/// Sends the oldest unsettled outgoing message of a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliverChat {
    pub tenant: TenantId,
    pub chat: ChatId,
}

/// Pulls what changed in a shop's chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncSeller {
    pub tenant: TenantId,
    pub seller: SellerId,
}

/// Reports to the marketplace that a chat was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkRead {
    pub tenant: TenantId,
    pub chat: ChatId,
}

/// Begins a chat about an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartChat {
    pub tenant: TenantId,
    pub start: ChatStartId,
}

/// Asks the marketplace what a stored key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSeller {
    pub tenant: TenantId,
    pub seller: SellerId,
}

/// Fetches a file that came with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchFile {
    pub tenant: TenantId,
    /// The file's public id.
    pub file: Uuid,
}

impl Job for DeliverChat {
    const KIND: &'static str = "deliver_chat";
}

impl Job for SyncSeller {
    const KIND: &'static str = "sync_seller";
}

impl Job for MarkRead {
    const KIND: &'static str = "mark_read";
}

impl Job for FetchFile {
    const KIND: &'static str = "fetch_file";
}

impl Job for StartChat {
    const KIND: &'static str = "start_chat";
}

impl Job for ProbeSeller {
    const KIND: &'static str = "probe_seller";
}

/// The name of a queue that takes jobs of one kind.
pub struct Queue<J> {
    name: Arc<str>,
    kind: PhantomData<fn() -> J>,
}

impl<J> Queue<J> {
    /// A queue by its full name; [`Job::queue`] names those of marketplaces.
    pub fn named(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            kind: PhantomData,
        }
    }

    /// The name, as in keys, metrics and dead letters.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<J> Clone for Queue<J> {
    fn clone(&self) -> Self {
        Self::named(Arc::clone(&self.name))
    }
}

impl<J> fmt::Debug for Queue<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.name).finish()
    }
}

/// How a handler ends a job that it could not finish; any other error counts as [`JobError::Retry`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum JobError {
    /// Run it again after the lease, up to [`Options::max_attempts`] in all.
    #[error("{0}")]
    Retry(String),
    /// Put it to the dead letters now: trying again mends nothing.
    #[error("{0}")]
    GiveUp(String),
}

/// A job was not queued; its row calls for it anyway.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    #[error("job does not become JSON: {0}")]
    Encode(#[from] serde_json::Error),
    #[error(transparent)]
    Redis(#[from] ConnectionError),
}

/// Where jobs are pushed: cheap to clone.
#[derive(Clone)]
pub struct JobQueue {
    redis: Redis,
}

impl JobQueue {
    /// The queues in this Redis.
    pub fn new(redis: &Redis) -> Self {
        Self {
            redis: redis.clone(),
        }
    }

    /// Queues a job within 2 s, or tells why not; a failure is counted, an outage logged once.
    pub async fn push<J: Job>(&self, queue: &Queue<J>, job: &J) -> Result<(), PushError> {
        let pushed = self.add(queue, job).await;
        match &pushed {
            Ok(()) => {
                metrics::counter!("jobs_pushed_total", "queue" => queue.name.clone()).increment(1);
            }
            Err(error) => {
                metrics::counter!("job_push_failures_total", "queue" => queue.name.clone())
                    .increment(1);
                tracing::debug!(queue = queue.name(), %error, "job not queued");
            }
        }
        pushed
    }

    /// Queues a job if Redis takes it; if not, its row calls for it a moment later.
    pub async fn hurry<J: Job>(&self, queue: &Queue<J>, job: &J) {
        // `push` counted and logged the failure.
        self.push(queue, job).await.ok();
    }

    /// The newest dead letters, newest first.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, ConnectionError> {
        dead_letters::list(&self.redis, limit).await
    }

    async fn add<J: Job>(&self, queue: &Queue<J>, job: &J) -> Result<(), PushError> {
        let payload = serde_json::to_string(job)?;
        let mut add = redis::cmd("XADD");
        add.arg(self.redis.key(&stream::key_of(queue.name())))
            .arg(&["MAXLEN", "~"])
            .arg(QUEUE_BOUND)
            .arg("*")
            .arg(&[(stream::PAYLOAD, payload.as_str())])
            .arg(stream::PUSHED_AT)
            .arg(now_micros());
        let _id: String = self.redis.command(&add).await?;
        Ok(())
    }
}

/// Microseconds since 1970 by the system's clock: only for measuring, never for business.
fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or(Duration::ZERO).as_micros()).unwrap_or(u64::MAX)
}
