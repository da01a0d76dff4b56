//! Table `canned_replies`: answers that are written once and used often.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::canned_replies;
use crate::ids::{CannedReplyId, TenantId, UserId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = canned_replies)]
pub struct CannedReply {
    pub tenant_id: TenantId,
    pub id: CannedReplyId,
    /// Whose it is; none: everybody's of the tenant.
    pub owner_id: Option<UserId>,
    pub shortcut: String,
    pub title: String,
    pub text: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = canned_replies)]
pub struct NewCannedReply<'a> {
    pub tenant_id: TenantId,
    pub owner_id: Option<UserId>,
    pub shortcut: &'a str,
    pub title: &'a str,
    pub text: &'a str,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What is changed; none leaves it.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = canned_replies)]
pub struct CannedReplyChange<'a> {
    pub shortcut: Option<&'a str>,
    pub title: Option<&'a str>,
    pub text: Option<&'a str>,
    pub updated_at: DateTime<Utc>,
}

/// Inserts a canned reply.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    reply: &NewCannedReply<'_>,
) -> QueryResult<CannedReply> {
    diesel::insert_into(canned_replies::table)
        .values(reply)
        .returning(CannedReply::as_returning())
        .get_result(conn)
        .await
}

/// What a person has to choose from, by shortcut; of the same one their own first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
) -> QueryResult<Vec<CannedReply>> {
    canned_replies::table
        .filter(canned_replies::tenant_id.eq(tenant))
        .filter(
            canned_replies::owner_id
                .is_null()
                .or(canned_replies::owner_id.eq(user)),
        )
        .order((
            canned_replies::shortcut,
            canned_replies::owner_id.asc().nulls_last(),
        ))
        .select(CannedReply::as_select())
        .load(conn)
        .await
}

/// One that this person may use.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
    id: CannedReplyId,
) -> QueryResult<Option<CannedReply>> {
    canned_replies::table
        .find((tenant, id))
        .filter(
            canned_replies::owner_id
                .is_null()
                .or(canned_replies::owner_id.eq(user)),
        )
        .select(CannedReply::as_select())
        .first(conn)
        .await
        .optional()
}

/// How many there are: of this person, or of everybody.
pub async fn count(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    owner: Option<UserId>,
) -> QueryResult<i64> {
    canned_replies::table
        .filter(canned_replies::tenant_id.eq(tenant))
        .filter(canned_replies::owner_id.is_not_distinct_from(owner))
        .count()
        .get_result(conn)
        .await
}

/// Changes one; none if it is gone.
pub async fn change(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: CannedReplyId,
    change: &CannedReplyChange<'_>,
) -> QueryResult<Option<CannedReply>> {
    diesel::update(canned_replies::table.find((tenant, id)))
        .set(change)
        .returning(CannedReply::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Deletes one.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: CannedReplyId,
) -> QueryResult<usize> {
    diesel::delete(canned_replies::table.find((tenant, id)))
        .execute(conn)
        .await
}
