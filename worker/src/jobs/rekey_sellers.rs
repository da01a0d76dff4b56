//! Seals shops' keys anew while an earlier encryption key is still in use.

use common::channel::Marketplace;
use common::flows::FlowError;
use common::flows::rekey_sellers::rekey_sellers;
use common::secrets::KeyRole;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Claimed, report};
use crate::Worker;

/// One round over a marketplace's shops, by whoever has its only slot; no question without an earlier key.
pub(super) fn claim(
    worker: Worker,
    marketplace: Marketplace,
    _limit: i64,
) -> BoxFuture<'static, Result<Vec<Claimed>, FlowError>> {
    async move {
        let mut keys = worker.ctx.keyring.ids();
        if !keys.any(|(_, role)| role == KeyRole::Old) {
            return Ok(Vec::new());
        }
        drop(keys);
        let job = async move { report("rekey_sellers", &round(&worker, marketplace).await) };
        Ok(vec![job.boxed()])
    }
    .boxed()
}

async fn round(worker: &Worker, marketplace: Marketplace) -> Result<(), FlowError> {
    let keys = worker.ctx.keyring.ids();
    for (key_id, _) in keys.filter(|(_, role)| *role == KeyRole::Old) {
        let (mut resealed, mut skipped, mut refused) = (0, 0, 0);
        let mut after = None;
        // A worker that stops leaves the rest to another one, or to its next life.
        while !worker.tasks.is_closed() {
            let Some(step) = rekey_sellers(&worker.ctx, marketplace, key_id, after).await? else {
                break;
            };
            resealed += step.resealed;
            skipped += step.skipped;
            refused += step.refused;
            after = Some(step.last);
        }
        if resealed > 0 {
            tracing::info!(%marketplace, key_id, resealed, skipped, refused, "keys of shops were sealed anew");
        }
    }
    Ok(())
}
