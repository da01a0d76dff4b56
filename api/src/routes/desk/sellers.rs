//! Shops at marketplaces: connected, changed, deactivated, pulled.

mod connect;
pub mod fields;
mod keys;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use common::db::sellers::{self, Seller, SellerChange, SellerFilter};
use common::ids::{SellerId, TenantId};
use common::jobs::{Job, SyncSeller};
use common::views::SellerView;
use diesel_async::AsyncConnection;

pub(crate) use self::connect::{Shop, connect, probe, store_change};
use self::fields::{NewShop, ProbeQuery, SellerPage, SellerQuery, ShopChange};
pub(crate) use self::keys::renew;
use crate::access::{Admin, Origin, Staff};
use crate::http::{ApiError, ApiResult, Json, PathId, Query, codes};
use crate::idempotency::{Answer, IdempotencyKey};
use crate::openapi::examples;
use crate::paging::{cut, page_size, read_cursor, write_cursor};
use crate::state::AppState;

/// Lists the tenant's shops, the first connected one first.
#[utoipa::path(
    get, path = "/api/sellers", tag = "sellers", security(("bearer" = [])), params(SellerQuery),
    responses((status = 200, description = "shops", body = SellerPage, example = json!(examples::seller_page())))
)]
pub async fn list_sellers(
    State(state): State<AppState>,
    staff: Staff,
    Query(query): Query<SellerQuery>,
) -> ApiResult<Json<SellerPage>> {
    let filter = SellerFilter {
        marketplace: query.marketplace,
        is_active: query.is_active,
    };
    let size = page_size(query.limit)?;
    let after: Option<SellerId> = read_cursor(query.cursor.as_deref())?;
    let tenant = staff.tenant;
    let (mut rows, total) = state
        .read(async |conn| {
            let rows = sellers::list(conn, tenant, filter, after, size + 1).await?;
            Ok((rows, sellers::count(conn, tenant, filter).await?))
        })
        .await?;
    let has_more = cut(&mut rows, size);
    let last = rows.last().filter(|_| has_more);
    let next_cursor = last.map(|last| write_cursor(&last.id)).transpose()?;
    Ok(Json(SellerPage {
        sellers: rows.iter().map(|row| view(&state, row)).collect(),
        total,
        next_cursor,
    }))
}

/// Shows one shop.
#[utoipa::path(
    get, path = "/api/sellers/{id}", tag = "sellers", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the seller's id")),
    responses((status = 200, description = "the shop", body = SellerView, example = json!(examples::seller())))
)]
pub async fn get_seller(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<SellerId>,
) -> ApiResult<Json<SellerView>> {
    let seller = find(&state, staff.tenant, id).await?;
    Ok(Json(view(&state, &seller)))
}

/// Connects a shop.
///
/// The marketplace is asked at once what the key may do. One that does not answer gives the warning
/// `probe_unavailable`; a deactivated shop with the same account comes back to life.
#[utoipa::path(
    post, path = "/api/sellers", tag = "sellers", security(("bearer" = [])),
    params(ProbeQuery, ("Idempotency-Key" = Option<String>, Header, description = examples::IDEMPOTENCY_KEY)),
    request_body(content = NewShop, example = json!(examples::new_shop())),
    responses(
        (status = 201, description = "connected", body = SellerView, example = json!(examples::seller())),
        (status = 409, description = "`seller_exists`, `idempotency_conflict`, `in_progress`"),
        (status = 422, description = "`seller_key_rejected` with the marketplace's own words; `validation_failed`"),
    )
)]
pub async fn create_seller(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    Query(query): Query<ProbeQuery>,
    key: IdempotencyKey,
    Json(body): Json<NewShop>,
) -> ApiResult<Response> {
    if let Some(answer) = key.answered_before(&admin).await? {
        return Ok(answer.into_response());
    }
    let shop = Shop {
        name: body.name.trim(),
        marketplace: body.marketplace,
        client_id: body.client_id.as_deref().map(str::trim),
        api_key: &body.api_key,
    };
    let probed = probe(&state, &shop, query.probe.unwrap_or(true)).await?;
    let actor = origin.of(&admin);
    let mut conn = state.conn().await?;
    let (answer, seller) = conn
        .transaction(async |conn| {
            if let Some(answer) = key.answered(conn, &admin).await? {
                return Ok((answer, None));
            }
            let seller = connect(&state, conn, admin.tenant, &probed, &actor).await?;
            let location = format!("/api/sellers/{}", seller.id);
            let answer = Answer::created(location, &view(&state, &seller))?;
            key.keep(conn, &admin, &answer).await?;
            ApiResult::Ok((answer, Some(seller)))
        })
        .await?;
    if let Some(seller) = seller {
        announce(&state, &seller, true);
    }
    Ok(answer.into_response())
}

