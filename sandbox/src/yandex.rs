//! What does Yandex Market answer? (FACTS §3)

mod access;
mod body;
mod chats;
mod messages;
mod send;

use axum::http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock;
use crate::incoming::Incoming;
use crate::limits::Counted;
use crate::world::{Marketplace, World};

const MARKET: Marketplace = Marketplace::YandexMarket;
const MAX_PARALLEL: u32 = 2;
const MAX_JSON_BYTES: usize = 512 << 10;
const FILES: &str = "/files/";

/// Whether a request to this path is a send, which the journal notes as received.
pub(crate) fn is_send(method: &Method, path: &str) -> bool {
    let is_text = path.ends_with("/chats/message") && path.starts_with("/v2/businesses/");
    method == Method::POST && (is_text || path.ends_with("/chats/file/send"))
}

/// The text a send carries, for the journal.
pub(crate) fn sent_text(incoming: &Incoming) -> Option<String> {
    let body: Value = serde_json::from_slice(&incoming.body).ok()?;
    Some(body.get("message")?.as_str()?.to_owned())
}

/// The shop a request claims to come from, before any check.
pub(crate) fn claimed_shop(world: &World, incoming: &Incoming) -> Option<usize> {
    world.shop_by_key(MARKET, access::key(incoming)?)
}

/// Answers one request; `parallel` requests of the shop are under way, this one included.
pub(crate) fn answer(world: &mut World, incoming: &Incoming, parallel: u32) -> Answer {
    if incoming.path.starts_with(FILES) {
        return messages::file(world, incoming);
    }
    let route = match route(incoming) {
        Ok(route) => route,
        Err(answer) => return answer,
    };
    let shop = match access::enter(world, incoming, route) {
        Ok(shop) => shop,
        Err(answer) => return with_limits(answer, route, free(world, route)),
    };
    let now = world.now();
    let counted = world
        .limits
        .count_hour(shop, route.name, route.per_hour, now);
    if parallel > MAX_PARALLEL {
        let answer = too_many("Hit rate limit of 2 parallel requests");
        return with_limits(answer, route, counted);
    }
    if !counted.is_allowed {
        let text = format!(
            "Hit rate limit of {} points per hour for resource {}",
            route.per_hour, route.name
        );
        return with_limits(too_many(&text), route, counted);
    }
    let answer = access::check_business(world, shop, incoming)
        .and_then(|()| (route.handler)(world, shop, incoming));
    with_limits(answer.unwrap_or_else(|answer| answer), route, counted)
}

/// The refusal for too many requests, on request.
pub(crate) fn too_many_on_request(world: &mut World, incoming: &Incoming, seconds: i64) -> Answer {
    let text = "Hit rate limit of 2 parallel requests";
    let answer = too_many(text).with_header("retry-after", seconds);
    let Ok(route) = route(incoming) else {
        return answer;
    };
    let counted = Counted {
        is_allowed: false,
        remaining: 0,
        until: world.now() + seconds * 1000,
    };
    with_limits(answer, route, counted)
}

/// An error without a cause of its own.
pub(crate) fn failure(status: u16) -> Answer {
    let code = match status {
        400 => "BAD_REQUEST",
        401 => "UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "NOT_FOUND",
        420 => return too_many("Hit rate limit of 2 parallel requests"),
        423 => "LOCKED",
        503 => "SERVICE_UNAVAILABLE",
        _ => "INTERNAL_SERVER_ERROR",
    };
    error(status, code, "failure on request")
}

type Handler = fn(&mut World, usize, &Incoming) -> Result<Answer, Answer>;

/// A method with its limit.
#[derive(Clone, Copy)]
struct Route {
    name: &'static str,
    per_hour: u32,
    is_write: bool,
    handler: Handler,
}

fn route(incoming: &Incoming) -> Result<Route, Answer> {
    let rest = incoming.path.strip_prefix("/v2/businesses/");
    let rest = rest.and_then(|rest| rest.split_once('/'));
    let Some((_, rest)) = rest else {
        return Err(error(404, "NOT_FOUND", "Not found"));
    };
    let is_post = incoming.method == Method::POST;
    let is_get = incoming.method == Method::GET;
    let (name, per_hour, is_write, is_allowed, handler) = match rest {
        "chats" => ("getChats", 5000, false, is_post, chats::list as Handler),
        "chat" => ("getChat", 1000, false, is_get, chats::one as Handler),
        "chats/history" => (
            "getChatHistory",
            10_000,
            false,
            is_post,
            messages::history as Handler,
        ),
        "chats/message" if is_get => (
            "getChatMessage",
            1000,
            false,
            true,
            messages::one as Handler,
        ),
        "chats/message" => (
            "sendMessageToChat",
            1000,
            true,
            is_post,
            send::message as Handler,
        ),
        "chats/file/send" => ("sendFileToChat", 1000, true, is_post, send::file as Handler),
        "chats/new" => ("createChat", 1000, true, is_post, send::create as Handler),
        _ => return Err(error(404, "NOT_FOUND", "Not found")),
    };
    if !is_allowed {
        let text = format!("Request method '{}' is not supported", incoming.method);
        return Err(error(405, "METHOD_NOT_ALLOWED", &text));
    }
    Ok(Route {
        name,
        per_hour,
        is_write,
        handler,
    })
}

fn with_limits(answer: Answer, route: Route, counted: Counted) -> Answer {
    answer
        .with_header("x-ratelimit-resource-limit", route.per_hour)
        .with_header("x-ratelimit-resource-remaining", counted.remaining)
        .with_header(
            "x-ratelimit-resource-until",
            clock::http_date(counted.until),
        )
}

fn free(world: &mut World, route: Route) -> Counted {
    Counted {
        is_allowed: true,
        remaining: route.per_hour,
        until: world.now() + clock::HOUR,
    }
}

fn ok(result: &Value) -> Answer {
    Answer::json(200, &json!({"status": "OK", "result": result}))
}

fn error(status: u16, code: &str, message: &str) -> Answer {
    let errors = json!([{"code": code, "message": message}]);
    Answer::json(status, &json!({"status": "ERROR", "errors": errors}))
}

fn bad_request(message: &str) -> Answer {
    error(400, "BAD_REQUEST", message)
}

fn too_many(message: &str) -> Answer {
    error(420, "ENHANCE_YOUR_CALM", message)
}
