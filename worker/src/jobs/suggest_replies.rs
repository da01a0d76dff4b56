//! Makes the drafts that chats wait for.

use common::channel::Marketplace;
use common::db::chats;
use common::flows::FlowError;
use common::flows::suggest_reply::{DRAFT_CLAIM, suggest_reply};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Claimed, report};
use crate::Worker;

pub(super) fn claim(
    worker: Worker,
    marketplace: Marketplace,
    limit: i64,
) -> BoxFuture<'static, Result<Vec<Claimed>, FlowError>> {
    async move {
        let now = worker.ctx.clock.now();
        let until = now + DRAFT_CLAIM;
        let mut conn = worker.ctx.pool.get().await?;
        let claimed =
            chats::claim_drafts_across_tenants(&mut conn, marketplace, now, until, limit).await?;
        let jobs = claimed.into_iter().map(|chat| {
            let worker = worker.clone();
            async move { report("suggest_replies", &suggest_reply(&worker.ctx, &chat).await) }
                .boxed()
        });
        Ok(jobs.collect())
    }
    .boxed()
}
