//! Looks at the chats whose alarm rings: a deadline is near or over, or a rest ends.

use common::channel::Marketplace;
use common::db::chats;
use common::flows::FlowError;
use common::flows::watch_chat::{ALARM_CLAIM, watch_chat};
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
        let until = now + ALARM_CLAIM;
        let mut conn = worker.ctx.pool.get().await?;
        let claimed =
            chats::claim_alarms_across_tenants(&mut conn, marketplace, now, until, limit).await?;
        let jobs = claimed.into_iter().map(|chat| {
            let worker = worker.clone();
            async move { report("watch_chats", &watch_chat(&worker.ctx, &chat).await) }.boxed()
        });
        Ok(jobs.collect())
    }
    .boxed()
}
