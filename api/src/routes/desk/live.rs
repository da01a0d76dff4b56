//! What happens in a tenant, as it happens: the same events over WebSocket and SSE.

pub mod events;
pub mod socket;

use std::sync::Arc;
use std::time::Duration;

use common::feed::{FeedEvent, FeedListener};
use futures::StreamExt;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::access::{Access, current_access};
use crate::state::AppState;

/// How often a listener's access is checked: it ends at most so much later than in the cache.
const CHECKED_EVERY: Duration = Duration::from_secs(1);

/// One who listens, as long as they may.
struct Live {
    state: AppState,
    access: Arc<Access>,
    listener: FeedListener,
    checks: Interval,
}

/// What comes next.
enum News {
    Event(FeedEvent),
    /// The session was revoked, or the role changed.
    AccessEnded,
    /// The listener was too slow, or the process stops: come again with the last id.
    Over,
}

impl Live {
    async fn start(state: &AppState, access: Arc<Access>, after: Option<&str>) -> Self {
        let listener = state.hub.subscribe(access.tenant, after).await;
        let mut checks = interval(CHECKED_EVERY);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            state: state.clone(),
            access,
            listener,
            checks,
        }
    }

    /// May be dropped and called again without losing anything.
    async fn next(&mut self) -> News {
        loop {
            tokio::select! {
                biased;
                () = self.state.stop.cancelled() => return News::Over,
                _ = self.checks.tick() => {
                    if !may_go_on(&self.state, &self.access).await {
                        return News::AccessEnded;
                    }
                }
                event = self.listener.next() => {
                    return event.map_or(News::Over, News::Event);
                }
            }
        }
    }
}

async fn may_go_on(state: &AppState, access: &Access) -> bool {
    match current_access(state, access.tenant, access.session).await {
        Ok(now) => now.is_some_and(|now| now.role == access.role),
        // While the database is away nobody's access can have changed.
        Err(_) => true,
    }
}
