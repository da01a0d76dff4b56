//! How do tests and people steer the world?

mod chats;
mod faults;
mod llm;
mod seed;
mod shops;
mod state;
mod write;

use std::sync::Arc;

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Json, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

pub(crate) use chats::ChatRequest;
pub use chats::StoredMessage;
pub use faults::FaultRequest;
use llm::LlmRequest;
pub use seed::SeedRequest;
pub use shops::ShopRequest;
pub use write::{CabinetRequest, FileRequest, WriteRequest, Written};

use crate::llm::Speed;
use crate::server::App;
use crate::world::{Change, Marketplace, World};

/// Why a control request is refused.
#[derive(Debug)]
pub struct Refused {
    /// HTTP status.
    pub status: StatusCode,
    /// What is wrong.
    pub error: String,
}

impl Refused {
    fn unknown(what: &str) -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            error: format!("unknown {what}"),
        }
    }

    fn wrong(error: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error: error.into(),
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&self.error)
    }
}

impl std::error::Error for Refused {}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": self.error}))).into_response()
    }
}

/// All paths under `/control`; mails will get theirs here.
pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/buyers", post(set_buyers))
        .route("/buyers/write", post(write_as_buyer))
        .route("/cabinet/write", post(write_in_cabinet))
        .route("/faults", post(add_fault).delete(clear_faults))
        .route("/clock", post(move_clock))
        .route("/shops", post(put_shop))
        .route("/seed", post(seed_load))
        .route("/chats", post(change_chat).get(read_chat))
        .route("/llm", post(put_llm_speed).get(read_llm))
        .route("/journal", get(journal))
        .route("/state", get(read_state))
}

