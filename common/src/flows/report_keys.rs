//! Tells which encryption keys the shops' keys are sealed with, and complains of those that are missing.

use std::time::Duration;

use tokio::time::sleep;

use super::{Context, FlowError};
use crate::db::sellers::{self, KeyCount};
use crate::secrets::{KeyRole, Keyring};

/// The pause before a database that does not answer is asked again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// One encryption key, and the shops whose keys it sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyUse {
    pub key_id: String,
    /// What we use it for; none if we do not have it.
    pub role: Option<KeyRole>,
    pub sellers: i64,
}

/// Every key that we have or that a shop needs: the current one first, missing ones last.
pub async fn report_keys(ctx: &Context) -> Result<Vec<KeyUse>, FlowError> {
    let mut conn = ctx.pool.get().await?;
    let counts = sellers::count_by_key_across_tenants(&mut conn).await?;
    Ok(uses(&ctx.keyring, &counts))
}

/// Says once which shops cannot be polled because their keys do not open; those shops say so, too. Waits
/// for a database that does not answer yet.
pub async fn complain_of_missing_keys(ctx: &Context) {
    let uses = loop {
        match report_keys(ctx).await {
            Ok(uses) => break uses,
            Err(problem) => tracing::debug!(%problem, "keys not looked at"),
        }
        sleep(AGAIN_AFTER).await;
    };
    let missing: Vec<_> = uses.iter().filter(|it| it.role.is_none()).collect();
    if !missing.is_empty() {
        let sellers: i64 = missing.iter().map(|it| it.sellers).sum();
        let key_ids: Vec<_> = missing.iter().map(|it| it.key_id.as_str()).collect();
        tracing::error!(
            sellers,
            key_ids = key_ids.join(", "),
            "stored keys of shops cannot be opened: what they were sealed with stands neither in \
             ENCRYPTION_KEY nor in ENCRYPTION_KEYS_OLD"
        );
    }
}

fn uses(keyring: &Keyring, counts: &[KeyCount]) -> Vec<KeyUse> {
    let sellers = |id: &str| counts.iter().find(|it| it.key_id == id);
    let ours = keyring.ids().map(|(id, role)| KeyUse {
        key_id: id.to_owned(),
        role: Some(role),
        sellers: sellers(id).map_or(0, |it| it.sellers),
    });
    let foreign = counts
        .iter()
        .filter(|it| keyring.role(&it.key_id).is_none());
    let missing = foreign.map(|it| KeyUse {
        key_id: it.key_id.clone(),
        role: None,
        sellers: it.sellers,
    });
    ours.chain(missing).collect()
}
