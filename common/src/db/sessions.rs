//! Table `sessions`: signed-in devices, the rotation of their refresh tokens, and what they may do.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{sessions, tenants, users};
use super::tenants::Tenant;
use super::users::User;
use crate::ids::{SessionId, TenantId, UserId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = sessions)]
pub struct Session {
    pub tenant_id: TenantId,
    pub id: SessionId,
    pub user_id: UserId,
    /// Part of every refresh token of this session.
    pub nonce: Uuid,
    /// Which refresh token is the current one.
    pub generation: i32,
    /// When that became the current one.
    pub rotated_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Copy, Debug, Insertable)]
#[diesel(table_name = sessions)]
pub struct NewSession {
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub nonce: Uuid,
    pub rotated_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
}

/// Inserts a session.
pub async fn insert(conn: &mut AsyncPgConnection, session: &NewSession) -> QueryResult<Session> {
    diesel::insert_into(sessions::table)
        .values(session)
        .returning(Session::as_returning())
        .get_result(conn)
        .await
}

/// A session with its person and tenant.
pub async fn find_with_user(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SessionId,
) -> QueryResult<Option<(Session, User, Tenant)>> {
    sessions::table
        .inner_join(
            users::table.on(users::tenant_id
                .eq(sessions::tenant_id)
                .and(users::id.eq(sessions::user_id))),
        )
        .inner_join(tenants::table.on(tenants::id.eq(sessions::tenant_id)))
        .filter(sessions::tenant_id.eq(tenant))
        .filter(sessions::id.eq(id))
        .select((Session::as_select(), User::as_select(), Tenant::as_select()))
        .first(conn)
        .await
        .optional()
}

/// Makes the next refresh token the current one; none if `generation` is no longer current.
pub async fn rotate(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SessionId,
    generation: i32,
    now: DateTime<Utc>,
    expires_at: DateTime<Utc>,
) -> QueryResult<Option<Session>> {
    diesel::update(sessions::table.find((tenant, id)))
        .filter(sessions::generation.eq(generation))
        .filter(sessions::revoked_at.is_null())
        .set((
            sessions::generation.eq(generation + 1),
            sessions::rotated_at.eq(now),
            sessions::expires_at.eq(expires_at),
        ))
        .returning(Session::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Ends all sessions of a person; tells how many were open.
pub async fn revoke_all(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(sessions::table)
        .filter(sessions::tenant_id.eq(tenant))
        .filter(sessions::user_id.eq(user))
        .filter(sessions::revoked_at.is_null())
        .set(sessions::revoked_at.eq(now))
        .execute(conn)
        .await
}

/// Ends a session; none if it has ended already.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SessionId,
    now: DateTime<Utc>,
) -> QueryResult<Option<Session>> {
    diesel::update(sessions::table.find((tenant, id)))
        .filter(sessions::revoked_at.is_null())
        .set(sessions::revoked_at.eq(now))
        .returning(Session::as_returning())
        .get_result(conn)
        .await
        .optional()
}
