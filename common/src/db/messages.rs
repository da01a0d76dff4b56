//! Table `messages`: what was written, by whom, and whether it arrived.

mod desk;
mod echoes;
mod progress;

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::files::{File, FileState, NewFile};
use super::schema::messages;
use crate::domain::delivery::MessageState;
use crate::ids::{ChatId, MessageId, SuggestionId, TenantId, UserId};
use crate::words::words;

pub use self::desk::{
    MessagePlace, ThreadPart, ends_with_failure, find_by_client_id, find_in_chat, has_unseen,
    insert, mark_read, requeue, thread, unanswered_texts,
};
pub use self::echoes::{
    UnboundMessage, awaiting_echo, bind_echo, has_earlier_without_echo, has_unexplained,
    newest_bound,
};
pub use self::progress::{Progress, advance, count_attempt, oldest_unsettled, place};

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
    pub suggestion_id: Option<SuggestionId>,
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
    /// The draft that it was sent from.
    pub suggestion_id: Option<SuggestionId>,
}

/// What a message shows of one of its files: what the row of `files` says, written in the same transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The file's public id.
    pub file_id: Uuid,
    pub name: String,
    pub content_type: Option<String>,
    pub size_bytes: Option<i64>,
    pub state: FileState,
    /// Why it cannot be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<&File> for Attachment {
    fn from(file: &File) -> Self {
        Self {
            file_id: file.public_id,
            name: file.name.clone(),
            content_type: file.content_type.clone(),
            size_bytes: file.size_bytes,
            state: file.state,
            error: file.error.clone(),
        }
    }
}

impl From<&NewFile> for Attachment {
    fn from(file: &NewFile) -> Self {
        Self {
            file_id: file.public_id,
            name: file.name.clone(),
            content_type: file.content_type.clone(),
            size_bytes: file.size_bytes,
            state: file.state,
            error: None,
        }
    }
}

/// Column `attachments`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow,
)]
#[diesel(sql_type = sql_types::Jsonb)]
#[serde(transparent)]
pub struct StoredAttachments(pub Vec<Attachment>);

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
         newest AS (SELECT coalesce(nullif(text, ''), attachments -> 0 ->> 'name', '') AS text, \
             at, direction FROM of_chat WHERE author <> 'system' \
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

/// One message of the tenant, locked until the transaction ends.
pub async fn lock(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
) -> QueryResult<Option<Message>> {
    messages::table
        .find((tenant, id))
        .select(Message::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// Stores what a locked message shows of its files.
pub async fn show_files(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
    attachments: &StoredAttachments,
) -> QueryResult<usize> {
    diesel::update(messages::table.find((tenant, id)))
        .set(messages::attachments.eq(attachments))
        .execute(conn)
        .await
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
