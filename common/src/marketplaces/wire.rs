//! How the connectors read what marketplaces write: tolerant of forms, one item at a time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use serde::de::{DeserializeOwned, Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use uuid::Uuid;

use super::{
    ChatContext, FileAnswer, OutgoingFile, Refusal, SendOutcome, VendorAuthor, VendorError,
    VendorMessage, Warning,
};
use crate::http::{Answer, GatedResult, HeaderMap, HeaderValue};
use crate::text::clean_json;

const EXPIRES_SOON: TimeDelta = TimeDelta::days(14);

/// An id as text, whether it was written as a string or as a number; never rounded, because
/// [`clean_json`] has made strings of the numbers that do not fit 64 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Id(pub(super) String);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an id as a string or a whole number")
    }

    fn visit_str<E: Error>(self, id: &str) -> Result<Id, E> {
        Ok(Id(id.to_owned()))
    }

    fn visit_u64<E: Error>(self, id: u64) -> Result<Id, E> {
        Ok(Id(id.to_string()))
    }

    fn visit_i64<E: Error>(self, id: i64) -> Result<Id, E> {
        Ok(Id(id.to_string()))
    }
}

/// The text of an id; none if it is missing or empty.
pub(super) fn id_text(id: Option<Id>) -> Option<String> {
    id.map(|Id(text)| text).filter(|text| !text.is_empty())
}

/// A yes or no that may be written as a string: Ozon's example has `"has_next": "true"`.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(flag) => flag,
        Value::String(text) => text.eq_ignore_ascii_case("true"),
        _ => false,
    })
}

/// A whole number that may be written as a string.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    })
}

/// A list that may be missing or null; its items are read later, one by one.
pub(super) fn items<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Value>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads the body of a 2xx answer.
pub(super) fn parse<T: DeserializeOwned>(answer: &Answer) -> Result<T, VendorError> {
    serde_json::from_slice(&clean_json(&answer.body)).map_err(|error| VendorError::Unexpected {
        // Without the body: its text belongs to buyers.
        message: format!(
            "unreadable JSON in an answer of {} bytes, line {} column {}",
            answer.body.len(),
            error.line(),
            error.column()
        ),
    })
}

/// Reads an item; if it cannot be read, its position is logged, never its text.
pub(super) fn item<T: DeserializeOwned>(item: Value, position: usize, of: &str) -> Option<T> {
    serde_json::from_value(item)
        .inspect_err(|_| tracing::warn!(position, of, "skipped an unreadable item"))
        .ok()
}

/// RFC 3339 with any offset; without one it is UTC.
pub(super) fn time(text: &str) -> Option<DateTime<Utc>> {
    let with_offset = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    with_offset
        .or_else(|_| text.parse().map(|naive: NaiveDateTime| naive.and_utc()))
        .ok()
}

/// The time of the first item that tells one: stands in for those that do not.
pub(super) fn nearest_time<'a>(times: impl Iterator<Item = Option<&'a str>>) -> DateTime<Utc> {
    times
        .flatten()
        .find_map(time)
        .unwrap_or(DateTime::UNIX_EPOCH)
}

/// A header with a credential: hidden from `Debug`.
pub(super) fn secret_header(value: &str) -> Result<HeaderValue, VendorError> {
    let mut header = HeaderValue::from_str(value.trim()).map_err(|_| VendorError::Rejected {
        message: "the key contains characters that no request can carry".to_owned(),
    })?;
    header.set_sensitive(true);
    Ok(header)
}

/// A header with a number of seconds.
pub(super) fn seconds(headers: &HeaderMap, name: &str) -> Option<Duration> {
    let seconds: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// The outcome of a send that no request can carry.
pub(super) fn one_file_only() -> SendOutcome {
    SendOutcome::NotSent(Refusal::Rejected {
        message: "a message carries one file here".to_owned(),
    })
}

/// The answer for a file that no request with credentials may be made for.
pub(super) fn foreign_file() -> FileAnswer {
    FileAnswer::Blocked {
        message: "the file lies at an address that is not the marketplace's own".to_owned(),
    }
}

/// The last part of an address's path, as a file's name.
pub(super) fn file_name(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.is_empty() { "file" } else { name }
}

/// The type that a file's name promises; what it really is, the bytes will tell.
pub(super) fn content_type(name: &str) -> Option<String> {
    let (_, extension) = name.rsplit_once('.')?;
    let content_type = match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "pdf" => "application/pdf",
        "mp4" => "video/mp4",
        _ => return None,
    };
    Some(content_type.to_owned())
}

/// A multipart form as one block of bytes, so that its last byte can be held back.
pub(super) struct Form {
    pub(super) content_type: String,
    pub(super) body: Bytes,
}

impl Form {
    pub(super) fn new(fields: &[(&str, &str)], files: &[OutgoingFile]) -> Self {
        let boundary = Uuid::new_v4().simple().to_string();
        let mut body = BytesMut::new();
        let mut part = |about: &str, value: &[u8]| {
            let head = format!("--{boundary}\r\ncontent-disposition: form-data; {about}\r\n\r\n");
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        };
        for (name, value) in fields {
            part(&format!("name=\"{name}\""), value.as_bytes());
        }
        for file in files {
            let (name, kind) = (quoted(&file.name), &file.content_type);
            let about = format!("name=\"file\"; filename=\"{name}\"\r\ncontent-type: {kind}");
            part(&about, &file.content);
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        Self {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            body: body.freeze(),
        }
    }
}

/// As browsers write names of files: `https://html.spec.whatwg.org/#multipart-form-data`
fn quoted(name: &str) -> String {
    let name = name.replace('"', "%22");
    name.replace('\r', "%0D").replace('\n', "%0A")
}

/// Judges a send by its answer, where there is one.
pub(super) fn outcome(
    result: GatedResult,
    refusal: impl FnOnce(&Answer) -> Refusal,
    confirmed: impl FnOnce(&Answer) -> Option<SendOutcome>,
) -> SendOutcome {
    match result {
        GatedResult::NotSent { reason } => SendOutcome::NotSent(Refusal::Unreachable { reason }),
        GatedResult::MaybeSent { reason } => SendOutcome::MaybeSent { reason },
        GatedResult::Refused(answer) => SendOutcome::NotSent(refusal(&answer)),
        GatedResult::Accepted(answer) => confirmed(&answer).unwrap_or_else(|| {
            let reason = format!("status {} without a confirmation", answer.status.as_u16());
            SendOutcome::MaybeSent { reason }
        }),
    }
}

/// A message whose item could not be read: better than a gap that nobody sees.
pub(super) fn placeholder(
    chat: String,
    external_id: String,
    at: DateTime<Utc>,
    author: VendorAuthor,
) -> VendorMessage {
    VendorMessage {
        chat,
        external_id,
        at,
        author,
        text: String::new(),
        attachments: Vec::new(),
        context: ChatContext::default(),
        reply_sign: None,
        problem: Some("the item has an unknown form".to_owned()),
    }
}

/// What the owner should know about the end of a key.
pub(super) fn expiry_warning(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<Warning> {
    let day = expires_at.format("%Y-%m-%d");
    if expires_at <= now {
        let message = format!("The key expired on {day}: make a new one and enter it here.");
        Some(warning("expired", message))
    } else if expires_at - now <= EXPIRES_SOON {
        let message = format!("The key works until {day}: make a new one and enter it here.");
        Some(warning("expires_soon", message))
    } else {
        None
    }
}

pub(super) fn warning(code: &str, message: impl Into<String>) -> Warning {
    Warning {
        code: code.to_owned(),
        message: message.into(),
    }
}