/// Changes a shop; a new key is probed.
#[utoipa::path(
    patch, path = "/api/sellers/{id}", tag = "sellers", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the seller's id")),
    request_body(content = ShopChange, example = json!({"name": "My Ozon Store"})),
    responses(
        (status = 200, description = "changed", body = SellerView, example = json!(examples::seller())),
        (status = 409, description = "`seller_exists`: another shop has this account"),
        (status = 422, description = "`seller_key_rejected`, `validation_failed`"),
    )
)]
pub async fn update_seller(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    PathId(id): PathId<SellerId>,
    Json(body): Json<ShopChange>,
) -> ApiResult<Json<SellerView>> {
    let seller = find(&state, admin.tenant, id).await?;
    let key = match &body.api_key {
        Some(key) => Some(keys::renew(&state, &seller, body.client_id.as_deref(), key).await?),
        None => None,
    };
    let now = state.ctx.clock.now();
    let is_woken = body.is_active == Some(true) || (key.is_some() && seller.is_active);
    let change = SellerChange {
        name: body.name.map(|name| name.trim().to_owned()),
        is_active: body.is_active,
        next_sync_at: is_woken.then_some(now),
        key,
        updated_at: Some(now),
    };
    let seller = connect::store_change(&state, &seller, &change, &origin.of(&admin)).await?;
    announce(&state, &seller, is_woken);
    Ok(Json(view(&state, &seller)))
}

/// Deactivates a shop: its chats stay, polling and sending stop.
#[utoipa::path(
    delete, path = "/api/sellers/{id}", tag = "sellers", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the seller's id")),
    responses((status = 204, description = "deactivated"))
)]
pub async fn delete_seller(
    State(state): State<AppState>,
    admin: Admin,
    origin: Origin,
    PathId(id): PathId<SellerId>,
) -> ApiResult<StatusCode> {
    let change = SellerChange {
        is_active: Some(false),
        updated_at: Some(state.ctx.clock.now()),
        ..SellerChange::default()
    };
    let (tenant, actor) = (admin.tenant, origin.of(&admin));
    let mut conn = state.conn().await?;
    let seller = conn
        .transaction(async |conn| {
            let before = sellers::find(conn, tenant, id).await?;
            let seller = sellers::change(conn, tenant, id, &change).await?;
            let seller = seller.ok_or(codes::SELLER_NOT_FOUND)?;
            connect::note(conn, &actor, "seller.deleted", before.as_ref(), &seller).await?;
            ApiResult::Ok(seller)
        })
        .await?;
    announce(&state, &seller, false);
    Ok(StatusCode::NO_CONTENT)
}

/// Pulls a shop's chats now.
#[utoipa::path(
    post, path = "/api/sellers/{id}/sync", tag = "sellers", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the seller's id")),
    responses(
        (status = 202, description = "will be pulled", body = SellerView, example = json!(examples::seller())),
        (status = 409, description = "`seller_inactive`"),
    )
)]
pub async fn sync_seller(
    State(state): State<AppState>,
    admin: Admin,
    PathId(id): PathId<SellerId>,
) -> ApiResult<Response> {
    let seller = find(&state, admin.tenant, id).await?;
    let mut conn = state.conn().await?;
    let now = state.ctx.clock.now();
    if !sellers::wake(&mut conn, admin.tenant, id, now).await? {
        return Err(codes::SELLER_INACTIVE.into());
    }
    hurry(&state, &seller);
    Ok((StatusCode::ACCEPTED, Json(view(&state, &seller))).into_response())
}

async fn find(state: &AppState, tenant: TenantId, id: SellerId) -> ApiResult<Seller> {
    let found = state
        .read(async |conn| sellers::find(conn, tenant, id).await)
        .await?;
    found.ok_or_else(|| ApiError::from(codes::SELLER_NOT_FOUND))
}

fn view(state: &AppState, seller: &Seller) -> SellerView {
    SellerView::new(seller, state.ctx.push_url(seller), state.ctx.clock.now())
}

fn announce(state: &AppState, seller: &Seller, is_woken: bool) {
    let changed = seller.clone();
    state.after_commit(move |ctx| async move { ctx.publish_seller(&changed).await });
    if is_woken && seller.is_active {
        hurry(state, seller);
    }
}

/// Has the worker pull a shop that is due.
pub(super) fn hurry(state: &AppState, seller: &Seller) {
    let queue = SyncSeller::queue(seller.marketplace);
    let job = SyncSeller {
        tenant: seller.tenant_id,
        seller: seller.id,
    };
    state.after_commit(move |ctx| async move { ctx.jobs.hurry(&queue, &job).await });
}
