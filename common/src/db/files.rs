//! Table `files`: what is attached to messages or uploaded to be sent, and how far its fetching has come.

mod fetching;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::schema::files;
use crate::channel::Marketplace;
use crate::ids::{FileId, MessageId, SellerId, TenantId, UserId};
use crate::words::words;

pub use self::fetching::{FetchProgress, claim_due_across_tenants, claim_if_due, record, release};

words! {
    /// Whether a file can be had.
    FileState {
        /// Its bytes are not here yet.
        Pending = "pending",
        /// The marketplace still examines it.
        Moderation = "moderation",
        Ready = "ready",
        /// It will never be handed out.
        Blocked = "blocked",
        /// It could not be fetched.
        Failed = "failed",
        /// Uploaded, never sent, and about to be removed.
        Expired = "expired",
    }
}

impl FileState {
    /// Whether nothing more will happen to it.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Pending | Self::Moderation)
    }
}

/// A row.
#[derive(Clone, Debug, Queryable, Selectable, QueryableByName)]
#[diesel(table_name = files)]
pub struct File {
    pub tenant_id: TenantId,
    pub id: FileId,
    pub public_id: Uuid,
    pub message_id: Option<MessageId>,
    pub position: i32,
    pub uploaded_by: Option<UserId>,
    pub seller_id: Option<SellerId>,
    pub channel: Option<Marketplace>,
    pub source: Option<String>,
    pub name: String,
    pub content_type: Option<String>,
    pub size_bytes: Option<i64>,
    pub sha256: Option<String>,
    pub storage_key: String,
    pub state: FileState,
    pub error: Option<String>,
    pub failures: i32,
    pub fetch_at: Option<DateTime<Utc>>,
    pub lease_token: Option<Uuid>,
    pub lease_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A row to insert: its bytes are still elsewhere.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = files)]
pub struct NewFile {
    pub tenant_id: TenantId,
    pub public_id: Uuid,
    pub message_id: Option<MessageId>,
    pub position: i32,
    pub uploaded_by: Option<UserId>,
    pub seller_id: Option<SellerId>,
    pub channel: Option<Marketplace>,
    pub source: Option<String>,
    pub name: String,
    pub content_type: Option<String>,
    pub size_bytes: Option<i64>,
    pub storage_key: String,
    pub state: FileState,
    pub fetch_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Inserts the files of a message.
pub async fn insert_all(conn: &mut AsyncPgConnection, new: &[NewFile]) -> QueryResult<usize> {
    if new.is_empty() {
        return Ok(0);
    }
    diesel::insert_into(files::table)
        .values(new)
        .execute(conn)
        .await
}

/// Inserts a file.
pub async fn insert(conn: &mut AsyncPgConnection, new: &NewFile) -> QueryResult<File> {
    diesel::insert_into(files::table)
        .values(new)
        .returning(File::as_returning())
        .get_result(conn)
        .await
}

/// What the bytes of a file say about it.
#[derive(Clone, Debug, AsChangeset)]
#[diesel(table_name = files)]
pub struct Contents {
    pub name: String,
    pub content_type: String,
    pub size_bytes: i64,
    pub sha256: String,
}

/// Notes that the bytes of an upload are here; none if it is no longer waited for.
pub async fn complete_upload(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: FileId,
    contents: &Contents,
) -> QueryResult<Option<File>> {
    diesel::update(files::table.find((tenant, id)))
        .filter(files::state.eq(FileState::Pending))
        .filter(files::message_id.is_null())
        .set((contents, files::state.eq(FileState::Ready)))
        .returning(File::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// One file of the tenant, by the id that clients know.
pub async fn find_by_public_id(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    public_id: Uuid,
) -> QueryResult<Option<File>> {
    files::table
        .filter(files::tenant_id.eq(tenant))
        .filter(files::public_id.eq(public_id))
        .select(File::as_select())
        .first(conn)
        .await
        .optional()
}

/// The files of a message, in their order.
pub async fn of_message(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    message: MessageId,
) -> QueryResult<Vec<File>> {
    files::table
        .filter(files::tenant_id.eq(tenant))
        .filter(files::message_id.eq(message))
        .order(files::position)
        .select(File::as_select())
        .load(conn)
        .await
}

/// Those of these files that can be sent, locked until the transaction ends.
pub async fn lock_unsent(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    public_ids: &[Uuid],
) -> QueryResult<Vec<File>> {
    files::table
        .filter(files::tenant_id.eq(tenant))
        .filter(files::public_id.eq_any(public_ids))
        .filter(files::message_id.is_null())
        .filter(files::state.eq(FileState::Ready))
        .order(files::id)
        .select(File::as_select())
        .for_update()
        .load(conn)
        .await
}

/// Makes a file part of a message.
pub async fn attach(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: FileId,
    message: MessageId,
    position: i32,
) -> QueryResult<usize> {
    diesel::update(files::table.find((tenant, id)))
        .set((files::message_id.eq(message), files::position.eq(position)))
        .execute(conn)
        .await
}

/// Takes uploads that nobody sent out of use; their bytes may be removed then.
pub async fn expire_unsent_across_tenants(
    conn: &mut AsyncPgConnection,
    created_before: DateTime<Utc>,
    limit: i64,
) -> QueryResult<Vec<File>> {
    sql_query(
        "UPDATE files SET state = 'expired' WHERE (tenant_id, id) IN ( \
             SELECT tenant_id, id FROM files WHERE message_id IS NULL AND created_at < $1 \
             ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED) RETURNING *",
    )
    .bind::<sql_types::Timestamptz, _>(created_before)
    .bind::<sql_types::BigInt, _>(limit)
    .load(conn)
    .await
}

/// Forgets a file whose bytes are gone.
pub async fn delete_expired(conn: &mut AsyncPgConnection, file: &File) -> QueryResult<usize> {
    diesel::delete(files::table.find((file.tenant_id, file.id)))
        .filter(files::state.eq(FileState::Expired))
        .execute(conn)
        .await
}
