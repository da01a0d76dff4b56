//! Which chats want a draft, and what became of the wish.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Chat, StoredSuggestion};
use crate::channel::Marketplace;
use crate::db::schema::chats;
use crate::domain::suggestions::ChatSuggestion;

/// Claims chats of a marketplace that want a draft, by moving the wish to `until`. That very time is
/// the claim: whoever wants another draft meanwhile sets another one.
pub async fn claim_drafts_across_tenants(
    conn: &mut AsyncPgConnection,
    channel: Marketplace,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Chat>> {
    sql_query(
        "UPDATE chats SET suggest_at = $3 WHERE (tenant_id, id) IN ( \
             SELECT tenant_id, id FROM chats WHERE channel = $1 AND suggest_at <= $2 \
             ORDER BY suggest_at LIMIT $4 FOR UPDATE SKIP LOCKED) RETURNING *",
    )
    .bind::<sql_types::Text, _>(channel)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Timestamptz, _>(until)
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Locks a claimed chat until the transaction ends; none if its draft is no longer wanted, or
/// another one is.
pub async fn lock_with_draft(
    conn: &mut AsyncPgConnection,
    claimed: &Chat,
) -> QueryResult<Option<Chat>> {
    chats::table
        .find((claimed.tenant_id, claimed.id))
        .filter(chats::suggest_at.is_not_distinct_from(claimed.suggest_at))
        .filter(chats::last_buyer_message_id.is_not_distinct_from(claimed.last_buyer_message_id))
        .select(Chat::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// Asks for another draft of a locked chat, or for none, and gives the chat a new version.
pub async fn want_draft(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    at: Option<DateTime<Utc>>,
    suggestion: Option<ChatSuggestion>,
    now: DateTime<Utc>,
) -> QueryResult<Chat> {
    diesel::update(chats::table.find((chat.tenant_id, chat.id)))
        .set((
            chats::suggest_at.eq(at),
            chats::suggestion.eq(suggestion.map(StoredSuggestion)),
            chats::version.eq(chats::version + 1),
            chats::updated_at.eq(now),
        ))
        .returning(Chat::as_returning())
        .get_result(conn)
        .await
}
