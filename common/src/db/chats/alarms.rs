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

/// Sets a chat's alarm, if it still stands at `from`; false if somebody set it meanwhile.
pub async fn move_alarm(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    from: Option<DateTime<Utc>>,
    to: Option<DateTime<Utc>>,
) -> QueryResult<bool> {
    let moved = diesel::update(chats::table.find((tenant, id)))
        .filter(chats::alarm_at.is_not_distinct_from(from))
        .set(chats::alarm_at.eq(to))
        .execute(conn)
        .await?;
    Ok(moved == 1)
}
