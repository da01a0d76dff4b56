//! Live events over SSE.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HeaderName;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures::stream::{self, Stream, StreamExt};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{Live, News};
use crate::access::Staff;
use crate::http::Query;
use crate::state::AppState;

const HEARTBEAT: Duration = Duration::from_secs(15);
const RECONNECT: Duration = Duration::from_millis(2000);
/// Asks nginx to pass each event on at once.
const NOT_GATHERED: HeaderName = HeaderName::from_static("x-accel-buffering");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// From where on.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// The id of the last event that was seen; like `Last-Event-ID`, which goes first.
    after: Option<String>,
}

/// Streams what happens: chats, messages and sellers as they change.
///
/// `reset` means that events may be missing: read everything again and go on.
#[utoipa::path(
    get, path = "/api/events", tag = "live", security(("bearer" = [])), params(EventsQuery),
    responses((status = 200, description = "events", body = String, content_type = "text/event-stream",
        example = "id: 8f14e45f-1732179600000-0\nevent: chat.updated\ndata: {\"id\":7}\n\n"))
)]
pub async fn stream_events(
    State(state): State<AppState>,
    staff: Staff,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> (
    [(HeaderName, &'static str); 1],
    Sse<impl Stream<Item = Result<Event, Infallible>>>,
) {
    let header = headers.get(LAST_EVENT_ID);
    let last = header.and_then(|id| id.to_str().ok()).map(str::to_owned);
    let after = last.or(query.after);
    let live = Live::start(&state, staff.access(), after.as_deref()).await;
    let opening = Event::default()
        .retry(RECONNECT)
        .id(live.listener.starts_after());
    let events = stream::unfold(live, async |mut live| match live.next().await {
        News::Event(event) => {
            let sent = Event::default()
                .id(event.id())
                .event(event.kind())
                .data(event.data());
            Some((sent, live))
        }
        News::AccessEnded | News::Over => None,
    });
    let events = stream::iter([opening]).chain(events).map(Ok);
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT));
    ([(NOT_GATHERED, "no")], events)
}
