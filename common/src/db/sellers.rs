//! Table `sellers`: shop accounts, their sealed keys, and where their polling stands.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::schema::sellers;
use crate::channel::{Capabilities, Marketplace, Warning};
use crate::ids::{SellerId, TenantId};
use crate::secrets::Place;

/// A row.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = sellers)]
pub struct Seller {
    pub tenant_id: TenantId,
    pub id: SellerId,
    pub public_id: Uuid,
    pub name: String,
    pub marketplace: Marketplace,
    pub account_id: String,
    pub client_id: Option<String>,
    pub sealed_key: String,
    pub key_fingerprint: String,
    pub capabilities: StoredCapabilities,
    pub warnings: StoredWarnings,
    pub is_active: bool,
    pub next_sync_at: DateTime<Utc>,
    pub sync_started_at: Option<DateTime<Utc>>,
    pub woken_at: Option<DateTime<Utc>>,
    pub lease_token: Option<Uuid>,
    pub lease_until: Option<DateTime<Utc>>,
    pub poll_interval_s: i32,
    pub blocked_until: Option<DateTime<Utc>>,
    pub vendor_cursor: VendorCursor,
    pub last_buyer_at: Option<DateTime<Utc>>,
    pub last_sync_at: Option<DateTime<Utc>>,
    pub sync_error: Option<String>,
    pub failures: i32,
    pub probe_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Insertable)]
#[diesel(table_name = sellers)]
pub struct NewSeller<'a> {
    pub tenant_id: TenantId,
    pub public_id: Uuid,
    pub name: &'a str,
    pub marketplace: Marketplace,
    pub account_id: &'a str,
    pub client_id: Option<&'a str>,
    pub sealed_key: &'a str,
    pub key_fingerprint: &'a str,
    pub capabilities: StoredCapabilities,
    pub warnings: StoredWarnings,
    pub next_sync_at: DateTime<Utc>,
    pub probe_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Column `capabilities`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow,
)]
#[diesel(sql_type = sql_types::Jsonb)]
#[serde(transparent)]
pub struct StoredCapabilities(pub Option<Capabilities>);

/// Column `warnings`.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow,
)]
#[diesel(sql_type = sql_types::Jsonb)]
#[serde(transparent)]
pub struct StoredWarnings(pub Vec<Warning>);

/// Column `vendor_cursor`: where the next poll goes on.
#[derive(
    Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, AsExpression, FromSqlRow,
)]
#[diesel(sql_type = sql_types::Jsonb)]
pub struct VendorCursor {
    /// The place in the shop's stream of events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// When the whole list of chats was last read to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub swept_at: Option<DateTime<Utc>>,
    /// When the first import was complete; until then nothing starts a clock that is too old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported_at: Option<DateTime<Utc>>,
}

impl Seller {
    /// Where the shop's sealed key stands.
    pub fn key_place(&self) -> Place<'static> {
        key_place(self.tenant_id, self.public_id)
    }

    /// What the key may do; unknown until the first probe.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.capabilities.0.as_ref()
    }
}

/// Where the sealed key of a shop stands.
pub fn key_place(tenant: TenantId, public_id: Uuid) -> Place<'static> {
    Place {
        table: "sellers",
        column: "sealed_key",
        tenant,
        row: public_id,
    }
}

/// Inserts a shop.
pub async fn insert(conn: &mut AsyncPgConnection, seller: &NewSeller<'_>) -> QueryResult<Seller> {
    diesel::insert_into(sellers::table)
        .values(seller)
        .returning(Seller::as_returning())
        .get_result(conn)
        .await
}

/// One shop of the tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SellerId,
) -> QueryResult<Option<Seller>> {
    sellers::table
        .find((tenant, id))
        .select(Seller::as_select())
        .first(conn)
        .await
        .optional()
}

/// A claim of a row: results count only while it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub token: Uuid,
    pub length: Duration,
}

impl Lease {
    /// A new claim.
    pub fn new(length: Duration) -> Self {
        Self {
            token: Uuid::new_v4(),
            length,
        }
    }

    pub(super) fn length_ms(&self) -> i64 {
        i64::try_from(self.length.as_millis()).unwrap_or(i64::MAX)
    }
}

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

/// Ends a claimed poll; a wake that came meanwhile makes the shop due at once.
pub async fn finish_sync(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SellerId,
    lease: &Lease,
    end: &SyncEnd,
) -> QueryResult<Option<Seller>> {
    sql_query(
        "UPDATE sellers SET lease_token = NULL, lease_until = NULL, \
             next_sync_at = CASE WHEN woken_at IS NOT NULL AND $7::timestamptz IS NULL \
                 THEN $4 ELSE $5 END, \
             poll_interval_s = $6, blocked_until = $7, sync_error = $8, \
             last_sync_at = CASE WHEN $8::text IS NULL THEN $4 ELSE last_sync_at END, \
             failures = CASE WHEN $8::text IS NULL THEN 0 ELSE failures + 1 END, \
             probe_at = CASE WHEN $9 THEN $4 ELSE probe_at END \
         WHERE tenant_id = $1 AND id = $2 AND lease_token = $3 RETURNING *",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::BigInt, _>(id)
    .bind::<sql_types::Uuid, _>(lease.token)
    .bind::<sql_types::Timestamptz, _>(end.now)
    .bind::<sql_types::Timestamptz, _>(end.next_sync_at)
    .bind::<sql_types::Integer, _>(end.poll_interval_s)
    .bind::<sql_types::Nullable<sql_types::Timestamptz>, _>(end.blocked_until)
    .bind::<sql_types::Nullable<sql_types::Text>, _>(end.error.as_deref())
    .bind::<sql_types::Bool, _>(end.probe_now)
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

/// Claims shops whose key is due for its daily probe, by moving the next one a day ahead.
pub async fn claim_due_probes_across_tenants(
    conn: &mut AsyncPgConnection,
    marketplace: Marketplace,
    now: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<Seller>> {
    sql_query(
        "UPDATE sellers SET probe_at = $2 + interval '1 day' \
         WHERE (tenant_id, id) IN ( \
             SELECT tenant_id, id FROM sellers \
             WHERE is_active AND marketplace = $1 AND probe_at <= $2 \
             ORDER BY probe_at LIMIT $3 FOR UPDATE SKIP LOCKED) \
         RETURNING *",
    )
    .bind::<sql_types::Text, _>(marketplace)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Stores what a probe found, unless the key was changed meanwhile.
pub async fn store_probe(
    conn: &mut AsyncPgConnection,
    seller: &Seller,
    capabilities: &StoredCapabilities,
    warnings: &StoredWarnings,
    now: DateTime<Utc>,
) -> QueryResult<Option<Seller>> {
    diesel::update(sellers::table.find((seller.tenant_id, seller.id)))
        .filter(sellers::sealed_key.eq(&seller.sealed_key))
        .set((
            sellers::capabilities.eq(capabilities),
            sellers::warnings.eq(warnings),
            sellers::updated_at.eq(now),
        ))
        .returning(Seller::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Probes a shop's key once more at `at`.
pub async fn probe_again(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SellerId,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(sellers::table.find((tenant, id)))
        .set(sellers::probe_at.eq(at))
        .execute(conn)
        .await
}

mod desk;

pub use self::desk::{
    KeyChange, SellerChange, SellerFilter, change, count, find_by_public_id, forget_cursor, list,
    lock_by_account,
};
