//! One queue as a Redis stream with a consumer group: each command that the worker needs.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamClaimReply, StreamId, StreamReadReply};
use redis::{RedisError, Script};

use super::connection::{ConnectionError, Redis};
use super::dead_letters::{self, Burial, text};

/// The fields of an entry.
pub(super) const PAYLOAD: &str = "payload";
pub(super) const PUSHED_AT: &str = "pushed_at";

const GROUP: &str = "workers";

/// The key of a queue, without the prefix.
pub(super) fn key_of(queue: &str) -> String {
    format!("jobs:{queue}")
}

/// Forgets consumers without pending jobs: those idle for ARGV[2] ms, or named ARGV[3].
static FORGET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local forgotten = 0
         for _, consumer in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
           local is = {}
           for i = 1, #consumer, 2 do is[consumer[i]] = consumer[i + 1] end
           if is.pending == 0 and (is.idle > tonumber(ARGV[2]) or is.name == ARGV[3]) then
             redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], is.name)
             forgotten = forgotten + 1
           end
         end
         return forgotten",
    )
});

/// A queue as one consumer sees it.
#[derive(Clone)]
pub(super) struct Stream {
    pub(super) redis: Redis,
    pub(super) queue: Arc<str>,
    key: Arc<str>,
    consumer: Arc<str>,
}

/// A job as it was delivered.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) id: Arc<str>,
    pub(super) payload: String,
    /// Microseconds since 1970; none in an entry that is not ours.
    pub(super) pushed_at: Option<u64>,
    /// How often it was delivered, this time included.
    pub(super) attempts: u32,
}

/// An entry that was delivered and not acknowledged.
pub(super) struct Pending {
    pub(super) id: String,
    pub(super) attempts: u32,
}

/// A pause of the read and the most it returns.
pub(super) struct Reading {
    pub(super) count: usize,
    pub(super) block: Duration,
}

impl Stream {
    pub(super) fn new(redis: &Redis, queue: &str, consumer: &str) -> Self {
        Self {
            redis: redis.clone(),
            queue: queue.into(),
            key: redis.key(&key_of(queue)).into(),
            consumer: consumer.into(),
        }
    }

    /// Makes the group, from the first entry on: jobs may have been pushed before any worker came.
    pub(super) async fn make_group(&self) -> Result<(), ConnectionError> {
        let mut create = redis::cmd("XGROUP");
        create
            .arg("CREATE")
            .arg(&*self.key)
            .arg(GROUP)
            .arg(&["0", "MKSTREAM"]);
        match self.redis.command(&create).await {
            Err(error) if error.has_code("BUSYGROUP") => Ok(()),
            made => made,
        }
    }

    /// Waits for new jobs on a connection that nothing else uses.
    pub(super) async fn read(
        &self,
        connection: &mut MultiplexedConnection,
        reading: Reading,
    ) -> Result<Vec<Delivery>, RedisError> {
        let mut read = redis::cmd("XREADGROUP");
        read.arg(&["GROUP", GROUP])
            .arg(&*self.consumer)
            .arg("COUNT")
            .arg(reading.count)
            .arg("BLOCK")
            .arg(reading.block.as_millis().max(1) as u64)
            .arg("STREAMS")
            .arg(&*self.key)
            .arg(">");
        let reply: Option<StreamReadReply> = read.query_async(connection).await?;
        let keys = reply.unwrap_or_default().keys;
        let entries = keys.into_iter().flat_map(|key| key.ids);
        Ok(entries.map(|entry| delivery(entry, 1)).collect())
    }

    /// Jobs that nobody has touched for `idle`, of all consumers; with `own`, of this one only.
    pub(super) async fn pending(
        &self,
        idle: Duration,
        own: bool,
        count: usize,
    ) -> Result<Vec<Pending>, ConnectionError> {
        let mut pending = redis::cmd("XPENDING");
        pending
            .arg(&*self.key)
            .arg(GROUP)
            .arg("IDLE")
            .arg(idle.as_millis() as u64)
            .arg(&["-", "+"])
            .arg(count);
        if own {
            pending.arg(&*self.consumer);
        }
        let found: Vec<(String, String, u64, u32)> = self.redis.command(&pending).await?;
        let found = found.into_iter();
        Ok(found
            .map(|(id, _, _, attempts)| Pending { id, attempts })
            .collect())
    }

