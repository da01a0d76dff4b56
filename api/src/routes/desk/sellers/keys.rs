//! A seller's key: checked, shown to the marketplace once, sealed.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::channel::Marketplace;
use common::db::sellers::{KeyChange, Seller, StoredCapabilities, StoredWarnings, key_place};
use common::ids::TenantId;
use common::limits::Urgency;
use common::marketplaces::{Operation, Probe, ShopAccess, VendorError, Warning};
use common::secrets::fingerprint;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;
use uuid::Uuid;

use crate::http::{ApiError, ApiResult, Problems, codes};
use crate::state::AppState;

/// The marketplace may take this long, limits and all.
const PROBED_WITHIN: Duration = Duration::from_secs(5);
const DAY: TimeDelta = TimeDelta::days(1);

/// What a key may do, as far as it is known.
pub(super) struct Found {
    pub(super) capabilities: StoredCapabilities,
    pub(super) warnings: StoredWarnings,
    /// When to ask again.
    pub(super) probe_at: DateTime<Utc>,
}

pub(super) fn check_key(key: &SecretString, problems: &mut Problems) {
    let key = key.expose_secret();
    let is_decent = (1..=4096).contains(&key.chars().count()) && !key.trim().is_empty();
    problems.require(is_decent, "api_key", "must be 1 to 4096 characters");
    // It goes into a header.
    let is_plain = key.trim().bytes().all(|byte| (0x20..0x7f).contains(&byte));
    problems.require(
        is_plain,
        "api_key",
        "must be ASCII without control characters",
    );
}

pub(super) fn check_client_id(
    marketplace: Marketplace,
    client_id: Option<&str>,
    problems: &mut Problems,
) {
    let given = client_id.map(str::trim).unwrap_or_default();
    let is_needed = marketplace != Marketplace::Wildberries;
    problems.require(
        !is_needed || !given.is_empty(),
        "client_id",
        "is needed for this marketplace",
    );
    problems.require(
        given.chars().count() <= 255,
        "client_id",
        "must be at most 255 characters",
    );
}

/// The shop's account at the marketplace.
pub(super) fn account_of(
    state: &AppState,
    marketplace: Marketplace,
    client_id: Option<&str>,
    key: &SecretString,
) -> ApiResult<String> {
    let connector = state.ctx.marketplaces.get(marketplace);
    connector
        .account_id(client_id, key.expose_secret().trim())
        .map_err(|error| rejected(&error))
}

/// Asks the marketplace what the key may do; fails only if it refuses the key.
pub(super) async fn probe(
    state: &AppState,
    marketplace: Marketplace,
    account_id: &str,
    key: &SecretString,
) -> ApiResult<Found> {
    let access = ShopAccess {
        account_id: account_id.to_owned(),
        api_key: key.expose_secret().trim().into(),
    };
    let asked = timeout(PROBED_WITHIN, ask(state, marketplace, &access)).await;
    let now = state.ctx.clock.now();
    match asked {
        Ok(Ok(probe)) => Ok(Found {
            capabilities: StoredCapabilities(Some(probe.capabilities)),
            warnings: StoredWarnings(probe.warnings),
            probe_at: now + DAY,
        }),
        Ok(Err(error)) if !error.is_retryable() => Err(rejected(&error)),
        Ok(Err(error)) => {
            tracing::info!(%marketplace, %error, "a key could not be probed");
            Ok(unprobed(now, true))
        }
        Err(_elapsed) => Ok(unprobed(now, true)),
    }
}

async fn ask(
    state: &AppState,
    marketplace: Marketplace,
    access: &ShopAccess,
) -> Result<Probe, VendorError> {
    let permit = state.ctx.limits.acquire(
        marketplace,
        &access.account_id,
        None,
        Operation::Probe,
        Urgency::Read,
        PROBED_WITHIN,
    );
    let _permit = permit.await.map_err(|wait| VendorError::RateLimited {
        retry_after: Some(wait.retry_after),
    })?;
    state.ctx.marketplaces.get(marketplace).probe(access).await
}

/// Nothing is known yet: the worker asks soon.
pub(super) fn unprobed(now: DateTime<Utc>, is_unavailable: bool) -> Found {
    let warning = Warning {
        code: "probe_unavailable".to_owned(),
        message: "the marketplace did not answer: the key will be checked again soon".to_owned(),
    };
    let warnings = if is_unavailable {
        vec![warning]
    } else {
        vec![]
    };
    Found {
        capabilities: StoredCapabilities(None),
        warnings: StoredWarnings(warnings),
        probe_at: now,
    }
}

/// The key as it is stored for a shop with this public id.
pub(super) fn sealed(
    state: &AppState,
    tenant: TenantId,
    public_id: Uuid,
    key: &SecretString,
) -> (String, String) {
    let key = SecretString::from(key.expose_secret().trim());
    let sealed = state.ctx.keyring.seal(key_place(tenant, public_id), &key);
    (sealed, fingerprint(&key))
}

/// A new key of a shop, probed and sealed.
pub(crate) async fn renew(
    state: &AppState,
    seller: &Seller,
    client_id: Option<&str>,
    key: &SecretString,
) -> ApiResult<KeyChange> {
    let client_id = client_id.map(str::trim).or(seller.client_id.as_deref());
    let client_id = client_id.filter(|_| seller.marketplace != Marketplace::Wildberries);
    let mut problems = Problems::default();
    check_client_id(seller.marketplace, client_id, &mut problems);
    problems.check()?;
    let account_id = account_of(state, seller.marketplace, client_id, key)?;
    if seller.marketplace == Marketplace::Wildberries && account_id != seller.account_id {
        let message = "belongs to another account: connect that as a shop of its own";
        return Err(ApiError::of_field("api_key", message));
    }
    let found = probe(state, seller.marketplace, &account_id, key).await?;
    let (sealed_key, key_fingerprint) = sealed(state, seller.tenant_id, seller.public_id, key);
    Ok(KeyChange {
        account_id,
        client_id: client_id.map(str::to_owned),
        sealed_key,
        key_fingerprint,
        capabilities: found.capabilities,
        warnings: found.warnings,
        probe_at: found.probe_at,
    })
}

fn rejected(error: &VendorError) -> ApiError {
    ApiError::from(codes::SELLER_KEY_REJECTED).with_message(error.to_string())
}
