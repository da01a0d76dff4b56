//! Which shops are due for a poll, who holds them, and how a poll ends.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Seller, VendorCursor};
use crate::channel::Marketplace;
use crate::db::leases::Lease;
use crate::db::schema::sellers;
use crate::ids::{SellerId, TenantId};

/// Claims the shops of a marketplace that are due, the most overdue first.
pub async fn claim_due_across_tenants(
    conn: &mut AsyncPgConnection,
    marketplace: Marketplace,
    now: DateTime<Utc>,
    lease: &Lease,
    limit: i64,
) -> QueryResult<Vec<Seller>> {
    sql_query(
        "UPDATE sellers SET lease_token = $3, lease_until = now() + $4 * interval '1 ms', \
             sync_started_at = $2, woken_at = NULL \
         WHERE (tenant_id, id) IN ( \
             SELECT tenant_id, id FROM sellers \
             WHERE is_active AND marketplace = $1 AND next_sync_at <= $2 \
                 AND (blocked_until IS NULL OR blocked_until <= $2) \
                 AND (lease_until IS NULL OR lease_until < now()) \
             ORDER BY next_sync_at LIMIT $5 FOR UPDATE SKIP LOCKED) \
         RETURNING *",
    )
    .bind::<sql_types::Text, _>(marketplace)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Uuid, _>(lease.token)
    .bind::<sql_types::BigInt, _>(lease.length_ms())
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Makes shops due whose last poll began in the future: the clock was put back, and by it they would
/// wait for as long as it was ahead.
pub async fn pull_back_across_tenants(
    conn: &mut AsyncPgConnection,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    sql_query(
        "UPDATE sellers SET next_sync_at = $1, blocked_until = NULL, sync_started_at = $1, \
             vendor_cursor = vendor_cursor - 'swept_at' \
         WHERE is_active AND sync_started_at > $1 + interval '1 minute'",
    )
    .bind::<sql_types::Timestamptz, _>(now)
    .execute(conn)
    .await
}

/// Claims one shop if it is due; none if it is not, or if somebody else holds it.
pub async fn claim_if_due(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SellerId,
    now: DateTime<Utc>,
    lease: &Lease,
) -> QueryResult<Option<Seller>> {
    sql_query(
        "UPDATE sellers SET lease_token = $4, lease_until = now() + $5 * interval '1 ms', \
             sync_started_at = $3, woken_at = NULL \
         WHERE tenant_id = $1 AND id = $2 AND is_active AND next_sync_at <= $3 \
             AND (blocked_until IS NULL OR blocked_until <= $3) \
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

/// Prolongs a claim and remembers how far the poll came; false if the claim is no longer ours.
pub async fn advance(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SellerId,
    lease: &Lease,
    cursor: &VendorCursor,
) -> QueryResult<bool> {
    let updated = sql_query(
        "UPDATE sellers SET lease_until = now() + $4 * interval '1 ms', vendor_cursor = $5 \
         WHERE tenant_id = $1 AND id = $2 AND lease_token = $3",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(id)
    .bind::<sql_types::Uuid, _>(lease.token)
    .bind::<sql_types::BigInt, _>(lease.length_ms())
    .bind::<sql_types::Jsonb, _>(cursor)
    .execute(conn)
    .await?;
    Ok(updated == 1)
}

/// How a poll ended.
#[derive(Clone, Debug)]
pub struct SyncEnd {
    pub now: DateTime<Utc>,
    pub next_sync_at: DateTime<Utc>,
    pub poll_interval_s: i32,
    /// What to tell people; none if all went well.
    pub error: Option<String>,
    pub blocked_until: Option<DateTime<Utc>>,
    /// The key was refused: probe it soon.
    pub probe_now: bool,
}

/// Ends a claimed poll; a wake that came meanwhile makes the shop due at once. So does a new key: what
/// the marketplace said of the one that was polled with counts no longer.
pub async fn finish_sync(
    conn: &mut AsyncPgConnection,
    seller: &Seller,
    lease: &Lease,
    end: &SyncEnd,
) -> QueryResult<Option<Seller>> {
    sql_query(
        "UPDATE sellers SET lease_token = NULL, lease_until = NULL, \
             next_sync_at = CASE WHEN sealed_key <> $10 \
                 OR (woken_at IS NOT NULL AND $7::timestamptz IS NULL) THEN $4 ELSE $5 END, \
             poll_interval_s = $6, \
             blocked_until = CASE WHEN sealed_key = $10 THEN $7 END, \
             sync_error = CASE WHEN sealed_key = $10 THEN $8 END, \
             last_sync_at = CASE WHEN $8::text IS NULL THEN $4 ELSE last_sync_at END, \
             failures = CASE WHEN $8::text IS NULL THEN 0 ELSE failures + 1 END, \
             probe_at = CASE WHEN $9 THEN $4 ELSE probe_at END \
         WHERE tenant_id = $1 AND id = $2 AND lease_token = $3 RETURNING *",
    )
    .bind::<sql_types::Uuid, _>(seller.tenant_id)
    .bind::<sql_types::BigInt, _>(seller.id)
    .bind::<sql_types::Uuid, _>(lease.token)
    .bind::<sql_types::Timestamptz, _>(end.now)
    .bind::<sql_types::Timestamptz, _>(end.next_sync_at)
    .bind::<sql_types::Integer, _>(end.poll_interval_s)
    .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(end.blocked_until)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(end.error.as_deref())
    .bind::<sql_types::Bool, _>(end.probe_now)
    .bind::<sql_types::Text, _>(&seller.sealed_key)
    .get_result(conn)
    .await
    .optional()
}

/// Makes a shop due now, also when it is being polled at the moment.
pub async fn wake(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SellerId,
    now: DateTime<Utc>,
) -> QueryResult<bool> {
    let updated = diesel::update(sellers::table.find((tenant, id)))
        .filter(sellers::is_active)
        .set((sellers::woken_at.eq(now), sellers::next_sync_at.eq(now)))
        .execute(conn)
        .await?;
    Ok(updated == 1)
}

/// Remembers when a buyer last wrote to the shop: it is then polled more often.
pub async fn note_buyer(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SellerId,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(sellers::table.find((tenant, id)))
        .filter(
            sellers::last_buyer_at
                .is_null()
                .or(sellers::last_buyer_at.lt(at)),
        )
        .set(sellers::last_buyer_at.eq(at))
        .execute(conn)
        .await
}
