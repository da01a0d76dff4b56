//! Which chats want to be looked at: to warn, to find a breach, to end a rest.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::Chat;
use crate::channel::Marketplace;
use crate::db::schema::chats;
use crate::ids::{ChatId, TenantId};

/// Claims chats of a marketplace whose alarm rings, by moving it to `until`.
pub async fn claim_alarms_across_tenants(
    conn: &mut AsyncPgConnection,
    channel: Marketplace,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Chat>> {
    sql_query(
        "UPDATE chats SET alarm_at = $3 WHERE (tenant_id, id) IN ( \
             SELECT tenant_id, id FROM chats WHERE channel = $1 AND alarm_at <= $2 \
             ORDER BY alarm_at LIMIT $4 FOR UPDATE SKIP LOCKED) RETURNING *",
    )
    .bind::<sql_types::Text, _>(channel)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Timestamptz, _>(until)
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Locks a claimed chat until the transaction ends; none if its alarm was set anew since.
pub async fn lock_with_alarm(
    conn: &mut AsyncPgConnection,
    claimed: &Chat,
) -> QueryResult<Option<Chat>> {
    chats::table
        .find((claimed.tenant_id, claimed.id))
        .filter(chats::alarm_at.is_not_distinct_from(claimed.alarm_at))
        .select(Chat::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// Sets the alarm of a locked chat.
pub async fn set_alarm(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    at: Option<DateTime<Utc>>,
) -> QueryResult<usize> {
    diesel::update(chats::table.find((tenant, id)))
        .set(chats::alarm_at.eq(at))
        .execute(conn)
        .await
}

/// Ends a claim: people were told, and the alarm rings next at `next` unless it was set meanwhile.
pub async fn end_alarm(
    conn: &mut AsyncPgConnection,
    claimed: &Chat,
    next: Option<DateTime<Utc>>,
) -> QueryResult<usize> {
    sql_query(
        "UPDATE chats SET obligation = obligation - 'untold', \
             alarm_at = CASE WHEN alarm_at IS NOT DISTINCT FROM $3 THEN $4 ELSE alarm_at END \
         WHERE tenant_id = $1 AND id = $2",
    )
    .bind::<sql_types::Uuid, _>(claimed.tenant_id)
    .bind::<sql_types::BigInt, _>(claimed.id)
    .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(claimed.alarm_at)
    .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(next)
    .execute(conn)
    .await
}

/// Has a chat looked at now, if an answer is owed in it.
pub async fn ring(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(chats::table.find((tenant, id)))
        .filter(chats::obligation.is_not_null())
        .set(chats::alarm_at.eq(now))
        .execute(conn)
        .await
}

/// Has all chats of the tenant looked at in which an answer is owed: their rules changed.
pub async fn ring_all(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(chats::table)
        .filter(chats::tenant_id.eq(tenant))
        .filter(chats::obligation.is_not_null())
        .set(chats::alarm_at.eq(now))
        .execute(conn)
        .await
}
