//! Table `api_tokens`: keys with which programs act for a person.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::{api_tokens, tenants, users};
use super::tenants::Tenant;
use super::users::User;
use crate::ids::{ApiTokenId, TenantId, UserId};
use crate::words::words;

/// The last use is written down at most so often.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

words! {
    /// What a token may do; each includes the ones before it.
    TokenScope {
        /// Sees what an agent sees.
        Read = "read",
        /// Also does what an agent does.
        Write = "write",
        /// Also sees and does what an admin may.
        Admin = "admin",
    }
}

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = api_tokens)]
pub struct ApiToken {
    pub tenant_id: TenantId,
    pub id: ApiTokenId,
    pub name: String,
    pub scopes: Vec<TokenScope>,
    /// For whom it acts.
    pub created_by: UserId,
    pub expires_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Copy, Debug, Insertable)]
#[diesel(table_name = api_tokens)]
pub struct NewApiToken<'a> {
    pub tenant_id: TenantId,
    pub name: &'a str,
    pub token_hash: &'a str,
    pub scopes: &'a [TokenScope],
    pub created_by: UserId,
    pub expires_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Inserts a token.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    token: &NewApiToken<'_>,
) -> QueryResult<ApiToken> {
    diesel::insert_into(api_tokens::table)
        .values(token)
        .returning(ApiToken::as_returning())
        .get_result(conn)
        .await
}

/// The token with this hash, with whoever made it and their tenant.
pub async fn find_with_maker(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    token_hash: &str,
) -> QueryResult<Option<(ApiToken, User, Tenant)>> {
    api_tokens::table
        .inner_join(
            users::table.on(users::tenant_id
                .eq(api_tokens::tenant_id)
                .and(users::id.eq(api_tokens::created_by))),
        )
        .inner_join(tenants::table.on(tenants::id.eq(api_tokens::tenant_id)))
        .filter(api_tokens::tenant_id.eq(tenant))
        .filter(api_tokens::token_hash.eq(token_hash))
        .select((
            ApiToken::as_select(),
            User::as_select(),
            Tenant::as_select(),
        ))
        .first(conn)
        .await
        .optional()
}

/// A page of the tenant's tokens that were not revoked, the newest first.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    behind: Option<ApiTokenId>,
    limit: i64,
) -> QueryResult<Vec<ApiToken>> {
    let mut query = api_tokens::table
        .filter(api_tokens::tenant_id.eq(tenant))
        .filter(api_tokens::revoked_at.is_null())
        .select(ApiToken::as_select())
        .order(api_tokens::id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(behind) = behind {
        query = query.filter(api_tokens::id.lt(behind));
    }
    query.load(conn).await
}

/// Takes a token out of use; none if it was before.
pub async fn revoke(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ApiTokenId,
    now: DateTime<Utc>,
) -> QueryResult<Option<ApiToken>> {
    diesel::update(api_tokens::table.find((tenant, id)))
        .filter(api_tokens::revoked_at.is_null())
        .set(api_tokens::revoked_at.eq(now))
        .returning(ApiToken::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Remembers that a token was used, unless that is known of the last minute.
pub async fn note_use(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: ApiTokenId,
    now: DateTime<Utc>,
) -> QueryResult<usize> {
    let is_old = api_tokens::last_used_at
        .is_null()
        .or(api_tokens::last_used_at.le(now - NOTED_EVERY));
    diesel::update(api_tokens::table.find((tenant, id)))
        .filter(is_old)
        .set(api_tokens::last_used_at.eq(now))
        .execute(conn)
        .await
}
