//! What the desk asks of `sellers`: lists, changes by people, look-ups by public id.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Seller, StoredCapabilities, StoredWarnings, VendorCursor};
use crate::channel::Marketplace;
use crate::db::schema::sellers;
use crate::ids::{SellerId, TenantId};

/// Which shops to list; what is none does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct SellerFilter {
    pub marketplace: Option<Marketplace>,
    pub is_active: Option<bool>,
}

/// A page of the tenant's shops, the first connected one first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    filter: SellerFilter,
    after: Option<SellerId>,
    limit: i64,
) -> QueryResult<Vec<Seller>> {
    let mut query = sellers::table
        .filter(sellers::tenant_id.eq(tenant))
        .select(Seller::as_select())
        .order(sellers::id)
        .limit(limit)
        .into_boxed();
    if let Some(marketplace) = filter.marketplace {
        query = query.filter(sellers::marketplace.eq(marketplace));
    }
    if let Some(is_active) = filter.is_active {
        query = query.filter(sellers::is_active.eq(is_active));
    }
    if let Some(after) = after {
        query = query.filter(sellers::id.gt(after));
    }
    query.load(conn).await
}

/// How many shops of the tenant pass the filter.
pub async fn count(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    filter: SellerFilter,
) -> QueryResult<i64> {
    let mut query = sellers::table
        .filter(sellers::tenant_id.eq(tenant))
        .into_boxed();
    if let Some(marketplace) = filter.marketplace {
        query = query.filter(sellers::marketplace.eq(marketplace));
    }
    if let Some(is_active) = filter.is_active {
        query = query.filter(sellers::is_active.eq(is_active));
    }
    query.count().get_result(conn).await
}

/// The tenant's shop with this account at a marketplace, locked until the transaction ends.
pub async fn lock_by_account(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    marketplace: Marketplace,
    account_id: &str,
) -> QueryResult<Option<Seller>> {
    sellers::table
        .filter(sellers::tenant_id.eq(tenant))
        .filter(sellers::marketplace.eq(marketplace))
        .filter(sellers::account_id.eq(account_id))
        .select(Seller::as_select())
        .for_update()
        .first(conn)
        .await
        .optional()
}

/// The tenant's shop with this public id.
pub async fn find_by_public_id(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    public_id: Uuid,
) -> QueryResult<Option<Seller>> {
    sellers::table
        .filter(sellers::tenant_id.eq(tenant))
        .filter(sellers::public_id.eq(public_id))
        .select(Seller::as_select())
        .first(conn)
        .await
        .optional()
}

/// What a person changes about a shop; what is none stays.
#[derive(Clone, Debug, Default, AsChangeset)]
#[diesel(table_name = sellers)]
pub struct SellerChange {
    pub name: Option<String>,
    pub is_active: Option<bool>,
    /// Polled again from this time on.
    pub next_sync_at: Option<DateTime<Utc>>,
    #[diesel(embed)]
    pub key: Option<KeyChange>,
    pub updated_at: Option<DateTime<Utc>>,
}

/// A new key of a shop, and what it may do.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = sellers)]
pub struct KeyChange {
    pub account_id: String,
    pub client_id: Option<String>,
    pub sealed_key: String,
    pub key_fingerprint: String,
    pub capabilities: StoredCapabilities,
    pub warnings: StoredWarnings,
    pub probe_at: DateTime<Utc>,
}

/// Changes a shop; fails if the tenant has another one with the new account.
pub async fn change(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SellerId,
    change: &SellerChange,
) -> QueryResult<Option<Seller>> {
    diesel::update(sellers::table.find((tenant, id)))
        .set(change)
        .returning(Seller::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Polls a shop from its beginning: its account is another one now.
pub async fn forget_cursor(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SellerId,
) -> QueryResult<usize> {
    diesel::update(sellers::table.find((tenant, id)))
        .set(sellers::vendor_cursor.eq(VendorCursor::default()))
        .execute(conn)
        .await
}
