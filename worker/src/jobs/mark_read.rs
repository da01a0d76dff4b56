//! Reports to the marketplace that a chat was read.

use common::channel::Marketplace;
use common::db::read_receipts;
use common::flows::FlowError;
use common::flows::report_read::report_read;
use common::jobs::{Job, MarkRead};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Claimed, Hurry, report};
use crate::Worker;
use crate::slots::Kind;

impl Hurry for MarkRead {
    const SLOTS: Kind = Kind::MarkRead;

    fn run(self, worker: Worker, _at: Marketplace) -> BoxFuture<'static, Result<(), FlowError>> {
        async move {
            let now = worker.ctx.clock.now();
            let mut conn = worker.ctx.pool.get().await?;
            let receipt =
                read_receipts::claim_if_due(&mut conn, self.tenant, self.chat, now).await?;
            drop(conn);
            match receipt {
                Some(receipt) => report_read(&worker.ctx, &receipt).await,
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
        let now = worker.ctx.clock.now();
        let mut conn = worker.ctx.pool.get().await?;
        let receipts =
            read_receipts::claim_due_across_tenants(&mut conn, marketplace, now, limit).await?;
        let jobs = receipts.into_iter().map(|receipt| {
            let worker = worker.clone();
            async move { report(MarkRead::KIND, &report_read(&worker.ctx, &receipt).await) }.boxed()
        });
        Ok(jobs.collect())
    }
    .boxed()
}
