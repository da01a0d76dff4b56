//! What a person does to a chat: reads, closes, reopens, assigns it.

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::db::chats::{self, Chat};
use common::db::read_receipts::{self, ReadReceipt};
use common::db::{messages, sellers, users};
use common::domain::deadlines::ChatStatus;
use common::flows::refresh_chat::refresh_chat;
use common::ids::{ChatId, TenantId, UserId};
use common::jobs::{Job, MarkRead};
use common::marketplaces::profile;
use common::views::ChatView;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::access::Staff;
use crate::http::{ApiError, ApiResult, Json, OptionalJson, PathId, Problems, Validate, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// The chat as it was seen.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenVersion {
    /// `version` of the chat; a later one gives 409 `chat_moved_on`.
    version: Option<i64>,
}

impl Validate for SeenVersion {
    fn validate(&self, _: &mut Problems) {}
}

/// Who takes over a chat.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// An active agent, admin or owner of the tenant; null: nobody.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(value_type = Option<i64>, required)]
    user_id: Option<UserId>,
    /// `version` of the chat; a later one gives 409 `chat_moved_on`.
    version: Option<i64>,
}

impl Validate for Assignment {
    fn validate(&self, _: &mut Problems) {}
}

/// Marks a chat as read, also at the marketplace where it can.
#[utoipa::path(
    post, path = "/api/chats/{id}/mark-read", tag = "chats", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    responses((status = 200, description = "the chat", body = ChatView, example = json!(examples::chat())))
)]
pub async fn mark_chat_read(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
) -> ApiResult<Json<ChatView>> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let (chat, reports) = conn
        .transaction(async |conn| mark_read(conn, tenant, id, now).await)
        .await?;
    if reports {
        let queue = MarkRead::queue(chat.channel);
        let job = MarkRead { tenant, chat: id };
        state.after_commit(move |ctx| async move { ctx.jobs.hurry(&queue, &job).await });
    }
    Ok(published(&state, &chat, now))
}

/// Closes a chat; the buyer's next message reopens it.
#[utoipa::path(
    post, path = "/api/chats/{id}/close", tag = "chats", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    request_body(content = Option<SeenVersion>, example = json!({"version": 7})),
    responses(
        (status = 200, description = "the chat", body = ChatView, example = json!(examples::closed_chat())),
        (status = 409, description = "`chat_moved_on`"),
    )
)]
pub async fn close_chat(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
    OptionalJson(body): OptionalJson<SeenVersion>,
) -> ApiResult<Json<ChatView>> {
    turn(&state, &staff, id, body.version, false).await
}

/// Reopens a closed chat.
#[utoipa::path(
    post, path = "/api/chats/{id}/reopen", tag = "chats", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    request_body(content = Option<SeenVersion>, example = json!({"version": 7})),
    responses(
        (status = 200, description = "the chat", body = ChatView, example = json!(examples::chat())),
        (status = 409, description = "`chat_moved_on`"),
    )
)]
pub async fn reopen_chat(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
    OptionalJson(body): OptionalJson<SeenVersion>,
) -> ApiResult<Json<ChatView>> {
    turn(&state, &staff, id, body.version, true).await
}

/// Gives a chat to a person of the tenant, or to nobody.
#[utoipa::path(
    post, path = "/api/chats/{id}/assign", tag = "chats", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    request_body(content = Assignment, example = json!({"user_id": 3})),
    responses(
        (status = 200, description = "the chat", body = ChatView, example = json!(examples::chat())),
        (status = 409, description = "`chat_moved_on`"),
    )
)]
pub async fn assign_chat(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
    Json(body): Json<Assignment>,
) -> ApiResult<Json<ChatView>> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let chat = conn
        .transaction(async |conn| {
            // The person before the chat: whoever deactivates them goes the same way.
            let is_staff = match body.user_id {
                Some(user) => users::is_active_staff(conn, tenant, user).await?,
                None => true,
            };
            let chat = lock(conn, tenant, id, body.version).await?;
            if !is_staff {
                let message = "is nobody who answers buyers here";
                return Err(ApiError::of_field("user_id", message));
            }
            if chat.assigned_to == body.user_id {
                return Ok(chat);
            }
            Ok(chats::assign(conn, tenant, id, body.user_id, now).await?)
        })
        .await?;
    Ok(published(&state, &chat, now))
}

async fn turn(
    state: &AppState,
    staff: &Staff,
    id: ChatId,
    version: Option<i64>,
    open: bool,
) -> ApiResult<Json<ChatView>> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let chat = conn
        .transaction(async |conn| {
            let mut chat = lock(conn, tenant, id, version).await?;
            let is_open = chat.status != ChatStatus::Closed;
            if is_open == open {
                return Ok(chat);
            }
            if !open {
                chat.status = ChatStatus::Closed;
            }
            ApiResult::Ok(refresh_chat(conn, &chat, open, now).await?)
        })
        .await?;
    Ok(published(state, &chat, now))
}

/// The chat, locked, as it was seen.
pub(super) async fn lock(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    version: Option<i64>,
) -> ApiResult<Chat> {
    let chat = chats::lock(conn, tenant, id).await?;
    let chat = chat.ok_or(codes::CHAT_NOT_FOUND)?;
    if version.is_some_and(|seen| seen != chat.version) {
        return Err(codes::CHAT_MOVED_ON.into());
    }
    Ok(chat)
}

/// The chat with nothing unread, and whether the marketplace is to be told.
async fn mark_read(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    now: DateTime<Utc>,
) -> ApiResult<(Chat, bool)> {
    let chat = lock(conn, tenant, id, None).await?;
    if messages::mark_read(conn, tenant, id, now).await? == 0 {
        return Ok((chat, false));
    }
    let profile = profile(chat.channel);
    let chat = refresh_chat(conn, &chat, false, now).await?;
    if !profile.marks_read {
        return Ok((chat, false));
    }
    let seller = sellers::find(conn, tenant, chat.seller_id).await?;
    let may = seller.as_ref().is_some_and(|seller| {
        seller.is_active && seller.capabilities().is_none_or(|it| it.mark_read)
    });
    let last = match chat.last_buyer_message_id {
        Some(last) if may => messages::find(conn, tenant, last).await?,
        _ => None,
    };
    let Some(up_to_external_id) = last.and_then(|last| last.external_id) else {
        return Ok((chat, false));
    };
    let receipt = ReadReceipt {
        tenant_id: tenant,
        chat_id: id,
        channel: chat.channel,
        up_to_external_id,
        due_at: now,
        failures: 0,
    };
    read_receipts::upsert(conn, &receipt).await?;
    Ok((chat, true))
}

/// Tells everybody of the chat; gives it as clients see it.
pub(super) fn published(state: &AppState, chat: &Chat, now: DateTime<Utc>) -> Json<ChatView> {
    let changed = chat.clone();
    state.after_commit(move |ctx| async move { ctx.publish_chat(&changed).await });
    Json(ChatView::new(chat, now))
}
