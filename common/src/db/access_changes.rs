//! Table `access_changes`: tells every process that somebody's access changed.

use diesel::prelude::*;
use diesel::sql_query;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::access_changes;
use crate::ids::{TenantId, UserId};

/// A row, as far as readers need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, QueryableByName)]
#[diesel(table_name = access_changes)]
pub struct AccessChange {
    pub tenant_id: TenantId,
    pub id: i64,
    pub user_id: UserId,
}

/// Records a change, in the transaction that makes it.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
) -> QueryResult<usize> {
    diesel::insert_into(access_changes::table)
        .values((
            access_changes::tenant_id.eq(tenant),
            access_changes::user_id.eq(user),
        ))
        .execute(conn)
        .await
}

/// The changes of the last half minute: longer than any transaction that makes one may take.
pub async fn recent_across_tenants(conn: &mut AsyncPgConnection) -> QueryResult<Vec<AccessChange>> {
    sql_query(
        "SELECT tenant_id, id, user_id FROM access_changes \
         WHERE at > now() - interval '30 seconds'",
    )
    .load(conn)
    .await
}
