//! Who may send a request now: the limits of a marketplace account, shared by all processes, and those of our own doors.

mod bucket;
mod local;
mod shared;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use self::bucket::{Bucket, Parallel, Want};
use self::local::Local;
use crate::channel::Marketplace;
use crate::jobs::Redis;
use crate::marketplaces::{self, Operation};

/// All requests of an account that run at once are running: asked again after this long.
const FULL: Duration = Duration::from_millis(40);
/// A request that holds a place for longer than this has died with its process.
const HOLD: Duration = Duration::from_secs(30);

/// Who comes first where requests are short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// An answer to a buyer: may use everything.
    Send,
    /// Anything else: leaves a reserve for sends.
    Read,
}

/// There is no room for the request now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room for the request within {retry_after:?}")]
pub struct RetryAfter {
    /// When it is worth asking again.
    pub retry_after: Duration,
}

/// The limits of marketplace accounts; cheap to clone. Without Redis each process keeps them for itself.
#[derive(Clone)]
pub struct Limits {
    inner: Arc<Inner>,
}

struct Inner {
    redis: Redis,
    local: Arc<Local>,
    ended: OnceLock<UnboundedSender<Place>>,
}

/// One of the places of an account's parallel requests, in Redis.
struct Place {
    key: String,
    token: String,
}

/// Leave to make one request; keep it until the answer is there.
#[must_use = "the request may run only as long as its permit is held"]
pub struct Permit {
    want: Want,
    local: Arc<Local>,
    place: Option<(UnboundedSender<Place>, Place)>,
}

impl Limits {
    /// The limits that all processes with this Redis share.
    pub fn new(redis: &Redis) -> Self {
        Self {
            inner: Arc::new(Inner {
                redis: redis.clone(),
                local: Arc::default(),
                ended: OnceLock::new(),
            }),
        }
    }

    /// Waits until the account may make one more request, at most `max_wait`. `requests_per_hour` replaces the
    /// marketplace's own limits of the chat methods for keys that may less.
    pub async fn acquire(
        &self,
        marketplace: Marketplace,
        account: &str,
        requests_per_hour: Option<u32>,
        operation: Operation,
        urgency: Urgency,
        max_wait: Duration,
    ) -> Result<Permit, RetryAfter> {
        let profile = marketplaces::profile(marketplace);
        let account = format!("{marketplace}:{account}");
        let limits = bucket::limits(profile.limits, requests_per_hour, operation);
        let want = Want {
            buckets: limits
                .map(|limit| Bucket::of_limit(&account, &limit, urgency))
                .collect(),
            parallel: profile
                .parallel
                .map(|places| Parallel::new(&account, places, urgency)),
        };
        let began = Instant::now();
        let taken = self.take(want, began + max_wait).await;
        let waited =
            metrics::histogram!("limit_wait_seconds", "marketplace" => marketplace.as_str());
        waited.record(began.elapsed().as_secs_f64());
        if taken.is_err() {
            metrics::counter!("limit_refusals_total", "marketplace" => marketplace.as_str())
                .increment(1);
        }
        taken
    }

    async fn take(&self, want: Want, until: Instant) -> Result<Permit, RetryAfter> {
        let local = &self.inner.local;
        loop {
            // What this process itself has used counts first: that needs no Redis, and outlives its data.
            let wait = match local.take(&want, Instant::now()) {
                Ok(()) => match shared::take(&self.inner.redis, &want, HOLD).await {
                    Ok(shared::Answer::Taken(token)) => return Ok(self.permit(want, token)),
                    Err(_) => return Ok(self.permit(want, None)),
                    Ok(shared::Answer::Wait(wait)) => {
                        local.give_back(&want);
                        wait
                    }
                    Ok(shared::Answer::Full) => {
                        local.give_back(&want);
                        FULL
                    }
                },
                Err(local::Refused::Wait(wait)) => wait,
                Err(local::Refused::Full) => FULL,
            };
            if Instant::now() + wait > until {
                return Err(RetryAfter { retry_after: wait });
            }
            sleep(wait.mul_f64(rand::random_range(1.0..=1.1))).await;
        }
    }

    fn permit(&self, want: Want, token: Option<String>) -> Permit {
        let place = token.zip(want.parallel.as_ref()).map(|(token, parallel)| {
            let key = parallel.key.clone();
            (self.ended(), Place { key, token })
        });
        Permit {
            want,
            local: Arc::clone(&self.inner.local),
            place,
        }
    }

    /// Where ended requests are told; the task that frees their places starts with the first.
    fn ended(&self) -> UnboundedSender<Place> {
        let start = || {
            let (sender, places) = mpsc::unbounded_channel();
            TaskTracker::new().spawn(free(self.inner.redis.clone(), places));
            sender
        };
        self.inner.ended.get_or_init(start).clone()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.local.end(&self.want);
        if let Some((ended, place)) = self.place.take() {
            // Untold, the place frees itself after `HOLD`.
            ended.send(place).ok();
        }
    }
}

/// Frees places until nobody is left who could take any.
async fn free(redis: Redis, mut places: UnboundedReceiver<Place>) {
    let mut batch = Vec::new();
    while places.recv_many(&mut batch, 64).await > 0 {
        let mut pipeline = redis::pipe();
        for place in batch.drain(..) {
            pipeline
                .cmd("ZREM")
                .arg(redis.key(&place.key))
                .arg(place.token)
                .ignore();
        }
        let freed: Result<(), _> = redis.pipeline(&pipeline).await;
        if let Err(error) = freed {
            tracing::debug!(%error, "places of ended requests not freed");
        }
    }
}

/// Limits of our own doors: attempts to sign in, requests of a key or an address.
#[derive(Clone)]
pub struct RateLimiter {
    redis: Redis,
    local: Arc<Local>,
}

impl RateLimiter {
    /// The limits that all processes with this Redis share; without it each keeps them for itself.
    pub fn new(redis: &Redis) -> Self {
        Self {
            redis: redis.clone(),
            local: Arc::default(),
        }
    }

    /// Counts one try of `key`: at most `limit` at once, and then one more each `per / limit`.
    pub async fn check(&self, key: &str, limit: u32, per: Duration) -> Result<(), RetryAfter> {
        let want = Want {
            buckets: vec![Bucket::of_tries(key, limit, per)],
            parallel: None,
        };
        let refused = |retry_after| Err(RetryAfter { retry_after });
        match self.local.take(&want, Instant::now()) {
            Ok(()) => {}
            Err(local::Refused::Wait(wait)) => return refused(wait),
            Err(local::Refused::Full) => return refused(FULL),
        }
        match shared::take(&self.redis, &want, HOLD).await {
            Ok(shared::Answer::Taken(_)) | Err(_) => Ok(()),
            Ok(shared::Answer::Wait(wait)) => refused(wait),
            Ok(shared::Answer::Full) => refused(FULL),
        }
    }
}
