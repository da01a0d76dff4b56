//! Looks at a chat whose alarm rings: warns, finds a breach, ends a rest; each once.
//!
//! The caller claimed the alarm by moving it ahead. It is set to its next time only after everybody
//! was told: whoever takes over from a process that died in between tells again.

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::refresh_chat::refresh_chat;
use super::{Context, FlowError};
use crate::db::chats::{self, Chat, StoredObligation};
use crate::db::messages;
use crate::db::obligations::{self, BreachCause};
use crate::db::sellers::{self, Seller};
use crate::domain::deadlines::{Nearer, Obligation};
use crate::feed::Event;
use crate::jobs::{Job, SyncSeller};
use crate::marketplaces::{Reading, profile};

/// How long a claimed alarm is ahead: afterwards another worker takes over.
pub const ALARM_CLAIM: TimeDelta = TimeDelta::seconds(30);
/// Before a breach is declared the shop's chats are read once more, for at most so long: an answer
/// given in the marketplace's own cabinet may not have shown yet.
const LAST_LOOK: TimeDelta = TimeDelta::minutes(2);
const LOOK_AGAIN: TimeDelta = TimeDelta::seconds(2);

/// What an alarm led to.
enum Rung {
    /// The shop is to be read before a breach is declared.
    LookFirst(Box<Seller>),
    Done {
        chat: Box<Chat>,
        /// When the chat's alarm rings next.
        next: Option<DateTime<Utc>>,
        told: Option<Event>,
    },
}

/// Does what a claimed alarm calls for.
pub async fn watch_chat(ctx: &Context, claimed: &Chat) -> Result<(), FlowError> {
    let now = ctx.clock.now();
    let mut conn = ctx.pool.get().await?;
    let rung = conn
        .transaction(async |conn| ring(conn, claimed, now).await)
        .await?;
    drop(conn);
    let next = match rung {
        None => return Ok(()),
        Some(Rung::LookFirst(seller)) => {
            look(ctx, &seller, now).await?;
            Some(now + LOOK_AGAIN)
        }
        Some(Rung::Done { chat, next, told }) => {
            if let Some(event) = told {
                ctx.publish_deadline(event, &chat).await;
            }
            ctx.publish_chat(&chat).await;
            next
        }
    };
    let mut conn = ctx.pool.get().await?;
    chats::end_alarm(&mut conn, claimed, next).await?;
    Ok(())
}

async fn ring(
    conn: &mut AsyncPgConnection,
    claimed: &Chat,
    now: DateTime<Utc>,
) -> Result<Option<Rung>, FlowError> {
    let Some(mut chat) = chats::lock_with_alarm(conn, claimed).await? else {
        return Ok(None);
    };
    if chat.snoozed_until.is_some_and(|until| until <= now) {
        chat.snoozed_until = None;
    }
    // The rules may have changed since the alarm was set.
    let mut chat = refresh_chat(conn, &chat, false, now).await?;
    let (tenant, id) = (chat.tenant_id, chat.id);
    if let Some((obligation, nearer)) = chat.obligation().cloned().zip(chat.nearer()) {
        let is_noted = if now >= nearer.at && obligation.breached_at.is_none() {
            let seller = sellers::find(conn, tenant, chat.seller_id).await?;
            let Some(seller) = seller else {
                return Ok(None);
            };
            if wants_last_look(&seller, &nearer, now) {
                chats::set_alarm(conn, tenant, id, claimed.alarm_at).await?;
                return Ok(Some(Rung::LookFirst(Box::new(seller))));
            }
            note_breach(conn, &chat, &obligation, &seller, now).await?
        } else if now >= nearer.at_risk_at && obligation.breached_at.is_none() {
            note_warning(conn, &chat, &obligation, now).await?
        } else {
            false
        };
        if is_noted {
            chat.obligation = Some(StoredObligation(Obligation {
                untold: true,
                ..obligation
            }));
            chat = refresh_chat(conn, &chat, false, now).await?;
        }
    }
    let next = chat.alarm_at;
    chats::set_alarm(conn, tenant, id, claimed.alarm_at).await?;
    let told = untold(chat.obligation());
    Ok(Some(Rung::Done {
        chat: Box::new(chat),
        next,
        told,
    }))
}

/// What was noted and people are yet to be told, perhaps by a process that died.
fn untold(obligation: Option<&Obligation>) -> Option<Event> {
    let obligation = obligation.filter(|obligation| obligation.untold)?;
    Some(if obligation.breached_at.is_some() {
        Event::DeadlineBreached
    } else {
        Event::DeadlineWarning
    })
}

async fn note_warning(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    obligation: &Obligation,
    now: DateTime<Utc>,
) -> Result<bool, FlowError> {
    let Some(id) = obligation.id else {
        return Ok(false);
    };
    Ok(obligations::warn(conn, chat.tenant_id, id, now).await?)
}

async fn note_breach(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    obligation: &Obligation,
    seller: &Seller,
    now: DateTime<Utc>,
) -> Result<bool, FlowError> {
    let Some(id) = obligation.id else {
        return Ok(false);
    };
    let cause = cause(conn, chat, seller).await?;
    Ok(obligations::breach(conn, chat.tenant_id, id, cause, now).await?)
}

/// Whether the shop's chats were not read since the deadline, and may be read now.
fn wants_last_look(seller: &Seller, nearer: &Nearer, now: DateTime<Utc>) -> bool {
    let is_listed = profile(seller.marketplace).reading == Reading::PerChat;
    let is_read = seller
        .vendor_cursor
        .swept_at
        .is_some_and(|swept| swept >= nearer.at);
    let is_well = seller.is_active && seller.sync_error.is_none();
    is_listed && is_well && !is_read && now - nearer.at < LAST_LOOK
}

async fn look(ctx: &Context, seller: &Seller, now: DateTime<Utc>) -> Result<(), FlowError> {
    let mut conn = ctx.pool.get().await?;
    let (tenant, id) = (seller.tenant_id, seller.id);
    if sellers::wake(&mut conn, tenant, id, now).await? {
        let job = SyncSeller { tenant, seller: id };
        let queue = SyncSeller::queue(seller.marketplace);
        ctx.jobs.hurry(&queue, &job).await;
    }
    Ok(())
}

/// Why nobody answered in time.
async fn cause(
    conn: &mut AsyncPgConnection,
    chat: &Chat,
    seller: &Seller,
) -> Result<BreachCause, FlowError> {
    let may_send = seller.capabilities().is_none_or(|may| may.send);
    Ok(
        if messages::ends_with_failure(conn, chat.tenant_id, chat.id).await? {
            BreachCause::SendFailed
        } else if !seller.is_active || seller.sync_error.is_some() {
            BreachCause::ShopError
        } else if !may_send {
            BreachCause::ReadOnly
        } else {
            BreachCause::NoAnswer
        },
    )
}
