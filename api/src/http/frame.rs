//! Around every request: its id, the body of an error, the headers of every answer, the log line.

use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use common::ids::{TenantId, UserId};
use tokio::time::Instant;
use uuid::Uuid;

use super::codes::{self, Outcome};
use super::error::ApiError;
use super::observe::{Seen, observe};

/// Names a request in our logs and in its answer.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request: the client's, if it is a decent one, else ours.
#[derive(Clone, Debug)]
pub struct RequestId(pub Arc<str>);

/// Where an extractor notes who makes the request, for the log.
#[derive(Clone, Debug, Default)]
pub struct CallerSlot(Arc<OnceLock<(TenantId, UserId)>>);

impl CallerSlot {
    /// Notes who makes the request.
    pub fn note(&self, tenant: TenantId, user: UserId) {
        // The first caller of a request is its only one.
        self.0.set((tenant, user)).ok();
    }

    /// Who makes the request, if that is known.
    pub fn get(&self) -> Option<(TenantId, UserId)> {
        self.0.get().copied()
    }
}

impl RequestId {
    fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        match given.filter(|id| is_decent(id)) {
            Some(id) => Self(id.into()),
            None => Self(Uuid::now_v7().simple().to_string().into()),
        }
    }
}

fn is_decent(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Frames a request.
pub async fn frame(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers());
    let caller = CallerSlot::default();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(caller.clone());

    let mut response = next.run(request).await;
    let error = response.extensions_mut().remove::<ApiError>();
    let error = error.or_else(|| foreign_error(&response));
    if let Some(error) = &error {
        response = written(error, &id, response);
    }
    dress(&mut response, &id);
    observe(&Seen {
        method: known(&method),
        route: route.as_ref().map_or("unmatched", MatchedPath::as_str),
        status: response.status(),
        took: started.elapsed(),
        request_id: &id.0,
        caller: caller.get(),
        error: error.as_ref(),
    });
    response
}

/// What a library answered in a form of its own.
fn foreign_error(response: &Response) -> Option<ApiError> {
    let kind = response.headers().get(CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if is_json {
        return None;
    }
    let code = match response.status().as_u16() {
        404 => codes::NOT_FOUND,
        405 => codes::METHOD_NOT_ALLOWED,
        413 => codes::BODY_TOO_LARGE,
        400..=499 => codes::MALFORMED_BODY,
        500..=599 => codes::INTERNAL,
        _ => return None,
    };
    Some(code.into())
}

/// The answer with the error's body; headers that were set already stay.
fn written(error: &ApiError, id: &RequestId, response: Response) -> Response {
    let (parts, _) = response.into_parts();
    let mut written = axum::Json(error.body(&id.0)).into_response();
    *written.status_mut() = error.status();
    for (name, value) in &parts.headers {
        if name != CONTENT_TYPE && name != axum::http::header::CONTENT_LENGTH {
            written.headers_mut().append(name, value.clone());
        }
    }
    if error.code.outcome == Outcome::Unauthorized {
        let bearer = HeaderValue::from_static("Bearer");
        written.headers_mut().insert(WWW_AUTHENTICATE, bearer);
    }
    if let Some(wait) = error.retry_after {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        written.headers_mut().insert(RETRY_AFTER, seconds);
    }
    written
}

fn dress(response: &mut Response, id: &RequestId) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// A method as a label: made-up ones would make labels without end.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_decent_ids_are_taken_over() {
        assert!(is_decent("a.b-c_9"));
        assert!(is_decent(&"x".repeat(64)));
        for bad in ["", "a b", "a\"b", "ж", &"x".repeat(65)] {
            assert!(!is_decent(bad), "{bad}");
        }
    }
}
