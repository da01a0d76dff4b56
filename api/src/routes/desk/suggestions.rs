//! Drafts of answers: read, made anew, rejected.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use common::db::chats::{self, Chat};
use common::db::suggestions::{self, Outcome, Suggestion};
use common::domain::deadlines::ChatStatus;
use common::domain::suggestions::{ChatSuggestion, OutcomeKind, SuggestionState};
use common::ids::{ChatId, SuggestionId, TenantId, UserId};
use common::views::{ChatView, SuggestionView};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::chats as chat_routes;
use crate::access::Staff;
use crate::http::{ApiError, ApiResult, Json, PathId, Problems, Query, Validate, codes};
use crate::openapi::examples;
use crate::paging::{PageQuery, cut, page_size, read_cursor, write_cursor};
use crate::state::AppState;

/// A page of a chat's drafts.
#[derive(Debug, Serialize, ToSchema)]
pub struct SuggestionPage {
    /// The newest first.
    suggestions: Vec<SuggestionView>,
    /// To be passed on as `cursor`; null at the end.
    next_cursor: Option<String>,
}

/// Why a draft is not wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rejection {
    /// 1 to 200 characters.
    reason: String,
}

impl Validate for Rejection {
    fn validate(&self, problems: &mut Problems) {
        let is_decent = (1..=200).contains(&self.reason.trim().chars().count());
        problems.require(is_decent, "reason", "must be 1 to 200 characters");
    }
}

/// Lists a chat's drafts, newest first.
#[utoipa::path(
    get, path = "/api/chats/{id}/suggestions", tag = "suggestions", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id"), PageQuery),
    responses((status = 200, description = "drafts", body = SuggestionPage, example = json!(examples::suggestion_page())))
)]
pub async fn list_suggestions(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<SuggestionPage>> {
    let size = page_size(query.limit)?;
    let before: Option<SuggestionId> = read_cursor(query.cursor.as_deref())?;
    let tenant = staff.tenant;
    chat_routes::find(&state, tenant, id).await?;
    let mut rows = state
        .read(async |conn| suggestions::of_chat(conn, tenant, id, before, size + 1).await)
        .await?;
    let has_more = cut(&mut rows, size);
    let last = rows.last().filter(|_| has_more);
    Ok(Json(SuggestionPage {
        next_cursor: last.map(|last| write_cursor(&last.id)).transpose()?,
        suggestions: rows.iter().map(SuggestionView::from).collect(),
    }))
}

/// Asks for a new draft; the chat's earlier ones become stale when it is there.
#[utoipa::path(
    post, path = "/api/chats/{id}/analyze", tag = "suggestions", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the chat's id")),
    responses(
        (status = 202, description = "will be made: `suggestion.ready` or the chat's `suggestion.state` tells", body = ChatView, example = json!(examples::chat_wanting_draft())),
        (status = 409, description = "`nothing_to_answer`"),
    )
)]
pub async fn analyze_chat(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatId>,
) -> ApiResult<Response> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let chat = conn
        .transaction(async |conn| {
            let chat = chats::lock(conn, tenant, id).await?;
            let chat = chat.ok_or(codes::CHAT_NOT_FOUND)?;
            if chat.status != ChatStatus::Open || chat.owed_since.is_none() {
                return Err(ApiError::from(codes::NOTHING_TO_ANSWER));
            }
            let wish = ChatSuggestion {
                id: chat.suggestion().and_then(|it| it.id),
                state: SuggestionState::Wanted,
                intent: chat.suggestion().and_then(|it| it.intent.clone()),
                wanted_since: Some(now),
                failures: 0,
            };
            Ok(chats::want_draft(conn, &chat, Some(now), Some(wish), now).await?)
        })
        .await?;
    let view = ChatView::new(&chat, now);
    state.after_commit(move |ctx| async move { ctx.publish_chat(&chat).await });
    Ok((StatusCode::ACCEPTED, Json(view)).into_response())
}

/// Says that a draft is not wanted, and why.
#[utoipa::path(
    post, path = "/api/suggestions/{id}/reject", tag = "suggestions", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the draft's id")),
    request_body(content = Rejection, example = json!({"reason": "off topic"})),
    responses(
        (status = 200, description = "rejected", body = SuggestionView, example = json!(examples::rejected_suggestion())),
        (status = 404, description = "`suggestion_not_found`"),
        (status = 409, description = "`stale_suggestion`: the chat moved on, or somebody decided about it before"),
    )
)]
pub async fn reject_suggestion(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<SuggestionId>,
    Json(body): Json<Rejection>,
) -> ApiResult<Json<SuggestionView>> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let mut conn = state.conn().await?;
    let (suggestion, chat) = conn
        .transaction(async |conn| reject(conn, tenant, id, staff.user, &body.reason, now).await)
        .await?;
    if let Some(chat) = chat {
        state.after_commit(move |ctx| async move { ctx.publish_chat(&chat).await });
    }
    Ok(Json(SuggestionView::from(&suggestion)))
}

/// The rejected draft, and its chat if that showed it.
async fn reject(
    conn: &mut AsyncPgConnection,
    tenant: TenantId,
    id: SuggestionId,
    by: UserId,
    reason: &str,
    now: DateTime<Utc>,
) -> ApiResult<(Suggestion, Option<Chat>)> {
    let found = suggestions::find(conn, tenant, id).await?;
    let found = found.ok_or(codes::SUGGESTION_NOT_FOUND)?;
    let chat = chats::lock(conn, tenant, found.chat_id).await?;
    let chat = chat.ok_or(codes::SUGGESTION_NOT_FOUND)?;
    let outcome = Outcome {
        kind: OutcomeKind::Rejected,
        by: Some(by),
        reason: Some(reason.trim().to_owned()),
        at: now,
    };
    let rejected = suggestions::conclude(conn, tenant, id, &outcome).await?;
    let rejected = rejected.ok_or(codes::STALE_SUGGESTION)?;
    if chat.suggestion().is_none_or(|it| it.id != Some(id)) {
        return Ok((rejected, None));
    }
    let none = ChatSuggestion::settled(None, SuggestionState::None, rejected.intent.clone());
    let chat = chats::want_draft(conn, &chat, chat.suggest_at, Some(none), now).await?;
    Ok((rejected, Some(chat)))
}
