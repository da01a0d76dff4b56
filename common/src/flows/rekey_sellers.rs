//! Seals shops' keys anew that are sealed with an earlier encryption key, a few at a time.
//!
//! It may stop at any line and run anywhere any number of times: each shop's key opens before and after.

use super::{Context, FlowError};
use crate::channel::Marketplace;
use crate::db::sellers;
use crate::ids::{SellerId, TenantId};

/// Shops that are sealed anew in one statement: their rows are locked for a few milliseconds.
const BATCH: i64 = 50;

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rekeyed {
    /// Shops whose keys are sealed with the current key now.
    pub resealed: usize,
    /// Shops that were busy or got a new key meanwhile: the next round looks at them again.
    pub skipped: usize,
    /// Shops whose keys do not open where they stand.
    pub refused: usize,
    /// The last shop that was looked at: the next step goes on behind it.
    pub last: (TenantId, SellerId),
}

/// Seals some shops' keys anew that are sealed with the key `key_id`; nothing if there are none.
pub async fn rekey_sellers(
    ctx: &Context,
    marketplace: Marketplace,
    key_id: &str,
    after: Option<(TenantId, SellerId)>,
) -> Result<Option<Rekeyed>, FlowError> {
    let mut conn = ctx.pool.get().await?;
    let found =
        sellers::list_sealed_with_across_tenants(&mut conn, marketplace, key_id, after, BATCH)
            .await?;
    let Some(last) = found.last().map(|it| (it.tenant_id, it.id)) else {
        return Ok(None);
    };
    let (all, mut fresh) = (found.len(), Vec::with_capacity(found.len()));
    for seller in found {
        let place = seller.place();
        if let Ok(key) = ctx.keyring.open(place, &seller.sealed_key) {
            fresh.push((seller, ctx.keyring.seal(place, &key)));
        }
    }
    let resealed = sellers::reseal_across_tenants(&mut conn, &fresh).await?;
    Ok(Some(Rekeyed {
        resealed,
        skipped: fresh.len() - resealed,
        refused: all - fresh.len(),
        last,
    }))
}
