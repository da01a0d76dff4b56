//! Who looks at or writes in which chat: what a socket says, shown for as long as it is open.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use common::db::chats as rows;
use common::feed::{PresenceState, Present, SHOWN_EVERY};
use common::ids::ChatId;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::chats;
use crate::access::{Access, Staff};
use crate::http::{ApiResult, Json, PathId};
use crate::openapi::examples;
use crate::state::AppState;

/// However often a client says where it is, it is heard this often; the last it said counts.
const HEARD_EVERY: Duration = Duration::from_millis(200);
const SWEPT_EVERY: Duration = Duration::from_secs(1);

/// Who is in a chat.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatPresence {
    #[schema(value_type = i64)]
    chat_id: ChatId,
    /// Each person once.
    users: Vec<Present>,
}

/// Shows who looks at or writes in a chat: what the event `presence` says whenever it changes.
#[utoipa::path(
    get, path = "/api/chats/{id}/presence", tag = "live", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    responses((status = 200, description = "who is there", body = ChatPresence, example = json!(examples::presence())))
)]
pub async fn get_presence(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
) -> ApiResult<Json<ChatPresence>> {
    chats::find(&state, staff.tenant, id).await?;
    // Without Redis nobody is known to be anywhere.
    let users = state.presence.of_chat(staff.tenant, id).await;
    Ok(Json(ChatPresence {
        chat_id: id,
        users: users.unwrap_or_default(),
    }))
}

/// Where somebody is with one socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) chat: ChatId,
    pub(super) state: PresenceState,
}

/// What a socket said last; when it is dropped, the socket has left.
pub(super) struct Attendance {
    state: AppState,
    access: Arc<Access>,
    said: Option<watch::Sender<Option<Place>>>,
}

impl Attendance {
    pub(super) fn new(state: &AppState, access: &Arc<Access>) -> Self {
        Self {
            state: state.clone(),
            access: Arc::clone(access),
            said: None,
        }
    }

    /// The client says where it is now; none: in no chat.
    pub(super) fn is_at(&mut self, place: Option<Place>) {
        match &self.said {
            Some(said) => {
                said.send_replace(place);
            }
            None if place.is_none() => {}
            None => {
                let (said, hears) = watch::channel(place);
                self.said = Some(said);
                let attender = Attender::new(&self.state, &self.access);
                self.state.tasks.spawn(attender.run(hears));
            }
        }
    }
}

/// Shows where one socket is.
struct Attender {
    state: AppState,
    access: Arc<Access>,
    socket: Uuid,
    shown: Option<Place>,
    /// A chat, and whether the tenant has it.
    looked_up: Option<(ChatId, bool)>,
}

impl Attender {
    fn new(state: &AppState, access: &Arc<Access>) -> Self {
        Self {
            state: state.clone(),
            access: Arc::clone(access),
            socket: Uuid::new_v4(),
            shown: None,
            looked_up: None,
        }
    }

    /// Until the socket is gone.
    async fn run(mut self, mut said: watch::Receiver<Option<Place>>) {
        let mut again = interval(SHOWN_EVERY);
        again.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = said.changed() => if changed.is_err() { break },
                _ = again.tick() => {}
            }
            let place = *said.borrow_and_update();
            self.go_to(place).await;
            sleep(HEARD_EVERY).await;
        }
        self.leave().await;
    }

    async fn go_to(&mut self, place: Option<Place>) {
        let place = match place {
            Some(place) if self.is_ours(place.chat).await => Some(place),
            _ => None,
        };
        if self.shown.map(|shown| shown.chat) != place.map(|place| place.chat) {
            self.leave().await;
        }
        let Some(place) = place else { return };
        self.shown = Some(place);
        let who = Present {
            user_id: self.access.user,
            name: self.access.username.clone(),
            state: place.state,
        };
        let presence = &self.state.presence;
        let shown = presence.show(self.access.tenant, place.chat, self.socket, &who);
        // Redis logs its outages itself, and soon this is shown again.
        shown.await.ok();
    }

    async fn leave(&mut self) {
        if let Some(place) = self.shown.take() {
            let presence = &self.state.presence;
            let left = presence.leave(self.access.tenant, place.chat, self.socket);
            // What is not taken out now runs out.
            left.await.ok();
        }
    }

    async fn is_ours(&mut self, chat: ChatId) -> bool {
        if let Some((known, is_ours)) = self.looked_up
            && known == chat
        {
            return is_ours;
        }
        let tenant = self.access.tenant;
        let found = self
            .state
            .read(async move |conn| rows::find(conn, tenant, chat).await)
            .await;
        match found {
            Ok(found) => {
                self.looked_up = Some((chat, found.is_some()));
                found.is_some()
            }
            // Looked up again when it is shown again.
            Err(_) => false,
        }
    }
}

/// Takes out those whose process has died, until this one stops.
pub async fn sweep(state: AppState) {
    let mut ticks = interval(SWEPT_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = state.stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // Redis logs its outages itself.
        state.presence.sweep().await.ok();
    }
}
