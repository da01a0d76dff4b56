//! Table `suggestions`: drafts of answers, and what became of them.

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::schema::suggestions;
use crate::domain::suggestions::{OutcomeKind, SuggestionState};
use crate::ids::{ChatId, MessageId, SuggestionId, TenantId, UserId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = suggestions)]
pub struct Suggestion {
    pub tenant_id: TenantId,
    pub id: SuggestionId,
    pub chat_id: ChatId,
    pub for_message_id: MessageId,
    pub state: SuggestionState,
    pub text: String,
    pub intent: Option<String>,
    pub sentiment: Option<String>,
    pub urgency: Option<String>,
    pub needs_human: bool,
    pub reason: Option<String>,
    pub checks: Value,
    pub sources: Value,
    pub provider: String,
    pub model: String,
    pub prompt_version: String,
    pub usage: Option<StoredUsage>,
    pub latency_ms: i32,
    pub outcome_kind: Option<OutcomeKind>,
    pub outcome_by: Option<UserId>,
    pub outcome_at: Option<DateTime<Utc>>,
    pub outcome_reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = suggestions)]
pub struct NewSuggestion {
    pub tenant_id: TenantId,
    pub chat_id: ChatId,
    pub for_message_id: MessageId,
    pub state: SuggestionState,
    pub text: String,
    pub intent: Option<String>,
    pub sentiment: Option<String>,
    pub urgency: Option<String>,
    pub needs_human: bool,
    pub reason: Option<String>,
    pub checks: Value,
    pub sources: Value,
    pub provider: String,
    pub model: String,
    pub prompt_version: String,
    pub usage: Option<StoredUsage>,
    pub latency_ms: i32,
    pub created_at: DateTime<Utc>,
}

/// Column `usage`: tokens, as the provider counted them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Jsonb)]
pub struct StoredUsage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}

/// What became of a draft.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub kind: OutcomeKind,
    /// Who decided; none: it happened by itself.
    pub by: Option<UserId>,
    pub reason: Option<String>,
    pub at: DateTime<Utc>,
}

/// Inserts a draft.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    suggestion: &NewSuggestion,
) -> QueryResult<Suggestion> {
    diesel::insert_into(suggestions::table)
        .values(suggestion)
        .returning(Suggestion::as_returning())
        .get_result(conn)
        .await
}

/// One draft of the tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SuggestionId,
) -> QueryResult<Option<Suggestion>> {
    suggestions::table
        .find((tenant, id))
        .select(Suggestion::as_select())
        .first(conn)
        .await
        .optional()
}

/// The chat's drafts, newest first, older than `before` if that is given.
pub async fn of_chat(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    before: Option<SuggestionId>,
    limit: i64,
) -> QueryResult<Vec<Suggestion>> {
    suggestions::table
        .filter(suggestions::tenant_id.eq(tenant))
        .filter(suggestions::chat_id.eq(chat))
        .filter(suggestions::id.lt(before.map_or(i64::MAX, |before| before.0)))
        .order(suggestions::id.desc())
        .limit(limit)
        .select(Suggestion::as_select())
        .load(conn)
        .await
}

/// Records what became of a draft; none if that was recorded before.
pub async fn conclude(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SuggestionId,
    outcome: &Outcome,
) -> QueryResult<Option<Suggestion>> {
    diesel::update(suggestions::table.find((tenant, id)))
        .filter(suggestions::outcome_kind.is_null())
        .set((
            suggestions::outcome_kind.eq(outcome.kind),
            suggestions::outcome_by.eq(outcome.by),
            suggestions::outcome_at.eq(outcome.at),
            suggestions::outcome_reason.eq(outcome.reason.as_deref()),
        ))
        .returning(Suggestion::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Makes the chat's drafts unusable that nobody has decided about.
pub async fn retire(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(suggestions::table)
        .filter(suggestions::tenant_id.eq(tenant))
        .filter(suggestions::chat_id.eq(chat))
        .filter(suggestions::outcome_kind.is_null())
        .filter(suggestions::state.eq_any([SuggestionState::Ready, SuggestionState::Held]))
        .set((
            suggestions::state.eq(SuggestionState::Stale),
            suggestions::outcome_kind.eq(OutcomeKind::Stale),
            suggestions::outcome_at.eq(now),
        ))
        .execute(conn)
        .await
}
