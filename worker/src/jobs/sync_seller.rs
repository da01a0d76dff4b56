//! Pulls what changed in a shop's chats.

use common::channel::Marketplace;
use common::db::leases::Lease;
use common::db::sellers::{self, Seller};
use common::flows::FlowError;
use common::flows::sync_seller::{is_marketplace_down, sync_seller};
use common::jobs::{Job, SyncSeller};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Claimed, Hurry, report};
use crate::Worker;
use crate::slots::Kind;

impl Hurry for SyncSeller {
    const SLOTS: Kind = Kind::SyncSeller;

    fn run(self, worker: Worker, _at: Marketplace) -> BoxFuture<'static, Result<(), FlowError>> {
        async move {
            let lease = Lease::new(worker.ctx.delivery.lease);
            let now = worker.ctx.clock.now();
            let mut conn = worker.ctx.pool.get().await?;
            let (tenant, seller) = (self.tenant, self.seller);
            let claimed = sellers::claim_if_due(&mut conn, tenant, seller, now, &lease).await?;
            drop(conn);
            match claimed {
                Some(seller) => sync(&worker, &seller, lease).await,
                None => Ok(()),
            }
        }
        .boxed()
    }
}

pub(super) fn claim(
    worker: Worker,
    marketplace: Marketplace,
    limit: i64,
) -> BoxFuture<'static, Result<Vec<Claimed>, FlowError>> {
    async move {
        let lease = Lease::new(worker.ctx.delivery.lease);
        let now = worker.ctx.clock.now();
        let mut conn = worker.ctx.pool.get().await?;
        let claimed =
            sellers::claim_due_across_tenants(&mut conn, marketplace, now, &lease, limit).await?;
        let jobs = claimed.into_iter().map(|seller| {
            let worker = worker.clone();
            async move { report(SyncSeller::KIND, &sync(&worker, &seller, lease).await) }.boxed()
        });
        Ok(jobs.collect())
    }
    .boxed()
}

async fn sync(worker: &Worker, seller: &Seller, lease: Lease) -> Result<(), FlowError> {
    let result = sync_seller(&worker.ctx, seller, lease).await;
    worker
        .circuits
        .note(seller.marketplace, is_marketplace_down(&result));
    let outcome = if result.is_ok() { "ok" } else { "error" };
    metrics::counter!("seller_syncs_total", "marketplace" => seller.marketplace.as_str(), "outcome" => outcome)
        .increment(1);
    result
}
