//! Table `idempotency_keys`: requests that were done, and what was answered.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Bool, Text, Timestamptz};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::idempotency_keys;
use crate::ids::{TenantId, UserId};
use crate::secrets::Place;

/// A row.
#[derive(Clone, Debug, Queryable, Selectable, Insertable)]
#[diesel(table_name = idempotency_keys)]
pub struct DoneRequest {
    pub tenant_id: TenantId,
    /// Who made the request: nobody else is shown its answer.
    pub user_id: UserId,
    pub key: String,
    pub public_id: Uuid,
    /// Tells one request from another.
    pub request_digest: String,
    /// May hold what is shown only once.
    pub sealed_answer: String,
    pub created_at: DateTime<Utc>,
}

/// Where a sealed answer stands.
pub fn answer_place(tenant: TenantId, row: Uuid) -> Place<'static> {
    Place {
        table: "idempotency_keys",
        column: "sealed_answer",
        tenant,
        row,
    }
}

/// Takes the key for this transaction; `false` while another one has it.
pub async fn take(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
    key: &str,
) -> QueryResult<bool> {
    #[derive(QueryableByName)]
    struct Taken {
        #[diesel(sql_type = Bool)]
        taken: bool,
    }
    let name = format!("idempotency:{tenant}:{user}:{key}");
    let query = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS taken";
    let Taken { taken } = sql_query(query)
        .bind::<Text, _>(name)
        .get_result(conn)
        .await?;
    Ok(taken)
}

/// The request of a person that had this key.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    user: UserId,
    key: &str,
) -> QueryResult<Option<DoneRequest>> {
    idempotency_keys::table
        .find((tenant, user, key))
        .select(DoneRequest::as_select())
        .first(conn)
        .await
        .optional()
}

/// Keeps what was answered; an older request with the same key is forgotten.
pub async fn upsert(conn: &mut AsyncPgConnection, done: &DoneRequest) -> QueryResult<usize> {
    diesel::insert_into(idempotency_keys::table)
        .values(done)
        .on_conflict((
            idempotency_keys::tenant_id,
            idempotency_keys::user_id,
            idempotency_keys::key,
        ))
        .do_update()
        .set((
            idempotency_keys::public_id.eq(done.public_id),
            idempotency_keys::request_digest.eq(&done.request_digest),
            idempotency_keys::sealed_answer.eq(&done.sealed_answer),
            idempotency_keys::created_at.eq(done.created_at),
        ))
        .execute(conn)
        .await
}

/// Forgets some requests made before a time; tells how many.
pub async fn purge_across_tenants(
    conn: &mut AsyncPgConnection,
    before: DateTime<Utc>,
) -> QueryResult<usize> {
    sql_query(
        "DELETE FROM idempotency_keys WHERE (tenant_id, user_id, key) IN ( \
             SELECT tenant_id, user_id, key FROM idempotency_keys WHERE created_at <= $1 \
             ORDER BY created_at LIMIT 1000 FOR UPDATE SKIP LOCKED)",
    )
    .bind::<Timestamptz, _>(before)
    .execute(conn)
    .await
}
