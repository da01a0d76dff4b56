//! Pushes from marketplaces: answered at once, trusted in nothing, they only wake the poll.

use std::future::{Ready, ready};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use common::channel::Marketplace;
use common::db::sellers;
use common::flows::push_address::read_address;
use common::ids::TenantId;
use common::marketplaces::parse_push;
use tokio::time::timeout;
use uuid::Uuid;

use super::sellers::hurry;
use crate::http::{ApiResult, PathSecret, codes};
use crate::state::AppState;

/// The poll comes anyway: nobody waits longer for it to be woken.
const WOKEN_WITHIN: Duration = Duration::from_secs(2);

/// Takes a push from Ozon.
#[utoipa::path(
    post, path = "/hooks/ozon/{secret}", tag = "pushes",
    params(("secret" = String, Path, description = "from the seller's `push_url`")),
    request_body(content = Object, example = json!({"message_type": "TYPE_PING", "time": "2026-11-21T09:00:00Z"})),
    responses((status = 200, description = "taken", body = Object,
        example = json!({"version": "0.1.0", "name": "chat-center", "time": "2026-11-21T09:00:00Z"})))
)]
pub fn take_ozon_push(
    State(state): State<AppState>,
    PathSecret(secret): PathSecret,
    body: Bytes,
) -> Ready<ApiResult<Response>> {
    ready(take(&state, Marketplace::Ozon, &secret, &body))
}

/// Takes a push from Ozon that was set up with a slash too many.
#[utoipa::path(
    post, path = "/hooks/ozon/{secret}/notification", tag = "pushes",
    params(("secret" = String, Path, description = "from the seller's `push_url`")),
    request_body(content = Object, example = json!({"message_type": "TYPE_PING", "time": "2026-11-21T09:00:00Z"})),
    responses((status = 200, description = "taken", body = Object,
        example = json!({"version": "0.1.0", "name": "chat-center", "time": "2026-11-21T09:00:00Z"})))
)]
pub fn take_ozon_notification(
    state: State<AppState>,
    secret: PathSecret,
    body: Bytes,
) -> Ready<ApiResult<Response>> {
    take_ozon_push(state, secret, body)
}

/// Takes a push from Yandex Market.
#[utoipa::path(
    post, path = "/hooks/yandex/{secret}", tag = "pushes",
    params(("secret" = String, Path, description = "from the seller's `push_url`")),
    request_body(content = Object, example = json!({"notificationType": "PING", "time": "2026-11-21T09:00:00Z"})),
    responses((status = 200, description = "taken", body = Object,
        example = json!({"version": "0.1.0", "name": "chat-center", "time": "2026-11-21T09:00:00.000Z"})))
)]
pub fn take_yandex_push(
    State(state): State<AppState>,
    PathSecret(secret): PathSecret,
    body: Bytes,
) -> Ready<ApiResult<Response>> {
    ready(take(&state, Marketplace::YandexMarket, &secret, &body))
}

/// Takes a push from Yandex Market, which appends this to the address it was given.
#[utoipa::path(
    post, path = "/hooks/yandex/{secret}/notification", tag = "pushes",
    params(("secret" = String, Path, description = "from the seller's `push_url`")),
    request_body(content = Object, example = json!({"notificationType": "PING", "time": "2026-11-21T09:00:00Z"})),
    responses((status = 200, description = "taken", body = Object,
        example = json!({"version": "0.1.0", "name": "chat-center", "time": "2026-11-21T09:00:00.000Z"})))
)]
pub fn take_yandex_notification(
    state: State<AppState>,
    secret: PathSecret,
    body: Bytes,
) -> Ready<ApiResult<Response>> {
    take_yandex_push(state, secret, body)
}

fn take(
    state: &AppState,
    marketplace: Marketplace,
    secret: &str,
    body: &[u8],
) -> ApiResult<Response> {
    let shop = read_address(&state.ctx.push_secret, marketplace, secret);
    let (tenant, seller) = shop.ok_or(codes::NOT_FOUND)?;
    let reply = parse_push(marketplace, body, state.ctx.clock.now());
    if reply.wakes {
        wake(state, tenant, seller);
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    Ok((status, axum::Json(reply.body)).into_response())
}

/// Makes the shop due, without keeping the marketplace waiting.
fn wake(state: &AppState, tenant: TenantId, public_id: Uuid) {
    let task = state.clone();
    state.after_commit(move |ctx| async move {
        let waking = async {
            let mut conn = ctx.pool.get().await?;
            let seller = sellers::find_by_public_id(&mut conn, tenant, public_id).await?;
            if let Some(seller) = seller
                && sellers::wake(&mut conn, tenant, seller.id, ctx.clock.now()).await?
            {
                hurry(&task, &seller);
            }
            anyhow::Ok(())
        };
        match timeout(WOKEN_WITHIN, waking).await {
            Ok(Ok(())) => metrics::counter!("pushes_taken_total").increment(1),
            Ok(Err(error)) => tracing::warn!(%tenant, %error, "a push did not wake its shop"),
            Err(_) => tracing::warn!(%tenant, "a push did not wake its shop in time"),
        }
    });
}
