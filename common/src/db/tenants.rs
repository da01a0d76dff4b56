//! Table `tenants`: the paying customers.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::tenants;
use crate::ids::TenantId;

/// The slug of the tenant whose users are people of ours.
pub const OPERATORS: &str = "operators";

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = tenants)]
pub struct Tenant {
    pub id: TenantId,
    pub slug: String,
    pub name: String,
    pub blocked_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Copy, Debug, Insertable)]
#[diesel(table_name = tenants)]
pub struct NewTenant<'a> {
    pub id: TenantId,
    pub slug: &'a str,
    pub name: &'a str,
    pub created_at: DateTime<Utc>,
}

/// Inserts a tenant; none if its slug is taken.
pub async fn insert_new(
    conn: &mut AsyncPgConnection,
    tenant: &NewTenant<'_>,
) -> QueryResult<Option<Tenant>> {
    diesel::insert_into(tenants::table)
        .values(tenant)
        .on_conflict(tenants::slug)
        .do_nothing()
        .returning(Tenant::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// The tenant with this slug.
pub async fn find_by_slug(conn: &mut AsyncPgConnection, slug: &str) -> QueryResult<Option<Tenant>> {
    tenants::table
        .filter(tenants::slug.eq(slug))
        .select(Tenant::as_select())
        .first(conn)
        .await
        .optional()
}
