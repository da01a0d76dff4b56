//! What goes back to a caller, and what the journal should know about it?

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use serde_json::Value;

/// One answer of a simulated marketplace.
#[derive(Debug)]
pub(crate) struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Value of `Content-Type`.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The whole body.
    pub body: Bytes,
    /// The chat the request was about, by its place in the world.
    pub chat: Option<usize>,
    /// Whether the newest message of the chat is the one this send created.
    pub has_sent: bool,
    /// Messages handed out: chat, place in the chat.
    pub served: Vec<(usize, usize)>,
}

impl Answer {
    /// A JSON answer.
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/json", body.to_string())
    }

    /// An RFC 9457 answer, as Wildberries gives for errors.
    pub(crate) fn problem(status: u16, body: &Value) -> Self {
        Self::raw(status, "application/problem+json", body.to_string())
    }

    /// Any other answer.
    pub(crate) fn raw(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self {
            status,
            content_type,
            headers: Vec::new(),
            body: body.into(),
            chat: None,
            has_sent: false,
            served: Vec::new(),
        }
    }

    /// The same answer with one more header.
    pub(crate) fn with_header(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// The same answer, known to be about this chat.
    pub(crate) fn about(mut self, chat: usize) -> Self {
        self.chat = Some(chat);
        self
    }

    /// Turns the answer into what the HTTP server sends.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static(self.content_type),
        );
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        response
    }
}
