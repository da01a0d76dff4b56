//! Begins a chat about an order, where the marketplace lets a shop do so.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use common::db::chat_starts::{self, ChatStart, NewChatStart};
use common::db::chats;
use common::db::sellers::{self, Seller};
use common::domain::chat_starts::{StartProblem, StartState};
use common::ids::{ChatId, ChatStartId, SellerId, TenantId};
use common::jobs::{Job, StartChat};
use common::marketplaces::profile;
use common::views::ChatView;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use super::find;
use crate::access::{Access, Staff};
use crate::http::{ApiError, ApiResult, Code, Json, PathId, Problems, Validate, codes};
use crate::openapi::examples;
use crate::state::AppState;

/// How long a client waits for the worker; afterwards it may ask for the start.
const DONE_WITHIN: Duration = Duration::from_secs(8);
const LOOKED_EVERY: Duration = Duration::from_millis(100);
const LONGEST_ORDER_CHARS: usize = 100;

/// The order to begin a chat about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChat {
    #[schema(value_type = i64)]
    seller_id: SellerId,
    /// Ozon: the posting's number; Yandex Market: the order's. 1 to 100 characters.
    order_id: String,
}

impl Validate for NewChat {
    fn validate(&self, problems: &mut Problems) {
        let is_fit = (1..=LONGEST_ORDER_CHARS).contains(&self.order_id.trim().chars().count());
        problems.require(is_fit, "order_id", "must be 1 to 100 characters");
    }
}

/// How far the beginning of a chat is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatStart)]
pub struct ChatStartView {
    #[schema(value_type = i64)]
    id: ChatStartId,
    #[schema(value_type = i64)]
    seller_id: SellerId,
    order_id: String,
    state: StartState,
    /// The chat, once it is there.
    #[schema(value_type = Option<i64>)]
    chat_id: Option<ChatId>,
    /// Why there will be none.
    error: Option<ChatStartError>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Why there will be no chat.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChatStartError {
    code: StartProblem,
    /// The marketplace's own words, if it said any.
    message: String,
}

impl From<ChatStart> for ChatStartView {
    fn from(start: ChatStart) -> Self {
        let error = start.error_code.map(|code| ChatStartError {
            code,
            message: words(code, start.error_message.as_deref()),
        });
        Self {
            id: start.id,
            seller_id: start.seller_id,
            order_id: start.order_id,
            state: start.state,
            chat_id: start.chat_id,
            error,
            created_at: start.created_at,
            updated_at: start.updated_at,
        }
    }
}

/// Begins a chat about an order, or gives the one there is.
///
/// The worker asks the marketplace. What takes longer than 8 s is answered with 202 and where to ask
/// on (`Location`); the chat also comes as `chat.updated`.
#[utoipa::path(
    post, path = "/api/chats", tag = "chats", security(("bearer" = [])),
    request_body(content = NewChat, example = json!({"seller_id": 1, "order_id": "0137-1234-1"})),
    responses(
        (status = 200, description = "was there before", body = ChatView, example = json!(examples::chat())),
        (status = 201, description = "begun", body = ChatView, example = json!(examples::chat())),
        (status = 202, description = "goes on", body = ChatStartView,
            headers(("location" = String, description = "where to ask on")),
            example = json!(examples::chat_start())),
        (status = 404, description = "`seller_not_found`, `order_not_found`"),
        (status = 409, description = "`cannot_start_chat`, `window_closed`, `seller_read_only`, `seller_inactive`"),
        (status = 422, description = "`validation_failed`, `seller_key_rejected`"),
        (status = 503, description = "`marketplace_unavailable`"),
    )
)]
pub async fn create_chat(
    State(state): State<AppState>,
    staff: Staff,
    Json(body): Json<NewChat>,
) -> ApiResult<Response> {
    let (tenant, order) = (staff.tenant, body.order_id.trim());
    let seller = startable(&state, tenant, body.seller_id).await?;
    let known = state
        .read(async |conn| chats::find_by_order(conn, tenant, seller.id, order).await)
        .await?;
    if let Some(chat) = known {
        let view = ChatView::new(&chat, state.ctx.clock.now());
        return Ok((StatusCode::OK, Json(view)).into_response());
    }
    let start = want(&state, &staff, &seller, order).await?;
    let start = wait(&state, start).await?;
    match (start.state, start.chat_id) {
        (StartState::Done, Some(chat)) => {
            let chat = find(&state, tenant, chat).await?;
            let view = ChatView::new(&chat, state.ctx.clock.now());
            Ok((StatusCode::CREATED, Json(view)).into_response())
        }
        (StartState::Failed, _) => Err(refused(&start)),
        _ => {
            let place = format!("/api/chat-starts/{}", start.id);
            let view = Json(ChatStartView::from(start));
            Ok((StatusCode::ACCEPTED, [(LOCATION, place)], view).into_response())
        }
    }
}

