//! Are a request's parameters and body what the specification of Yandex Market asks for?

use serde_json::{Map, Value};

use crate::answer::Answer;
use crate::incoming::Incoming;
use crate::world::World;

use super::{MAX_JSON_BYTES, bad_request, error};

/// The object in a request's body, which must be there even if empty.
pub(super) fn object(incoming: &Incoming) -> Result<Map<String, Value>, Answer> {
    if incoming.body.len() > MAX_JSON_BYTES {
        return Err(bad_request("Request body must not exceed 512 KB"));
    }
    if incoming.body.is_empty() {
        return Err(bad_request("Required request body is missing"));
    }
    if !incoming.says_json() {
        return Err(bad_request("Content-Type must be application/json"));
    }
    match serde_json::from_slice(&incoming.body) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(bad_request("Request body is not a JSON object")),
    }
}

/// A positive number in the query, which must be there.
pub(super) fn query_id(incoming: &Incoming, name: &str) -> Result<u64, Answer> {
    let Some(text) = incoming.query(name) else {
        return Err(bad_request(&format!("Missing required parameter: {name}")));
    };
    positive(text).ok_or_else(|| bad_request(&format!("{name}: must be a positive integer")))
}

/// The chat which the query names, if it is the shop's.
pub(super) fn chat(world: &World, shop: usize, incoming: &Incoming) -> Result<usize, Answer> {
    let id = query_id(incoming, "chatId")?;
    world
        .chat_in_shop(shop, &id.to_string())
        .ok_or_else(|| error(404, "NOT_FOUND", &format!("Chat {id} not found")))
}

/// The page size, within its limits.
pub(super) fn limit(incoming: &Incoming, default: usize, most: usize) -> Result<usize, Answer> {
    let Some(text) = incoming.query("limit") else {
        return Ok(default);
    };
    let number = text.parse::<usize>().ok();
    number
        .filter(|number| (1..=most).contains(number))
        .ok_or_else(|| bad_request(&format!("limit: must be between 1 and {most}")))
}

/// The page token under either of its names.
pub(super) fn page_token(incoming: &Incoming, mark: char) -> Result<Option<u64>, Answer> {
    let token = incoming
        .query("pageToken")
        .or_else(|| incoming.query("page_token"));
    let Some(token) = token.filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    let number = token.strip_prefix(mark);
    let number = number.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number
        .map(Some)
        .ok_or_else(|| bad_request("pageToken: invalid value"))
}

/// Makes a page token.
pub(super) fn make_token(mark: char, number: u64) -> String {
    format!("{mark}{number:012x}")
}

/// A list in the body: null is none; empty, repeated or odd items are refused.
pub(super) fn list<T>(
    body: &Map<String, Value>,
    name: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Option<Vec<T>>, Answer> {
    let items = match body.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(bad_request(&format!("{name}: must be an array"))),
    };
    if items.is_empty() {
        return Err(bad_request(&format!("{name}: must not be empty")));
    }
    let is_repeated = (1..items.len()).any(|at| items[..at].contains(&items[at]));
    if is_repeated {
        return Err(bad_request(&format!("{name}: must contain unique items")));
    }
    let read: Option<Vec<T>> = items.iter().map(read).collect();
    read.map(Some)
        .ok_or_else(|| bad_request(&format!("{name}: invalid value")))
}

/// One of some words.
pub(super) fn word(value: &Value, words: &[&'static str]) -> Option<&'static str> {
    let text = value.as_str()?;
    words.iter().find(|word| **word == text).copied()
}

/// A positive number in the body; null is none.
pub(super) fn id(body: &Map<String, Value>, name: &str) -> Result<Option<u64>, Answer> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value
            .as_u64()
            .filter(|number| *number > 0)
            .map(Some)
            .ok_or_else(|| bad_request(&format!("{name}: must be a positive integer"))),
    }
}

fn positive(text: &str) -> Option<u64> {
    let number: i64 = text.parse().ok()?;
    u64::try_from(number).ok().filter(|number| *number > 0)
}
