//! Table `notes`: what a tenant's people tell each other about a chat.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::schema::notes;
use crate::ids::{ChatId, NoteId, TenantId, UserId};

/// A row.
#[derive(Clone, Debug, Queryable, Selectable)]
#[diesel(table_name = notes)]
pub struct Note {
    pub tenant_id: TenantId,
    pub id: NoteId,
    pub chat_id: ChatId,
    pub user_id: UserId,
    pub text: String,
    pub created_at: DateTime<Utc>,
    pub edited_at: Option<DateTime<Utc>>,
}

/// A row to insert.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = notes)]
pub struct NewNote<'a> {
    pub tenant_id: TenantId,
    pub chat_id: ChatId,
    pub user_id: UserId,
    pub text: &'a str,
    pub created_at: DateTime<Utc>,
}

/// Inserts a note.
pub async fn insert(conn: &mut AsyncPgConnection, note: &NewNote<'_>) -> QueryResult<Note> {
    diesel::insert_into(notes::table)
        .values(note)
        .returning(Note::as_returning())
        .get_result(conn)
        .await
}

/// One note of the tenant.
pub async fn find(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: NoteId,
) -> QueryResult<Option<Note>> {
    notes::table
        .find((tenant, id))
        .select(Note::as_select())
        .first(conn)
        .await
        .optional()
}

/// The chat's notes, newest first, older than `before` if that is given.
pub async fn of_chat(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    chat: ChatId,
    before: Option<NoteId>,
    limit: i64,
) -> QueryResult<Vec<Note>> {
    notes::table
        .filter(notes::tenant_id.eq(tenant))
        .filter(notes::chat_id.eq(chat))
        .filter(notes::id.lt(before.map_or(i64::MAX, |before| before.0)))
        .order(notes::id.desc())
        .limit(limit)
        .select(Note::as_select())
        .load(conn)
        .await
}

/// Gives a note another text; none if it is gone.
pub async fn edit(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: NoteId,
    text: &str,
    now: DateTime<Utc>,
) -> QueryResult<Option<Note>> {
    diesel::update(notes::table.find((tenant, id)))
        .set((notes::text.eq(text), notes::edited_at.eq(now)))
        .returning(Note::as_returning())
        .get_result(conn)
        .await
        .optional()
}

/// Deletes a note.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: NoteId,
) -> QueryResult<usize> {
    diesel::delete(notes::table.find((tenant, id)))
        .execute(conn)
        .await
}
