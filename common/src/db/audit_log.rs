//! Table `audit_log`: who changed what.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::condition::Condition;
use super::schema::audit_log;
use crate::ids::{AuditEntryId, TenantId, UserId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
pub struct Entry {
    pub id: AuditEntryId,
    pub actor_tenant_id: Option<TenantId>,
    pub actor_user_id: Option<UserId>,
    pub actor: String,
    pub action: String,
    pub target: String,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub at: DateTime<Utc>,
}

/// Which entries to list; what is none does not matter.
#[derive(Clone, Debug, Default)]
pub struct EntryFilter {
    pub actor: Option<String>,
    pub action: Option<String>,
    pub target: Option<String>,
    /// Inclusive.
    pub from: Option<DateTime<Utc>>,
    /// Exclusive.
    pub to: Option<DateTime<Utc>>,
}

/// The last entry of a page: the next one goes on behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryCursor {
    pub at: DateTime<Utc>,
    pub id: AuditEntryId,
}

/// A row to insert, in the transaction of the change.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = audit_log)]
pub struct NewEntry {
    /// Whose objects were changed.
    pub tenant_id: TenantId,
    pub actor_tenant_id: Option<TenantId>,
    pub actor_user_id: Option<UserId>,
    pub actor: String,
    /// What was done, as in `seller.updated`.
    pub action: &'static str,
    /// To what, as in `seller:12`.
    pub target: String,
    pub ip: Option<String>,
    pub user_agent: Option<String>,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub at: DateTime<Utc>,
}

/// Writes an entry.
pub async fn insert(conn: &mut AsyncPgConnection, entry: &NewEntry) -> QueryResult<usize> {
    diesel::insert_into(audit_log::table)
        .values(entry)
        .execute(conn)
        .await
}

/// A page of the tenant's entries, the newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    filter: &EntryFilter,
    behind: Option<EntryCursor>,
    limit: i64,
) -> QueryResult<Vec<Entry>> {
    let mut query = audit_log::table
        .filter(audit_log::tenant_id.eq(tenant))
        .select(Entry::as_select())
        .order((audit_log::at.desc(), audit_log::id.desc()))
        .limit(limit)
        .into_boxed();
    if let Some(actor) = &filter.actor {
        query = query.filter(audit_log::actor.eq(actor));
    }
    if let Some(action) = &filter.action {
        query = query.filter(audit_log::action.eq(action));
    }
    if let Some(target) = &filter.target {
        query = query.filter(audit_log::target.eq(target));
    }
    if let Some(from) = filter.from {
        query = query.filter(audit_log::at.ge(from));
    }
    if let Some(to) = filter.to {
        query = query.filter(audit_log::at.lt(to));
    }
    if let Some(behind) = behind {
        // By row value: an index finds the place.
        let place = Condition::new("(audit_log.at, audit_log.id) < (")
            .time(behind.at)
            .sql(", ")
            .id(behind.id.0)
            .sql(")");
        query = query.filter(place);
    }
    query.load(conn).await
}
