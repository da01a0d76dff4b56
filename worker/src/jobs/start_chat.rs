//! Begins a chat that somebody wants about an order.

use common::channel::Marketplace;
use common::db::chat_starts;
use common::flows::FlowError;
use common::flows::start_chat::start_chat;
use common::jobs::{Job, StartChat};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Claimed, Hurry, report};
use crate::Worker;
use crate::slots::Kind;

impl Hurry for StartChat {
    const SLOTS: Kind = Kind::StartChat;

    fn run(self, worker: Worker, _at: Marketplace) -> BoxFuture<'static, Result<(), FlowError>> {
        async move {
            let now = worker.ctx.clock.now();
            let mut conn = worker.ctx.pool.get().await?;
            let start = chat_starts::claim_if_due(&mut conn, self.tenant, self.start, now).await?;
            drop(conn);
            match start {
                Some(start) => start_chat(&worker.ctx, &start).await,
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
        let starts =
            chat_starts::claim_due_across_tenants(&mut conn, marketplace, now, limit).await?;
        let jobs = starts.into_iter().map(|start| {
            let worker = worker.clone();
            async move { report(StartChat::KIND, &start_chat(&worker.ctx, &start).await) }.boxed()
        });
        Ok(jobs.collect())
    }
    .boxed()
}
