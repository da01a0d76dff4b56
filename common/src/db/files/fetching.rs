//! Which files are to be fetched, and who holds them while they are.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{File, FileState};
use crate::channel::Marketplace;
use crate::db::leases::Lease;
use crate::db::schema::files;
use crate::ids::TenantId;

/// Claims files of a marketplace that are due: the most overdue first, one of each shop, so that a shop
/// with many holds up no other.
pub async fn claim_due_across_tenants(
    conn: &mut AsyncPgConnection,
    channel: Marketplace,
    now: DateTime<Utc>,
    lease: &Lease,
    limit: i64,
) -> QueryResult<Vec<File>> {
    sql_query(
        "UPDATE files SET lease_token = $3, lease_until = now() + $4 * interval '1 ms' \
         WHERE (tenant_id, id) IN ( \
             SELECT tenant_id, id FROM files WHERE (tenant_id, id) IN ( \
                 SELECT DISTINCT ON (tenant_id, seller_id) tenant_id, id FROM files \
                 WHERE channel = $1 AND fetch_at <= $2 \
                     AND (lease_until IS NULL OR lease_until < now()) \
                     AND NOT EXISTS (SELECT FROM files busy \
                         WHERE busy.tenant_id = files.tenant_id \
                             AND busy.seller_id = files.seller_id \
                             AND busy.lease_token IS NOT NULL AND busy.lease_until > now()) \
                 ORDER BY tenant_id, seller_id, fetch_at) \
             AND fetch_at <= $2 AND (lease_until IS NULL OR lease_until < now()) \
             ORDER BY fetch_at LIMIT $5 FOR UPDATE SKIP LOCKED) \
         RETURNING *",
    )
    .bind::<sql_types::Text, _>(channel)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Uuid, _>(lease.token)
    .bind::<sql_types::BigInt, _>(lease.length_ms())
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Claims one file if it is due; none if it is not, or if somebody else holds it.
pub async fn claim_if_due(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    public_id: Uuid,
    now: DateTime<Utc>,
    lease: &Lease,
) -> QueryResult<Option<File>> {
    sql_query(
        "UPDATE files SET lease_token = $4, lease_until = now() + $5 * interval '1 ms' \
         WHERE tenant_id = $1 AND public_id = $2 AND fetch_at <= $3 \
             AND (lease_until IS NULL OR lease_until < now()) \
         RETURNING *",
    )
    .bind::<sql_types::Uuid, _>(tenant)
    .bind::<sql_types::Uuid, _>(public_id)
    .bind::<sql_types::Timestamptz, _>(now)
    .bind::<sql_types::Uuid, _>(lease.token)
    .bind::<sql_types::BigInt, _>(lease.length_ms())
    .get_result(conn)
    .await
    .optional()
}

/// How far the fetching of a file has come.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = files, treat_none_as_null = true)]
pub struct FetchProgress {
    pub state: FileState,
    pub name: String,
    pub content_type: Option<String>,
    pub size_bytes: Option<i64>,
    pub sha256: Option<String>,
    pub error: Option<String>,
    pub failures: i32,
}

/// Records how far it has come, while the claim holds; none if somebody else holds the file now.
pub async fn record(
    conn: &mut AsyncPgConnection,
    file: &File,
    lease: &Lease,
    progress: &FetchProgress,
) -> QueryResult<Option<File>> {
    diesel::update(files::table.find((file.tenant_id, file.id)))
        .filter(files::lease_token.eq(lease.token))
        .set(progress)
        .returning(File::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Ends the claim; the file is due again at `fetch_at`, or never.
pub async fn release(
    conn: &mut AsyncPgConnection,
    file: &File,
    lease: &Lease,
    fetch_at: Option<DateTime<Utc>>,
) -> QueryResult<usize> {
    diesel::update(files::table.find((file.tenant_id, file.id)))
        .filter(files::lease_token.eq(lease.token))
        .set((
            files::fetch_at.eq(fetch_at),
            files::lease_token.eq(None::<Uuid>),
            files::lease_until.eq(None::<DateTime<Utc>>),
        ))
        .execute(conn)
        .await
}
