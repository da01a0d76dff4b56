//! Table `business_hours`: when a tenant's people work.

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::AsExpression;
use diesel::prelude::*;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde::{Deserialize, Serialize};

use super::schema::business_hours;
use crate::domain::business_hours::BusinessHoursSpec;
use crate::ids::{BusinessHoursId, TenantId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = business_hours)]
pub struct BusinessHoursRow {
    pub tenant_id: TenantId,
    pub id: BusinessHoursId,
    pub name: String,
    pub spec: StoredHours,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What people say about their hours.
#[derive(Clone, Debug, Insertable, AsChangeset)]
#[diesel(table_name = business_hours)]
pub struct HoursTerms {
    pub name: String,
    pub spec: StoredHours,
    pub updated_at: DateTime<Utc>,
}

/// Column `spec`.
#[derive(Clone, Debug, Serialize, Deserialize, AsExpression, FromSqlRow)]
#[diesel(sql_type = sql_types::Jsonb)]
#[serde(transparent)]
pub struct StoredHours(pub BusinessHoursSpec);

/// Inserts hours; fails if their name is taken.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    terms: &HoursTerms,
) -> QueryResult<BusinessHoursRow> {
    diesel::insert_into(business_hours::table)
        .values((
            business_hours::tenant_id.eq(tenant),
            business_hours::created_at.eq(terms.updated_at),
            terms,
        ))
        .returning(BusinessHoursRow::as_returning())
        .get_result(conn)
        .await
}

/// One of the tenant's hours.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: BusinessHoursId,
) -> QueryResult<Option<BusinessHoursRow>> {
    business_hours::table
        .find((tenant, id))
        .select(BusinessHoursRow::as_select())
        .first(conn)
        .await
        .optional()
}

/// The tenant's hours behind `behind`, by id.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    behind: Option<BusinessHoursId>,
    limit: i64,
) -> QueryResult<Vec<BusinessHoursRow>> {
    business_hours::table
        .filter(business_hours::tenant_id.eq(tenant))
        .filter(business_hours::id.gt(behind.map_or(0, |behind| behind.0)))
        .order(business_hours::id)
        .limit(limit)
        .select(BusinessHoursRow::as_select())
        .load(conn)
        .await
}

/// Changes hours; none if there are none with this id, an error if the name is taken.
pub async fn update(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: BusinessHoursId,
    terms: &HoursTerms,
) -> QueryResult<Option<BusinessHoursRow>> {
    diesel::update(business_hours::table.find((tenant, id)))
        .set(terms)
        .returning(BusinessHoursRow::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Deletes hours; an error if a rule counts by them.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: BusinessHoursId,
) -> QueryResult<usize> {
    diesel::delete(business_hours::table.find((tenant, id)))
        .execute(conn)
        .await
}
