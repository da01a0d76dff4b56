//! How a shop is stored: a new one, one that comes back to life, one that changes.

use common::channel::Marketplace;
use common::db::sellers::{self, KeyChange, NewSeller, Seller, SellerChange};
use common::ids::{TenantId, new_public_id};
use diesel::QueryResult;
use diesel::result::{DatabaseErrorKind, Error as DatabaseError};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::keys::{self, Found};
use crate::access::Actor;
use crate::http::{ApiError, ApiResult, codes};
use crate::state::AppState;

/// A shop to connect.
pub(crate) struct Shop<'a> {
    pub(crate) name: &'a str,
    pub(crate) marketplace: Marketplace,
    pub(crate) client_id: Option<&'a str>,
    pub(crate) api_key: &'a SecretString,
}

/// A shop whose key was shown to the marketplace.
pub(crate) struct Probed<'a> {
    shop: Shop<'a>,
    account: String,
    found: Found,
}

/// Finds out what a shop's key may do; the marketplace is asked if `asks`.
pub(crate) async fn probe<'a>(
    state: &AppState,
    shop: &Shop<'a>,
    asks: bool,
) -> ApiResult<Probed<'a>> {
    let client_id = shop
        .client_id
        .filter(|_| shop.marketplace != Marketplace::Wildberries);
    let shop = Shop { client_id, ..*shop };
    let account = keys::account_of(state, shop.marketplace, client_id, shop.api_key)?;
    let found = if asks {
        keys::probe(state, shop.marketplace, &account, shop.api_key).await?
    } else {
        keys::unprobed(state.ctx.clock.now(), false)
    };
    Ok(Probed {
        shop,
        account,
        found,
    })
}

/// Stores a shop, or reactivates the one with its account.
pub(crate) async fn connect(
    state: &AppState,
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    probed: &Probed<'_>,
    actor: &Actor,
) -> ApiResult<Seller> {
    let Probed {
        shop,
        account,
        found,
    } = probed;
    let before = sellers::lock_by_account(conn, tenant, shop.marketplace, account).await?;
    let (action, seller) = match &before {
        Some(seller) if seller.is_active => return Err(codes::SELLER_EXISTS.into()),
        Some(seller) => {
            let seller = revive(state, conn, seller, shop, found).await?;
            ("seller.reactivated", seller)
        }
        None => {
            let seller = insert(state, conn, tenant, shop, account, found).await?;
            ("seller.created", seller)
        }
    };
    note(conn, actor, action, before.as_ref(), &seller).await?;
    Ok(seller)
}

/// Writes down what was done to a shop.
pub(super) async fn note(
    conn: &mut AsyncPgConnection,
    actor: &Actor,
    action: &'static str,
    before: Option<&Seller>,
    after: &Seller,
) -> QueryResult<()> {
    let target = format!("seller:{}", after.id);
    let change = (before.map(facts), Some(facts(after)));
    let (tenant, at) = (after.tenant_id, after.updated_at);
    actor.note(conn, tenant, action, target, change, at).await
}

/// What the audit log keeps of a shop: never its key.
fn facts(seller: &Seller) -> Value {
    json!({
        "name": seller.name, "marketplace": seller.marketplace, "client_id": seller.client_id,
        "key_fingerprint": seller.key_fingerprint, "is_active": seller.is_active,
    })
}

async fn revive(
    state: &AppState,
    conn: &mut AsyncPgConnection,
    seller: &Seller,
    shop: &Shop<'_>,
    found: &Found,
) -> ApiResult<Seller> {
    let (tenant, now) = (seller.tenant_id, state.ctx.clock.now());
    let (sealed_key, key_fingerprint) = keys::sealed(state, tenant, seller.public_id, shop.api_key);
    let change = SellerChange {
        name: Some(shop.name.to_owned()),
        is_active: Some(true),
        next_sync_at: Some(now),
        key: Some(KeyChange {
            account_id: seller.account_id.clone(),
            client_id: shop.client_id.map(str::to_owned),
            sealed_key,
            key_fingerprint,
            capabilities: found.capabilities.clone(),
            warnings: found.warnings.clone(),
            probe_at: found.probe_at,
        }),
        updated_at: Some(now),
    };
    let revived = sellers::change(conn, tenant, seller.id, &change).await?;
    revived.ok_or_else(|| codes::SELLER_NOT_FOUND.into())
}

async fn insert(
    state: &AppState,
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    shop: &Shop<'_>,
    account: &str,
    found: &Found,
) -> ApiResult<Seller> {
    let (public_id, now) = (new_public_id(), state.ctx.clock.now());
    let (sealed_key, key_fingerprint) = keys::sealed(state, tenant, public_id, shop.api_key);
    let seller = NewSeller {
        tenant_id: tenant,
        public_id,
        name: shop.name,
        marketplace: shop.marketplace,
        account_id: account,
        client_id: shop.client_id,
        sealed_key: &sealed_key,
        key_fingerprint: &key_fingerprint,
        capabilities: found.capabilities.clone(),
        warnings: found.warnings.clone(),
        next_sync_at: now,
        probe_at: found.probe_at,
        created_at: now,
        updated_at: now,
    };
    sellers::insert(conn, &seller).await.map_err(taken)
}

/// Stores a change; a shop whose account is another one now is read from its beginning.
pub(crate) async fn store_change(
    state: &AppState,
    seller: &Seller,
    change: &SellerChange,
    actor: &Actor,
) -> ApiResult<Seller> {
    let (tenant, id) = (seller.tenant_id, seller.id);
    let account = change.key.as_ref().map(|key| &key.account_id);
    let is_other = account.is_some_and(|account| *account != seller.account_id);
    let mut conn = state.conn().await?;
    conn.transaction(async |conn| {
        if is_other {
            sellers::forget_cursor(conn, tenant, id).await?;
        }
        let changed = sellers::change(conn, tenant, id, change)
            .await
            .map_err(taken)?;
        let changed = changed.ok_or_else(|| ApiError::from(codes::SELLER_NOT_FOUND))?;
        let action = match change.key {
            Some(_) => "seller.key_renewed",
            None => "seller.updated",
        };
        note(conn, actor, action, Some(seller), &changed).await?;
        Ok(changed)
    })
    .await
}

fn taken(error: DatabaseError) -> ApiError {
    match error {
        DatabaseError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            codes::SELLER_EXISTS.into()
        }
        error => error.into(),
    }
}
