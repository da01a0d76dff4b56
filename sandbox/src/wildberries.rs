//! What does Wildberries answer? (FACTS §2)

mod access;
mod events;
mod files;
mod send;

use axum::http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock;
use crate::ids;
use crate::incoming::Incoming;
use crate::limits::Rate;
use crate::world::{Chat, Marketplace, Quirk, World};

const MARKET: Marketplace = Marketplace::Wildberries;
const GATE: &str = "s2s-api-auth-catalog";
const CHATS: &str = "proxy-chats";
const DOWNLOAD: &str = "/api/v1/seller/download/";

/// Whether a request to this path is a send, which the journal notes as received.
pub(crate) fn is_send(method: &Method, path: &str) -> bool {
    method == Method::POST && path == "/api/v1/seller/message"
}

/// The text a send carries, for the journal.
pub(crate) fn sent_text(incoming: &Incoming) -> Option<String> {
    send::field(incoming, "message")
}

/// The shop a request claims to come from, before any check.
pub(crate) fn claimed_shop(world: &World, incoming: &Incoming) -> Option<usize> {
    world.shop_by_key(MARKET, access::token(incoming)?)
}

/// Answers one request.
pub(crate) fn answer(world: &mut World, incoming: &Incoming) -> Answer {
    let Some(route) = route(incoming) else {
        let detail = "Please consult the https://dev.wildberries.ru/openapi/api-information";
        return gate_error(world, 404, "path not found", detail, GATE);
    };
    let shop = match access::enter(world, incoming, &route) {
        Ok(shop) => shop,
        Err(answer) => return answer,
    };
    let rate = if world.shops[shop].token_type == 1 {
        route.base_rate
    } else {
        route.rate
    };
    let now = world.now();
    let taken = world.limits.take_token(shop, route.name, rate, now);
    if !taken.is_allowed {
        let answer = too_many(world, shop);
        return answer
            .with_header("x-ratelimit-retry", taken.retry_seconds)
            .with_header("x-ratelimit-limit", rate.burst)
            .with_header("x-ratelimit-reset", taken.reset_seconds);
    }
    let answer = match route.name {
        "chats" => chats(world, shop, incoming),
        "events" => events::events(world, shop, incoming),
        "message" => send::message(world, shop, incoming),
        "download" => files::download(world, shop, &incoming.path[DOWNLOAD.len()..]),
        "ping" => ping(now),
        _ => seller_info(world, shop),
    };
    answer.with_header("x-ratelimit-remaining", taken.remaining)
}

/// The refusal for too many requests, on request.
pub(crate) fn too_many_on_request(world: &mut World, seconds: i64) -> Answer {
    too_many(world, 0)
        .with_header("x-ratelimit-retry", seconds)
        .with_header("x-ratelimit-limit", 10)
        .with_header("x-ratelimit-reset", seconds + 9)
        .with_header("retry-after", seconds)
}

/// An error without a cause of its own.
pub(crate) fn failure(world: &mut World, status: u16) -> Answer {
    let (title, detail) = match status {
        400 => return bad_request(world, "Invalid signature"),
        401 => ("unauthorized", "token problem; token is expired"),
        402 => return access::payment_required(),
        403 => ("Forbidden", "scope is not allowed for this resource"),
        404 => ("path not found", "not found"),
        429 => return too_many_on_request(world, 1),
        503 => ("Service Unavailable", "service is temporarily unavailable"),
        _ => ("Internal Server Error", "internal error"),
    };
    gate_error(world, status, title, detail, CHATS)
}

/// A method with its limits.
struct Route {
    name: &'static str,
    rate: Rate,
    base_rate: Rate,
    is_write: bool,
    needs_category: bool,
}

fn route(incoming: &Incoming) -> Option<Route> {
    let (name, method) = match incoming.path.as_str() {
        "/ping" => ("ping", Method::GET),
        "/api/v1/seller-info" => ("seller-info", Method::GET),
        "/api/v1/seller/chats" => ("chats", Method::GET),
        "/api/v1/seller/events" => ("events", Method::GET),
        "/api/v1/seller/message" => ("message", Method::POST),
        path if path.len() > DOWNLOAD.len() && path.starts_with(DOWNLOAD) => {
            ("download", Method::GET)
        }
        _ => return None,
    };
    let rate = |interval_ms, burst| Rate { interval_ms, burst };
    let (usual, base) = match name {
        "ping" => (rate(10_000, 3), rate(10_000, 3)),
        "seller-info" => (rate(60_000, 10), rate(86_400_000, 1)),
        "download" => (rate(1000, 10), rate(360_000, 1)),
        _ => (rate(1000, 10), rate(3_600_000, 1)),
    };
    (incoming.method == method).then_some(Route {
        name,
        rate: usual,
        base_rate: base,
        is_write: name == "message",
        needs_category: name != "seller-info",
    })
}

