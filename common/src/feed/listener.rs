//! One who listens to a tenant's feed: each event after the first position once and in order, or a reset.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::{FutureExt, Stream};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::FeedEvent;
use super::hub::{Registry, Signal};
use super::log::{self, EventId, News, Position};
use crate::ids::TenantId;
use crate::jobs::Redis;

/// A stream of events; it ends when the listener was too slow or the process stops: whoever wants more subscribes
/// again with the id of the last event.
pub struct FeedListener {
    redis: Redis,
    registry: Arc<Registry>,
    tenant: TenantId,
    key: u64,
    signals: mpsc::Receiver<Signal>,
    position: Position,
    starts_after: String,
    /// Read and not yet handed on.
    waiting: VecDeque<FeedEvent>,
    reading: Option<BoxFuture<'static, News>>,
}

impl FeedListener {
    pub(super) fn new(
        redis: &Redis,
        registry: Arc<Registry>,
        tenant: TenantId,
        key: u64,
        signals: mpsc::Receiver<Signal>,
    ) -> Self {
        Self {
            redis: redis.clone(),
            registry,
            tenant,
            key,
            signals,
            position: Position::Unknown,
            starts_after: Position::Unknown.to_string(),
            waiting: VecDeque::new(),
            reading: None,
        }
    }

    /// The id to which the first event is the next: what a client may keep as its last. `-` if not known.
    pub fn starts_after(&self) -> &str {
        &self.starts_after
    }

    /// Takes up the position `after`, or that of the newest event.
    pub(super) async fn begin(&mut self, after: Option<&str>) {
        let begun = match after {
            None => log::newest(&self.redis, self.tenant).await.map(|newest| {
                self.position = newest;
                self.starts_after = self.position.to_string();
            }),
            Some(after) => {
                // What is no id of ours leaves the position unknown, which reads as a reset.
                if let Ok(id) = after.parse() {
                    self.position = Position::At(id);
                }
                self.starts_after = self.position.to_string();
                let news = log::news(&self.redis, self.tenant, &self.position).await;
                news.map(|news| {
                    if let News::Reset(position) = &news {
                        self.starts_after = position.to_string();
                    }
                    self.take(news);
                })
            }
        };
        if begun.is_err() {
            self.read_on();
        }
    }

    fn read_on(&mut self) {
        let reading = read(self.redis.clone(), self.tenant, self.position.clone());
        self.reading = Some(reading.boxed());
    }

    fn take(&mut self, news: News) {
        match news {
            News::Reset(position) => {
                self.waiting
                    .push_back(FeedEvent::reset(&position.to_string()));
                self.position = position;
            }
            News::Events {
                events,
                position,
                more,
            } => {
                self.waiting.extend(events);
                self.position = position;
                if more {
                    self.read_on();
                }
            }
        }
    }

    /// The event, if it is the next; if that cannot be told, the feed is read instead.
    fn admit(&mut self, event: FeedEvent) -> Option<FeedEvent> {
        let id: EventId = event.id().parse().ok()?;
        match &self.position {
            Position::At(known) if known.epoch == id.epoch && id.at <= known.at => None,
            Position::At(known) if known.epoch != id.epoch => {
                self.read_on();
                None
            }
            Position::Unknown => {
                self.read_on();
                None
            }
            Position::At(_) | Position::Start => {
                self.position = Position::At(id);
                Some(event)
            }
        }
    }
}

/// What is new; waits for Redis as long as it takes.
async fn read(redis: Redis, tenant: TenantId, position: Position) -> News {
    loop {
        if let Ok(news) = log::news(&redis, tenant, &position).await {
            return news;
        }
        sleep(Duration::from_secs(1).mul_f64(rand::random_range(0.5..=1.0))).await;
    }
}

impl Stream for FeedListener {
    type Item = FeedEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<FeedEvent>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.waiting.pop_front() {
                return Poll::Ready(Some(event));
            }
            if let Some(reading) = &mut this.reading {
                let Poll::Ready(news) = reading.poll_unpin(cx) else {
                    // A process that stops does not wait for Redis.
                    let closed = this.signals.is_closed();
                    return if closed {
                        Poll::Ready(None)
                    } else {
                        Poll::Pending
                    };
                };
                this.reading = None;
                this.take(news);
                continue;
            }
            match ready!(this.signals.poll_recv(cx)) {
                None => return Poll::Ready(None),
                Some(Signal::CatchUp) => this.read_on(),
                Some(Signal::Event(event)) => {
                    if let Some(event) = this.admit(event) {
                        return Poll::Ready(Some(event));
                    }
                }
            }
        }
    }
}

impl Drop for FeedListener {
    fn drop(&mut self) {
        self.registry.leave(self.tenant, self.key);
    }
}
