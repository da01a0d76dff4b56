//! Which chats have something to send, and who holds them while they do.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Chat;
use crate::channel::Marketplace;
use crate::db::leases::Lease;
use crate::db::schema::chats;
use crate::ids::{ChatId, TenantId};

/// Makes the chat's delivery due at `at`, or not at all.
pub async fn schedule_delivery(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    at: Option<DateTime<Utc>>,
) -> QueryResult<usize> {
    diesel::update(chats::table.find((tenant, id)))
        .set(chats::deliver_at.eq(at))
        .execute(conn)
        .await
}

/// Claims the chats of a marketplace whose delivery is due, the most overdue first.
pub async fn claim_due_deliveries_across_tenants(
    conn: &mut AsyncPgConnection,
    channel: Marketplace,
    now: DateTime<Utc>,
    lease: &Lease,
    limit: i64,
) -> QueryResult<Vec<Chat>> {
    sql_query(
        "UPDATE chats SET lease_token = $3, lease_until = now() + $4 * interval '1 ms' \
         WHERE (tenant_id, id) IN ( \
             SELECT tenant_id, id FROM chats \
             WHERE channel = $1 AND deliver_at <= $2 \
                 AND (lease_until IS NULL OR lease_until < now()) \
             ORDER BY deliver_at LIMIT $5 FOR UPDATE SKIP LOCKED) \
         RETURNING *",
    )
    .bind::<sql_types::Text, _>(channel)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Uuid, _>(lease.token)
    .bind::<sql_types::BigInt, _>(lease.length_ms())
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Claims one chat if its delivery is due; none if it is not, or if somebody else holds it.
pub async fn claim_delivery_if_due(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    now: DateTime<Utc>,
    lease: &Lease,
) -> QueryResult<Option<Chat>> {
    sql_query(
        "UPDATE chats SET lease_token = $4, lease_until = now() + $5 * interval '1 ms' \
         WHERE tenant_id = $1 AND id = $2 AND deliver_at <= $3 \
             AND (lease_until IS NULL OR lease_until < now()) \
         RETURNING *",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(id)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Uuid, _>(lease.token)
    .bind::<sql_types::BigInt, _>(lease.length_ms())
    .get_result(conn)
    .await
    .optional()
}

/// Locks a claimed chat and prolongs the claim; none if somebody else has claimed it since.
pub async fn lock_claimed(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    lease: &Lease,
) -> QueryResult<Option<Chat>> {
    sql_query(
        "UPDATE chats SET lease_until = now() + $4 * interval '1 ms' \
         WHERE tenant_id = $1 AND id = $2 AND lease_token = $3 \
         RETURNING *",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(id)
    .bind::<sql_types::Uuid, _>(lease.token)
    .bind::<sql_types::BigInt, _>(lease.length_ms())
    .get_result(conn)
    .await
    .optional()
}

/// Gives a claimed chat back.
pub async fn release(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    lease: &Lease,
) -> QueryResult<usize> {
    diesel::update(chats::table.find((tenant, id)))
        .filter(chats::lease_token.eq(lease.token))
        .set((
            chats::lease_token.eq(None::<Uuid>),
            chats::lease_until.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await
}

/// Gives a claimed chat back after a failure of our own, due again at `due`.
pub async fn give_back(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    lease: &Lease,
    due: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(chats::table.find((tenant, id)))
        .filter(chats::lease_token.eq(lease.token))
        .set((
            chats::lease_token.eq(None::<Uuid>),
            chats::lease_until.eq(None::<DateTime<Utc>>),
            chats::deliver_at.eq(due),
        ))
        .execute(conn)
        .await
}