/// Automatic buyers' rate.
#[derive(Debug, Deserialize)]
struct BuyersRequest {
    per_minute: f64,
    odd: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct ClockRequest {
    #[serde(default)]
    advance_ms: i64,
}

#[derive(Debug, Deserialize)]
struct JournalQuery {
    #[serde(default)]
    after: u64,
}

#[derive(Debug, Deserialize)]
struct TargetQuery {
    target: Option<String>,
}

type Shared = State<Arc<App>>;
type Answer = Result<Json<Value>, Refused>;

async fn set_buyers(State(app): Shared, Strict(body): Strict<BuyersRequest>) -> Answer {
    if !(0.0..=6000.0).contains(&body.per_minute) {
        return Err(Refused::wrong("per_minute must be between 0 and 6000"));
    }
    change(&app, |world| {
        let odd = body.odd.unwrap_or(world.buyers_are_odd);
        world.record(Change::Buyers(body.per_minute, odd));
        Ok(json!({"per_minute": body.per_minute, "odd": odd}))
    })
}

async fn write_as_buyer(State(app): Shared, Strict(body): Strict<WriteRequest>) -> Answer {
    change(&app, |world| write::write_as_buyer(world, body))
}

async fn write_in_cabinet(State(app): Shared, Strict(body): Strict<CabinetRequest>) -> Answer {
    change(&app, |world| write::write_in_cabinet(world, body))
}

async fn add_fault(State(app): Shared, Strict(body): Strict<FaultRequest>) -> Answer {
    change(&app, |world| faults::put(world, body))
}

async fn clear_faults(State(app): Shared, Query(query): Query<TargetQuery>) -> Answer {
    change(&app, |world| {
        world.record(Change::NoFaults(query.target));
        Ok(json!({"faults": []}))
    })
}

async fn move_clock(State(app): Shared, Strict(body): Strict<ClockRequest>) -> Answer {
    if body.advance_ms < 0 {
        return Err(Refused::wrong("advance_ms must not be negative"));
    }
    change(&app, |world| {
        world.advance(body.advance_ms);
        let now = world.now();
        Ok(json!({"now": crate::clock::iso_ms(now)}))
    })
}

async fn put_shop(State(app): Shared, Strict(body): Strict<ShopRequest>) -> Response {
    match shops::put_and_ping(&app, body).await {
        Ok((is_new, shop)) => {
            let status = if is_new {
                StatusCode::CREATED
            } else {
                StatusCode::OK
            };
            (status, Json(shop)).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

async fn seed_load(State(app): Shared, Strict(body): Strict<SeedRequest>) -> Answer {
    change(&app, |world| seed::load(world, &body))
}

async fn change_chat(State(app): Shared, Strict(body): Strict<ChatRequest>) -> Answer {
    change(&app, |world| chats::change(world, body))
}

async fn read_chat(State(app): Shared, Query(query): Query<ChatRequest>) -> Answer {
    let mut world = app.lock();
    chats::read(&mut world, &query).map(Json)
}

async fn put_llm_speed(State(app): Shared, Strict(body): Strict<LlmRequest>) -> Answer {
    change(&app, |world| llm::put(world, &body))
}

async fn read_llm(State(app): Shared) -> Json<Value> {
    Json(llm::read(&app.lock()))
}

async fn journal(State(app): Shared, Query(query): Query<JournalQuery>) -> Json<Value> {
    let entries = app.lock().journal.after(query.after).to_vec();
    Json(json!({"entries": entries}))
}

async fn read_state(State(app): Shared) -> Json<Value> {
    Json(state::read(&mut app.lock()))
}

/// The whole world as JSON.
pub(crate) fn state(world: &mut World) -> Value {
    state::read(world)
}

/// Writes as a buyer.
pub(crate) fn buyer_writes(world: &mut World, request: WriteRequest) -> Result<Written, Refused> {
    write::write_as_buyer(world, request)
}

/// Writes in the marketplace's own cabinet.
pub(crate) fn cabinet_writes(
    world: &mut World,
    request: CabinetRequest,
) -> Result<Written, Refused> {
    write::write_in_cabinet(world, request)
}

/// Puts a fault into force, or takes faults out of it.
pub(crate) fn put_fault(world: &mut World, request: FaultRequest) -> Result<Value, Refused> {
    faults::put(world, request)
}

/// Sets how fast the language model is.
pub(crate) fn set_llm_speed(world: &mut World, speed: Speed) -> Result<Value, Refused> {
    llm::set(world, speed)
}

/// How fast the language model is, and how often it was asked.
pub(crate) fn llm_calls(world: &World) -> Value {
    llm::read(world)
}

/// Opens a shop or changes one, and asks its push address whether it is ready.
pub(crate) async fn put_shop_and_ping(app: &App, request: ShopRequest) -> Result<Value, Refused> {
    shops::put_and_ping(app, request)
        .await
        .map(|(_, shop)| shop)
}

/// Adds shops, chats and messages for load.
pub(crate) fn load(world: &mut World, request: &SeedRequest) -> Result<Value, Refused> {
    seed::load(world, request)
}

/// What a chat holds, hidden messages included.
pub(crate) fn messages(
    world: &World,
    market: Marketplace,
    chat: &str,
) -> Option<Vec<StoredMessage>> {
    chats::messages(world, market, chat)
}

fn change<T: Serialize>(app: &App, act: impl FnOnce(&mut World) -> Result<T, Refused>) -> Answer {
    let outcome = app.change(act).map_err(|error| Refused {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        error: error.to_string(),
    })??;
    serde_json::to_value(outcome)
        .map(Json)
        .map_err(|error| Refused::wrong(error.to_string()))
}

/// JSON whose errors are JSON too; the content type does not matter.
struct Strict<T>(T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequest<S> for Strict<T> {
    type Rejection = Refused;

    async fn from_request(request: axum::extract::Request, state: &S) -> Result<Self, Refused> {
        let bytes = bytes::Bytes::from_request(request, state).await;
        let bytes = bytes.map_err(|error| Refused::wrong(error.to_string()))?;
        let bytes = if bytes.is_empty() { b"{}" } else { &bytes[..] };
        let parsed: Result<Json<T>, JsonRejection> = Json::from_bytes(bytes);
        let Json(value) = parsed.map_err(|error| Refused::wrong(error.body_text()))?;
        Ok(Self(value))
    }
}

/// Reads an id given as a text or as a number; an empty text is none.
fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Ok(match Option::<Value>::deserialize(from)? {
        Some(Value::String(text)) => (!text.is_empty()).then_some(text),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    })
}

/// The shop named, or the first one which `demo` has connected.
fn find_shop(world: &World, market: Marketplace, seller: Option<&str>) -> Result<usize, Refused> {
    let found = match seller {
        Some(seller) => world.shop_by_seller(market, seller),
        None => world.shop_of_tenant(market, "demo"),
    };
    found.ok_or_else(|| Refused::unknown("seller"))
}

/// The chat named; a seller given must own it.
fn find_chat(
    world: &World,
    market: Marketplace,
    seller: Option<&str>,
    chat: &str,
) -> Result<usize, Refused> {
    let place = world.chat_by_id(market, chat);
    let place = place.ok_or_else(|| Refused::unknown("chat"))?;
    if let Some(seller) = seller {
        let shop = find_shop(world, market, Some(seller))?;
        if world.chats[place].shop != shop {
            return Err(Refused::unknown("chat"));
        }
    }
    Ok(place)
}
