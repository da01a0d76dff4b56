//! The messages of a chat: read, written, sent once more.

mod attachments;
mod drafts;
mod names;
mod post;
mod retry;

use axum::extract::State;
use common::db::messages::{self, Message, MessagePlace, ThreadPart};
use common::ids::{ChatId, MessageId, TenantId};
use common::views::MessageView;
use diesel_async::AsyncPgConnection;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use self::names::views;
use super::chats;
use crate::access::Staff;
use crate::http::{ApiError, ApiResult, Json, PathId, Query, codes};
use crate::openapi::examples;
use crate::paging::{cut, page_size, read_cursor, write_cursor};
use crate::state::AppState;

pub use self::post::{__path_create_message, PostedMessage, create_message};
pub use self::retry::{__path_retry_message, retry_message};

/// A page of a chat's messages.
#[derive(Debug, Serialize, ToSchema)]
pub struct MessagePage {
    /// The oldest first.
    messages: Vec<MessageView>,
    /// To be passed on as `cursor`: goes back in time; null at the beginning of the chat.
    next_cursor: Option<String>,
}

/// Which messages: at most one of `before`, `after` and `cursor`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ThreadQuery {
    /// A message of the chat: only older ones.
    #[param(value_type = Option<i64>)]
    before: Option<MessageId>,
    /// A message of the chat: only newer ones, the oldest of them first.
    #[param(value_type = Option<i64>)]
    after: Option<MessageId>,
    /// How many, 1 to 100; 50 if not given.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists a chat's messages; the newest if nothing else is asked for.
#[utoipa::path(
    get, path = "/api/messages/chat/{chat_id}", tag = "messages", security(("bearer" = [])),
    params(("chat_id" = i64, Path, description = "the chat's id"), ThreadQuery),
    responses((status = 200, description = "messages", body = MessagePage, example = json!(examples::message_page())))
)]
pub async fn list_messages(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
    Query(query): Query<ThreadQuery>,
) -> ApiResult<Json<MessagePage>> {
    let size = page_size(query.limit)?;
    let chat = chats::find(&state, staff.tenant, id).await?;
    let tenant = staff.tenant;
    let mut conn = state.conn().await?;
    let part = part(&mut conn, tenant, id, &query).await?;
    let mut rows = messages::thread(&mut conn, tenant, id, part, size + 1).await?;
    let goes_back = !matches!(part, ThreadPart::After(_));
    let has_more = cut(&mut rows, size) && goes_back;
    let oldest = rows.last().filter(|_| has_more);
    let next_cursor = oldest
        .map(|oldest| write_cursor(&MessagePlace::of(oldest)))
        .transpose()?;
    if goes_back {
        rows.reverse();
    }
    let messages = views(&mut conn, &chat, &rows).await?;
    Ok(Json(MessagePage {
        messages,
        next_cursor,
    }))
}

/// Shows one message.
#[utoipa::path(
    get, path = "/api/messages/{id}", tag = "messages", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the message's id")),
    responses((status = 200, description = "the message", body = MessageView, example = json!(examples::message())))
)]
pub async fn get_message(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<MessageId>,
) -> ApiResult<Json<MessageView>> {
    let tenant = staff.tenant;
    let found = state
        .read(async |conn| messages::find(conn, tenant, id).await)
        .await?;
    let message = found.ok_or(codes::MESSAGE_NOT_FOUND)?;
    let chat = chats::find(&state, tenant, message.chat_id).await?;
    let mut conn = state.conn().await?;
    let mut views = views(&mut conn, &chat, &[message]).await?;
    let view = views.pop().ok_or(codes::MESSAGE_NOT_FOUND)?;
    Ok(Json(view))
}

async fn part(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    query: &ThreadQuery,
) -> ApiResult<ThreadPart> {
    let cursor: Option<MessagePlace> = read_cursor(query.cursor.as_deref())?;
    match (query.before, query.after, cursor) {
        (None, None, None) => Ok(ThreadPart::Newest),
        (None, None, Some(place)) => Ok(ThreadPart::Before(place)),
        (Some(before), None, None) => {
            let message = known(conn, tenant, chat, before, "before").await?;
            Ok(ThreadPart::Before(MessagePlace::of(&message)))
        }
        (None, Some(after), None) => {
            let message = known(conn, tenant, chat, after, "after").await?;
            Ok(ThreadPart::After(MessagePlace::of(&message)))
        }
        _ => {
            let message = "goes without the others: before, after, cursor";
            Err(ApiError::of_field("cursor", message))
        }
    }
}

/// A message of the chat that a request names in this field.
async fn known(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    id: MessageId,
    field: &str,
) -> ApiResult<Message> {
    let found = messages::find_in_chat(conn, tenant, chat, id).await?;
    found.ok_or_else(|| ApiError::of_field(field, "is no message of this chat"))
}
