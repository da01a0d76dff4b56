//! What the desk asks of `messages`: pages of a thread, what was not seen yet, sending once more.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{self, BigInt, Bool, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::super::condition::Condition;
use super::{Direction, Message, NewMessage};
use crate::db::schema::messages;
use crate::domain::delivery::MessageState;
use crate::ids::{ChatId, MessageId, TenantId, UserId};

/// A place in a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagePlace {
    pub at: DateTime<Utc>,
    pub id: MessageId,
}

impl MessagePlace {
    /// Where this message stands.
    pub fn of(message: &Message) -> Self {
        Self {
            at: message.at,
            id: message.id,
        }
    }
}

/// Which part of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadPart {
    Newest,
    Before(MessagePlace),
    After(MessagePlace),
}

/// Messages of a chat, the nearest to the given place first: newest first, except after a place.
pub async fn thread(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    part: ThreadPart,
    limit: i64,
) -> QueryResult<Vec<Message>> {
    let query = messages::table
        .filter(messages::tenant_id.eq(tenant))
        .filter(messages::chat_id.eq(chat))
        .select(Message::as_select())
        .limit(limit)
        .into_boxed();
    let newest_first = (messages::at.desc(), messages::id.desc());
    let query = match part {
        ThreadPart::Newest => query.order(newest_first),
        ThreadPart::Before(place) => query
            .order(newest_first)
            .filter(beside("(messages.at, messages.id) < (", place)),
        ThreadPart::After(place) => query
            .order((messages::at, messages::id))
            .filter(beside("(messages.at, messages.id) > (", place)),
    };
    query.load(conn).await
}

/// By row value: an index finds the place.
fn beside(comparison: &'static str, place: MessagePlace) -> Condition {
    Condition::new(comparison)
        .time(place.at)
        .sql(", ")
        .id(place.id.0)
        .sql(")")
}

/// One message of a chat.
pub async fn find_in_chat(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    id: MessageId,
) -> QueryResult<Option<Message>> {
    messages::table
        .find((tenant, id))
        .filter(messages::chat_id.eq(chat))
        .select(Message::as_select())
        .first(conn)
        .await
        .optional()
}

/// The message of a chat that a client has named itself.
pub async fn find_by_client_id(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    client_message_id: &str,
) -> QueryResult<Option<Message>> {
    messages::table
        .filter(messages::tenant_id.eq(tenant))
        .filter(messages::chat_id.eq(chat))
        .filter(messages::client_message_id.eq(client_message_id))
        .select(Message::as_select())
        .first(conn)
        .await
        .optional()
}

/// Whether the chat got a buyer's message, or somebody else's answer, after the one last seen.
pub async fn has_unseen(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    last_seen: MessageId,
    user: UserId,
) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = Bool)]
        found: bool,
    }
    let Found { found } = sql_query(
        "SELECT EXISTS (SELECT 1 FROM messages WHERE tenant_id = $1 AND chat_id = $2 \
             AND id > $3 AND ((direction = 'incoming' AND author = 'buyer') \
                 OR (direction = 'outgoing' AND state <> 'failed' \
                     AND user_id IS DISTINCT FROM $4))) AS found",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<BigInt, _>(chat)
    .bind::<BigInt, _>(last_seen)
    .bind::<BigInt, _>(user)
    .get_result(conn)
    .await?;
    Ok(found)
}

/// Inserts a message of ours.
pub async fn insert(conn: &mut AsyncPgConnection, message: &NewMessage) -> QueryResult<Message> {
    diesel::insert_into(messages::table)
        .values(message)
        .returning(Message::as_returning())
        .get_result(conn)
        .await
}

/// Marks what the buyer wrote as read; tells how many messages were not.
pub async fn mark_read(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    sql_query(
        "UPDATE messages SET read_at = $3 WHERE tenant_id = $1 AND chat_id = $2 \
             AND direction = 'incoming' AND author = 'buyer' AND read_at IS NULL",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<BigInt, _>(chat)
    .bind::<Timestamptz, _>(now)
    .execute(conn)
    .await
}

/// Queues a failed message once more; none if it has not failed.
pub async fn requeue(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: MessageId,
    send_before: DateTime<Utc>,
) -> QueryResult<Option<Message>> {
    diesel::update(messages::table.find((tenant, id)))
        .filter(messages::state.eq(MessageState::Failed))
        .set((
            messages::state.eq(MessageState::Queued),
            messages::error_code.eq(None::<String>),
            messages::error_message.eq(None::<String>),
            messages::settle_at.eq(None::<DateTime<Utc>>),
            messages::settle_reads.eq(0),
            messages::send_before.eq(send_before),
        ))
        .returning(Message::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Whether the newest message of ours in the chat failed.
pub async fn ends_with_failure(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
) -> QueryResult<bool> {
    let newest = messages::table
        .filter(messages::tenant_id.eq(tenant))
        .filter(messages::chat_id.eq(chat))
        .filter(messages::direction.eq(Direction::Outgoing))
        .order((messages::at.desc(), messages::id.desc()))
        .select(messages::state)
        .first::<MessageState>(conn)
        .await
        .optional()?;
    Ok(newest == Some(MessageState::Failed))
}

/// What the buyer wrote since our last delivered answer: the last 50 texts.
pub async fn unanswered_texts(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
) -> QueryResult<Vec<String>> {
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = sql_types::Text)]
        text: String,
    }
    let found: Vec<Found> = sql_query(
        "SELECT text FROM messages WHERE tenant_id = $1 AND chat_id = $2 \
             AND direction = 'incoming' AND author = 'buyer' \
             AND at > coalesce((SELECT max(at) FROM messages WHERE tenant_id = $1 AND chat_id = $2 \
                 AND direction = 'outgoing' AND state = 'sent' AND author IN ('agent', 'bot')), \
                 '-infinity') \
         ORDER BY at DESC LIMIT 50",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(chat)
    .load(conn)
    .await?;
    Ok(found.into_iter().map(|found| found.text).collect())
}
