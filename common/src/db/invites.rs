//! Table `invites`: invitations into a tenant, each accepted once.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::{invites, tenants};
use super::users::Role;
use crate::ids::{InviteId, TenantId, UserId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = invites)]
pub struct Invite {
    pub tenant_id: TenantId,
    pub id: InviteId,
    pub role: Role,
    pub email: Option<String>,
    pub username: Option<String>,
    pub invited_by: UserId,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Copy, Debug, Insertable)]
#[diesel(table_name = invites)]
pub struct NewInvite<'a> {
    pub tenant_id: TenantId,
    pub token_hash: &'a str,
    pub role: Role,
    pub email: Option<&'a str>,
    pub username: Option<&'a str>,
    pub invited_by: UserId,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

/// Inserts an invitation.
pub async fn insert(conn: &mut AsyncPgConnection, invite: &NewInvite<'_>) -> QueryResult<Invite> {
    diesel::insert_into(invites::table)
        .values(invite)
        .returning(Invite::as_returning())
        .get_result(conn)
        .await
}

/// A page of the invitations that can still be accepted, the newest first.
pub async fn list_pending(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    behind: Option<InviteId>,
    limit: i64,
    now: DateTime<Utc>,
) -> QueryResult<Vec<Invite>> {
    let mut query = invites::table
        .filter(invites::tenant_id.eq(tenant))
        .filter(invites::used_at.is_null())
        .filter(invites::withdrawn_at.is_null())
        .filter(invites::expires_at.gt(now))
        .select(Invite::as_select())
        .order(invites::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(behind) = behind {
        query = query.filter(invites::id.lt(behind));
    }
    query.load(conn).await
}

/// The invitation with this token, if it can be accepted now.
pub async fn find_pending(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    token_hash: &str,
    now: DateTime<Utc>,
) -> QueryResult<Option<Invite>> {
    invites::table
        .inner_join(tenants::table.on(tenants::id.eq(invites::tenant_id)))
        .filter(invites::tenant_id.eq(tenant))
        .filter(invites::token_hash.eq(token_hash))
        .filter(invites::used_at.is_null())
        .filter(invites::withdrawn_at.is_null())
        .filter(invites::expires_at.gt(now))
        .filter(tenants::blocked_at.is_null())
        .select(Invite::as_select())
        .first(conn)
        .await
        .optional()
}

/// Uses the invitation with this token up; none if it cannot be accepted any more.
pub async fn accept(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    token_hash: &str,
    now: DateTime<Utc>,
) -> QueryResult<Option<Invite>> {
    diesel::update(invites::table)
        .filter(invites::tenant_id.eq(tenant))
        .filter(invites::token_hash.eq(token_hash))
        .filter(invites::used_at.is_null())
        .filter(invites::withdrawn_at.is_null())
        .filter(invites::expires_at.gt(now))
        .set(invites::used_at.eq(now))
        .returning(Invite::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Takes an invitation back; none if it was accepted or taken back before.
pub async fn withdraw(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: InviteId,
    now: DateTime<Utc>,
) -> QueryResult<Option<Invite>> {
    diesel::update(invites::table.find((tenant, id)))
        .filter(invites::used_at.is_null())
        .filter(invites::withdrawn_at.is_null())
        .set(invites::withdrawn_at.eq(now))
        .returning(Invite::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Takes back all that a person has invited to and nobody has accepted.
pub async fn withdraw_all_of(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    invited_by: UserId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(invites::table)
        .filter(invites::tenant_id.eq(tenant))
        .filter(invites::invited_by.eq(invited_by))
        .filter(invites::used_at.is_null())
        .filter(invites::withdrawn_at.is_null())
        .set(invites::withdrawn_at.eq(now))
        .execute(conn)
        .await
}
