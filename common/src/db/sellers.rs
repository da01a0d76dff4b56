//! Table `sellers`: shop accounts, their sealed keys, and where their polling stands.

mod desk;
mod polling;
mod sealing;

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

pub use self::desk::{
    KeyChange, SellerChange, SellerFilter, change, count, find_by_public_id, forget_cursor, list,
    lock_by_account,
};
pub use self::polling::{
    SyncEnd, advance, claim_due_across_tenants, claim_if_due, finish_sync, note_buyer,
    pull_back_across_tenants, wake,
};
pub use self::sealing::{
    KeyCount, SealedKey, count_by_key_across_tenants, list_sealed_with_across_tenants,
    reseal_across_tenants,
};

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
        // Not by what is sealed: that also changes when the same key is sealed anew.
        .filter(sellers::key_fingerprint.eq(&seller.key_fingerprint))
        .filter(sellers::account_id.eq(&seller.account_id))
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
