//! What happens in a tenant, as it happens: the same events over WebSocket and SSE.

pub mod events;
pub mod presence;
pub mod socket;

use std::sync::Arc;
use std::time::Duration;

use common::feed::{FeedEvent, FeedListener};
use futures::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

use crate::access::{Access, current_access};
use crate::state::AppState;

/// A listener's access is checked whenever somebody's changes, and so often: sessions also expire.
const CHECKED_EVERY: Duration = Duration::from_secs(60);

/// One who listens, as long as they may.
struct Live {
    state: AppState,
    access: Arc<Access>,
    listener: FeedListener,
    evicted: watch::Receiver<()>,
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
        // First watched, then checked: no change is missed.
        let mut evicted = state.access.evicted();
        evicted.mark_changed();
        let listener = state.hub.subscribe(access.tenant, after).await;
        let mut checks = interval_at(Instant::now() + CHECKED_EVERY, CHECKED_EVERY);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self {
            state: state.clone(),
            access,
            listener,
            evicted,
            checks,
        }
    }

    /// May be dropped and called again without losing anything.
    async fn next(&mut self) -> News {
        loop {
            tokio::select! {
                biased;
                () = self.state.stop.cancelled() => return News::Over,
                Ok(()) = self.evicted.changed() => {}
                _ = self.checks.tick() => {}
                event = self.listener.next() => {
                    return event.map_or(News::Over, News::Event);
                }
            }
            if !may_go_on(&self.state, &self.access).await {
                return News::AccessEnded;
            }
        }
    }
}

async fn may_go_on(state: &AppState, access: &Access) -> bool {
    match current_access(state, access.tenant, &access.credential).await {
        Ok(now) => now.is_some_and(|now| now.role == access.role),
        // While the database is away nobody's access can have changed.
        Err(_) => true,
    }
}
