//! What a team's page asks of `users`: lists, and changes of what people may do.

use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{Role, User};
use crate::db::schema::users;
use crate::ids::{TenantId, UserId};

/// What is changed about a person; what is none stays.
#[derive(Clone, Copy, Debug, Default, AsChangeset)]
#[diesel(table_name = users)]
pub struct MemberChange {
    pub role: Option<Role>,
    pub is_active: Option<bool>,
}

/// A page of the tenant's people, who came first first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    is_active: Option<bool>,
    after: Option<UserId>,
    limit: i64,
) -> QueryResult<Vec<User>> {
    let mut query = users::table
        .filter(users::tenant_id.eq(tenant))
        .select(User::as_select())
        .order(users::id)
        .limit(limit)
        .into_boxed();
    if let Some(is_active) = is_active {
        query = query.filter(users::is_active.eq(is_active));
    }
    if let Some(after) = after {
        query = query.filter(users::id.gt(after));
    }
    query.load(conn).await
}

/// One person of the tenant, who stays as they are until the transaction ends.
pub async fn lock(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: UserId,
) -> QueryResult<Option<User>> {
    users::table
        .find((tenant, id))
        .select(User::as_select())
        .for_share()
        .first(conn)
        .await
        .optional()
}

/// Two people of the tenant, locked in one order, to change one of them.
pub async fn lock_two(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    two: [UserId; 2],
) -> QueryResult<Vec<User>> {
    users::table
        .filter(users::tenant_id.eq(tenant))
        .filter(users::id.eq_any(two))
        .select(User::as_select())
        .order(users::id)
        .for_no_key_update()
        .load(conn)
        .await
}

/// Changes what a person may do.
pub async fn change(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: UserId,
    change: MemberChange,
) -> QueryResult<Option<User>> {
    diesel::update(users::table.find((tenant, id)))
        .set(change)
        .returning(User::as_returning())
        .get_result(conn)
        .await
        .optional()
}
