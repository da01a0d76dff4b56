//! How much a body may weigh, and how long it may take to arrive.

use std::io;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderName, Method};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use common::files::FILE_LIMIT_BYTES;
use futures::StreamExt;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{self, Sender};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;

use super::codes;
use super::error::ApiError;

/// The largest body that is taken.
const TAKEN_BYTES: usize = 1024 * 1024;
/// The same where a file is taken: the file and the form around it.
const TAKEN_WITH_FILE_BYTES: usize = FILE_LIMIT_BYTES as usize + 64 * 1024;
/// A larger body is read away up to this, so that the answer arrives.
const READ_AWAY_BYTES: usize = 8 * 1024 * 1024;
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// The same where a file is taken, and how long nothing of it may come.
const FILE_ARRIVES_WITHIN: Duration = Duration::from_secs(5 * 60);
const NEXT_ARRIVES_WITHIN: Duration = Duration::from_secs(30);
/// Pieces of a file that wait for the handler.
const PIECES: usize = 4;

/// Names a request that may be sent twice.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The SHA-256 of the body of a request that names itself.
#[derive(Clone, Copy, Debug)]
pub struct BodyDigest(pub [u8; 32]);

/// Reads the body before the handler runs, and refuses one that is too large or too slow. A file is passed
/// on as it comes.
pub async fn limit_body(request: Request, next: Next) -> Result<Response, ApiError> {
    if request.body().is_end_stream() {
        return Ok(next.run(request).await);
    }
    if takes_file(&request) {
        return pass_on(request, next).await;
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

fn takes_file(request: &Request) -> bool {
    let route = request.extensions().get::<MatchedPath>();
    request.method() == Method::POST && route.is_some_and(|it| it.as_str() == "/api/files")
}

/// Runs the handler beside the body that arrives; what the handler does not want is read away.
async fn pass_on(request: Request, next: Next) -> Result<Response, ApiError> {
    let (parts, body) = request.into_parts();
    let (sender, pieces) = mpsc::channel(PIECES);
    let passed = Body::from_stream(ReceiverStream::new(pieces));
    let mut request = Request::from_parts(parts, passed);
    // Counted here.
    DefaultBodyLimit::disable().apply(&mut request);
    let arrived = timeout(FILE_ARRIVES_WITHIN, pump(body.into_data_stream(), sender));
    let (response, arrived) = tokio::join!(next.run(request), arrived);
    arrived.map_err(|_| codes::REQUEST_TIMEOUT)??;
    Ok(response)
}

/// Whenever it stops before the end, the handler sees a body that breaks off.
async fn pump(
    mut body: BodyDataStream,
    handler: Sender<Result<Bytes, io::Error>>,
) -> Result<(), ApiError> {
    let mut handler = Some(handler);
    let (mut total, mut read_away) = (0, 0);
    while read_away <= READ_AWAY_BYTES {
        let next = timeout(NEXT_ARRIVES_WITHIN, body.next()).await;
        let Some(chunk) = next.map_err(|_| codes::REQUEST_TIMEOUT)? else {
            break;
        };
        let Ok(chunk) = chunk else {
            break;
        };
        total += chunk.len();
        match &handler {
            Some(wanted) if total <= TAKEN_WITH_FILE_BYTES => {
                if wanted.send(Ok(chunk)).await.is_err() {
                    // It has answered already; nothing of the rest counts.
                    handler = None;
                    total = 0;
                }
            }
            _ => {
                handler = None;
                read_away += chunk.len();
            }
        }
    }
    if total > TAKEN_WITH_FILE_BYTES {
        return Err(codes::FILE_TOO_LARGE.into());
    }
    Ok(())
}
