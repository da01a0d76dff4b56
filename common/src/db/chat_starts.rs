//! Table `chat_starts`: chats that people want to begin, and what became of that.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::chat_starts;
use crate::channel::Marketplace;
use crate::domain::chat_starts::{StartProblem, StartState};
use crate::ids::{ChatId, ChatStartId, SellerId, TenantId, UserId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = chat_starts)]
pub struct ChatStart {
    pub tenant_id: TenantId,
    pub id: ChatStartId,
    pub seller_id: SellerId,
    pub channel: Marketplace,
    pub order_id: String,
    pub user_id: UserId,
    pub state: StartState,
    pub chat_id: Option<ChatId>,
    pub error_code: Option<StartProblem>,
    /// The marketplace's own words.
    pub error_message: Option<String>,
    pub due_at: DateTime<Utc>,
    pub failures: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = chat_starts)]
pub struct NewChatStart<'a> {
    pub tenant_id: TenantId,
    pub seller_id: SellerId,
    pub channel: Marketplace,
    pub order_id: &'a str,
    pub user_id: UserId,
    pub state: StartState,
    pub due_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Wants a chat begun; none if somebody wants the same one already.
pub async fn insert_new(
    conn: &mut AsyncPgConnection,
    start: &NewChatStart<'_>,
) -> QueryResult<Option<ChatStart>> {
    diesel::insert_into(chat_starts::table)
        .values(start)
        .on_conflict_do_nothing()
        .returning(ChatStart::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// One start of the tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatStartId,
) -> QueryResult<Option<ChatStart>> {
    chat_starts::table
        .find((tenant, id))
        .select(ChatStart::as_select())
        .first(conn)
        .await
        .optional()
}

/// The start of a chat about this order that is still wanted.
pub async fn find_wanted(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    seller: SellerId,
    order_id: &str,
) -> QueryResult<Option<ChatStart>> {
    chat_starts::table
        .filter(chat_starts::tenant_id.eq(tenant))
        .filter(chat_starts::seller_id.eq(seller))
        .filter(chat_starts::order_id.eq(order_id))
        .filter(chat_starts::state.eq(StartState::Wanted))
        .select(ChatStart::as_select())
        .first(conn)
        .await
        .optional()
}

/// Claims starts at a marketplace that are due, by moving them half a minute ahead.
pub async fn claim_due_across_tenants(
    conn: &mut AsyncPgConnection,
    channel: Marketplace,
    now: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<ChatStart>> {
    sql_query(
        "UPDATE chat_starts SET due_at = $3 WHERE (tenant_id, id) IN ( \
             SELECT tenant_id, id FROM chat_starts \
             WHERE channel = $1 AND due_at <= $2 AND state = 'wanted' \
             ORDER BY due_at LIMIT $4 FOR UPDATE SKIP LOCKED) RETURNING *",
    )
    .bind::<sql_types::Text, _>(channel)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Timestamptz, _>(now + TimeDelta::seconds(30))
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Claims one start if it is due.
pub async fn claim_if_due(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatStartId,
    now: DateTime<Utc>,
) -> QueryResult<Option<ChatStart>> {
    diesel::update(chat_starts::table.find((tenant, id)))
        .filter(chat_starts::state.eq(StartState::Wanted))
        .filter(chat_starts::due_at.le(now))
        .set(chat_starts::due_at.eq(now + TimeDelta::seconds(30)))
        .returning(ChatStart::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Tries a start again at `at`.
pub async fn postpone(
    conn: &mut AsyncPgConnection,
    start: &ChatStart,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(chat_starts::table.find((start.tenant_id, start.id)))
        .filter(chat_starts::state.eq(StartState::Wanted))
        .set((
            chat_starts::due_at.eq(at),
            chat_starts::failures.eq(chat_starts::failures + 1),
        ))
        .execute(conn)
        .await
}

/// The chat is there.
pub async fn finish(
    conn: &mut AsyncPgConnection,
    start: &ChatStart,
    chat: ChatId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(chat_starts::table.find((start.tenant_id, start.id)))
        .filter(chat_starts::state.eq(StartState::Wanted))
        .set((
            chat_starts::state.eq(StartState::Done),
            chat_starts::chat_id.eq(chat),
            chat_starts::updated_at.eq(now),
        ))
        .execute(conn)
        .await
}

/// There will be no chat.
pub async fn fail(
    conn: &mut AsyncPgConnection,
    start: &ChatStart,
    problem: StartProblem,
    words: Option<&str>,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(chat_starts::table.find((start.tenant_id, start.id)))
        .filter(chat_starts::state.eq(StartState::Wanted))
        .set((
            chat_starts::state.eq(StartState::Failed),
            chat_starts::error_code.eq(problem),
            chat_starts::error_message.eq(words),
            chat_starts::updated_at.eq(now),
        ))
        .execute(conn)
        .await
}