    /// Takes over those that are still idle; each counts as one more attempt.
    pub(super) async fn take_over(
        &self,
        idle: Duration,
        pending: &[Pending],
    ) -> Result<Vec<Delivery>, ConnectionError> {
        let mut claim = redis::cmd("XCLAIM");
        claim
            .arg(&*self.key)
            .arg(GROUP)
            .arg(&*self.consumer)
            .arg(idle.as_millis() as u64);
        for entry in pending {
            claim.arg(&entry.id);
        }
        let claimed: StreamClaimReply = self.redis.command(&claim).await?;
        let attempts = |id: &str| {
            let before = pending.iter().find(|entry| entry.id == id);
            before.map_or(1, |entry| entry.attempts + 1)
        };
        let claimed = claimed.ids.into_iter();
        Ok(claimed
            .map(|entry| {
                let attempts = attempts(&entry.id);
                delivery(entry, attempts)
            })
            .collect())
    }

    /// Says that these jobs are being worked on.
    pub(super) async fn keep(&self, ids: &[Arc<str>]) -> Result<(), ConnectionError> {
        let mut claim = redis::cmd("XCLAIM");
        claim.arg(&*self.key).arg(GROUP).arg(&*self.consumer).arg(0);
        claim.arg(plain(ids)).arg("JUSTID");
        let _kept: Vec<String> = self.redis.command(&claim).await?;
        Ok(())
    }

    /// Removes jobs that ended, after writing down those that were given up.
    pub(super) async fn remove(
        &self,
        ids: &[Arc<str>],
        burials: &[Burial<'_>],
    ) -> Result<(), ConnectionError> {
        let ids = plain(ids);
        let mut pipeline = redis::pipe();
        for burial in burials {
            dead_letters::bury(&mut pipeline, &self.redis, burial);
        }
        pipeline
            .cmd("XACK")
            .arg(&*self.key)
            .arg(GROUP)
            .arg(&ids)
            .ignore()
            .cmd("XDEL")
            .arg(&*self.key)
            .arg(&ids)
            .ignore();
        self.redis.pipeline(&pipeline).await
    }

    /// Queues again what was delivered and not begun.
    pub(super) async fn give_back(&self, deliveries: &[Delivery]) -> Result<(), ConnectionError> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for delivery in deliveries {
            pipeline
                .cmd("XADD")
                .arg(&*self.key)
                .arg("*")
                .arg(&[(PAYLOAD, &delivery.payload)])
                .arg(PUSHED_AT)
                .arg(delivery.pushed_at.unwrap_or_default())
                .ignore();
        }
        let ids: Vec<_> = deliveries.iter().map(|it| &*it.id).collect();
        pipeline
            .cmd("XACK")
            .arg(&*self.key)
            .arg(GROUP)
            .arg(&ids)
            .ignore()
            .cmd("XDEL")
            .arg(&*self.key)
            .arg(&ids)
            .ignore();
        self.redis.pipeline(&pipeline).await
    }

    /// Forgets consumers that have no jobs and have not asked for any within `idle`.
    pub(super) async fn forget_idle(&self, idle: Duration) -> Result<u32, ConnectionError> {
        self.forget(idle.as_millis() as u64, "").await
    }

    /// Forgets this consumer if it has no jobs left.
    pub(super) async fn leave(&self) -> Result<(), ConnectionError> {
        self.forget(i64::MAX as u64, &self.consumer).await?;
        Ok(())
    }

    async fn forget(&self, idle_ms: u64, name: &str) -> Result<u32, ConnectionError> {
        let mut forget = FORGET.key(&*self.key);
        forget.arg(GROUP).arg(idle_ms).arg(name);
        self.redis.script(&forget).await
    }
}

fn plain(ids: &[Arc<str>]) -> Vec<&str> {
    ids.iter().map(|id| &**id).collect()
}

fn delivery(entry: StreamId, attempts: u32) -> Delivery {
    Delivery {
        payload: text(&entry.map, PAYLOAD),
        pushed_at: text(&entry.map, PUSHED_AT)
            .parse()
            .ok()
            .filter(|at| *at > 0),
        id: entry.id.into(),
        attempts,
    }
}