/// Shows how far the beginning of a chat is.
#[utoipa::path(
    get, path = "/api/chat-starts/{id}", tag = "chats", security(("bearer" = [])),
    params(("id" = i64, Path, description = "the start's id")),
    responses((status = 200, description = "how far it is", body = ChatStartView, example = json!(examples::chat_start())))
)]
pub async fn get_chat_start(
    State(state): State<AppState>,
    staff: Staff,
    PathId(id): PathId<ChatStartId>,
) -> ApiResult<Json<ChatStartView>> {
    let start = look_up(&state, staff.tenant, id).await?;
    Ok(Json(start.into()))
}

/// The shop, if a chat can be begun with its key.
async fn startable(state: &AppState, tenant: TenantId, id: SellerId) -> ApiResult<Seller> {
    let seller = state
        .read(async |conn| sellers::find(conn, tenant, id).await)
        .await?;
    let seller = seller.ok_or(codes::SELLER_NOT_FOUND)?;
    let may_send = seller.capabilities().is_none_or(|may| may.send);
    let problem = if !profile(seller.marketplace).starts_chats {
        StartProblem::CannotStart
    } else if !seller.is_active {
        StartProblem::SellerInactive
    } else if !may_send {
        StartProblem::ReadOnly
    } else {
        return Ok(seller);
    };
    Err(code_of(problem).into())
}

/// Stores the wish, unless somebody has the same, and hurries the worker.
async fn want(
    state: &AppState,
    access: &Access,
    seller: &Seller,
    order: &str,
) -> ApiResult<ChatStart> {
    let (tenant, now) = (access.tenant, state.ctx.clock.now());
    let wish = NewChatStart {
        tenant_id: tenant,
        seller_id: seller.id,
        channel: seller.marketplace,
        order_id: order,
        user_id: access.user,
        state: StartState::Wanted,
        due_at: now,
        created_at: now,
        updated_at: now,
    };
    let mut conn = state.conn().await?;
    let start = match chat_starts::insert_new(&mut conn, &wish).await? {
        Some(start) => start,
        None => {
            let found = chat_starts::find_wanted(&mut conn, tenant, seller.id, order).await?;
            // It ended between the two.
            found.ok_or(codes::BUSY)?
        }
    };
    let queue = StartChat::queue(seller.marketplace);
    let job = StartChat {
        tenant,
        start: start.id,
    };
    state.after_commit(move |ctx| async move { ctx.jobs.hurry(&queue, &job).await });
    Ok(start)
}

/// The start when it has ended, or as it is when that takes too long.
async fn wait(state: &AppState, mut start: ChatStart) -> ApiResult<ChatStart> {
    let until = Instant::now() + DONE_WITHIN;
    while start.state == StartState::Wanted && Instant::now() < until {
        tokio::select! {
            () = sleep(LOOKED_EVERY) => {}
            () = state.stop.cancelled() => return Ok(start),
        }
        start = look_up(state, start.tenant_id, start.id).await?;
    }
    Ok(start)
}

async fn look_up(state: &AppState, tenant: TenantId, id: ChatStartId) -> ApiResult<ChatStart> {
    let found = state
        .read(async |conn| chat_starts::find(conn, tenant, id).await)
        .await?;
    found.ok_or_else(|| codes::CHAT_START_NOT_FOUND.into())
}

fn refused(start: &ChatStart) -> ApiError {
    let problem = start.error_code.unwrap_or(StartProblem::CannotStart);
    let words = words(problem, start.error_message.as_deref());
    ApiError::from(code_of(problem)).with_message(words)
}

/// What the marketplace said, or what we say to it.
fn words(problem: StartProblem, said: Option<&str>) -> String {
    said.unwrap_or(code_of(problem).message).to_owned()
}

fn code_of(problem: StartProblem) -> &'static Code {
    match problem {
        StartProblem::CannotStart => codes::CANNOT_START_CHAT,
        StartProblem::OrderNotFound => codes::ORDER_NOT_FOUND,
        StartProblem::WindowClosed => codes::WINDOW_CLOSED,
        StartProblem::ReadOnly => codes::SELLER_READ_ONLY,
        StartProblem::KeyRejected => codes::SELLER_KEY_REJECTED,
        StartProblem::SellerInactive => codes::SELLER_INACTIVE,
        StartProblem::Unavailable => codes::MARKETPLACE_UNAVAILABLE,
    }
}
