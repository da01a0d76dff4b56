//! What the marketplace has shown of our messages, and what it has not.

use chrono::{DateTime, Utc};
use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Direction, Message};
use crate::db::schema::messages;
use crate::db::send_attempts::SendAttempt;
use crate::domain::delivery::{FILES_LEFT_OUT, MessageState};
use crate::ids::{ChatId, MessageId, TenantId};

/// The chat's newest messages that the marketplace knows, newest first.
pub async fn newest_bound(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    limit: i64,
) -> QueryResult<Vec<Message>> {
    messages::table
        .filter(messages::tenant_id.eq(tenant))
        .filter(messages::chat_id.eq(chat))
        .filter(messages::external_id.is_not_null())
        .order((messages::at.desc(), messages::id.desc()))
        .limit(limit)
        .select(Message::as_select())
        .load(conn)
        .await
}

/// A message without external id, and what tells its echo.
#[derive(Clone, Debug, QueryableByName)]
pub struct UnboundMessage {
    #[diesel(embed)]
    pub message: Message,
    /// The newest message of the chat when it, or one of the same text shortly before it, was first
    /// sent: an echo is not older.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub baseline_at: Option<DateTime<Utc>>,
    /// The marketplace's own time of the message, where its answer told it.
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub vendor_at: Option<DateTime<Utc>>,
}

/// The chat's messages that may still get an echo, in the order of sending.
///
/// Messages of the same text are interchangeable: the echo of one may show before that of another, so
/// they share the oldest baseline. One that was given up gets an echo only while no later message of
/// ours has its text: whose echo it is could not be told.
pub async fn awaiting_echo(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
) -> QueryResult<Vec<UnboundMessage>> {
    sql_query(
        "SELECT messages.*, told.vendor_at, ( \
             SELECT CASE WHEN bool_or(near.baseline_at IS NULL) THEN NULL \
                 ELSE min(near.baseline_at) END \
             FROM send_attempts near JOIN messages twin ON twin.tenant_id = $1 \
                 AND twin.id = near.message_id AND twin.chat_id = $2 \
                 AND twin.text = messages.text \
             WHERE near.tenant_id = $1 AND near.outcome IS DISTINCT FROM 'not_sent' \
                 AND near.started_at BETWEEN first.started_at - interval '10 min' \
                     AND first.started_at) AS baseline_at \
         FROM messages \
         JOIN LATERAL (SELECT started_at FROM send_attempts \
             WHERE tenant_id = $1 AND message_id = messages.id \
                 AND outcome IS DISTINCT FROM 'not_sent' ORDER BY no LIMIT 1) first ON true \
         LEFT JOIN LATERAL (SELECT max(vendor_at) AS vendor_at FROM send_attempts \
             WHERE tenant_id = $1 AND message_id = messages.id) told ON true \
         WHERE messages.tenant_id = $1 AND chat_id = $2 AND direction = 'outgoing' \
             AND external_id IS NULL \
             AND (state IN ('sending', 'sent', 'unknown') \
                 OR (state = 'failed' AND error_code = 'delivery_unknown' AND NOT EXISTS ( \
                     SELECT FROM messages later WHERE later.tenant_id = $1 \
                         AND later.chat_id = $2 AND later.id > messages.id \
                         AND later.attempts > 0 AND later.text = messages.text))) \
         ORDER BY messages.id",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(chat)
    .load(conn)
    .await
}

/// Binds the echo of a message to it: from now on it surely arrived. That files of it were left out stays
/// said.
pub async fn bind_echo(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
    external_id: &str,
    at: DateTime<Utc>,
) -> QueryResult<Message> {
    let is_left_out = || messages::error_code.eq(FILES_LEFT_OUT);
    diesel::update(messages::table.find((tenant, id)))
        .set((
            messages::external_id.eq(external_id),
            messages::state.eq(MessageState::Sent),
            messages::error_code.eq(case_when(is_left_out(), messages::error_code)),
            messages::error_message.eq(case_when(is_left_out(), messages::error_message)),
            messages::settle_at.eq(None::<DateTime<Utc>>),
            messages::at.eq(at),
            messages::sent_at.eq(at),
        ))
        .returning(Message::as_returning())
        .get_result(conn)
        .await
}

/// Whether a message that surely was sent before this one has not been shown by the history yet.
pub async fn has_earlier_without_echo(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    id: MessageId,
) -> QueryResult<bool> {
    let earlier = messages::table
        .filter(messages::tenant_id.eq(tenant))
        .filter(messages::chat_id.eq(chat))
        .filter(messages::direction.eq(Direction::Outgoing))
        .filter(messages::external_id.is_null())
        .filter(messages::state.eq(MessageState::Sent))
        .filter(messages::id.lt(id));
    diesel::select(diesel::dsl::exists(earlier))
        .get_result(conn)
        .await
}

/// Whether our side wrote something that did not come from here: since the attempt's baseline, or
/// earlier but shown only since the attempt began.
pub async fn has_unexplained(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    first: &SendAttempt,
) -> QueryResult<bool> {
    let baseline = first.baseline_external_id.as_deref().unwrap_or_default();
    let elsewhere = messages::table
        .filter(messages::tenant_id.eq(tenant))
        .filter(messages::chat_id.eq(chat))
        .filter(messages::direction.eq(Direction::Outgoing))
        .filter(messages::attempts.eq(0))
        .filter(messages::external_id.is_not_null())
        .filter(messages::external_id.ne(baseline))
        .filter(
            messages::at
                .ge(first.baseline_at.unwrap_or(DateTime::UNIX_EPOCH))
                .or(messages::created_at.ge(first.started_at)),
        );
    diesel::select(diesel::dsl::exists(elsewhere))
        .get_result(conn)
        .await
}
