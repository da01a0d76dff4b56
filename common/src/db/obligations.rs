//! Table `obligations`: each time that an answer was owed, and how it ended.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::obligations;
use crate::domain::deadlines::Obligation;
use crate::ids::{ChatId, ObligationId, TenantId};
use crate::words::words;

words! {
    /// Why an answer came too late.
    BreachCause {
        NoAnswer = "no_answer",
        /// What was written could not be sent.
        SendFailed = "send_failed",
        /// The shop's chats could not be read.
        ShopError = "shop_error",
        /// The shop's key may not send.
        ReadOnly = "read_only",
    }
}

words! {
    /// Why an answer is no longer owed.
    EndCause {
        Answered = "answered",
        /// A person closed the chat.
        Closed = "closed",
    }
}

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = obligations)]
pub struct ObligationRow {
    pub tenant_id: TenantId,
    pub id: ObligationId,
    pub warned_at: Option<DateTime<Utc>>,
    pub breached_at: Option<DateTime<Utc>>,
}

/// Stores the obligation in force of a locked chat; one that began at the same moment goes on.
pub async fn upsert(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    obligation: &Obligation,
) -> QueryResult<ObligationRow> {
    let terms = (
        obligations::rule_id.eq(obligation.rule_id.map(|id| id.0)),
        obligations::rule_name.eq(obligation.rule_name.as_deref()),
        obligations::due_at.eq(obligation.due_at),
        obligations::ended_at.eq(None::<DateTime<Utc>>),
        obligations::end_cause.eq(None::<EndCause>),
    );
    diesel::insert_into(obligations::table)
        .values((
            obligations::tenant_id.eq(tenant),
            obligations::chat_id.eq(chat),
            obligations::started_at.eq(obligation.started_at),
            terms,
        ))
        .on_conflict((
            obligations::tenant_id,
            obligations::chat_id,
            obligations::started_at,
        ))
        .do_update()
        .set(terms)
        .returning(ObligationRow::as_returning())
        .get_result(conn)
        .await
}

/// Ends the chat's obligation.
pub async fn end(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ObligationId,
    cause: EndCause,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(obligations::table.find((tenant, id)))
        .filter(obligations::ended_at.is_null())
        .set((
            obligations::ended_at.eq(now),
            obligations::end_cause.eq(cause),
        ))
        .execute(conn)
        .await
}

/// Notes that people were warned; false if they had been.
pub async fn warn(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ObligationId,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let warned = diesel::update(obligations::table.find((tenant, id)))
        .filter(obligations::warned_at.is_null())
        .set(obligations::warned_at.eq(now))
        .execute(conn)
        .await?;
    Ok(warned > 0)
}

/// Notes that the answer came too late; false if that had been noted.
pub async fn breach(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ObligationId,
    cause: BreachCause,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let breached = diesel::update(obligations::table.find((tenant, id)))
        .filter(obligations::breached_at.is_null())
        .set((
            obligations::breached_at.eq(now),
            obligations::breach_cause.eq(cause),
        ))
        .execute(conn)
        .await?;
    Ok(breached > 0)
}
