//! Sending a failed message once more.

use axum::extract::State;
use chrono::{DateTime, Utc};
use common::db::chats::{self, Chat};
use common::db::messages::{self, Message};
use common::ids::{MessageId, TenantId};
use common::views::MessageView;
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::names::views;
use super::post::{check_sendable, deliver, schedule, send_before};
use crate::access::Staff;
use crate::http::{ApiResult, Json, PathId, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// Sends a failed message once more.
///
/// Never one that is `unknown`: the worker finds out whether it arrived.
#[utoipa::path(
    post, path = "/api/messages/{id}/retry", tag = "messages", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the message's id")),
    responses(
        (status = 200, description = "queued again", body = MessageView, example = json!(examples::queued_message())),
        (status = 409, description = "`not_failed`, `window_closed`, `seller_read_only`, `seller_inactive`"),
    )
)]
pub async fn retry_message(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<MessageId>,
) -> ApiResult<Json<MessageView>> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let (message, chat) = conn
        .transaction(async |conn| retry(conn, tenant, id, now).await)
        .await?;
    let mut views = views(&mut conn, &chat, std::slice::from_ref(&message)).await?;
    let view = views.pop().ok_or(codes::MESSAGE_NOT_FOUND)?;
    deliver(
        &state,
        Box::new((message, chat)),
        view.author.name.clone(),
        false,
    );
    Ok(Json(view))
}

async fn retry(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
    now: DateTime<Utc>,
) -> ApiResult<(Message, Chat)> {
    let message = messages::find(conn, tenant, id).await?;
    let message = message.ok_or(codes::MESSAGE_NOT_FOUND)?;
    let chat = chats::lock(conn, tenant, message.chat_id).await?;
    let chat = chat.ok_or(codes::MESSAGE_NOT_FOUND)?;
    check_sendable(conn, &chat, now).await?;
    let end = send_before(&chat, now);
    let message = messages::requeue(conn, tenant, id, end).await?;
    let message = message.ok_or(codes::NOT_FAILED)?;
    let chat = schedule(conn, &chat, now).await?;
    Ok((message, chat))
}
