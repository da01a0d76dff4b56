//! Pulls what changed in a shop's chats, page by page, and stores it once.
//!
//! The caller holds the shop's lease; every page is stored in one transaction with the cursor, and
//! only while the lease holds.

mod listing;
mod pace;
mod stream;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::AsyncPgConnection;

use self::pace::next_poll;
use super::store_messages::{Source, Stored};
use super::{Context, FlowError, publish};
use crate::channel;
use crate::db::leases::Lease;
use crate::db::messages::Message;
use crate::db::sellers::{self, Seller, VendorCursor};
use crate::jobs::{DeliverChat, FetchFile, Job};
use crate::marketplaces::{Marketplace, Reading, ShopAccess, VendorError};

/// Files of older messages can wait.
const LATELY: TimeDelta = TimeDelta::hours(1);

/// A poll of one shop under way.
struct Poll<'a> {
    ctx: &'a Context,
    seller: &'a Seller,
    access: ShopAccess,
    connector: &'a dyn Marketplace,
    lease: Lease,
    cursor: VendorCursor,
    /// When a buyer wrote last, as far as this poll saw.
    buyer_wrote_at: Option<DateTime<Utc>>,
    /// Something could not be told yet: poll again soon.
    unclear: bool,
}

/// Polls a claimed shop and ends the claim. The result tells whether the marketplace answered.
pub async fn sync_seller(ctx: &Context, seller: &Seller, lease: Lease) -> Result<(), FlowError> {
    let (result, unclear, buyer_wrote_at) = match ctx.open(seller) {
        Err(problem) => (Err(problem.into()), false, None),
        Ok(access) => {
            let mut poll = Poll {
                ctx,
                seller,
                access,
                connector: ctx.marketplace(seller),
                lease,
                cursor: seller.vendor_cursor.clone(),
                buyer_wrote_at: None,
                unclear: false,
            };
            let result = poll.run().await;
            (result, poll.unclear, poll.buyer_wrote_at)
        }
    };
    if let Err(FlowError::LeaseLost) = result {
        return result;
    }
    let mut conn = ctx.pool.get().await?;
    if let Some(at) = buyer_wrote_at {
        sellers::note_buyer(&mut conn, seller.tenant_id, seller.id, at).await?;
    }
    let end = next_poll(ctx, seller, &result, buyer_wrote_at, unclear);
    let ended = sellers::finish_sync(&mut conn, seller, &lease, &end).await?;
    drop(conn);
    let ended = ended.ok_or(FlowError::LeaseLost)?;
    let is_news = ended.sync_error != seller.sync_error || seller.last_sync_at.is_none();
    if is_news {
        ctx.publish_seller(&ended).await;
    }
    result
}

impl Poll<'_> {
    async fn run(&mut self) -> Result<(), FlowError> {
        match self.connector.profile().reading {
            Reading::PerChat => self.poll_by_chat().await?,
            Reading::Stream => self.poll_stream().await?,
        }
        if self.cursor.imported_at.is_none() {
            self.cursor.imported_at = Some(self.ctx.clock.now());
            let mut conn = self.ctx.pool.get().await?;
            self.hold(&mut conn).await?;
        }
        Ok(())
    }

    fn source(&self) -> Source {
        Source {
            tenant: self.seller.tenant_id,
            seller: self.seller.id,
            marketplace: self.seller.marketplace,
            first_import: self.cursor.imported_at.is_none(),
            now: self.ctx.clock.now(),
        }
    }

    /// Prolongs the claim and stores the cursor; fails if somebody else holds the shop now.
    async fn hold(&self, conn: &mut AsyncPgConnection) -> Result<(), FlowError> {
        let (tenant, id) = (self.seller.tenant_id, self.seller.id);
        if sellers::advance(conn, tenant, id, &self.lease, &self.cursor).await? {
            Ok(())
        } else {
            Err(FlowError::LeaseLost)
        }
    }

    /// Takes note of what storing changed and tells everybody who watches.
    async fn announce(&mut self, stored: &Stored) -> Result<(), FlowError> {
        self.unclear |= stored.unclear;
        self.buyer_wrote_at = self.buyer_wrote_at.max(stored.buyer_wrote_at());
        announce(self.ctx, stored).await
    }
}

/// Tells everybody who watches what storing changed.
pub(super) async fn announce(ctx: &Context, stored: &Stored) -> Result<(), FlowError> {
    if !stored.changed() {
        return Ok(());
    }
    let chat = &stored.chat;
    for message in &stored.created {
        // Only buyers and people outside write these: no name of ours has to be looked up.
        let name = chat.context.0.buyer_name.clone();
        let name = name.filter(|_| message.author == crate::db::messages::Author::Buyer);
        ctx.publish_new_message(message, name).await;
        hurry_files(ctx, chat.channel, message).await;
    }
    if !stored.bound.is_empty() {
        let mut conn = ctx.pool.get().await?;
        for message in &stored.bound {
            let name = publish::author_name(&mut conn, chat, message).await?;
            ctx.publish_message(message, name).await;
        }
    }
    ctx.publish_chat(chat).await;
    if chat.deliver_at.is_some_and(|at| at <= ctx.clock.now()) {
        let job = DeliverChat {
            tenant: chat.tenant_id,
            chat: chat.id,
        };
        ctx.jobs
            .hurry(&DeliverChat::queue(chat.channel), &job)
            .await;
    }
    Ok(())
}

/// Has the files of a message fetched at once, if it is one that people wait for.
async fn hurry_files(ctx: &Context, marketplace: channel::Marketplace, message: &Message) {
    if ctx.clock.now() - message.at > LATELY {
        return;
    }
    for file in &message.attachments.0 {
        let job = FetchFile {
            tenant: message.tenant_id,
            file: file.file_id,
        };
        ctx.jobs.hurry(&FetchFile::queue(marketplace), &job).await;
    }
}

/// Whether the marketplace is at fault for how a poll ended: it does not answer as it should.
pub fn is_marketplace_down(result: &Result<(), FlowError>) -> bool {
    matches!(
        result,
        Err(FlowError::Vendor(VendorError::Unavailable { .. }))
    )
}
