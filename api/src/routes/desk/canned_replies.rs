//! Answers that are written once and used often.

mod fields;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use common::db::canned_replies::{self, CannedReply, CannedReplyChange, NewCannedReply};
use common::db::sellers;
use common::domain::canned_replies::{Variable, fill};
use common::ids::CannedReplyId;
use diesel::result::{DatabaseErrorKind, Error as DatabaseError};
use diesel_async::{AsyncConnection, AsyncPgConnection};

use self::fields::{
    CannedReplies, CannedReplyView, NewReply, RenderFor, RenderedReply, ReplyChange,
};
use super::chats;
use super::scope::check_may_change;
use crate::access::{Access, Staff};
use crate::http::{ApiError, ApiResult, Json, PathId, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// How many everybody shares, and how many each may have besides.
const MOST: i64 = 500;

/// Lists the shared canned replies and one's own.
#[utoipa::path(
    get, path = "/api/canned-replies", tag = "canned replies", security(("bearer" = [])),
    responses((status = 200, description = "canned replies", body = CannedReplies, example = json!(examples::canned_replies())))
)]
pub async fn list_canned_replies(
    State(state): State<AppState>,
    staff: Staff,
) -> ApiResult<Json<CannedReplies>> {
    let (tenant, user) = (staff.tenant, staff.user);
    let found = state
        .read(async |conn| canned_replies::list(conn, tenant, user).await)
        .await?;
    Ok(Json(CannedReplies {
        canned_replies: found.into_iter().map(CannedReplyView::from).collect(),
    }))
}

/// Shows one canned reply.
#[utoipa::path(
    get, path = "/api/canned-replies/{id}", tag = "canned replies", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the canned reply's id")),
    responses((status = 200, description = "the canned reply", body = CannedReplyView, example = json!(examples::canned_reply())))
)]
pub async fn get_canned_reply(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<CannedReplyId>,
) -> ApiResult<Json<CannedReplyView>> {
    Ok(Json(find(&state, &staff, id).await?.into()))
}

/// Keeps a canned reply: one's own, or, as an admin, for everybody.
#[utoipa::path(
    post, path = "/api/canned-replies", tag = "canned replies", security(("bearer" = [])),
    request_body(content = NewReply, example = json!(examples::new_canned_reply())),
    responses(
        (status = 201, description = "kept", body = CannedReplyView, example = json!(examples::canned_reply())),
        (status = 409, description = "`shortcut_taken`, `limit_reached`"),
    )
)]
pub async fn create_canned_reply(
    State(state): State<AppState>,
    staff: Staff,
    Json(body): Json<NewReply>,
) -> ApiResult<Response> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let owner = body.scope.owner(&staff)?;
    let mut conn = state.conn().await?;
    if canned_replies::count(&mut conn, tenant, owner).await? >= MOST {
        return Err(codes::LIMIT_REACHED.into());
    }
    let reply = NewCannedReply {
        tenant_id: tenant,
        owner_id: owner,
        shortcut: &body.shortcut,
        title: body.title.trim(),
        text: &body.text,
        created_at: now,
        updated_at: now,
    };
    let reply = canned_replies::insert(&mut conn, &reply).await;
    let view = CannedReplyView::from(reply.map_err(explain)?);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Changes a canned reply.
#[utoipa::path(
    patch, path = "/api/canned-replies/{id}", tag = "canned replies", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the canned reply's id")),
    request_body(content = ReplyChange, example = json!({"title": "Где заказ"})),
    responses(
        (status = 200, description = "the canned reply", body = CannedReplyView, example = json!(examples::canned_reply())),
        (status = 409, description = "`shortcut_taken`"),
    )
)]
pub async fn update_canned_reply(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<CannedReplyId>,
    Json(body): Json<ReplyChange>,
) -> ApiResult<Json<CannedReplyView>> {
    let change = CannedReplyChange {
        shortcut: body.shortcut.as_deref(),
        title: body.title.as_deref().map(str::trim),
        text: body.text.as_deref(),
        updated_at: state.ctx.clock.now(),
    };
    let mut conn = state.conn().await?;
    let reply = conn
        .transaction(async |conn| {
            changeable(conn, &staff, id).await?;
            let changed = canned_replies::change(conn, staff.tenant, id, &change).await;
            let changed = changed.map_err(explain)?;
            changed.ok_or_else(|| ApiError::from(codes::CANNED_REPLY_NOT_FOUND))
        })
        .await?;
    Ok(Json(reply.into()))
}

/// Deletes a canned reply.
#[utoipa::path(
    delete, path = "/api/canned-replies/{id}", tag = "canned replies", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the canned reply's id")),
    responses((status = 204, description = "deleted"))
)]
pub async fn delete_canned_reply(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<CannedReplyId>,
) -> ApiResult<StatusCode> {
    let mut conn = state.conn().await?;
    changeable(&mut conn, &staff, id).await?;
    canned_replies::delete(&mut conn, staff.tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Fills in a canned reply for a chat; nothing is sent.
#[utoipa::path(
    post, path = "/api/canned-replies/{id}/render", tag = "canned replies", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the canned reply's id")),
    request_body(content = RenderFor, example = json!({"chat_id": 7})),
    responses((status = 200, description = "the text", body = RenderedReply, example = json!(examples::rendered_reply())))
)]
pub async fn render_canned_reply(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<CannedReplyId>,
    Json(body): Json<RenderFor>,
) -> ApiResult<Json<RenderedReply>> {
    let tenant = staff.tenant;
    let reply = find(&state, &staff, id).await?;
    let chat = chats::find(&state, tenant, body.chat_id).await?;
    let seller = state
        .read(async |conn| sellers::find(conn, tenant, chat.seller_id).await)
        .await?;
    let context = &chat.context.0;
    let filled = fill(&reply.text, |variable| match variable {
        Variable::Buyer => context.buyer_name.as_deref(),
        Variable::Order => context.order_id.as_deref(),
        Variable::Product => context.product_name.as_deref(),
        Variable::Agent => Some(&staff.username),
        Variable::Shop => seller.as_ref().map(|seller| seller.name.as_str()),
    });
    Ok(Json(RenderedReply {
        text: filled.text,
        missing: filled.missing.into_iter().map(Variable::as_str).collect(),
    }))
}

async fn find(state: &AppState, access: &Access, id: CannedReplyId) -> ApiResult<CannedReply> {
    let (tenant, user) = (access.tenant, access.user);
    let found = state
        .read(async |conn| canned_replies::find(conn, tenant, user, id).await)
        .await?;
    found.ok_or_else(|| codes::CANNED_REPLY_NOT_FOUND.into())
}

/// Fails unless this person may change it.
async fn changeable(
    conn: &mut AsyncPgConnection,
    access: &Access,
    id: CannedReplyId,
) -> ApiResult<()> {
    let found = canned_replies::find(conn, access.tenant, access.user, id).await?;
    let found = found.ok_or(codes::CANNED_REPLY_NOT_FOUND)?;
    check_may_change(found.owner_id, access)
}

fn explain(error: DatabaseError) -> ApiError {
    match error {
        DatabaseError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => {
            codes::SHORTCUT_TAKEN.into()
        }
        error => error.into(),
    }
}
