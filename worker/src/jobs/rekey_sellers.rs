//! Seals shops' keys anew while an earlier encryption key is still in use.

use common::channel::Marketplace;
use common::flows::FlowError;
use common::flows::rekey_sellers::rekey_sellers;
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
        if worker.ctx.keyring.old_ids().next().is_none() {
            return Ok(Vec::new());
        }
        let job = async move { report("rekey_sellers", &round(&worker, marketplace).await) };
        Ok(vec![job.boxed()])
    }
    .boxed()
}

async fn round(worker: &Worker, marketplace: Marketplace) -> Result<(), FlowError> {
    for key_id in worker.ctx.keyring.old_ids() {
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
