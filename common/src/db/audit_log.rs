//! Table `audit_log`: who changed what.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::schema::audit_log;
use crate::ids::{TenantId, UserId};

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
