//! Table `messages`: what was written, by whom, and whether it arrived.

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::schema::messages;
use super::send_attempts::SendAttempt;
use crate::channel::VendorAttachment;
use crate::domain::delivery::MessageState;
use crate::ids::{ChatId, MessageId, TenantId, UserId};
use crate::words::words;

words! {
    /// Which way a message goes.
    Direction {
        Incoming = "incoming",
        Outgoing = "outgoing",
    }
}

words! {
    /// What kind of author wrote it.
    Author {
        Buyer = "buyer",
        Agent = "agent",
        Bot = "bot",
        System = "system",
    }
}

/// A row.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = messages)]
pub struct Message {
    pub tenant_id: TenantId,
    pub id: MessageId,
    pub public_id: Uuid,
    pub chat_id: ChatId,
    pub external_id: Option<String>,
    pub client_message_id: Option<String>,
    pub direction: Direction,
    pub author: Author,
    pub user_id: Option<UserId>,
    pub text: String,
    pub attachments: StoredAttachments,
    pub state: MessageState,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub attempts: i32,
    pub starts_clock: bool,
    pub send_before: Option<DateTime<Utc>>,
    pub settle_at: Option<DateTime<Utc>>,
    pub settle_reads: i32,
    pub at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub read_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = messages)]
pub struct NewMessage {
    pub tenant_id: TenantId,
    pub public_id: Uuid,
    pub chat_id: ChatId,
    pub external_id: Option<String>,
    pub client_message_id: Option<String>,
    pub direction: Direction,
    pub author: Author,
    pub user_id: Option<UserId>,
    pub text: String,
    pub attachments: StoredAttachments,
    pub state: MessageState,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub starts_clock: bool,
    pub send_before: Option<DateTime<Utc>>,
    pub at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Column `attachments`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow,
)]
#[diesel(sql_type = sql_types::Jsonb)]
#[serde(transparent)]
pub struct StoredAttachments(pub Vec<VendorAttachment>);

/// What the messages of a chat say about it.
#[derive(Clone, Debug, Default, QueryableByName)]
pub struct ChatFacts {
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub owed_since: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub last_buyer_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::BigInt>)]
    pub last_buyer_message_id: Option<MessageId>,
    #[diesel(sql_type = sql_types::Integer)]
    pub unread_count: i32,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub last_text: Option<String>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Timestamptz>)]
    pub last_message_at: Option<DateTime<Utc>>,
    #[diesel(sql_type = sql_types::Nullable<sql_types::Text>)]
    pub last_direction: Option<Direction>,
}

/// Reads what follows from the messages of a chat.
pub async fn facts(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
) -> QueryResult<ChatFacts> {
    sql_query(
        "WITH of_chat AS (SELECT * FROM messages WHERE tenant_id = $1 AND chat_id = $2), \
         answer AS (SELECT max(at) AS at FROM of_chat WHERE direction = 'outgoing' \
             AND state = 'sent' AND author IN ('agent', 'bot')), \
         unanswered AS (SELECT of_chat.* FROM of_chat, answer WHERE direction = 'incoming' \
             AND author = 'buyer' AND (answer.at IS NULL OR of_chat.at > answer.at)), \
         buyer AS (SELECT at, id FROM of_chat WHERE direction = 'incoming' \
             AND author = 'buyer' ORDER BY at DESC, id DESC LIMIT 1), \
         newest AS (SELECT text, at, direction FROM of_chat WHERE author <> 'system' \
             ORDER BY at DESC, id DESC LIMIT 1) \
         SELECT (SELECT min(at) FROM unanswered WHERE starts_clock) AS owed_since, \
             (SELECT at FROM buyer) AS last_buyer_at, \
             (SELECT id FROM buyer) AS last_buyer_message_id, \
             (SELECT count(*)::int FROM unanswered WHERE read_at IS NULL) AS unread_count, \
             (SELECT text FROM newest) AS last_text, \
             (SELECT at FROM newest) AS last_message_at, \
             (SELECT direction FROM newest) AS last_direction",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(chat)
    .get_result(conn)
    .await
}

/// One message of the tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
) -> QueryResult<Option<Message>> {
    messages::table
        .find((tenant, id))
        .select(Message::as_select())
        .first(conn)
        .await
        .optional()
}

