//! Letting a chat rest for a while.

use axum::extract::State;
use chrono::{DateTime, TimeDelta, Utc};
use common::domain::deadlines::ChatStatus;
use common::flows::refresh_chat::refresh_chat;
use common::ids::ChatId;
use common::views::ChatView;
use diesel_async::AsyncConnection;
use serde::Deserialize;
use utoipa::ToSchema;

use super::changes::{lock, published};
use crate::access::Staff;
use crate::http::{ApiError, ApiResult, Json, PathId, Problems, Validate, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// The longest rest.
const LONGEST: TimeDelta = TimeDelta::days(90);

/// Until when a chat rests.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Snooze {
    /// In the future, at most 90 days ahead; null: it no longer rests.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(required)]
    until: Option<DateTime<Utc>>,
    /// `version` of the chat; a later one gives 409 `chat_moved_on`.
    version: Option<i64>,
}

impl Validate for Snooze {
    fn validate(&self, _: &mut Problems) {}
}

/// Takes a chat out of the queue for a while.
///
/// No clock stops: it comes back when its deadline is at risk, when the buyer writes, and at the
/// latest at `until`.
#[utoipa::path(
    post, path = "/api/chats/{id}/snooze", tag = "chats", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    request_body(content = Snooze, example = json!({"until": null})),
    responses(
        (status = 200, description = "the chat; `snoozed_until` may be earlier than asked for", body = ChatView, example = json!(examples::chat())),
        (status = 409, description = "`chat_at_risk`: its deadline is too near; `chat_moved_on`"),
    )
)]
pub async fn snooze_chat(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
    Json(body): Json<Snooze>,
) -> ApiResult<Json<ChatView>> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    if let Some(until) = body.until
        && !(now < until && until <= now + LONGEST)
    {
        let message = "must be in the future and at most 90 days ahead";
        return Err(ApiError::of_field("until", message));
    }
    let mut conn = state.conn().await?;
    let chat = conn
        .transaction(async |conn| {
            let mut chat = lock(conn, tenant, id, body.version).await?;
            if chat.snoozed_until == body.until || chat.status == ChatStatus::Closed {
                return Ok(chat);
            }
            let is_at_risk = chat.nearer().is_some_and(|nearer| nearer.at_risk_at <= now);
            if body.until.is_some() && is_at_risk {
                return Err(ApiError::from(codes::CHAT_AT_RISK));
            }
            chat.snoozed_until = body.until;
            Ok(refresh_chat(conn, &chat, false, now).await?)
        })
        .await?;
    Ok(published(&state, &chat, now))
}
