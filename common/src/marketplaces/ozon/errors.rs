//! What Ozon's errors mean.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde::Deserialize;

use crate::http::{Answer, StatusCode};
use crate::marketplaces::{Refusal, ShopAccess, StartError, VendorError, wire};
use crate::text::{clean_json, quote_words};

/// gRPC codes; FACTS 1.2.
const NOT_FOUND: i64 = 5;
const RESOURCE_EXHAUSTED: i64 = 8;
const UNAUTHENTICATED: i64 = 16;

/// "The method starts working as usual in a few minutes."
const CIRCLE_OPEN: Duration = Duration::from_secs(180);

/// The reason why a request that changes nothing failed.
pub(super) fn error(answer: &Answer, access: &ShopAccess) -> VendorError {
    let failure = Failure::read(answer, access);
    if let Some(retry_after) = failure.rate_limit(answer) {
        return VendorError::RateLimited { retry_after };
    }
    let message = failure.words.clone();
    match answer.status {
        _ if failure.is_about_the_key() => VendorError::Unauthorized { message },
        StatusCode::FORBIDDEN => VendorError::Forbidden { message },
        StatusCode::REQUEST_TIMEOUT => VendorError::Unavailable { message },
        status if status.is_server_error() => VendorError::Unavailable { message },
        status if status.is_client_error() => VendorError::Rejected { message },
        _ => VendorError::Unexpected { message },
    }
}

/// The reason why a send was refused.
pub(super) fn refusal(answer: &Answer, access: &ShopAccess) -> Refusal {
    let failure = Failure::read(answer, access);
    if let Some(retry_after) = failure.rate_limit(answer) {
        return Refusal::RateLimited { retry_after };
    }
    let message = failure.words.clone();
    match answer.status {
        _ if failure.is_about_the_key() => Refusal::Unauthorized { message },
        _ if failure.is_about_the_window() => Refusal::WindowClosed { message },
        // FACTS 1.10: subscription, role, network, unsigned offer: the words tell which.
        StatusCode::FORBIDDEN => Refusal::ReadOnly { message },
        _ => Refusal::Rejected { message },
    }
}

/// The reason why no chat was begun.
pub(super) fn start_error(answer: &Answer, access: &ShopAccess) -> StartError {
    let failure = Failure::read(answer, access);
    let message = failure.words.clone();
    if failure.is_about_the_key() || failure.rate_limit(answer).is_some() {
        error(answer, access).into()
    } else if failure.code == Some(NOT_FOUND) {
        StartError::OrderNotFound { message }
    } else if failure.is_about_the_window() {
        StartError::TooLate { message }
    } else {
        error(answer, access).into()
    }
}

struct Failure {
    status: StatusCode,
    code: Option<i64>,
    /// Ozon's own words, as they may be shown.
    words: String,
}

impl Failure {
    fn read(answer: &Answer, access: &ShopAccess) -> Self {
        let body: Option<Status> = serde_json::from_slice(&clean_json(&answer.body)).ok();
        let plain = || String::from_utf8_lossy(&answer.body).into_owned();
        let (code, words) = match body {
            Some(status) => (status.code, status.message.unwrap_or_default()),
            // "404 page not found" comes as plain text; pages of proxies say nothing to anybody.
            None if answer.body.starts_with(b"<") => (None, String::new()),
            None => (None, plain()),
        };
        let words = quote_words(&words, access.api_key.expose_secret());
        Self {
            status: answer.status,
            code,
            words: if words.is_empty() {
                format!("status {}", answer.status.as_u16())
            } else {
                words
            },
        }
    }

    /// The outer option: whether it is one.
    fn rate_limit(&self, answer: &Answer) -> Option<Option<Duration>> {
        let told = wire::seconds(&answer.headers, "retry-after");
        if self.says("circle is open") {
            return Some(told.or(Some(CIRCLE_OPEN)));
        }
        let is_limit = self.status == StatusCode::TOO_MANY_REQUESTS
            || self.code == Some(RESOURCE_EXHAUSTED)
            || self.says("request rate limit");
        is_limit.then_some(told)
    }

    fn is_about_the_key(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            || self.code == Some(UNAUTHENTICATED)
            || self.says("invalid api-key")
            || self.says("api-key is deactivated")
            || self.says("api-key is expired")
    }

    /// The words for this are documented nowhere: what speaks of the 48 or 72 hours, of an expired
    /// time (an expired key is known by then) or of a closed chat.
    fn is_about_the_window(&self) -> bool {
        const SIGNS: [&str; 9] = [
            "48 h",
            "48 час",
            "72 h",
            "72 час",
            "expired",
            "истек",
            "истёк",
            "chat is closed",
            "чат закрыт",
        ];
        SIGNS.into_iter().any(|sign| self.says(sign))
    }

    fn says(&self, what: &str) -> bool {
        self.words.to_lowercase().contains(what)
    }
}

/// `https://docs.ozon.ru/api/seller/#tag/Errors`: rpcStatus.
#[derive(Deserialize)]
struct Status {
    #[serde(default, deserialize_with = "wire::whole")]
    code: Option<i64>,
    message: Option<String>,
}
