//! Table `saved_views`: filters of the list of chats that people come back to.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use serde_json::Value;

use super::schema::saved_views;
use crate::ids::{SavedViewId, TenantId, UserId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = saved_views)]
pub struct SavedView {
    pub tenant_id: TenantId,
    pub id: SavedViewId,
    /// Whose it is; none: everybody's of the tenant.
    pub owner_id: Option<UserId>,
    pub name: String,
    /// The query parameters of the list, by name.
    pub filter: Value,
    pub position: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A row to insert.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = saved_views)]
pub struct NewSavedView<'a> {
    pub tenant_id: TenantId,
    pub owner_id: Option<UserId>,
    pub name: &'a str,
    pub filter: Value,
    pub position: i32,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// What is changed; none leaves it.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = saved_views)]
pub struct SavedViewChange<'a> {
    pub name: Option<&'a str>,
    pub filter: Option<Value>,
    pub position: Option<i32>,
    pub updated_at: DateTime<Utc>,
}

/// Inserts a view.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    view: &NewSavedView<'_>,
) -> QueryResult<SavedView> {
    diesel::insert_into(saved_views::table)
        .values(view)
        .returning(SavedView::as_returning())
        .get_result(conn)
        .await
}

/// Everybody's views and this person's, in their order.
pub async fn list(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
) -> QueryResult<Vec<SavedView>> {
    saved_views::table
        .filter(saved_views::tenant_id.eq(tenant))
        .filter(
            saved_views::owner_id
                .is_null()
                .or(saved_views::owner_id.eq(user)),
        )
        .order((saved_views::position, saved_views::id))
        .select(SavedView::as_select())
        .load(conn)
        .await
}

/// A view that this person may use.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
    id: SavedViewId,
) -> QueryResult<Option<SavedView>> {
    saved_views::table
        .find((tenant, id))
        .filter(
            saved_views::owner_id
                .is_null()
                .or(saved_views::owner_id.eq(user)),
        )
        .select(SavedView::as_select())
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
    saved_views::table
        .filter(saved_views::tenant_id.eq(tenant))
        .filter(saved_views::owner_id.is_not_distinct_from(owner))
        .count()
        .get_result(conn)
        .await
}

/// Changes one; none if it is gone.
pub async fn change(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SavedViewId,
    change: &SavedViewChange<'_>,
) -> QueryResult<Option<SavedView>> {
    diesel::update(saved_views::table.find((tenant, id)))
        .set(change)
        .returning(SavedView::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Deletes one.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SavedViewId,
) -> QueryResult<usize> {
    diesel::delete(saved_views::table.find((tenant, id)))
        .execute(conn)
        .await
}
