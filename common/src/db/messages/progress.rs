//! How an outgoing message moves on.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Direction, Message};
use crate::db::schema::messages;
use crate::domain::delivery::MessageState;
use crate::ids::{ChatId, MessageId, TenantId};

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
