//! Table `users`: people of a tenant, and how they are found when they sign in.

mod team;

use chrono::{DateTime, Utc};
use diesel::dsl::{exists, select};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::{tenants, users};
use super::tenants::Tenant;
use crate::ids::{TenantId, UserId};
use crate::words::words;

pub use self::team::{MemberChange, change, list, lock, lock_two};

words! {
    /// What a person may do in the tenant.
    Role {
        Owner = "owner",
        Admin = "admin",
        Agent = "agent",
        /// Uses the assistant only.
        Member = "member",
    }
}

impl Role {
    /// Whether whoever has this role may do all that `other` may.
    pub fn covers(self, other: Self) -> bool {
        self.rank() >= other.rank()
    }

    /// The lesser of two roles.
    pub fn at_most(self, other: Self) -> Self {
        if self.covers(other) { other } else { self }
    }

    /// Whether it changes shops, rules and the team.
    pub fn leads(self) -> bool {
        self.covers(Self::Admin)
    }

    /// Whether it answers buyers.
    pub fn answers(self) -> bool {
        self.covers(Self::Agent)
    }

    /// Whether it may do everything in the tenant.
    pub fn is_owner(self) -> bool {
        self == Self::Owner
    }

    fn rank(self) -> u8 {
        match self {
            Self::Owner => 3,
            Self::Admin => 2,
            Self::Agent => 1,
            Self::Member => 0,
        }
    }
}

diesel::define_sql_function! {
    /// The text in lower case.
    fn lower(text: diesel::sql_types::Nullable<diesel::sql_types::Text>)
        -> diesel::sql_types::Nullable<diesel::sql_types::Text>;
}

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = users)]
pub struct User {
    pub tenant_id: TenantId,
    pub id: UserId,
    pub public_id: Uuid,
    pub email: Option<String>,
    pub username: String,
    pub password_hash: String,
    pub role: Role,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub is_active: bool,
    pub last_login_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Copy, Debug, Insertable)]
#[diesel(table_name = users)]
pub struct NewUser<'a> {
    pub tenant_id: TenantId,
    pub public_id: Uuid,
    pub email: Option<&'a str>,
    pub username: &'a str,
    pub password_hash: &'a str,
    pub role: Role,
    pub confirmed_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Inserts a person.
pub async fn insert(conn: &mut AsyncPgConnection, user: &NewUser<'_>) -> QueryResult<User> {
    diesel::insert_into(users::table)
        .values(user)
        .returning(User::as_returning())
        .get_result(conn)
        .await
}

/// One person of the tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: UserId,
) -> QueryResult<Option<User>> {
    users::table
        .find((tenant, id))
        .select(User::as_select())
        .first(conn)
        .await
        .optional()
}

/// The person of the tenant who has this e-mail.
pub async fn find_by_email(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    email: &str,
) -> QueryResult<Option<User>> {
    users::table
        .filter(users::tenant_id.eq(tenant))
        .filter(lower(users::email).eq(email.to_lowercase()))
        .select(User::as_select())
        .first(conn)
        .await
        .optional()
}

/// The person of the tenant who has this name.
pub async fn find_by_username(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    username: &str,
) -> QueryResult<Option<User>> {
    users::table
        .filter(users::tenant_id.eq(tenant))
        .filter(lower(users::username.nullable()).eq(username.to_lowercase()))
        .select(User::as_select())
        .first(conn)
        .await
        .optional()
}

/// The name of a person of the tenant.
pub async fn username(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: UserId,
) -> QueryResult<Option<String>> {
    users::table
        .find((tenant, id))
        .select(users::username)
        .first(conn)
        .await
        .optional()
}

/// The names of some people of the tenant.
pub async fn usernames(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    ids: &[UserId],
) -> QueryResult<Vec<(UserId, String)>> {
    users::table
        .filter(users::tenant_id.eq(tenant))
        .filter(users::id.eq_any(ids))
        .select((users::id, users::username))
        .load(conn)
        .await
}

/// Whether the tenant has this active person, with a role that answers buyers; it stays so until the
/// transaction ends.
pub async fn is_active_staff(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: UserId,
) -> QueryResult<bool> {
    let found: Option<UserId> = users::table
        .find((tenant, id))
        .filter(users::is_active)
        .filter(users::role.ne(Role::Member))
        .select(users::id)
        .for_share()
        .first(conn)
        .await
        .optional()?;
    Ok(found.is_some())
}

/// Who may be meant by an e-mail alone: at most three, confirmed ones first, then the newest owners
/// of a tenant of their own.
pub async fn sign_in_candidates_across_tenants(
    conn: &mut AsyncPgConnection,
    email: &str,
) -> QueryResult<Vec<(User, Tenant)>> {
    users::table
        .inner_join(tenants::table.on(users::tenant_id.eq(tenants::id)))
        .filter(lower(users::email).eq(email.to_lowercase()))
        .order((
            users::confirmed_at.is_null().asc(),
            users::role.ne(Role::Owner).asc(),
            users::created_at.desc(),
        ))
        .limit(3)
        .select((User::as_select(), Tenant::as_select()))
        .load(conn)
        .await
}

/// Whether somebody proved that this mailbox is theirs.
pub async fn is_email_proven_across_tenants(
    conn: &mut AsyncPgConnection,
    email: &str,
) -> QueryResult<bool> {
    let proven = users::table
        .filter(lower(users::email).eq(email.to_lowercase()))
        .filter(users::confirmed_at.is_not_null());
    select(exists(proven)).get_result(conn).await
}

/// Remembers when a person last signed in.
pub async fn note_login(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: UserId,
    at: DateTime<Utc>,
) -> QueryResult<usize> {
    diesel::update(users::table.find((tenant, id)))
        .set(users::last_login_at.eq(at))
        .execute(conn)
        .await
}

/// Gives a person another name; fails if it is taken in the tenant.
pub async fn rename(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: UserId,
    username: &str,
) -> QueryResult<Option<User>> {
    diesel::update(users::table.find((tenant, id)))
        .set(users::username.eq(username))
        .returning(User::as_returning())
        .get_result(conn)
        .await
        .optional()
}
