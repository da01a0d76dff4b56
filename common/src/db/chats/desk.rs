//! What the desk asks of `chats`: the queue and its filters, the counts of the views, assignments.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::super::condition::Condition;
use super::Chat;
use crate::channel::Marketplace;
use crate::db::schema::chats;
use crate::domain::deadlines::{ChatStatus, DeadlineState};
use crate::ids::{ChatId, SellerId, TenantId, UserId};

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
            || self.channel.is_some()
            || self.changed_after.is_some();
        let is_of_few = matches!(self.assignee, Some(Assignee::User(_)));
        let narrowed = [
            self.seller.is_some(),
            self.unread_only,
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

/// Whose chats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignee {
    Nobody,
    User(UserId),
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatSort {
    /// The most urgent first.
    #[default]
    Deadline,
    /// The newest message first.
    Recent,
}

/// The last chat of a page: the next one goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatCursor {
    pub sort: ChatSort,
    pub at: Option<DateTime<Utc>>,
    pub id: ChatId,
}

impl ChatCursor {
    /// The cursor behind this chat.
    pub fn behind(chat: &Chat, sort: ChatSort) -> Self {
        let at = match sort {
            ChatSort::Deadline => Some(chat.queue_at),
            ChatSort::Recent => chat.last_message_at,
        };
        Self {
            sort,
            at,
            id: chat.id,
        }
    }
}

type Boxed<'a> = chats::BoxedQuery<'a, Pg>;

/// A page of the tenant's chats.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    filter: &ChatFilter,
    sort: ChatSort,
    behind: Option<ChatCursor>,
    limit: i64,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Chat>> {
    let query = chats::table.filter(chats::tenant_id.eq(tenant));
    let query = narrow(query.into_boxed(), filter);
    let query = narrow_by_work(query, tenant, filter, now);
    let query = match sort {
        ChatSort::Deadline => query.order((chats::queue_at, chats::id)),
        ChatSort::Recent => query.order((chats::last_message_at.desc(), chats::id.desc())),
    };
    turn_to(query, sort, behind)
        .limit(limit)
        .select(Chat::as_select())
        .load(conn)
        .await
}

/// What columns alone say. Literals where a partial index wants them.
fn narrow<'a>(mut query: Boxed<'a>, filter: &ChatFilter) -> Boxed<'a> {
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
    if let Some(since) = filter.changed_after {
        query = query.filter(chats::updated_at.ge(since));
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
    if let Some(search) = &filter.search {
        let pattern = format!("%{}%", escaped(search));
        query = query.filter(
            Condition::new("(chats.context->>'buyer_name' ILIKE ")
                .words(pattern.clone())
                .sql(" OR chats.context->>'order_id' ILIKE ")
                .words(pattern)
                .sql(")"),
        );
    }
    query
}

/// … and it failed, and nothing of ours came after it.
const FAILED_LAST: &str = " AND failed.direction = 'outgoing' AND failed.state = 'failed' \
     AND NOT EXISTS (SELECT 1 FROM messages later WHERE later.tenant_id = failed.tenant_id \
         AND later.chat_id = failed.chat_id AND later.direction = 'outgoing' \
         AND (later.at, later.id) > (failed.at, failed.id))";

fn escaped(search: &str) -> String {
    let mut escaped = String::with_capacity(search.len());
    for letter in search.chars() {
        if matches!(letter, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

/// By row value: an index finds the place, whatever the page.
fn turn_to<'a>(query: Boxed<'a>, sort: ChatSort, behind: Option<ChatCursor>) -> Boxed<'a> {
    let Some(behind) = behind else {
        return query;
    };
    let id = behind.id.0;
    query.filter(match (sort, behind.at) {
        (ChatSort::Deadline, at) => Condition::new("(chats.queue_at, chats.id) > (")
            .time(at)
            .sql(", ")
            .id(id)
            .sql(")"),
        (ChatSort::Recent, Some(at)) => Condition::new("(chats.last_message_at, chats.id) < (")
            .time(at)
            .sql(", ")
            .id(id)
            .sql(")"),
        // Chats without a message come first.
        (ChatSort::Recent, None) => {
            Condition::new("(chats.last_message_at IS NOT NULL OR chats.id < ")
                .id(id)
                .sql(")")
        }
    })
}

/// How many chats each view holds, up to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, QueryableByName)]
pub struct ViewCounts {
    #[diesel(sql_type = BigInt)]
    pub mine: i64,
    #[diesel(sql_type = BigInt)]
    pub unassigned: i64,
    #[diesel(sql_type = BigInt)]
    pub at_risk: i64,
    #[diesel(sql_type = BigInt)]
    pub breached: i64,
    #[diesel(sql_type = BigInt)]
    pub waiting: i64,
    #[diesel(sql_type = BigInt)]
    pub send_error: i64,
}

/// Counts the views: mine and unassigned are those that owe an answer.
pub async fn counts(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
    now: DateTime<Utc>,
) -> QueryResult<ViewCounts> {
    let capped = |name: &str, of: &str| {
        format!("(SELECT count(*) FROM (SELECT 1 FROM {of} LIMIT 1000) {name}) AS {name}")
    };
    let of_chats = |when: &str| format!("chats WHERE chats.tenant_id = $1 AND {when}");
    let failed = format!("messages failed WHERE failed.tenant_id = $1{FAILED_LAST}");
    let columns = [
        capped("mine", &of_chats("status = 'open' AND assigned_to = $2")),
        capped(
            "unassigned",
            &of_chats("status = 'open' AND assigned_to IS NULL"),
        ),
        capped("at_risk", &of_chats("at_risk_at <= $3 AND queue_at > $3")),
        capped("breached", &of_chats("queue_at <= $3")),
        capped("waiting", &of_chats("status = 'waiting'")),
        capped("send_error", &failed),
    ];
    sql_query(format!("SELECT {}", columns.join(", ")))
        .bind::<diesel::sql_types::Uuid, _>(tenant)
        .bind::<BigInt, _>(user)
        .bind::<Timestamptz, _>(now)
        .get_result(conn)
        .await
}

/// Gives a chat to a person, or to nobody.
pub async fn assign(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    user: Option<UserId>,
    now: DateTime<Utc>,
) -> QueryResult<Chat> {
    diesel::update(chats::table.find((tenant, id)))
        .set((
            chats::assigned_to.eq(user),
            chats::version.eq(chats::version + 1),
            chats::updated_at.eq(now),
        ))
        .returning(Chat::as_returning())
        .get_result(conn)
        .await
}

/// Takes all chats from a person; tells how many.
pub async fn unassign_all(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(chats::table)
        .filter(chats::tenant_id.eq(tenant))
        .filter(chats::assigned_to.eq(user))
        .set((
            chats::assigned_to.eq(None::<UserId>),
            chats::version.eq(chats::version + 1),
            chats::updated_at.eq(now),
        ))
        .execute(conn)
        .await
}
