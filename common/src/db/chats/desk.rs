//! What the desk asks of `chats`: the queue, the counts of the views, assignments.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamptz};
use diesel::{QueryableByName, sql_query};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::super::condition::Condition;
use super::Chat;
use super::filters::{ChatFilter, FAILED_LAST, narrow};
use crate::db::schema::chats;
use crate::ids::{ChatId, TenantId, UserId};

/// Counts end here: pages show 999+.
const COUNTED: i64 = 1000;

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

pub(super) type Boxed<'a> = chats::BoxedQuery<'a, Pg>;

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
    let query = narrow(query.into_boxed(), tenant, filter, now);
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

/// How many of the tenant's chats pass a filter, up to 1000.
pub async fn count(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    filter: &ChatFilter,
    now: DateTime<Utc>,
) -> QueryResult<i64> {
    let query = chats::table.filter(chats::tenant_id.eq(tenant));
    let found: Vec<ChatId> = narrow(query.into_boxed(), tenant, filter, now)
        .limit(COUNTED)
        .select(chats::id)
        .load(conn)
        .await?;
    Ok(i64::try_from(found.len()).unwrap_or(COUNTED))
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
    pub suggestion_ready: i64,
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
        format!("(SELECT count(*) FROM (SELECT 1 FROM {of} LIMIT {COUNTED}) {name}) AS {name}")
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
        capped(
            "suggestion_ready",
            &of_chats("(suggestion ->> 'state') = 'ready'"),
        ),
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

/// The tenant's chats in which an answer is owed, the most urgent first.
pub async fn owing(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    limit: i64,
) -> QueryResult<Vec<Chat>> {
    chats::table
        .filter(chats::tenant_id.eq(tenant))
        .filter(Condition::new("chats.status = 'open'"))
        .filter(chats::obligation.is_not_null())
        .order((chats::queue_at, chats::id))
        .limit(limit)
        .select(Chat::as_select())
        .load(conn)
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

/// Gives a chat a new version: something that belongs to it changed.
pub async fn touch(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ChatId,
    now: DateTime<Utc>,
) -> QueryResult<Chat> {
    diesel::update(chats::table.find((tenant, id)))
        .set((
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
