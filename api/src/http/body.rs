//! How much a body may weigh, and how long it may take to arrive.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::HeaderName;
use axum::http::header::CONTENT_LENGTH;
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use super::codes;
use super::error::ApiError;

/// The largest body that is taken.
const TAKEN_BYTES: usize = 1024 * 1024;
/// A larger body is read away up to this, so that the answer arrives.
const READ_AWAY_BYTES: usize = 8 * 1024 * 1024;
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

/// Names a request that may be sent twice.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The SHA-256 of the body of a request that names itself.
#[derive(Clone, Copy, Debug)]
pub struct BodyDigest(pub [u8; 32]);

/// Reads the body before the handler runs, and refuses one that is too large or too slow.
pub async fn limit_body(request: Request, next: Next) -> Result<Response, ApiError> {
    if request.body().is_end_stream() {
        return Ok(next.run(request).await);
    }
    let (mut parts, body) = request.into_parts();
    let announced = parts.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > READ_AWAY_BYTES) {
        return Err(codes::BODY_TOO_LARGE.into());
    }
    let body = timeout(ARRIVES_WITHIN, read(body))
        .await
        .map_err(|_| codes::REQUEST_TIMEOUT)??;
    if parts.headers.contains_key(&IDEMPOTENCY_KEY) {
        let digest = BodyDigest(Sha256::digest(&body).into());
        parts.extensions.insert(digest);
    }
    Ok(next.run(Request::from_parts(parts, Body::from(body))).await)
}

async fn read(body: Body) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let mut taken = BytesMut::new();
    let mut total = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| ApiError::from(codes::MALFORMED_BODY).because(error))?;
        total += chunk.len();
        if total > READ_AWAY_BYTES {
            break;
        }
        if total <= TAKEN_BYTES {
            taken.extend_from_slice(&chunk);
        } else {
            taken.clear();
        }
    }
    if total > TAKEN_BYTES {
        return Err(codes::BODY_TOO_LARGE.into());
    }
    Ok(taken.freeze())
}
