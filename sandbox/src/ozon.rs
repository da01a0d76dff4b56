//! What does Ozon answer? (FACTS §1)

mod access;
mod fields;
mod list;
mod messages;
mod send;

use axum::http::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::incoming::Incoming;
use crate::world::{Marketplace, World};

use fields::Fields;
pub(crate) use messages::{markdown, user_type};

const REQUESTS_PER_SECOND: usize = 50;
const FILES: &str = "/v2/chat/file/";

/// Whether a request to this path is a send, which the journal notes as received.
pub(crate) fn is_send(method: &Method, path: &str) -> bool {
    method == Method::POST && matches!(path, "/v1/chat/send/message" | "/v1/chat/send/file")
}

/// The text a send carries, for the journal.
pub(crate) fn sent_text(incoming: &Incoming) -> Option<String> {
    let body: Value = serde_json::from_slice(&incoming.body).ok()?;
    Some(body.get("text")?.as_str()?.to_owned())
}

/// The shop a request claims to come from, before any check.
pub(crate) fn claimed_shop(world: &World, incoming: &Incoming) -> Option<usize> {
    access::claimed_shop(world, incoming)
}

/// Answers one request.
pub(crate) fn answer(world: &mut World, incoming: &Incoming) -> Answer {
    let is_file = incoming.path.starts_with(FILES);
    let Some(handler) = handler(&incoming.path) else {
        return if is_file {
            download(world, incoming)
        } else {
            Answer::raw(404, "text/plain; charset=utf-8", "404 page not found")
        };
    };
    if incoming.method != Method::POST {
        return error(405, 12, "method is not allowed");
    }
    let shop = match access::enter(world, incoming) {
        Ok(shop) => shop,
        Err(answer) => return answer,
    };
    let fields = match Fields::of(incoming) {
        Ok(fields) => fields,
        Err(answer) => return answer,
    };
    handler(world, shop, incoming, &fields).unwrap_or_else(|answer| answer)
}

/// The refusal for too many requests.
pub(crate) fn too_many(retry_after: i64) -> Answer {
    let text = "You have reached request rate limit per second";
    Answer::json(429, &json!({"code": 8, "message": text}))
        .with_header("ratelimit-remaining", 0)
        .with_header("retry-after", retry_after)
}

/// An error without a cause of its own.
pub(crate) fn failure(status: u16) -> Answer {
    let (code, text) = match status {
        400 => (3, "Request validation error"),
        401 => (16, "unauthenticated"),
        403 => (7, "Api-Key is missing a required role for a method"),
        404 => (5, "not found"),
        409 => (10, "conflict"),
        429 => return too_many(1),
        503 => (14, "Circle is open"),
        _ => (13, "Internal error"),
    };
    error(status, code, text)
}

type Handler = fn(&mut World, usize, &Incoming, &Fields) -> Result<Answer, Answer>;

fn handler(path: &str) -> Option<Handler> {
    Some(match path {
        "/v3/chat/list" => list::list,
        "/v3/chat/history" => messages::history,
        "/v1/chat/send/message" => send::message,
        "/v1/chat/send/file" => send::file,
        "/v1/chat/start" => send::start,
        "/v2/chat/read" => messages::read,
        "/v1/roles" => access::roles,
        _ => return None,
    })
}

fn error(status: u16, code: i32, text: &str) -> Answer {
    let body = json!({"code": code, "message": text, "details": []});
    Answer::json(status, &body)
}

fn invalid(text: &str) -> Answer {
    error(400, 3, &format!("Request validation error: {text}"))
}

// a file needs the credentials of its shop (FACTS §1.5, §4.4)
fn download(world: &mut World, incoming: &Incoming) -> Answer {
    if incoming.method != Method::GET {
        return error(405, 12, "method is not allowed");
    }
    let shop = match access::enter(world, incoming) {
        Ok(shop) => shop,
        Err(answer) => return answer,
    };
    let id = incoming.path[FILES.len()..].split('/').nth(1);
    let found = id.and_then(|id| world.file(id));
    match found.filter(|file| file.shop == shop) {
        Some(file) => Answer::raw(200, known_type(&file.content_type), file.content.clone()),
        None => error(404, 5, "file not found"),
    }
}

/// The type as a constant, since it goes into a header.
fn known_type(kind: &str) -> &'static str {
    match kind {
        "image/png" => "image/png",
        "image/jpeg" => "image/jpeg",
        "image/gif" => "image/gif",
        "image/webp" => "image/webp",
        "application/pdf" => "application/pdf",
        "text/plain" => "text/plain",
        _ => "application/octet-stream",
    }
}

const MARKET: Marketplace = Marketplace::Ozon;
