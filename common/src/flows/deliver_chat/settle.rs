//! Finds out whether a message that may have arrived did: by reading the history back.

use std::time::Duration;

use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::{Delivery, Next};
use crate::db::chats::Chat;
use crate::db::messages::{self, Message, Progress};
use crate::db::send_attempts::{self, SendAttempt};
use crate::domain::delivery::{
    AttemptOutcome, DELIVERY_UNKNOWN, Evidence, MessageState, Settling, Verdict, is_overdue, judge,
};
use crate::flows::FlowError;
use crate::flows::store_messages::{Source, Stored, store_messages};
use crate::flows::sync_seller::announce;
use crate::marketplaces::{Operation, ReadFrom, Reading, VendorError, VendorMessage};

/// The pause after the history could not be read.
const UNREADABLE_PAUSE: Duration = Duration::from_secs(5);

const ASK_A_PERSON: &str = "It could not be found out whether the marketplace took this message. \
                            Look into the marketplace's cabinet before sending it again.";

impl Delivery<'_> {
    pub(super) async fn read_back(&mut self, message: &Message) -> Result<Next, FlowError> {
        let mut conn = self.ctx.pool.get().await?;
        let (tenant, id) = (message.tenant_id, message.id);
        let attempts = send_attempts::of_message(&mut conn, tenant, id).await?;
        let uncertain: Vec<SendAttempt> = attempts
            .into_iter()
            .filter(|attempt| attempt.outcome != Some(AttemptOutcome::NotSent))
            .collect();
        drop(conn);
        let Some(first) = uncertain.first().cloned() else {
            // Nothing of it ever left this side.
            return self
                .settle_now(message, Progress::to(MessageState::Queued))
                .await;
        };
        let shown = match self.read_since(&first).await {
            Ok(shown) => shown,
            Err(FlowError::Vendor(problem)) => {
                return self.unreadable(message, &first, &problem).await;
            }
            Err(other) => return Err(other),
        };
        let settling = Settling {
            since: first.started_at,
            reads: u32::try_from(message.settle_reads).unwrap_or(0),
            uncertain_attempts: u32::try_from(uncertain.len()).unwrap_or(u32::MAX),
        };
        let (stored, changed, next) = self
            .judge_history(message, &first, &settling, &shown)
            .await?;
        announce(self.ctx, &stored).await?;
        self.announce(changed).await?;
        Ok(next)
    }

    /// Everything the history shows from the first attempt's baseline on.
    async fn read_since(&self, first: &SendAttempt) -> Result<Vec<VendorMessage>, FlowError> {
        let connector = self.ctx.marketplace(&self.seller);
        let is_stream = connector.profile().reading == Reading::Stream;
        let since = if is_stream {
            first.baseline_cursor.clone()
        } else {
            first.baseline_external_id.clone()
        };
        let mut shown = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let from = ReadFrom {
                chat: (!is_stream).then_some(self.chat.external_id.as_str()),
                since: since.as_deref(),
                page: next.as_deref(),
            };
            let permit = self
                .ctx
                .permit(&self.seller, Operation::ReadMessages)
                .await?;
            let page = connector.read_messages(&self.access, from).await?;
            drop(permit);
            let of_chat = page.messages.into_iter();
            shown.extend(of_chat.filter(|it| it.chat == self.chat.external_id));
            match page.next {
                Some(more) if Some(&more) != next.as_ref() => next = Some(more),
                _ => return Ok(shown),
            }
            let mut conn = self.ctx.pool.get().await?;
            self.hold(&mut conn).await?;
        }
    }

    /// Stores what was read and decides about the message, in one transaction.
    async fn judge_history(
        &self,
        message: &Message,
        first: &SendAttempt,
        settling: &Settling,
        shown: &[VendorMessage],
    ) -> Result<(Stored, Option<(Message, Chat)>, Next), FlowError> {
        let now = self.ctx.clock.now();
        let source = Source {
            tenant: self.seller.tenant_id,
            seller: self.seller.id,
            marketplace: self.seller.marketplace,
            first_import: false,
            now,
        };
        let mut conn = self.ctx.pool.get().await?;
        conn.transaction(async |conn| {
            self.hold(conn).await?;
            let stored = store_messages(conn, &source, &self.chat.external_id, shown).await?;
            let evidence = evidence(conn, message, first).await?;
            let verdict = judge(settling, evidence, now, &self.ctx.waits());
            let (progress, next) = match verdict {
                Verdict::Sent => return Ok((stored, None, Next::Continue)),
                Verdict::ReadAgain { at } => (
                    Progress {
                        settle_at: Some(at),
                        settle_reads: message.settle_reads + 1,
                        ..Progress::to(MessageState::Unknown)
                    },
                    Next::Pause(Some(at)),
                ),
                Verdict::SendAgain => (Progress::to(MessageState::Queued), Next::Continue),
                Verdict::AskPerson => (
                    Progress::failed(DELIVERY_UNKNOWN, ASK_A_PERSON),
                    Next::Continue,
                ),
            };
            let changed = self.advance(conn, message, &progress).await?;
            Ok((stored, changed, next))
        })
        .await
    }

    /// The history could not be read: later, but not for ever.
    async fn unreadable(
        &mut self,
        message: &Message,
        first: &SendAttempt,
        problem: &VendorError,
    ) -> Result<Next, FlowError> {
        let now = self.ctx.clock.now();
        if is_overdue(first.started_at, now) {
            let progress = Progress::failed(DELIVERY_UNKNOWN, ASK_A_PERSON);
            return self.settle_now(message, progress).await;
        }
        let pause = match problem {
            // Long enough for several requests: a reading that always ends after its first page would use up
            // what the next one needs.
            VendorError::RateLimited {
                retry_after: Some(pause),
            } => UNREADABLE_PAUSE.max(*pause),
            _ => UNREADABLE_PAUSE,
        };
        Ok(Next::Pause(Some(now + pause)))
    }
}

/// What the stored history says about the message.
async fn evidence(
    conn: &mut AsyncPgConnection,
    message: &Message,
    first: &SendAttempt,
) -> Result<Evidence, FlowError> {
    let (tenant, id, chat) = (message.tenant_id, message.id, message.chat_id);
    let is_unknown = messages::find(conn, tenant, id)
        .await?
        .is_some_and(|it| it.state == MessageState::Unknown);
    if !is_unknown {
        return Ok(Evidence::Found);
    }
    if messages::has_earlier_without_echo(conn, tenant, chat, id).await? {
        return Ok(Evidence::Lagging);
    }
    if messages::has_unexplained(conn, tenant, chat, first).await? {
        return Ok(Evidence::Unexplained);
    }
    Ok(Evidence::Nothing)
}
