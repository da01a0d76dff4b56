//! What people tell each other about a chat; the buyer never sees it.

use std::collections::HashMap;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use common::db::chats::{self as rows, Chat};
use common::db::notes::{self, NewNote, Note};
use common::db::users::{self, Role};
use common::ids::{ChatId, NoteId, UserId};
use diesel::QueryResult;
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::chats;
use crate::access::{Access, Staff};
use crate::http::{ApiResult, Json, PathId, Problems, Query, Validate, codes};
use crate::openapi::examples;
use crate::paging::{cut, page_size, read_cursor, write_cursor};
use crate::state::AppState;

const LONGEST_TEXT_CHARS: usize = 4000;

/// A note to write, or its new text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NoteText {
    /// 1 to 4000 characters, not only spaces.
    text: String,
}

impl Validate for NoteText {
    fn validate(&self, problems: &mut Problems) {
        let is_fit = !self.text.trim().is_empty();
        let is_fit = is_fit && self.text.chars().count() <= LONGEST_TEXT_CHARS;
        problems.require(
            is_fit,
            "text",
            "must be 1 to 4000 characters, not only spaces",
        );
    }
}

/// Which notes to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct NoteQuery {
    /// How many, 1 to 100; 50 if not given.
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of notes, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotePage {
    notes: Vec<NoteView>,
    /// To be passed on as `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// What somebody told the others about a chat.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Note)]
pub struct NoteView {
    #[schema(value_type = i64)]
    id: NoteId,
    #[schema(value_type = i64)]
    chat_id: ChatId,
    author: NoteAuthor,
    text: String,
    created_at: DateTime<Utc>,
    /// When its author changed it last.
    edited_at: Option<DateTime<Utc>>,
}

/// Who wrote a note.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoteAuthor {
    #[schema(value_type = i64)]
    user_id: UserId,
    name: Option<String>,
}

impl NoteView {
    fn new(note: Note, name: Option<String>) -> Self {
        Self {
            id: note.id,
            chat_id: note.chat_id,
            author: NoteAuthor {
                user_id: note.user_id,
                name,
            },
            text: note.text,
            created_at: note.created_at,
            edited_at: note.edited_at,
        }
    }
}

/// Lists the notes of a chat, newest first.
#[utoipa::path(
    get, path = "/api/chats/{id}/notes", tag = "notes", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id"), NoteQuery),
    responses((status = 200, description = "notes", body = NotePage, example = json!(examples::note_page())))
)]
pub async fn list_notes(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
    Query(query): Query<NoteQuery>,
) -> ApiResult<Json<NotePage>> {
    let (tenant, size) = (staff.tenant, page_size(query.limit)?);
    let before: Option<NoteId> = read_cursor(query.cursor.as_deref())?;
    chats::find(&state, tenant, id).await?;
    let (mut found, names) = state
        .read(async |conn| {
            let found = notes::of_chat(conn, tenant, id, before, size + 1).await?;
            let writers: Vec<UserId> = found.iter().map(|note| note.user_id).collect();
            QueryResult::Ok((found, users::usernames(conn, tenant, &writers).await?))
        })
        .await?;
    let has_more = cut(&mut found, size);
    let last = found.last().filter(|_| has_more);
    let next_cursor = last.map(|last| write_cursor(&last.id)).transpose()?;
    let names: HashMap<UserId, String> = names.into_iter().collect();
    let notes = found.into_iter().map(|note| {
        let name = names.get(&note.user_id).cloned();
        NoteView::new(note, name)
    });
    Ok(Json(NotePage {
        notes: notes.collect(),
        next_cursor,
    }))
}

/// Writes a note. Pages learn of it by `chat.updated`: the chat gets a new version.
#[utoipa::path(
    post, path = "/api/chats/{id}/notes", tag = "notes", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    request_body(content = NoteText, example = json!({"text": "Обещал перезвонить в пятницу"})),
    responses((status = 201, description = "the note", body = NoteView, example = json!(examples::note())))
)]
pub async fn create_note(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
    Json(body): Json<NoteText>,
) -> ApiResult<Response> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let (note, chat) = conn
        .transaction(async |conn| {
            rows::lock(conn, tenant, id)
                .await?
                .ok_or(codes::CHAT_NOT_FOUND)?;
            let note = NewNote {
                tenant_id: tenant,
                chat_id: id,
                user_id: staff.user,
                text: &body.text,
                created_at: now,
            };
            let note = notes::insert(conn, &note).await?;
            ApiResult::Ok((note, rows::touch(conn, tenant, id, now).await?))
        })
        .await?;
    publish(&state, chat);
    let view = NoteView::new(note, Some(staff.username.clone()));
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Gives a note another text; only its author may.
#[utoipa::path(
    patch, path = "/api/notes/{id}", tag = "notes", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the note's id")),
    request_body(content = NoteText, example = json!({"text": "Обещал перезвонить в субботу"})),
    responses((status = 200, description = "the note", body = NoteView, example = json!(examples::note())))
)]
pub async fn update_note(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<NoteId>,
    Json(body): Json<NoteText>,
) -> ApiResult<Json<NoteView>> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let (note, chat) = conn
        .transaction(async |conn| {
            changeable(conn, &staff, id, false).await?;
            let note = notes::edit(conn, tenant, id, &body.text, now).await?;
            let note = note.ok_or(codes::NOTE_NOT_FOUND)?;
            let chat = rows::touch(conn, tenant, note.chat_id, now).await?;
            ApiResult::Ok((note, chat))
        })
        .await?;
    publish(&state, chat);
    Ok(Json(NoteView::new(note, Some(staff.username.clone()))))
}

/// Deletes a note; its author may, and admins.
#[utoipa::path(
    delete, path = "/api/notes/{id}", tag = "notes", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the note's id")),
    responses((status = 204, description = "deleted"))
)]
pub async fn delete_note(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<NoteId>,
) -> ApiResult<StatusCode> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let chat = conn
        .transaction(async |conn| {
            let note = changeable(conn, &staff, id, true).await?;
            notes::delete(conn, tenant, id).await?;
            ApiResult::Ok(rows::touch(conn, tenant, note.chat_id, now).await?)
        })
        .await?;
    publish(&state, chat);
    Ok(StatusCode::NO_CONTENT)
}

/// The note, if they may change it.
async fn changeable(
    conn: &mut AsyncPgConnection,
    staff: &Access,
    id: NoteId,
    also_admins: bool,
) -> ApiResult<Note> {
    let note = notes::find(conn, staff.tenant, id).await?;
    let note = note.ok_or(codes::NOTE_NOT_FOUND)?;
    let is_admin = matches!(staff.role, Role::Admin | Role::Owner);
    if note.user_id == staff.user || (also_admins && is_admin) {
        Ok(note)
    } else {
        Err(codes::FORBIDDEN.into())
    }
}

fn publish(state: &AppState, chat: Chat) {
    state.after_commit(move |ctx| async move { ctx.publish_chat(&chat).await });
}
