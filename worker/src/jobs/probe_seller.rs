//! Asks the marketplace what a stored key may do: daily, and after it was refused.

use common::channel::Marketplace;
use common::db::sellers;
use common::flows::FlowError;
use common::flows::probe_seller::probe_seller;
use common::jobs::{Job, ProbeSeller};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Claimed, Hurry, report};
use crate::Worker;
use crate::slots::Kind;

impl Hurry for ProbeSeller {
    const SLOTS: Kind = Kind::ProbeSeller;

    fn run(self, worker: Worker, _at: Marketplace) -> BoxFuture<'static, Result<(), FlowError>> {
        async move {
            let mut conn = worker.ctx.pool.get().await?;
            let seller = sellers::find(&mut conn, self.tenant, self.seller).await?;
            drop(conn);
            match seller {
                Some(seller) if seller.is_active => probe_seller(&worker.ctx, &seller).await,
                _ => Ok(()),
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
        let now = worker.ctx.clock.now();
        let mut conn = worker.ctx.pool.get().await?;
        let claimed =
            sellers::claim_due_probes_across_tenants(&mut conn, marketplace, now, limit).await?;
        let jobs = claimed.into_iter().map(|seller| {
            let worker = worker.clone();
            async move { report(ProbeSeller::KIND, &probe_seller(&worker.ctx, &seller).await) }
                .boxed()
        });
        Ok(jobs.collect())
    }
    .boxed()
}
