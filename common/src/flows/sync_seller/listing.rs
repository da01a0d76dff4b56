//! Polling where each chat has a history of its own: the list tells which chats changed.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use super::Poll;
use crate::db::chats::{self, Chat, StoredContext, VendorState};
use crate::db::messages;
use crate::flows::FlowError;
use crate::flows::store_messages::{Stored, store_messages};
use crate::marketplaces::{ChatSummary, ListPage, ListScope, Operation, ReadFrom, VendorMessage};

/// How often the whole list is read: answers given in the marketplace's cabinet show nowhere else.
const SWEEP_EVERY: TimeDelta = TimeDelta::minutes(20);
/// How often it is read while an answer is due soon.
const SWEEP_NEAR_DEADLINES_EVERY: TimeDelta = TimeDelta::minutes(5);
const NEAR_DEADLINE: TimeDelta = TimeDelta::minutes(30);
/// A chat is read again from this many messages back: what appears late is still seen.
const OVERLAP: i64 = 20;
/// After this long a list that is ahead of its history is believed to be wrong.
const AHEAD_FOR: TimeDelta = TimeDelta::minutes(10);
/// After this long no more messages of a past second are shown.
const SECOND_IS_OVER: TimeDelta = TimeDelta::seconds(2);
/// Chats with a message that got no echo for so long are no longer read just for that.
const ECHO_WITHIN: TimeDelta = TimeDelta::hours(1);

impl Poll<'_> {
    pub(super) async fn poll_by_chat(&mut self) -> Result<(), FlowError> {
        let started_at = self.ctx.clock.now();
        let is_sweep = self.is_sweep_due(started_at).await?;
        let scope = if is_sweep {
            ListScope::All
        } else {
            ListScope::Fresh
        };
        let mut read = HashSet::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = ListPage {
                scope,
                cursor: cursor.as_deref(),
            };
            let permit = self.ctx.permit(self.seller, Operation::ListChats).await?;
            let page = self.connector.list_chats(&self.access, page).await?;
            drop(permit);
            for summary in self.changed_of(&page.chats).await? {
                self.read_chat(&summary.external_id, Some(&summary)).await?;
                read.insert(summary.external_id);
            }
            match page.next {
                Some(next) if Some(&next) != cursor.as_ref() => cursor = Some(next),
                _ => break,
            }
        }
        self.read_unbound(&read).await?;
        if is_sweep {
            self.cursor.swept_at = Some(started_at);
            let mut conn = self.ctx.pool.get().await?;
            self.hold(&mut conn).await?;
        }
        Ok(())
    }

    /// Whether the whole list is to be read: more often while a deadline is near, and once when one
    /// is over.
    async fn is_sweep_due(&self, now: DateTime<Utc>) -> Result<bool, FlowError> {
        let Some(swept_at) = self.cursor.swept_at else {
            return Ok(true);
        };
        if now - swept_at >= SWEEP_EVERY {
            return Ok(true);
        }
        // What fell due since the last sweep may have been answered in the cabinet.
        let until = if now - swept_at < SWEEP_NEAR_DEADLINES_EVERY {
            now
        } else {
            now + NEAR_DEADLINE
        };
        let mut conn = self.ctx.pool.get().await?;
        let (tenant, seller) = (self.seller.tenant_id, self.seller.id);
        Ok(chats::has_deadline_between(&mut conn, tenant, seller, swept_at, until).await?)
    }

    /// The chats of a page that have something that is not stored yet.
    async fn changed_of(&self, listed: &[ChatSummary]) -> Result<Vec<ChatSummary>, FlowError> {
        let ids: Vec<&str> = listed.iter().map(|it| it.external_id.as_str()).collect();
        let mut conn = self.ctx.pool.get().await?;
        let (tenant, seller) = (self.seller.tenant_id, self.seller.id);
        let known = chats::find_by_external_ids(&mut conn, tenant, seller, &ids).await?;
        let is_changed = |summary: &&ChatSummary| {
            let chat = known
                .iter()
                .find(|it| it.external_id == summary.external_id);
            chat.is_none_or(|chat| {
                summary.newest.is_none() || chat.vendor_state.newest != summary.newest
            })
        };
        Ok(listed.iter().filter(is_changed).cloned().collect())
    }

    /// Reads chats that wait for the echo of a message of ours.
    async fn read_unbound(&mut self, read: &HashSet<String>) -> Result<(), FlowError> {
        let since = self.ctx.clock.now() - ECHO_WITHIN;
        let mut conn = self.ctx.pool.get().await?;
        let (tenant, seller) = (self.seller.tenant_id, self.seller.id);
        let waiting = chats::with_unbound_messages(&mut conn, tenant, seller, since).await?;
        drop(conn);
        for chat in waiting {
            if !read.contains(&chat.external_id) {
                self.read_chat(&chat.external_id, None).await?;
            }
        }
        Ok(())
    }

    /// Reads a chat's history from a little before what is stored, and stores it in one transaction.
    async fn read_chat(
        &mut self,
        external_id: &str,
        summary: Option<&ChatSummary>,
    ) -> Result<(), FlowError> {
        let since = self.read_since(external_id).await?;
        let mut shown: Vec<VendorMessage> = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let from = ReadFrom {
                chat: Some(external_id),
                since: since.as_deref(),
                page: next.as_deref(),
            };
            let permit = self
                .ctx
                .permit(self.seller, Operation::ReadMessages)
                .await?;
            let page = self.connector.read_messages(&self.access, from).await?;
            drop(permit);
            shown.extend(page.messages);
            match page.next {
                Some(more) if Some(&more) != next.as_ref() => next = Some(more),
                _ => break,
            }
            let mut conn = self.ctx.pool.get().await?;
            self.hold(&mut conn).await?;
        }
        let mut conn = self.ctx.pool.get().await?;
        let stored = conn
            .transaction(async |conn| self.store_chat(conn, external_id, summary, &shown).await)
            .await?;
        drop(conn);
        self.announce(&stored).await
    }

    async fn read_since(&self, external_id: &str) -> Result<Option<String>, FlowError> {
        let mut conn = self.ctx.pool.get().await?;
        let (tenant, seller) = (self.seller.tenant_id, self.seller.id);
        let chat = chats::find_by_external_ids(&mut conn, tenant, seller, &[external_id]).await?;
        let Some(chat) = chat.first() else {
            return Ok(None);
        };
        let newest = messages::newest_bound(&mut conn, tenant, chat.id, OVERLAP).await?;
        Ok(newest.into_iter().next_back().and_then(|it| it.external_id))
    }

    async fn store_chat(
        &self,
        conn: &mut AsyncPgConnection,
        external_id: &str,
        summary: Option<&ChatSummary>,
        shown: &[VendorMessage],
    ) -> Result<Stored, FlowError> {
        self.hold(conn).await?;
        let source = self.source();
        let mut stored = store_messages(conn, &source, external_id, shown).await?;
        if let Some(summary) = summary {
            note_listed(conn, &mut stored, summary, shown, source.now).await?;
        }
        Ok(stored)
    }
}

