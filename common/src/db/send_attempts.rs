//! Table `send_attempts`: each try to hand a message to the marketplace.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::messages::Direction;
use super::schema::{chats, messages, send_attempts};
use crate::domain::delivery::AttemptOutcome;
use crate::ids::{MessageId, SellerId, TenantId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = send_attempts)]
pub struct SendAttempt {
    pub tenant_id: TenantId,
    pub message_id: MessageId,
    pub no: i32,
    pub token: Uuid,
    pub baseline_external_id: Option<String>,
    pub baseline_at: Option<DateTime<Utc>>,
    pub baseline_cursor: Option<String>,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    pub outcome: Option<AttemptOutcome>,
    pub reason: Option<String>,
    pub vendor_at: Option<DateTime<Utc>>,
}

/// A row to insert: the intent, written before the request.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = send_attempts)]
pub struct NewAttempt {
    pub tenant_id: TenantId,
    pub message_id: MessageId,
    pub no: i32,
    pub token: Uuid,
    pub baseline_external_id: Option<String>,
    pub baseline_at: Option<DateTime<Utc>>,
    pub baseline_cursor: Option<String>,
    pub started_at: DateTime<Utc>,
}

/// Records that an attempt begins.
pub async fn insert(conn: &mut AsyncPgConnection, attempt: &NewAttempt) -> QueryResult<usize> {
    diesel::insert_into(send_attempts::table)
        .values(attempt)
        .execute(conn)
        .await
}

/// How an attempt ended.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = send_attempts)]
pub struct AttemptEnd {
    pub ended_at: DateTime<Utc>,
    pub outcome: AttemptOutcome,
    pub reason: Option<String>,
    pub vendor_at: Option<DateTime<Utc>>,
}

/// Records how the attempt ended that has this token.
pub async fn end(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    message: MessageId,
    token: Uuid,
    end: &AttemptEnd,
) -> QueryResult<usize> {
    diesel::update(send_attempts::table)
        .filter(send_attempts::tenant_id.eq(tenant))
        .filter(send_attempts::message_id.eq(message))
        .filter(send_attempts::token.eq(token))
        .set(end)
        .execute(conn)
        .await
}

/// Records of attempts without an end that their sender died.
pub async fn end_abandoned(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    message: MessageId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(send_attempts::table)
        .filter(send_attempts::tenant_id.eq(tenant))
        .filter(send_attempts::message_id.eq(message))
        .filter(send_attempts::ended_at.is_null())
        .set(AttemptEnd {
            ended_at: now,
            outcome: AttemptOutcome::MaybeSent,
            reason: Some("the worker ended while it was sending".to_owned()),
            vendor_at: None,
        })
        .execute(conn)
        .await
}

/// All attempts of a message, the first one first.
pub async fn of_message(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    message: MessageId,
) -> QueryResult<Vec<SendAttempt>> {
    send_attempts::table
        .filter(send_attempts::tenant_id.eq(tenant))
        .filter(send_attempts::message_id.eq(message))
        .order(send_attempts::no)
        .select(SendAttempt::as_select())
        .load(conn)
        .await
}

/// How far the shop's stream had been read when messages were first sent that still have no echo.
pub async fn cursors_of_unbound(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    seller: SellerId,
    since: DateTime<Utc>,
) -> QueryResult<Vec<String>> {
    send_attempts::table
        .inner_join(
            messages::table.on(messages::tenant_id
                .eq(send_attempts::tenant_id)
                .and(messages::id.eq(send_attempts::message_id))),
        )
        .inner_join(
            chats::table.on(chats::tenant_id
                .eq(messages::tenant_id)
                .and(chats::id.eq(messages::chat_id))),
        )
        .filter(send_attempts::tenant_id.eq(tenant))
        .filter(chats::seller_id.eq(seller))
        .filter(messages::external_id.is_null())
        .filter(messages::direction.eq(Direction::Outgoing))
        .filter(messages::at.gt(since))
        .filter(send_attempts::baseline_cursor.is_not_null())
        .filter(send_attempts::outcome.is_distinct_from(AttemptOutcome::NotSent))
        .select(send_attempts::baseline_cursor.assume_not_null())
        .load(conn)
        .await
}
