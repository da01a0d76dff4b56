//! Begins a chat that somebody wants about an order: asks the marketplace, stores the chat.

use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::refresh_chat::refresh_chat;
use super::{Context, FlowError};
use crate::channel::ChatContext;
use crate::db::chat_starts::{self, ChatStart};
use crate::db::chats::{self, Chat};
use crate::db::sellers::{self, Seller};
use crate::domain::chat_starts::StartProblem;
use crate::domain::delivery::retry_pause;
use crate::marketplaces::{Operation, StartError, VendorError, profile};

/// After so many failures the marketplace counts as away: a person has been waiting for a minute.
const TRIES: i32 = 6;

/// Begins one chat. Done twice, it finds the chat of the first time: so do the marketplaces.
pub async fn start_chat(ctx: &Context, start: &ChatStart) -> Result<(), FlowError> {
    let mut conn = ctx.pool.get().await?;
    let seller = sellers::find(&mut conn, start.tenant_id, start.seller_id).await?;
    drop(conn);
    let Some(seller) = seller.filter(|seller| seller.is_active) else {
        return fail(ctx, start, StartProblem::SellerInactive, None).await;
    };
    if !profile(seller.marketplace).starts_chats {
        return fail(ctx, start, StartProblem::CannotStart, None).await;
    }
    match ask(ctx, &seller, &start.order_id).await? {
        Ok(external_id) => finish(ctx, start, &seller, &external_id).await,
        Err(StartError::OrderNotFound { message }) => {
            fail(ctx, start, StartProblem::OrderNotFound, Some(&message)).await
        }
        Err(StartError::TooLate { message }) => {
            fail(ctx, start, StartProblem::WindowClosed, Some(&message)).await
        }
        Err(StartError::Vendor(problem)) => put_off(ctx, start, &problem).await,
    }
}

async fn ask(
    ctx: &Context,
    seller: &Seller,
    order: &str,
) -> Result<Result<String, StartError>, FlowError> {
    let access = ctx.open(seller)?;
    let _permit = match ctx.permit(seller, Operation::StartChat).await {
        Ok(permit) => permit,
        Err(problem) => return Ok(Err(problem.into())),
    };
    Ok(ctx.marketplace(seller).start_chat(&access, order).await)
}

async fn finish(
    ctx: &Context,
    start: &ChatStart,
    seller: &Seller,
    external_id: &str,
) -> Result<(), FlowError> {
    let (tenant, now) = (start.tenant_id, ctx.clock.now());
    let mut conn = ctx.pool.get().await?;
    let chat = conn
        .transaction(async |conn| {
            let chat = store(conn, start, seller, external_id, now).await?;
            chat_starts::finish(conn, start, chat.id, now).await?;
            // What was said in it before is read with the next poll.
            sellers::wake(conn, tenant, seller.id, now).await?;
            Ok::<_, diesel::result::Error>(chat)
        })
        .await?;
    drop(conn);
    ctx.publish_chat(&chat).await;
    Ok(())
}

async fn store(
    conn: &mut AsyncPgConnection,
    start: &ChatStart,
    seller: &Seller,
    external_id: &str,
    now: DateTime<Utc>,
) -> diesel::QueryResult<Chat> {
    let tenant = start.tenant_id;
    let channel = seller.marketplace;
    let mut chat =
        chats::lock_or_create(conn, tenant, seller.id, channel, external_id, now).await?;
    if chat.context.0.order_id.is_none() {
        chat.context.0.merge(ChatContext {
            order_id: Some(start.order_id.clone()),
            ..ChatContext::default()
        });
        let (context, vendor_state) = (&chat.context, &chat.vendor_state);
        chats::store_vendor_facts(conn, tenant, chat.id, context, vendor_state).await?;
    }
    refresh_chat(conn, &chat, false, now).await
}

/// Tries again later what may succeed then.
async fn put_off(ctx: &Context, start: &ChatStart, why: &VendorError) -> Result<(), FlowError> {
    let words = match why {
        VendorError::Unauthorized { message } => {
            return fail(ctx, start, StartProblem::KeyRejected, Some(message)).await;
        }
        VendorError::Forbidden { message } => {
            return fail(ctx, start, StartProblem::ReadOnly, Some(message)).await;
        }
        VendorError::Rejected { message } => {
            return fail(ctx, start, StartProblem::CannotStart, Some(message)).await;
        }
        later => later.to_string(),
    };
    if start.failures + 1 >= TRIES {
        return fail(ctx, start, StartProblem::Unavailable, Some(&words)).await;
    }
    let pause = match why {
        VendorError::RateLimited {
            retry_after: Some(pause),
        } => *pause,
        _ => retry_pause(u32::try_from(start.failures).unwrap_or(0)),
    };
    let mut conn = ctx.pool.get().await?;
    chat_starts::postpone(&mut conn, start, ctx.clock.now() + pause).await?;
    Ok(())
}

async fn fail(
    ctx: &Context,
    start: &ChatStart,
    problem: StartProblem,
    words: Option<&str>,
) -> Result<(), FlowError> {
    let mut conn = ctx.pool.get().await?;
    chat_starts::fail(&mut conn, start, problem, words, ctx.clock.now()).await?;
    Ok(())
}
