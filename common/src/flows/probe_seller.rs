//! Asks the marketplace what a stored key may do, and shows it at the shop.

use chrono::TimeDelta;

use super::{Context, FlowError};
use crate::db::sellers::{self, Seller, StoredCapabilities, StoredWarnings};
use crate::marketplaces::{Capabilities, Operation, VendorError, Warning};

/// The pause before a probe that got no answer is made again.
const AGAIN_AFTER: TimeDelta = TimeDelta::minutes(10);

/// Probes the shop's stored key.
pub async fn probe_seller(ctx: &Context, seller: &Seller) -> Result<(), FlowError> {
    let access = ctx.open(seller)?;
    let probed = match ctx.permit(seller, Operation::Probe).await {
        Ok(_permit) => ctx.marketplace(seller).probe(&access).await,
        Err(problem) => Err(problem),
    };
    let now = ctx.clock.now();
    let mut conn = ctx.pool.get().await?;
    let (capabilities, warnings) = match probed {
        Ok(probe) => (probe.capabilities, probe.warnings),
        Err(VendorError::Unauthorized { message } | VendorError::Forbidden { message }) => {
            (Capabilities::default(), vec![refused(&message)])
        }
        Err(problem) => {
            let again_at = now + AGAIN_AFTER;
            sellers::probe_again(&mut conn, seller.tenant_id, seller.id, again_at).await?;
            return Err(problem.into());
        }
    };
    let capabilities = StoredCapabilities(Some(capabilities));
    let warnings = StoredWarnings(warnings);
    if capabilities == seller.capabilities && warnings == seller.warnings {
        return Ok(());
    }
    let stored = sellers::store_probe(&mut conn, seller, &capabilities, &warnings, now).await?;
    drop(conn);
    if let Some(seller) = stored {
        ctx.publish_seller(&seller).await;
    }
    Ok(())
}

/// The warning of a key that the marketplace does not take any more.
fn refused(words: &str) -> Warning {
    Warning {
        code: "key_rejected".to_owned(),
        message: format!(
            "The marketplace refuses the key: {words}. Make a new key in the marketplace's cabinet \
             and enter it here."
        ),
    }
}
