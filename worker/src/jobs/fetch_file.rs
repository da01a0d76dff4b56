//! Fetches a file that came with a message.

use common::channel::Marketplace;
use common::db::files::{self, File};
use common::db::leases::Lease;
use common::flows::FlowError;
use common::flows::fetch_file::{FETCH_LEASE, fetch_file};
use common::jobs::{FetchFile, Job};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Claimed, Hurry, report};
use crate::Worker;
use crate::slots::Kind;

impl Hurry for FetchFile {
    const SLOTS: Kind = Kind::FetchFile;

    fn run(self, worker: Worker, _at: Marketplace) -> BoxFuture<'static, Result<(), FlowError>> {
        async move {
            let lease = Lease::new(FETCH_LEASE);
            let now = worker.ctx.clock.now();
            let mut conn = worker.ctx.pool.get().await?;
            let (tenant, file) = (self.tenant, self.file);
            let claimed = files::claim_if_due(&mut conn, tenant, file, now, &lease).await?;
            drop(conn);
            match claimed {
                Some(file) => fetch_file(&worker.ctx, file, lease).await,
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
        let lease = Lease::new(FETCH_LEASE);
        let now = worker.ctx.clock.now();
        let mut conn = worker.ctx.pool.get().await?;
        let claimed =
            files::claim_due_across_tenants(&mut conn, marketplace, now, &lease, limit).await?;
        let jobs = claimed.into_iter().map(|file: File| {
            let worker = worker.clone();
            async move { report(FetchFile::KIND, &fetch_file(&worker.ctx, file, lease).await) }
                .boxed()
        });
        Ok(jobs.collect())
    }
    .boxed()
}
