//! The queue of chats, and what a person does to one.

mod changes;
pub mod deadline;
pub mod filters;
pub mod snooze;
mod start;
mod tags;

use axum::extract::State;
use common::db::chats::{self, Chat, ChatCursor, ChatSort};
use common::ids::{ChatId, TenantId};
use common::views::ChatView;
use diesel::QueryResult;
use diesel_async::{
    AnsiTransactionManager, AsyncPgConnection, SimpleAsyncConnection, TransactionManager,
};
use serde::Serialize;
use utoipa::ToSchema;

use self::filters::ChatQuery;
use crate::access::Staff;
use crate::http::{ApiError, ApiResult, Json, PathId, Query, codes, is_timeout};
use crate::openapi::examples;
use crate::paging::{cut, page_size, read_cursor, write_cursor};
use crate::state::{AppState, DbQuery};

pub use self::changes::{
    __path_assign_chat, __path_close_chat, __path_mark_chat_read, __path_reopen_chat, assign_chat,
    close_chat, mark_chat_read, reopen_chat,
};
pub use self::deadline::{__path_explain_deadline, explain_deadline};
pub use self::snooze::{__path_snooze_chat, snooze_chat};
pub use self::start::{__path_create_chat, __path_get_chat_start, create_chat, get_chat_start};
pub use self::tags::{__path_list_tags, __path_set_chat_tags, list_tags, set_chat_tags};

/// A page of chats.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatPage {
    chats: Vec<ChatView>,
    /// To be passed on as `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// How many chats each view holds: exact to 999, then 1000 meaning more.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatCounts {
    /// Assigned to whoever asks, and an answer is owed.
    mine: i64,
    /// Assigned to nobody, and an answer is owed.
    unassigned: i64,
    at_risk: i64,
    breached: i64,
    /// A draft of an answer waits for a person.
    suggestion_ready: i64,
    waiting: i64,
    /// The last thing we wrote could not be sent.
    send_error: i64,
}

/// Lists chats, those first that want an answer first.
#[utoipa::path(
    get, path = "/api/chats", tag = "chats", security(("bearer" = [])), params(ChatQuery),
    responses(
        (status = 200, description = "chats", body = ChatPage, example = json!(examples::chat_page())),
        (status = 503, description = "`query_too_broad`: it would take longer than 2 s"),
    )
)]
pub async fn list_chats(
    State(state): State<AppState>,
    staff: Staff,
    Query(query): Query<ChatQuery>,
) -> ApiResult<Json<ChatPage>> {
    let size = page_size(query.limit)?;
    let sort = query.sort.map(ChatSort::from).unwrap_or_default();
    let behind: Option<ChatCursor> = read_cursor(query.cursor.as_deref())?;
    if behind.is_some_and(|behind| behind.sort != sort) {
        return Err(ApiError::of_field("cursor", "is of another order"));
    }
    let filter = query.filter(&staff)?;
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut rows = bounded(&state, filter.is_fast(sort), async |conn| {
        chats::list(conn, tenant, &filter, sort, behind, size + 1, now).await
    })
    .await?;
    let has_more = cut(&mut rows, size);
    let last = rows.last().filter(|_| has_more);
    let next_cursor = last
        .map(|last| write_cursor(&ChatCursor::behind(last, sort)))
        .transpose()?;
    Ok(Json(ChatPage {
        chats: rows.iter().map(|row| ChatView::new(row, now)).collect(),
        next_cursor,
    }))
}

/// Counts the chats of each view.
#[utoipa::path(
    get, path = "/api/chats/counts", tag = "chats", security(("bearer" = [])),
    responses((status = 200, description = "counts", body = ChatCounts, example = json!(examples::counts())))
)]
pub async fn count_chats(
    State(state): State<AppState>,
    staff: Staff,
) -> ApiResult<Json<ChatCounts>> {
    let (tenant, user, now) = (staff.tenant, staff.user, state.ctx.clock.now());
    let counts = bounded(&state, false, async |conn| {
        chats::counts(conn, tenant, user, now).await
    })
    .await?;
    Ok(Json(ChatCounts {
        mine: counts.mine,
        unassigned: counts.unassigned,
        at_risk: counts.at_risk,
        breached: counts.breached,
        suggestion_ready: counts.suggestion_ready,
        waiting: counts.waiting,
        send_error: counts.send_error,
    }))
}

/// Shows one chat.
#[utoipa::path(
    get, path = "/api/chats/{id}", tag = "chats", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    responses((status = 200, description = "the chat", body = ChatView, example = json!(examples::chat())))
)]
pub async fn get_chat(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
) -> ApiResult<Json<ChatView>> {
    let chat = find(&state, staff.tenant, id).await?;
    Ok(Json(ChatView::new(&chat, state.ctx.clock.now())))
}

/// The tenant's chat with this id.
pub(super) async fn find(state: &AppState, tenant: TenantId, id: ChatId) -> ApiResult<Chat> {
    let found = state
        .read(async |conn| chats::find(conn, tenant, id).await)
        .await?;
    found.ok_or_else(|| codes::CHAT_NOT_FOUND.into())
}

/// Runs a query that may turn out to be too broad; only what no index answers is timed by itself.
pub(super) async fn bounded<T, F>(state: &AppState, is_fast: bool, query: F) -> ApiResult<T>
where
    for<'c> F: DbQuery<&'c mut AsyncPgConnection, QueryResult<T>, Fut: Send>,
    F: Clone + Send + Sync,
    T: Send,
{
    if is_fast {
        return state.read(query).await;
    }
    let mut conn = state.conn().await?;
    // By the transaction manager: a request that is given up here spoils the connection, and the
    // pool notices.
    AnsiTransactionManager::begin_transaction(&mut *conn).await?;
    // What a filter finds depends on its words: no plan fits them all.
    let bounds = "SET LOCAL statement_timeout = '2s'; \
         SET LOCAL plan_cache_mode = 'force_custom_plan'";
    conn.batch_execute(bounds).await?;
    let result = query(&mut conn).await;
    AnsiTransactionManager::rollback_transaction(&mut *conn).await?;
    result.map_err(|error| match error {
        error if is_timeout(&error) => ApiError::from(codes::QUERY_TOO_BROAD).because(error),
        error => error.into(),
    })
}
