//! Jobs that were given up: kept for a page, newest thousand.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use redis::Pipeline;
use redis::streams::StreamRangeReply;

use super::connection::{ConnectionError, Redis};

const DEAD: &str = "jobs:dead";
const BOUND: usize = 1_000;
/// Reasons are cut to this many characters.
const REASON_CHARS: usize = 500;

/// A job that was given up, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id in the stream of dead letters.
    pub id: String,
    /// The queue's full name, such as `deliver_chat:ozon`.
    pub queue: String,
    /// The job as it was queued: JSON, if it was valid.
    pub payload: String,
    pub reason: String,
    /// How often it was started.
    pub attempts: u32,
    pub at: DateTime<Utc>,
}

/// A job about to be given up.
pub(super) struct Burial<'a> {
    pub(super) queue: &'a str,
    pub(super) payload: &'a str,
    pub(super) reason: &'a str,
    pub(super) attempts: u32,
}

/// Adds the burial to a pipeline.
pub(super) fn bury(pipeline: &mut Pipeline, redis: &Redis, burial: &Burial<'_>) {
    let reason: String = burial.reason.chars().take(REASON_CHARS).collect();
    pipeline
        .cmd("XADD")
        .arg(redis.key(DEAD))
        .arg(&["MAXLEN", "~"])
        .arg(BOUND)
        .arg("*")
        .arg(&[("queue", burial.queue), ("payload", burial.payload)])
        .arg(&[("reason", reason)])
        .arg("attempts")
        .arg(burial.attempts)
        .ignore();
}

/// The newest dead letters, newest first.
pub(super) async fn list(redis: &Redis, limit: usize) -> Result<Vec<DeadLetter>, ConnectionError> {
    let mut range = redis::cmd("XREVRANGE");
    range
        .arg(redis.key(DEAD))
        .arg(&["+", "-", "COUNT"])
        .arg(limit);
    let found: StreamRangeReply = redis.command(&range).await?;
    Ok(found.ids.into_iter().map(read).collect())
}

fn read(entry: redis::streams::StreamId) -> DeadLetter {
    let field = |name| text(&entry.map, name);
    let millis = entry.id.split('-').next().and_then(|ms| ms.parse().ok());
    DeadLetter {
        queue: field("queue"),
        payload: field("payload"),
        reason: field("reason"),
        attempts: field("attempts").parse().unwrap_or_default(),
        at: millis
            .and_then(DateTime::from_timestamp_millis)
            .unwrap_or_default(),
        id: entry.id,
    }
}

/// A field as text, empty if it is missing.
pub(super) fn text(fields: &HashMap<String, redis::Value>, name: &str) -> String {
    match fields.get(name) {
        Some(redis::Value::BulkString(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(redis::Value::SimpleString(text)) => text.clone(),
        _ => String::new(),
    }
}
