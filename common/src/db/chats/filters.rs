//! Which chats a list holds, as conditions that indexes answer where they can.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::super::condition::Condition;
use super::desk::{Boxed, ChatSort};
use crate::channel::Marketplace;
use crate::db::schema::chats;
use crate::domain::deadlines::{ChatStatus, DeadlineState};
use crate::ids::{SellerId, TenantId, UserId};

/// Which chats to list; what is none does not matter.
#[derive(Clone, Debug, Default)]
pub struct ChatFilter {
    pub seller: Option<SellerId>,
    pub channel: Option<Marketplace>,
    pub status: Option<ChatStatus>,
    pub unread_only: bool,
    pub assignee: Option<Assignee>,
    /// At risk or breached.
    pub deadline: Option<DeadlineState>,
    pub send_error: Option<bool>,
    pub suggestion: Option<SuggestionFilter>,
    pub tag: Option<String>,
    pub snoozed: Option<bool>,
    /// Part of the buyer's name or of the order number.
    pub search: Option<String>,
    pub changed_after: Option<DateTime<Utc>>,
}

impl ChatFilter {
    /// Whether an index answers the question in this order, however many chats there are.
    pub fn is_fast(&self, sort: ChatSort) -> bool {
        let is_worked_out = self.deadline.is_some()
            || self.send_error.is_some()
            || self.search.is_some()
            || self.tag.is_some()
            || self.snoozed.is_some()
            || self.channel.is_some()
            || self.changed_after.is_some();
        let is_of_few = matches!(self.assignee, Some(Assignee::User(_)));
        let narrowed = [
            self.seller.is_some(),
            self.unread_only,
            self.suggestion.is_some(),
            self.status == Some(ChatStatus::Open),
            self.assignee == Some(Assignee::Nobody),
        ];
        let narrowed = narrowed.iter().filter(|given| **given).count();
        let is_indexed = match (sort, self.status) {
            (_, Some(ChatStatus::Waiting | ChatStatus::Closed)) => false,
            (ChatSort::Deadline, _) => is_of_few || narrowed <= 1,
            (ChatSort::Recent, _) => !is_of_few && narrowed == 0,
        };
        is_indexed && !is_worked_out
    }
}

/// Where the newest draft stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuggestionFilter {
    Ready,
    Held,
}

/// Whose chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignee {
    Nobody,
    User(UserId),
}

/// The chats that pass the filter at `now`.
pub(super) fn narrow<'a>(
    query: Boxed<'a>,
    tenant: TenantId,
    filter: &ChatFilter,
    now: DateTime<Utc>,
) -> Boxed<'a> {
    let query = narrow_by_columns(query, filter);
    let query = narrow_by_words(query, tenant, filter);
    narrow_by_work(query, tenant, filter, now)
}

/// What columns alone say. Literals where a partial index wants them.
fn narrow_by_columns<'a>(mut query: Boxed<'a>, filter: &ChatFilter) -> Boxed<'a> {
    if let Some(seller) = filter.seller {
        query = query.filter(chats::seller_id.eq(seller));
    }
    if let Some(channel) = filter.channel {
        query = query.filter(chats::channel.eq(channel));
    }
    query = match filter.status {
        Some(ChatStatus::Open) => query.filter(Condition::new("chats.status = 'open'")),
        Some(ChatStatus::Waiting) => query.filter(Condition::new("chats.status = 'waiting'")),
        Some(ChatStatus::Closed) => query.filter(Condition::new("chats.status = 'closed'")),
        None => query,
    };
    if filter.unread_only {
        query = query.filter(Condition::new("chats.unread_count > 0"));
    }
    query = match filter.assignee {
        Some(Assignee::Nobody) => query.filter(chats::assigned_to.is_null()),
        Some(Assignee::User(user)) => query.filter(chats::assigned_to.eq(user)),
        None => query,
    };
    query = match filter.suggestion {
        Some(SuggestionFilter::Ready) => {
            query.filter(Condition::new("(chats.suggestion ->> 'state') = 'ready'"))
        }
        Some(SuggestionFilter::Held) => {
            query.filter(Condition::new("(chats.suggestion ->> 'state') = 'held'"))
        }
        None => query,
    };
    if let Some(since) = filter.changed_after {
        query = query.filter(chats::updated_at.ge(since));
    }
    query
}

/// What people typed in.
fn narrow_by_words<'a>(mut query: Boxed<'a>, tenant: TenantId, filter: &ChatFilter) -> Boxed<'a> {
    if let Some(tag) = &filter.tag {
        let tagged = Condition::new("chats.tags <> '{}' AND chats.tags @> ARRAY[");
        query = query.filter(tagged.words(tag.clone()).sql("]"));
    }
    if let Some(search) = &filter.search {
        let found = "chats.id IN (SELECT found.chat_id FROM chat_searches found \
             WHERE found.tenant_id = ";
        let found = Condition::new(found).tenant(tenant);
        let found = found.sql(" AND found.text LIKE fold_text(");
        let found = found.words(format!("%{}%", escape_like(search))).sql("))");
        query = query.filter(found);
    }
    query
}

/// What has to be worked out.
fn narrow_by_work<'a>(
    mut query: Boxed<'a>,
    tenant: TenantId,
    filter: &ChatFilter,
    now: DateTime<Utc>,
) -> Boxed<'a> {
    query = match filter.deadline {
        Some(DeadlineState::Breached) => query.filter(chats::queue_at.le(now)),
        // A chat at risk never rests: its place in the queue is its nearer clock.
        Some(DeadlineState::AtRisk) => query
            .filter(chats::queue_at.gt(now))
            .filter(chats::at_risk_at.le(now)),
        Some(DeadlineState::Ok) | None => query,
    };
    if let Some(wanted) = filter.send_error {
        let failed =
            "(chats.id IN (SELECT failed.chat_id FROM messages failed WHERE failed.tenant_id = ";
        let failed = Condition::new(failed).tenant(tenant).sql(FAILED_LAST);
        query = query.filter(failed.sql(")) = ").flag(wanted));
    }
    query = match filter.snoozed {
        Some(true) => query.filter(chats::snoozed_until.gt(now)),
        Some(false) => query.filter(
            Condition::new("(chats.snoozed_until IS NULL OR chats.snoozed_until <= ")
                .time(now)
                .sql(")"),
        ),
        None => query,
    };
    query
}

/// … and it failed, and nothing of ours came after it.
pub(super) const FAILED_LAST: &str = " AND failed.direction = 'outgoing' AND failed.state = 'failed' \
     AND NOT EXISTS (SELECT 1 FROM messages later WHERE later.tenant_id = failed.tenant_id \
         AND later.chat_id = failed.chat_id AND later.direction = 'outgoing' \
         AND (later.at, later.id) > (failed.at, failed.id))";

/// The text as a pattern of `LIKE` that stands for itself.
pub(super) fn escape_like(search: &str) -> String {
    let mut escaped = String::with_capacity(search.len());
    for letter in search.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
