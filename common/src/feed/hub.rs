//! One subscription per process: it hears every event and hands it to those who listen to that tenant.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{interval, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::listener::FeedListener;
use super::{FeedEvent, log};
use crate::ids::TenantId;
use crate::jobs::{ConnectionError, Redis, sort};

/// Events that wait for a listener; one who is slower is closed, and resumes.
const LISTENER_BOUND: usize = 256;
/// A subscription that hears nothing is asked this often whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(1);
const ANSWER_WITHIN: Duration = Duration::from_millis(1_500);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// What a listener is told.
pub(super) enum Signal {
    Event(FeedEvent),
    /// The subscription was interrupted: read on from where you are.
    CatchUp,
}

/// Everybody in this process who listens; cheap to clone, ends with its last clone.
#[derive(Clone)]
pub struct FeedHub {
    redis: Redis,
    registry: Arc<Registry>,
    subscription: Arc<Subscription>,
}

struct Subscription {
    stop: CancellationToken,
    _stop_on_drop: DropGuard,
}

/// Who listens to which tenant.
#[derive(Default)]
pub(super) struct Registry {
    listeners: Mutex<HashMap<TenantId, Vec<Registered>>>,
    next_key: AtomicU64,
}

struct Registered {
    key: u64,
    queue: mpsc::Sender<Signal>,
}

impl FeedHub {
    /// Starts to listen to this Redis, which may be down as yet.
    pub fn start(redis: &Redis) -> Self {
        let stop = CancellationToken::new();
        let registry = Arc::<Registry>::default();
        TaskTracker::new().spawn(listen(redis.clone(), Arc::clone(&registry), stop.clone()));
        Self {
            redis: redis.clone(),
            registry,
            subscription: Arc::new(Subscription {
                _stop_on_drop: stop.clone().drop_guard(),
                stop,
            }),
        }
    }

    /// Listens to a tenant's events: to new ones, or to all after the event with the id `after`. Waits for Redis at
    /// most 2 s; without it the listener goes on, or is reset, when Redis is back.
    pub async fn subscribe(&self, tenant: TenantId, after: Option<&str>) -> FeedListener {
        let (queue, signals) = mpsc::channel(LISTENER_BOUND);
        // First registered, then read: an event may come twice and is told apart by its id, none is missed.
        let key = self.registry.register(tenant, queue);
        let registry = Arc::clone(&self.registry);
        let mut listener = FeedListener::new(&self.redis, registry, tenant, key, signals);
        listener.begin(after).await;
        if self.is_closed() {
            self.registry.lock().clear();
        }
        listener
    }

    /// The id of the newest event of a tenant; `-` if there is none or Redis is down.
    pub async fn newest_id(&self, tenant: TenantId) -> String {
        match log::newest(&self.redis, tenant).await {
            Ok(position) => position.to_string(),
            Err(_) => log::NOTHING.to_owned(),
        }
    }

    /// Ends all listeners, and takes no more events.
    pub fn close(&self) {
        self.subscription.stop.cancel();
        self.registry.lock().clear();
    }

    fn is_closed(&self) -> bool {
        self.subscription.stop.is_cancelled()
    }
}

impl Registry {
    fn register(&self, tenant: TenantId, queue: mpsc::Sender<Signal>) -> u64 {
        let key = self.next_key.fetch_add(1, Ordering::Relaxed);
        self.lock()
            .entry(tenant)
            .or_default()
            .push(Registered { key, queue });
        metrics::gauge!("feed_listeners").increment(1);
        key
    }

    /// Forgets a listener.
    pub(super) fn leave(&self, tenant: TenantId, key: u64) {
        metrics::gauge!("feed_listeners").decrement(1);
        let mut listeners = self.lock();
        if let Some(of_tenant) = listeners.get_mut(&tenant) {
            of_tenant.retain(|listener| listener.key != key);
            if of_tenant.is_empty() {
                listeners.remove(&tenant);
            }
        }
    }

    /// Hands a message of the channel, `<tenant> <id> <type> <data>`, to those who listen.
    fn hand_out(&self, message: &str) {
        let mut parts = message.splitn(4, ' ');
        let mut part = || parts.next().unwrap_or_default();
        let (tenant, id, kind, data) = (part(), part(), part(), part());
        let Ok(tenant) = tenant.parse::<Uuid>().map(TenantId) else {
            tracing::warn!("a message on the feed's channel is not ours");
            return;
        };
        if let Some(of_tenant) = self.lock().get_mut(&tenant) {
            let event = FeedEvent::new(id, kind, data);
            of_tenant.retain(|listener| listener.tell(Signal::Event(event.clone())));
        }
    }

    fn catch_up(&self) {
        for of_tenant in self.lock().values_mut() {
            of_tenant.retain(|listener| listener.tell(Signal::CatchUp));
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TenantId, Vec<Registered>>> {
        self.listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registered {
    /// Whether the listener could be told; one that could not is closed by being forgotten.
    fn tell(&self, signal: Signal) -> bool {
        let told = self.queue.try_send(signal).is_ok();
        if !told {
            metrics::counter!("feed_listeners_closed_total").increment(1);
        }
        told
    }
}

/// Hears events until it is stopped; after a failure it subscribes again, at the latest a second later.
async fn listen(redis: Redis, registry: Arc<Registry>, stop: CancellationToken) {
    let mut pause = Duration::from_millis(50);
    loop {
        tokio::select! {
            heard = hear(&redis, &registry) => match heard {
                Ok(()) => pause = Duration::from_millis(50),
                Err(error) => redis.failed(&error),
            },
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = sleep(pause.mul_f64(rand::random_range(0.8..=1.0))) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Hears events over one subscription until it breaks.
async fn hear(redis: &Redis, registry: &Registry) -> Result<(), ConnectionError> {
    let mut subscriber = redis.subscriber().await?;
    subscriber
        .subscribe(log::channel(redis))
        .await
        .map_err(sort)?;
    redis.answered();
    // Whatever was published before the subscription stood is read, not heard.
    registry.catch_up();
    let (mut commands, mut messages) = subscriber.split();
    let mut ping = interval(PING_EVERY);
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(message) => match std::str::from_utf8(message.get_payload_bytes()) {
                    Ok(message) => registry.hand_out(message),
                    Err(_) => tracing::warn!("a message on the feed's channel is not text"),
                },
                None => return Ok(()),
            },
            _ = ping.tick() => {
                let asked = timeout(ANSWER_WITHIN, commands.ping::<redis::Value>()).await;
                if !matches!(asked, Ok(Ok(_))) {
                    redis.suspect();
                    return Ok(());
                }
            }
        }
    }
}
