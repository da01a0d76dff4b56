//! The live feed of a tenant: what happened, in order, to everybody who looks, without gaps they do not know of.

mod hub;
mod listener;
mod log;
mod presence;

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Serialize;

use crate::ids::TenantId;
use crate::jobs::{ConnectionError, Redis};

pub use self::hub::FeedHub;
pub use self::listener::FeedListener;
pub use self::presence::{Presence, PresenceState, Present, SHOWN_EVERY};

/// What a tenant's people are told about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// A chat is new or changed: the data is the whole chat.
    ChatUpdated,
    /// A message was stored: the data is the whole message.
    MessageCreated,
    /// A message changed its state or was bound to the marketplace's: the data is the whole message.
    MessageUpdated,
    /// A draft may be sent: the data is the whole suggestion.
    SuggestionReady,
    /// A deadline is near: the data is the whole chat. Once for each time that an answer is owed,
    /// again only if a process died while telling.
    DeadlineWarning,
    /// A deadline is over: the data is the whole chat. As often as a warning.
    DeadlineBreached,
    /// A shop is new or changed: the data is the whole seller.
    SellerUpdated,
    /// Who looks at or writes in a chat has changed: the data is `{chat_id, users}`, all who are there.
    Presence,
    /// Some events may be missing: read everything again and go on from this event's id. Never published.
    Reset,
}

impl Event {
    /// The event's `type` on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ChatUpdated => "chat.updated",
            Self::MessageCreated => "message.created",
            Self::MessageUpdated => "message.updated",
            Self::SuggestionReady => "suggestion.ready",
            Self::DeadlineWarning => "deadline.warning",
            Self::DeadlineBreached => "deadline.breached",
            Self::SellerUpdated => "seller.updated",
            Self::Presence => "presence",
            Self::Reset => "reset",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An event as it goes to browsers: serialised once, shared by all who get it.
#[derive(Clone, Debug)]
pub struct FeedEvent {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    id: Box<str>,
    kind: Box<str>,
    data: Box<str>,
    frame: OnceLock<Bytes>,
}

impl FeedEvent {
    fn new(id: &str, kind: &str, data: &str) -> Self {
        Self {
            shared: Arc::new(Shared {
                id: id.into(),
                kind: kind.into(),
                data: data.into(),
                frame: OnceLock::new(),
            }),
        }
    }

    fn reset(id: &str) -> Self {
        metrics::counter!("feed_resets_total").increment(1);
        Self::new(id, Event::Reset.as_str(), "null")
    }

    /// What to pass as `after` to go on behind this event.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    /// The `type`, as in [`Event::as_str`]; a newer process may publish kinds unknown here.
    pub fn kind(&self) -> &str {
        &self.shared.kind
    }

    /// The data: JSON.
    pub fn data(&self) -> &str {
        &self.shared.data
    }

    /// The whole frame `{"id","type","data"}` for a WebSocket: UTF-8, put together once.
    pub fn frame(&self) -> Bytes {
        let shared = &self.shared;
        let put_together = || {
            // Ids and kinds are made of letters, digits, dots and dashes: nothing to escape.
            let (id, kind, data) = (&shared.id, &shared.kind, &shared.data);
            Bytes::from(format!(r#"{{"id":"{id}","type":"{kind}","data":{data}}}"#))
        };
        shared.frame.get_or_init(put_together).clone()
    }
}

/// An event was not published; whoever looks finds the change at the latest when reading again.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error("event does not become JSON: {0}")]
    Encode(#[from] serde_json::Error),
    #[error(transparent)]
    Redis(#[from] ConnectionError),
}

/// Where events are published, after the commit: cheap to clone.
#[derive(Clone)]
pub struct Feed {
    redis: Redis,
}

impl Feed {
    /// The feeds in this Redis.
    pub fn new(redis: &Redis) -> Self {
        Self {
            redis: redis.clone(),
        }
    }

    /// Publishes an event to everybody of the tenant; a failure is counted, an outage logged once.
    pub async fn publish(
        &self,
        tenant: TenantId,
        event: Event,
        data: &impl Serialize,
    ) -> Result<(), PublishError> {
        let data = serde_json::to_string(data)?;
        let appended = log::append(&self.redis, tenant, event.as_str(), &data).await;
        match &appended {
            Ok(()) => metrics::counter!("feed_published_total").increment(1),
            Err(error) => {
                metrics::counter!("feed_publish_failures_total").increment(1);
                tracing::debug!(%tenant, %event, %error, "event not published");
            }
        }
        Ok(appended?)
    }
}