/// Inserts a message; none if the chat has one with its external id.
pub async fn insert_new(
    conn: &mut AsyncPgConnection,
    message: &NewMessage,
) -> QueryResult<Option<Message>> {
    diesel::insert_into(messages::table)
        .values(message)
        .on_conflict((
            messages::tenant_id,
            messages::chat_id,
            messages::external_id,
        ))
        .do_nothing()
        .returning(Message::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Which of these external ids the chat already has.
pub async fn known_external_ids(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    external_ids: &[&str],
) -> QueryResult<Vec<String>> {
    messages::table
        .filter(messages::tenant_id.eq(tenant))
        .filter(messages::chat_id.eq(chat))
        .filter(messages::external_id.eq_any(external_ids))
        .select(messages::external_id.assume_not_null())
        .load(conn)
        .await
}

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

/// Binds the echo of a message to it: from now on it surely arrived.
pub async fn bind_echo(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
    external_id: &str,
    at: DateTime<Utc>,
) -> QueryResult<Message> {
    diesel::update(messages::table.find((tenant, id)))
        .set((
            messages::external_id.eq(external_id),
            messages::state.eq(MessageState::Sent),
            messages::error_code.eq(None::<String>),
            messages::error_message.eq(None::<String>),
            messages::settle_at.eq(None::<DateTime<Utc>>),
            messages::at.eq(at),
            messages::sent_at.eq(at),
        ))
        .returning(Message::as_returning())
        .get_result(conn)
        .await
}

/// The chat's oldest outgoing message that is queued, being sent, or unknown.
pub async fn oldest_unsettled(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
) -> QueryResult<Option<Message>> {
    messages::table
        .filter(messages::tenant_id.eq(tenant))
        .filter(messages::chat_id.eq(chat))
        .filter(messages::direction.eq(Direction::Outgoing))
        .filter(messages::external_id.is_null())
        .filter(messages::state.eq_any([
            MessageState::Queued,
            MessageState::Sending,
            MessageState::Unknown,
        ]))
        // One in flight comes before those that wait, also when it was retried later than they.
        .order((
            messages::state.eq(MessageState::Queued).asc(),
            messages::id.asc(),
        ))
        .select(Message::as_select())
        .first(conn)
        .await
        .optional()
}

/// A change of where an outgoing message stands.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = messages, treat_none_as_null = true)]
pub struct Progress {
    pub state: MessageState,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    pub settle_at: Option<DateTime<Utc>>,
    pub settle_reads: i32,
    pub sent_at: Option<DateTime<Utc>>,
}

impl Progress {
    /// The message is now in `state`, and nothing else is to be said about it.
    pub fn to(state: MessageState) -> Self {
        Self {
            state,
            error_code: None,
            error_message: None,
            settle_at: None,
            settle_reads: 0,
            sent_at: None,
        }
    }

    /// The message failed for good, with a code for programs and a sentence for people.
    pub fn failed(code: &str, message: impl Into<String>) -> Self {
        Self {
            error_code: Some(code.to_owned()),
            error_message: Some(message.into()),
            ..Self::to(MessageState::Failed)
        }
    }
}

/// Moves a message on from the state in which it was seen; none if it is no longer in it.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
    from: MessageState,
    progress: &Progress,
) -> QueryResult<Option<Message>> {
    diesel::update(messages::table.find((tenant, id)))
        .filter(messages::state.eq(from))
        .set(progress)
        .returning(Message::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Places a sent message in the thread.
pub async fn place(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(messages::table.find((tenant, id)))
        .set((messages::at.eq(at), messages::sent_at.eq(at)))
        .execute(conn)
        .await
}

/// Counts one more attempt to send, and returns its number.
pub async fn count_attempt(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
) -> QueryResult<i32> {
    diesel::update(messages::table.find((tenant, id)))
        .set(messages::attempts.eq(messages::attempts + 1))
        .returning(messages::attempts)
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

mod desk;

pub use self::desk::{
    MessagePlace, ThreadPart, find_by_client_id, find_in_chat, has_unseen, insert, mark_read,
    requeue, thread,
};
