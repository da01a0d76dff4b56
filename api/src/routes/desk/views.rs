//! Saved views: filters of the list of chats that people come back to.

mod fields;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use common::db::chats as rows;
use common::db::saved_views::{self, NewSavedView, SavedView, SavedViewChange};
use common::ids::SavedViewId;
use diesel_async::{AsyncConnection, AsyncPgConnection};

use self::fields::{NewView, SavedViewView, SavedViews, ViewChange, ViewCount, filter_of, stored};
use super::chats::bounded;
use super::scope::check_may_change;
use crate::access::{Access, Staff};
use crate::http::{ApiResult, Json, PathId, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// How many everybody shares, and how many each may have besides.
const MOST: i64 = 100;

/// Lists the shared views and one's own, in their order.
#[utoipa::path(
    get, path = "/api/views", tag = "views", security(("bearer" = [])),
    responses((status = 200, description = "views", body = SavedViews, example = json!(examples::views())))
)]
pub async fn list_views(
    State(state): State<AppState>,
    staff: Staff,
) -> ApiResult<Json<SavedViews>> {
    let (tenant, user) = (staff.tenant, staff.user);
    let found = state
        .read(async |conn| saved_views::list(conn, tenant, user).await)
        .await?;
    Ok(Json(SavedViews {
        views: found.into_iter().map(SavedViewView::from).collect(),
    }))
}

/// Shows one view.
#[utoipa::path(
    get, path = "/api/views/{id}", tag = "views", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the view's id")),
    responses((status = 200, description = "the view", body = SavedViewView, example = json!(examples::view())))
)]
pub async fn get_view(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<SavedViewId>,
) -> ApiResult<Json<SavedViewView>> {
    Ok(Json(find(&state, &staff, id).await?.into()))
}

/// Saves a view: one's own, or, as an admin, for everybody.
#[utoipa::path(
    post, path = "/api/views", tag = "views", security(("bearer" = [])),
    request_body(content = NewView, example = json!(examples::new_view())),
    responses(
        (status = 201, description = "saved", body = SavedViewView, example = json!(examples::view())),
        (status = 409, description = "`limit_reached`"),
    )
)]
pub async fn create_view(
    State(state): State<AppState>,
    staff: Staff,
    Json(body): Json<NewView>,
) -> ApiResult<Response> {
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let owner = body.scope.owner(&staff)?;
    filter_of(&body.filter, &staff)?;
    let mut conn = state.conn().await?;
    if saved_views::count(&mut conn, tenant, owner).await? >= MOST {
        return Err(codes::LIMIT_REACHED.into());
    }
    let view = NewSavedView {
        tenant_id: tenant,
        owner_id: owner,
        name: body.name.trim(),
        filter: stored(&body.filter),
        position: body.position,
        created_at: now,
        updated_at: now,
    };
    let view = SavedViewView::from(saved_views::insert(&mut conn, &view).await?);
    Ok((StatusCode::CREATED, Json(view)).into_response())
}

/// Changes a view.
#[utoipa::path(
    patch, path = "/api/views/{id}", tag = "views", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the view's id")),
    request_body(content = ViewChange, example = json!({"position": 2})),
    responses((status = 200, description = "the view", body = SavedViewView, example = json!(examples::view())))
)]
pub async fn update_view(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<SavedViewId>,
    Json(body): Json<ViewChange>,
) -> ApiResult<Json<SavedViewView>> {
    let mut conn = state.conn().await?;
    let view = conn
        .transaction(async |conn| {
            changeable(conn, &staff, id).await?;
            if let Some(filter) = &body.filter {
                filter_of(filter, &staff)?;
            }
            let change = SavedViewChange {
                name: body.name.as_deref().map(str::trim),
                filter: body.filter.as_ref().map(stored),
                position: body.position,
                updated_at: state.ctx.clock.now(),
            };
            let changed = saved_views::change(conn, staff.tenant, id, &change).await?;
            ApiResult::Ok(changed.ok_or(codes::VIEW_NOT_FOUND)?)
        })
        .await?;
    Ok(Json(view.into()))
}

/// Deletes a view.
#[utoipa::path(
    delete, path = "/api/views/{id}", tag = "views", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the view's id")),
    responses((status = 204, description = "deleted"))
)]
pub async fn delete_view(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<SavedViewId>,
) -> ApiResult<StatusCode> {
    let mut conn = state.conn().await?;
    changeable(&mut conn, &staff, id).await?;
    saved_views::delete(&mut conn, staff.tenant, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Counts the chats of a view, as whoever asks sees it.
#[utoipa::path(
    get, path = "/api/views/{id}/count", tag = "views", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the view's id")),
    responses(
        (status = 200, description = "the count", body = ViewCount, example = json!({"count": 12})),
        (status = 503, description = "`query_too_broad`: it would take longer than 2 s"),
    )
)]
pub async fn count_view(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<SavedViewId>,
) -> ApiResult<Json<ViewCount>> {
    let view = find(&state, &staff, id).await?;
    let filter = match view.filter.as_object() {
        Some(filter) => filter_of(filter, &staff)?,
        None => rows::ChatFilter::default(),
    };
    let (tenant, now) = (staff.tenant, state.ctx.clock.now());
    let count = bounded(&state, false, async |conn| {
        rows::count(conn, tenant, &filter, now).await
    })
    .await?;
    Ok(Json(ViewCount { count }))
}

async fn find(state: &AppState, access: &Access, id: SavedViewId) -> ApiResult<SavedView> {
    let (tenant, user) = (access.tenant, access.user);
    let found = state
        .read(async |conn| saved_views::find(conn, tenant, user, id).await)
        .await?;
    found.ok_or_else(|| codes::VIEW_NOT_FOUND.into())
}

/// Fails unless this person may change it.
async fn changeable(
    conn: &mut AsyncPgConnection,
    access: &Access,
    id: SavedViewId,
) -> ApiResult<()> {
    let found = saved_views::find(conn, access.tenant, access.user, id).await?;
    let found = found.ok_or(codes::VIEW_NOT_FOUND)?;
    check_may_change(found.owner_id, access)
}
