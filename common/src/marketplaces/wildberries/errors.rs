//! What Wildberries' errors mean.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde::Deserialize;

use super::token;
use crate::http::{Answer, StatusCode};
use crate::marketplaces::{Refusal, ShopAccess, VendorError, wire};
use crate::text::{clean_json, quote_words};

/// The reason why a request that changes nothing failed.
pub(super) fn error(answer: &Answer, access: &ShopAccess) -> VendorError {
    let message = words(answer, access);
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => VendorError::RateLimited {
            retry_after: retry_after(answer),
        },
        StatusCode::UNAUTHORIZED if !is_about_scope(&message) => {
            VendorError::Unauthorized { message }
        }
        // 402: the catalogue service that made the token owes money.
        StatusCode::UNAUTHORIZED | StatusCode::PAYMENT_REQUIRED | StatusCode::FORBIDDEN => {
            VendorError::Forbidden { message }
        }
        StatusCode::REQUEST_TIMEOUT => VendorError::Unavailable { message },
        status if status.is_server_error() => VendorError::Unavailable { message },
        status if status.is_client_error() => VendorError::Rejected { message },
        _ => VendorError::Unexpected { message },
    }
}

/// The reason why a send was refused.
pub(super) fn refusal(answer: &Answer, access: &ShopAccess) -> Refusal {
    let message = words(answer, access);
    match answer.status {
        StatusCode::TOO_MANY_REQUESTS => Refusal::RateLimited {
            retry_after: retry_after(answer),
        },
        StatusCode::UNAUTHORIZED if !is_about_scope(&message) => Refusal::Unauthorized { message },
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Refusal::ReadOnly { message },
        StatusCode::BAD_REQUEST if message.to_lowercase().contains("invalid signature") => {
            Refusal::StaleSign
        }
        _ => Refusal::Rejected { message },
    }
}

/// A token without the chat category: 401 of old, 403 since September 2026 (FACTS 2.8).
fn is_about_scope(message: &str) -> bool {
    message.to_lowercase().contains("scope")
}

/// Seconds; `Retry-After` is not sent reliably (FACTS 2.3).
fn retry_after(answer: &Answer) -> Option<Duration> {
    wire::seconds(&answer.headers, "x-ratelimit-retry")
        .or_else(|| wire::seconds(&answer.headers, "retry-after"))
}

/// Wildberries' own words, as they may be shown.
fn words(answer: &Answer, access: &ShopAccess) -> String {
    let problem: Problem = serde_json::from_slice(&clean_json(&answer.body)).unwrap_or_default();
    let told = [problem.detail, problem.error, problem.title];
    let told = told.into_iter().flatten().find(|words| !words.is_empty());
    match told {
        Some(words) => quote_words(&words, token::bare(access.api_key.expose_secret())),
        None => format!("status {}", answer.status.as_u16()),
    }
}

/// `application/problem+json`
#[derive(Default, Deserialize)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    error: Option<String>,
}
