//! Polling where the shop has one stream of events over all its chats.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::Poll;
use crate::db::chats::{self, StoredContext};
use crate::db::send_attempts;
use crate::flows::FlowError;
use crate::flows::store_messages::{Stored, store_messages};
use crate::marketplaces::{ChatSummary, ListPage, ListScope, Operation, ReadFrom, VendorMessage};

/// How often the list of chats is read for buyers' names, products and signatures.
const LIST_EVERY: TimeDelta = TimeDelta::minutes(20);
/// Events that show later than others by up to this are still seen.
const OVERLAP_MS: i64 = 15_000;
/// The stream is not read again for messages that got no echo for so long.
const ECHO_READ_WITHIN: TimeDelta = TimeDelta::hours(1);

impl Poll<'_> {
    pub(super) async fn poll_stream(&mut self) -> Result<(), FlowError> {
        let started_at = self.ctx.clock.now();
        let mut asks_list = self
            .cursor
            .swept_at
            .is_none_or(|at| started_at - at >= LIST_EVERY);
        let since = self.stream_start().await?;
        let mut next: Option<String> = None;
        loop {
            let from = ReadFrom {
                chat: None,
                since: since.as_deref(),
                page: next.as_deref(),
            };
            let permit = self
                .ctx
                .permit(self.seller, Operation::ReadMessages)
                .await?;
            let page = self.connector.read_messages(&self.access, from).await?;
            drop(permit);
            // What was not clear is read again: the cursor stays before it.
            let resume = page.resume.filter(|_| !self.unclear);
            asks_list |= self.store_page(&page.messages, resume).await?;
            match page.next {
                Some(more) if Some(&more) != next.as_ref() => next = Some(more),
                _ => break,
            }
        }
        if asks_list {
            self.take_over_list().await?;
        }
        Ok(())
    }

    /// A little before the cursor, as events may show late; and from before each message of ours that
    /// still waits for its echo. The cursors of streams are times in milliseconds.
    async fn stream_start(&self) -> Result<Option<String>, FlowError> {
        let since = self.ctx.clock.now() - ECHO_READ_WITHIN;
        let mut conn = self.ctx.pool.get().await?;
        let (tenant, seller) = (self.seller.tenant_id, self.seller.id);
        let unbound = send_attempts::cursors_of_unbound(&mut conn, tenant, seller, since).await?;
        let cursor = self
            .cursor
            .stream
            .as_deref()
            .map(number)
            .map(|at| at - OVERLAP_MS);
        let earliest = unbound.iter().map(|it| number(it)).chain(cursor).min();
        Ok(earliest.filter(|at| *at > 0).map(|at| at.to_string()))
    }

    /// Stores a page with its cursor; tells whether a chat is not known well enough to answer in it.
    async fn store_page(
        &mut self,
        shown: &[VendorMessage],
        resume: Option<String>,
    ) -> Result<bool, FlowError> {
        // In the order of their ids, so that two transactions lock chats in the same order.
        let mut by_chat: BTreeMap<&str, Vec<VendorMessage>> = BTreeMap::new();
        for message in shown {
            by_chat
                .entry(&message.chat)
                .or_default()
                .push(message.clone());
        }
        let before = self.cursor.stream.clone();
        let mut conn = self.ctx.pool.get().await?;
        let stored: Result<Vec<Stored>, FlowError> = conn
            .transaction(async |conn| {
                let stored = self.store_chats(conn, &by_chat).await?;
                let reached = self.cursor.stream.as_deref().map_or(-1, number);
                let moves_on = resume.as_deref().is_some_and(|it| number(it) > reached);
                if moves_on && !stored.iter().any(|it| it.unclear) {
                    self.cursor.stream = resume;
                }
                self.hold(conn).await?;
                Ok(stored)
            })
            .await;
        drop(conn);
        let stored = match stored {
            Ok(stored) => stored,
            Err(problem) => {
                self.cursor.stream = before;
                return Err(problem);
            }
        };
        let mut asks_list = false;
        for it in &stored {
            asks_list |= it.changed() && it.chat.vendor_state.reply_sign.is_none();
            self.announce(it).await?;
        }
        Ok(asks_list)
    }

    async fn store_chats(
        &self,
        conn: &mut AsyncPgConnection,
        by_chat: &BTreeMap<&str, Vec<VendorMessage>>,
    ) -> Result<Vec<Stored>, FlowError> {
        let source = self.source();
        let mut stored = Vec::with_capacity(by_chat.len());
        for (chat, messages) in by_chat {
            stored.push(store_messages(conn, &source, chat, messages).await?);
        }
        Ok(stored)
    }

    /// Takes over what the list tells about chats that are known; it may lack some of them.
    async fn take_over_list(&mut self) -> Result<(), FlowError> {
        let page = ListPage {
            scope: ListScope::All,
            cursor: None,
        };
        let permit = self.ctx.permit(self.seller, Operation::ListChats).await?;
        let page = self.connector.list_chats(&self.access, page).await?;
        drop(permit);
        self.cursor.swept_at = Some(self.ctx.clock.now());
        let mut conn = self.ctx.pool.get().await?;
        conn.transaction(async |conn| {
            self.hold(conn).await?;
            take_over(conn, self, &page.chats).await
        })
        .await
    }
}

fn number(cursor: &str) -> i64 {
    cursor.parse().unwrap_or(0)
}

async fn take_over(
    conn: &mut AsyncPgConnection,
    poll: &Poll<'_>,
    listed: &[ChatSummary],
) -> Result<(), FlowError> {
    let ids: Vec<&str> = listed.iter().map(|it| it.external_id.as_str()).collect();
    let (tenant, seller) = (poll.seller.tenant_id, poll.seller.id);
    for chat in chats::find_by_external_ids(conn, tenant, seller, &ids).await? {
        let Some(summary) = listed.iter().find(|it| it.external_id == chat.external_id) else {
            continue;
        };
        let mut context = chat.context.0.clone();
        context.merge(summary.context.clone());
        let context = StoredContext(context);
        let mut state = chat.vendor_state.clone();
        if summary.reply_sign.is_some() {
            state.reply_sign.clone_from(&summary.reply_sign);
        }
        if context != chat.context || state != chat.vendor_state {
            chats::store_vendor_facts(conn, tenant, chat.id, &context, &state).await?;
        }
    }
    Ok(())
}