// all chats of the seller, each with the signature that is valid now (FACTS §2.4)
fn chats(world: &mut World, shop: usize, incoming: &Incoming) -> Answer {
    let now = world.now();
    let shop = &world.shops[shop];
    let with_nulls = shop.has(Quirk::Nulls);
    let is_empty = shop.has(Quirk::EmptyChats);
    let places = shop.chats.iter().rev().filter(|_| !is_empty);
    let chats = places.map(|place| &world.chats[*place]);
    let items = chats.map(|chat| {
        let mut item = json!({
            "chatID": chat.id,
            "replySign": world.sign_of(chat),
            "clientName": chat.buyer_name,
            "goodCard": good_card(chat),
        });
        match chat.last_listed(now) {
            Some(last) => {
                let text = last.text.as_deref().unwrap_or_default();
                item["lastMessage"] =
                    json!({"text": shown(last.author, text), "addTimestamp": last.at});
            }
            None if with_nulls => item["lastMessage"] = Value::Null,
            None => {}
        }
        item
    });
    let items = incoming.twist.apply(items.collect());
    Answer::json(200, &json!({"result": items, "errors": null}))
}

fn good_card(chat: &Chat) -> Value {
    json!({
        "nmID": chat.context.sku.unwrap_or_default(),
        "price": chat.context.price,
        "priceCurrency": "RUB",
        "rid": chat.context.order.as_deref().unwrap_or_default(),
        "size": "0",
    })
}

// a seller's text comes back trimmed
fn shown(author: crate::world::Author, text: &str) -> &str {
    match author {
        crate::world::Author::Seller => text.trim(),
        _ => text,
    }
}

fn ping(now: i64) -> Answer {
    let body = json!({"TS": clock::moscow_seconds(now), "Status": "OK"});
    Answer::json(200, &body)
}

fn seller_info(world: &World, shop: usize) -> Answer {
    let shop = &world.shops[shop];
    let tin = ids::mix(world.seed, &shop.seller, 0) % 9_000_000_000 + 1_000_000_000;
    let body = json!({
        "name": format!("ООО «{}»", shop.name), "sid": shop.seller,
        "tin": tin.to_string(), "tradeMark": shop.name,
    });
    Answer::json(200, &body)
}

// an error of the chat service itself (FACTS §2.6)
fn bad_request(world: &World, detail: &str) -> Answer {
    Answer::problem(400, &chat_error(world, "Bad Request", detail))
}

fn chat_error(world: &World, title: &str, detail: &str) -> Value {
    json!({
        "status": 400, "title": title, "origin": CHATS, "detail": detail,
        "requestId": request_id(world), "error": detail,
    })
}

// an error of the gate before the service (FACTS §2.8)
fn gate_error(world: &mut World, status: u16, title: &str, detail: &str, origin: &str) -> Answer {
    let reason = axum::http::StatusCode::from_u16(status).ok();
    let reason = reason.and_then(|status| status.canonical_reason());
    let id = request_id(world);
    let body = json!({
        "title": title, "detail": detail, "code": format!("07e4668e-{}", &id[..12]),
        "requestId": id, "origin": origin, "status": status,
        "statusText": reason.unwrap_or_default(),
        "timestamp": clock::iso_seconds(world.now()),
    });
    Answer::problem(status, &body)
}

fn too_many(world: &mut World, shop: usize) -> Answer {
    let place = u64::try_from(shop).unwrap_or(0);
    let detail = format!("limited by {}", ids::uuid(world.seed, "limit", place));
    gate_error(world, 429, "too many requests", &detail, GATE)
}

fn request_id(world: &World) -> String {
    ids::hex(world.seed, "request", world.journal.next_seq(), 32)
}
