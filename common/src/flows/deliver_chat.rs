//! Hands a chat's outgoing messages to the marketplace in order, each once, and settles those that
//! may have arrived.
//!
//! The caller holds the chat's lease; every result is stored only while it holds. What a step leaves
//! behind when the process dies after it is a state from which any other worker goes on.

mod attempt;
mod files;
mod settle;

use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::{Context, FlowError, publish};
use crate::db::chats::{self, Chat};
use crate::db::leases::Lease;
use crate::db::messages::{self, Message, Progress};
use crate::db::sellers::{self, Seller};
use crate::db::send_attempts;
use crate::domain::delivery::{MessageState, Step, Unsettled, next_step};
use crate::flows::refresh_chat::refresh_chat;
use crate::marketplaces::ShopAccess;

/// A chat is given back after so many steps, so that none holds a worker for ever.
const STEPS: usize = 50;

/// The delivery of one claimed chat under way.
struct Delivery<'a> {
    ctx: &'a Context,
    chat: Chat,
    seller: Seller,
    access: ShopAccess,
    lease: Lease,
    /// Whether the chat's signature was refreshed since the last message went through.
    sign_refreshed: bool,
}

/// What to do after a step.
enum Next {
    /// Go on with the oldest unsettled message.
    Continue,
    /// Nothing to do before this time; none: nothing at all.
    Pause(Option<DateTime<Utc>>),
}

/// Delivers what is due in a claimed chat and ends the claim.
pub async fn deliver_chat(ctx: &Context, chat: Chat, lease: Lease) -> Result<(), FlowError> {
    let (tenant, id) = (chat.tenant_id, chat.id);
    let mut conn = ctx.pool.get().await?;
    let Some(seller) = sellers::find(&mut conn, tenant, chat.seller_id).await? else {
        return Ok(());
    };
    drop(conn);
    let access = ctx.open(&seller)?;
    let mut delivery = Delivery {
        ctx,
        chat,
        seller,
        access,
        lease,
        sign_refreshed: false,
    };
    for _ in 0..STEPS {
        match delivery.step().await? {
            Next::Continue => {}
            Next::Pause(until) => return delivery.end(until).await,
        }
    }
    let now = ctx.clock.now();
    tracing::debug!(tenant = %tenant, chat = %id, "delivery pauses after many steps");
    delivery.end(Some(now)).await
}

impl Delivery<'_> {
    async fn step(&mut self) -> Result<Next, FlowError> {
        let mut conn = self.ctx.pool.get().await?;
        let (tenant, id) = (self.chat.tenant_id, self.chat.id);
        let Some(message) = messages::oldest_unsettled(&mut conn, tenant, id).await? else {
            return Ok(Next::Pause(None));
        };
        drop(conn);
        let now = self.ctx.clock.now();
        let unsettled = Unsettled {
            state: message.state,
            send_before: message.send_before,
            settle_at: message.settle_at,
        };
        match next_step(&unsettled, now, &self.ctx.waits()) {
            Step::Send if !self.seller.is_active => {
                let reason = "the shop was deactivated before the message was sent";
                self.settle_now(&message, Progress::failed("seller_inactive", reason))
                    .await
            }
            Step::Send => self.attempt(&message).await,
            Step::Expire => {
                let reason = "the time in which it could be sent is over";
                self.settle_now(&message, Progress::failed("expired", reason))
                    .await
            }
            Step::Doubt { settle_at } => self.doubt(&message, settle_at).await,
            Step::ReadBack => self.read_back(&message).await,
            Step::Wait(until) => Ok(Next::Pause(Some(until))),
            Step::Done => Ok(Next::Continue),
        }
    }

    /// Its sender died: from now on it may or may not have arrived.
    async fn doubt(
        &mut self,
        message: &Message,
        settle_at: DateTime<Utc>,
    ) -> Result<Next, FlowError> {
        let mut conn = self.ctx.pool.get().await?;
        let now = self.ctx.clock.now();
        let progress = Progress {
            settle_at: Some(settle_at),
            ..Progress::to(MessageState::Unknown)
        };
        let changed = conn
            .transaction(async |conn| {
                self.hold(conn).await?;
                send_attempts::end_abandoned(conn, message.tenant_id, message.id, now).await?;
                self.advance(conn, message, &progress).await
            })
            .await?;
        drop(conn);
        self.announce(changed).await?;
        Ok(Next::Pause(Some(settle_at)))
    }

    /// Ends a message without another request.
    async fn settle_now(&mut self, message: &Message, to: Progress) -> Result<Next, FlowError> {
        let mut conn = self.ctx.pool.get().await?;
        let changed = conn
            .transaction(async |conn| {
                self.hold(conn).await?;
                self.advance(conn, message, &to).await
            })
            .await?;
        drop(conn);
        self.announce(changed).await?;
        Ok(Next::Continue)
    }

    /// Locks the chat and prolongs the claim; fails if somebody else holds the chat now.
    async fn hold(&self, conn: &mut AsyncPgConnection) -> Result<Chat, FlowError> {
        chats::lock_claimed(conn, self.chat.tenant_id, self.chat.id, &self.lease)
            .await?
            .ok_or(FlowError::LeaseLost)
    }

    /// Moves a message on inside a transaction that holds the chat, and works the chat out anew.
    async fn advance(
        &self,
        conn: &mut AsyncPgConnection,
        message: &Message,
        progress: &Progress,
    ) -> Result<Option<(Message, Chat)>, FlowError> {
        let (tenant, id) = (message.tenant_id, message.id);
        let Some(moved) = messages::advance(conn, tenant, id, message.state, progress).await?
        else {
            return Ok(None);
        };
        let now = self.ctx.clock.now();
        let held = chats::lock(conn, tenant, self.chat.id)
            .await?
            .ok_or(FlowError::LeaseLost)?;
        let chat = refresh_chat(conn, &held, false, now).await?;
        Ok(Some((moved, chat)))
    }

    /// Tells everybody who watches.
    async fn announce(&mut self, changed: Option<(Message, Chat)>) -> Result<(), FlowError> {
        let Some((message, chat)) = changed else {
            return Ok(());
        };
        let mut conn = self.ctx.pool.get().await?;
        let name = publish::author_name(&mut conn, &chat, &message).await?;
        drop(conn);
        self.ctx.publish_message(&message, name).await;
        self.ctx.publish_chat(&chat).await;
        self.chat = chat;
        Ok(())
    }

    /// Gives the chat back, due again at `until`; at once if something was queued meanwhile.
    async fn end(&self, until: Option<DateTime<Utc>>) -> Result<(), FlowError> {
        let mut conn = self.ctx.pool.get().await?;
        let (tenant, id) = (self.chat.tenant_id, self.chat.id);
        conn.transaction(async |conn| {
            self.hold(conn).await?;
            // Whoever queues a message locks the chat first: nothing slips in between these two.
            let is_empty = messages::oldest_unsettled(conn, tenant, id)
                .await?
                .is_none();
            let due = match (until, is_empty) {
                (_, true) => None,
                (None, false) => Some(self.ctx.clock.now()),
                (until, false) => until,
            };
            chats::schedule_delivery(conn, tenant, id, due).await?;
            chats::release(conn, tenant, id, &self.lease).await?;
            Ok(())
        })
        .await
    }
}
