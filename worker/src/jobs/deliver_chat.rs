//! Sends the oldest unsettled outgoing message of a chat.

use std::time::Duration;

use common::channel::Marketplace;
use common::db::chats::{self, Chat};
use common::db::leases::Lease;
use common::flows::FlowError;
use common::flows::deliver_chat::deliver_chat;
use common::jobs::{DeliverChat, Job};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Claimed, Hurry, report};
use crate::Worker;
use crate::slots::Kind;

/// The pause after a delivery that broke off for a reason of our own.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

impl Hurry for DeliverChat {
    const SLOTS: Kind = Kind::DeliverChat;

    fn run(self, worker: Worker, _at: Marketplace) -> BoxFuture<'static, Result<(), FlowError>> {
        async move {
            let lease = Lease::new(worker.ctx.delivery.lease);
            let now = worker.ctx.clock.now();
            let mut conn = worker.ctx.pool.get().await?;
            let (tenant, chat) = (self.tenant, self.chat);
            let claimed =
                chats::claim_delivery_if_due(&mut conn, tenant, chat, now, &lease).await?;
            drop(conn);
            match claimed {
                Some(chat) => deliver(&worker, chat, lease).await,
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
            chats::claim_due_deliveries_across_tenants(&mut conn, marketplace, now, &lease, limit)
                .await?;
        let jobs = claimed.into_iter().map(|chat| {
            let worker = worker.clone();
            async move { report(DeliverChat::KIND, &deliver(&worker, chat, lease).await) }.boxed()
        });
        Ok(jobs.collect())
    }
    .boxed()
}

async fn deliver(worker: &Worker, chat: Chat, lease: Lease) -> Result<(), FlowError> {
    let (tenant, id) = (chat.tenant_id, chat.id);
    let result = deliver_chat(&worker.ctx, chat, lease).await;
    if matches!(result, Err(ref problem) if !matches!(problem, FlowError::LeaseLost)) {
        let due = worker.ctx.clock.now() + AFTER_FAILURE;
        let mut conn = worker.ctx.pool.get().await?;
        chats::give_back(&mut conn, tenant, id, &lease, due).await?;
    }
    result
}