/// Remembers what the list said, once the history has shown it.
async fn note_listed(
    conn: &mut AsyncPgConnection,
    stored: &mut Stored,
    summary: &ChatSummary,
    shown: &[VendorMessage],
    now: DateTime<Utc>,
) -> Result<(), FlowError> {
    let chat = &mut stored.chat;
    let mut context = chat.context.0.clone();
    context.merge(summary.context.clone());
    let mut state = chat.vendor_state.clone();
    if summary.reply_sign.is_some() {
        state.reply_sign.clone_from(&summary.reply_sign);
    }
    let believed_wrong = state
        .ahead_since
        .is_some_and(|since| now - since >= AHEAD_FOR);
    let is_shown = summary
        .newest
        .as_deref()
        .is_some_and(|newest| shows(shown, newest, now));
    if !stored.unclear && (is_shown || believed_wrong) {
        state.newest.clone_from(&summary.newest);
        state.ahead_since = None;
    } else {
        state.ahead_since = state.ahead_since.or(Some(now));
    }
    store_facts(conn, chat, StoredContext(context), state, now).await
}

async fn store_facts(
    conn: &mut AsyncPgConnection,
    chat: &mut Chat,
    context: StoredContext,
    state: VendorState,
    now: DateTime<Utc>,
) -> Result<(), FlowError> {
    if context != chat.context || state != chat.vendor_state {
        chats::store_vendor_facts(conn, chat.tenant_id, chat.id, &context, &state).await?;
        if context.0.chat_type != chat.context.0.chat_type {
            // Another rule may count.
            chats::ring(conn, chat.tenant_id, chat.id, now).await?;
        }
        chat.context = context;
        chat.vendor_state = state;
    }
    Ok(())
}

/// Whether the history has come as far as the list: `newest` is a message's id, or its time.
fn shows(shown: &[VendorMessage], newest: &str, now: DateTime<Utc>) -> bool {
    let Ok(time) = DateTime::parse_from_rfc3339(newest) else {
        return shown.iter().any(|message| message.external_id == newest);
    };
    // Of a time in whole seconds another message may still come.
    let is_over = time.timestamp_subsec_nanos() > 0 || now - time.to_utc() >= SECOND_IS_OVER;
    is_over && shown.iter().any(|message| message.at >= time)
}
