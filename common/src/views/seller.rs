//! A shop as clients see it: the key never comes back.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::channel::Marketplace;
use crate::db::sellers::Seller;
use crate::ids::SellerId;
use crate::marketplaces::{Capabilities, Warning};

/// A shop account at one marketplace.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Seller)]
pub struct SellerView {
    #[schema(value_type = i64)]
    pub id: SellerId,
    pub name: String,
    pub marketplace: Marketplace,
    /// Ozon: client id; Yandex Market: business id; Wildberries: null.
    pub client_id: Option<String>,
    /// Tells two keys apart: 8 hex digits of the key's SHA-256.
    pub key_fingerprint: String,
    pub is_active: bool,
    /// What the key may do; null until the marketplace answered a probe.
    pub capabilities: Option<Capabilities>,
    pub warnings: Vec<Warning>,
    /// The address to enter at the marketplace for pushes; null where it has none.
    pub push_url: Option<String>,
    pub sync: SyncView,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// How the polling of a shop stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SellerSync)]
pub struct SyncView {
    pub status: SyncStatus,
    pub last_sync_at: Option<DateTime<Utc>>,
    pub next_sync_at: Option<DateTime<Utc>>,
    /// What is wrong and how to mend it.
    pub error: Option<String>,
    /// By how many milliseconds the next poll is late; 0: on time.
    pub lag_ms: i64,
}

/// What the polling of a shop does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyncStatus {
    /// Not polled yet, or deactivated.
    Idle,
    Syncing,
    Ok,
    Error,
}

impl SellerView {
    /// The shop as it stands at `now`; `push_url` is where the marketplace may push to.
    pub fn new(seller: &Seller, push_url: Option<String>, now: DateTime<Utc>) -> Self {
        Self {
            id: seller.id,
            name: seller.name.clone(),
            marketplace: seller.marketplace,
            client_id: seller.client_id.clone(),
            key_fingerprint: seller.key_fingerprint.clone(),
            is_active: seller.is_active,
            capabilities: seller.capabilities().cloned(),
            warnings: seller.warnings.0.clone(),
            push_url,
            sync: SyncView::new(seller, now),
            created_at: seller.created_at,
            updated_at: seller.updated_at,
        }
    }
}

impl SyncView {
    fn new(seller: &Seller, now: DateTime<Utc>) -> Self {
        let is_leased = seller.lease_until.is_some_and(|until| until > now);
        let status = match (&seller.sync_error, seller.last_sync_at) {
            _ if !seller.is_active => SyncStatus::Idle,
            _ if is_leased => SyncStatus::Syncing,
            (Some(_), _) => SyncStatus::Error,
            (None, Some(_)) => SyncStatus::Ok,
            (None, None) => SyncStatus::Idle,
        };
        let due_at = seller.blocked_until.max(Some(seller.next_sync_at));
        let late = due_at.map_or(0, |due| (now - due).num_milliseconds());
        Self {
            status,
            last_sync_at: seller.last_sync_at,
            next_sync_at: due_at.filter(|_| seller.is_active),
            error: seller.sync_error.clone(),
            lag_ms: if seller.is_active { late.max(0) } else { 0 },
        }
    }
}
