//! What Yandex Market's errors mean.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;

use crate::http::{Answer, HeaderMap, StatusCode};
use crate::marketplaces::{Refusal, ShopAccess, StartError, VendorError, wire};
use crate::text::{clean_json, quote_words};

/// Enhance Your Calm: Yandex's 429.
const TOO_MANY: [u16; 2] = [420, 429];
/// The longest period of a limit.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// The reason why a request that changes nothing failed.
pub(super) fn error(answer: &Answer, access: &ShopAccess, now: DateTime<Utc>) -> VendorError {
    let message = words(answer, access);
    match answer.status {
        status if TOO_MANY.contains(&status.as_u16()) => VendorError::RateLimited {
            retry_after: retry_after(&answer.headers, &message, now),
        },
        status if is_about_the_key(status, &message) => VendorError::Unauthorized { message },
        StatusCode::FORBIDDEN => VendorError::Forbidden { message },
        // 423: the resource is locked for a while.
        StatusCode::LOCKED | StatusCode::REQUEST_TIMEOUT => VendorError::Unavailable { message },
        status if status.is_server_error() => VendorError::Unavailable { message },
        status if status.is_client_error() => VendorError::Rejected { message },
        _ => VendorError::Unexpected { message },
    }
}

/// The reason why a send was refused.
pub(super) fn refusal(answer: &Answer, access: &ShopAccess, now: DateTime<Utc>) -> Refusal {
    let message = words(answer, access);
    match answer.status {
        status if TOO_MANY.contains(&status.as_u16()) => Refusal::RateLimited {
            retry_after: retry_after(&answer.headers, &message, now),
        },
        StatusCode::LOCKED => Refusal::RateLimited { retry_after: None },
        status if is_about_the_key(status, &message) => Refusal::Unauthorized { message },
        // A scope that only reads looks like this (FACTS 3.1).
        StatusCode::FORBIDDEN => Refusal::ReadOnly { message },
        _ => Refusal::Rejected { message },
    }
}

/// The reason why no chat was begun.
pub(super) fn start_error(answer: &Answer, access: &ShopAccess, now: DateTime<Utc>) -> StartError {
    match error(answer, access, now) {
        VendorError::Rejected { message } if answer.status == StatusCode::NOT_FOUND => {
            StartError::OrderNotFound { message }
        }
        problem => problem.into(),
    }
}

/// 401 means that no key came; a wrong one is answered with 403, like a missing right:
/// "Данные для авторизации неверны или доступ к ресурсу запрещен".
fn is_about_the_key(status: StatusCode, words: &str) -> bool {
    const SIGNS: [&str; 5] = ["invalid", "not valid", "expired", "неверн", "недейств"];
    let words = words.to_lowercase();
    let says_so = SIGNS.into_iter().any(|sign| words.contains(sign));
    status == StatusCode::UNAUTHORIZED || (status == StatusCode::FORBIDDEN && says_so)
}

fn retry_after(headers: &HeaderMap, words: &str, now: DateTime<Utc>) -> Option<Duration> {
    if words.contains("parallel") {
        return Some(Duration::from_secs(1));
    }
    let until = headers.get("x-ratelimit-resource-until")?.to_str().ok()?;
    // Without its day of the week: the example in the documentation names a wrong one.
    let until = until.split_once(',').map_or(until, |(_, date)| date);
    let until = DateTime::parse_from_rfc2822(until.trim()).ok()?;
    let wait = (until.to_utc() - now).to_std().unwrap_or_default();
    Some(wait.clamp(Duration::from_secs(1), LONGEST_WAIT))
}

/// Yandex's own words, as they may be shown.
fn words(answer: &Answer, access: &ShopAccess) -> String {
    let body: Errors = serde_json::from_slice(&clean_json(&answer.body)).unwrap_or_default();
    let told = body.errors.into_iter().enumerate();
    let told: Vec<String> = told
        .filter_map(|(position, error)| wire::item::<OneError>(error, position, "Yandex's errors"))
        .filter_map(|error| error.message.or(error.code))
        .collect();
    if told.is_empty() {
        format!("status {}", answer.status.as_u16())
    } else {
        quote_words(&told.join("; "), access.api_key.expose_secret())
    }
}

/// `https://yandex.ru/dev/market/partner-api/doc/ru/concepts/error-codes`
#[derive(Default, Deserialize)]
struct Errors {
    #[serde(default, deserialize_with = "wire::items")]
    errors: Vec<Value>,
}

#[derive(Deserialize)]
struct OneError {
    code: Option<String>,
    message: Option<String>,
}
