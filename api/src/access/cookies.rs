//! The refresh cookie: only for our own pages, and only on requests that they make.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};

use crate::state::AppState;

const NAME: &str = "refresh_token";
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The refresh token in the cookie, if a page of ours sent it.
#[derive(Clone, Debug)]
pub struct RefreshCookie(pub Option<String>);

impl FromRequestParts<AppState> for RefreshCookie {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let headers = &parts.headers;
        let is_ours = is_same_origin(headers, &state.config.base_url);
        Ok(Self(cookie(headers).filter(|_| is_ours)))
    }
}

/// A cookie that brings the refresh token back to the sign-in calls only.
pub fn refresh_cookie(state: &AppState, token: &str) -> Option<HeaderValue> {
    let age = state.config.access.session_ttl.as_secs();
    set_cookie(state, token, age)
}

/// Takes the cookie back.
pub fn clearing_cookie(state: &AppState) -> Option<HeaderValue> {
    set_cookie(state, "", 0)
}

fn set_cookie(state: &AppState, value: &str, age_s: u64) -> Option<HeaderValue> {
    let secure = if state.config.access.cookie_secure {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!(
        "{NAME}={value}; HttpOnly; SameSite=Strict; Path=/api/v1/auth; Max-Age={age_s}{secure}"
    );
    HeaderValue::from_str(&cookie).ok()
}

fn cookie(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(COOKIE).iter();
    cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, value)| *name == NAME && !value.is_empty())
        .map(|(_, value)| value.to_owned())
}

fn is_same_origin(headers: &HeaderMap, base_url: &str) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(&FETCH_SITE) {
        return site == "same-origin";
    }
    let Some(origin) = text(&ORIGIN) else {
        return false;
    };
    // A page cannot choose the Host that its browser sends.
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    origin == base_url.trim_end_matches('/') || authority.is_some_and(|it| Some(it) == text(&HOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ours(pairs: &[(&'static str, &str)]) -> bool {
        let pairs = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        is_same_origin(&pairs.collect(), "https://chat.example")
    }

    #[test]
    fn a_cookie_counts_only_from_our_own_pages() {
        assert!(is_ours(&[("sec-fetch-site", "same-origin")]));
        assert!(is_ours(&[("origin", "https://chat.example")]));
        assert!(is_ours(&[
            ("origin", "http://localhost:8000"),
            ("host", "localhost:8000")
        ]));
        assert!(!is_ours(&[]));
        assert!(!is_ours(&[("host", "chat.example")]));
        assert!(!is_ours(&[("origin", "https://evil.example")]));
        assert!(!is_ours(&[("origin", "null")]));
        assert!(!is_ours(&[
            ("sec-fetch-site", "same-site"),
            ("origin", "https://chat.example")
        ]));
    }
}
