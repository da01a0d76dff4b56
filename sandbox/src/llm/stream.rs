//! How does an answer go out in chunks, at what speed, and how does it break off?

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use bytes::Bytes;
use futures::{StreamExt, stream};
use tokio::time::Instant;

use super::Speed;
use super::reply::Chunk;
use crate::server::App;

// frames of an unpaced answer end anywhere, in the middle of a letter too, as on a real network
const FRAME_BYTES: usize = 997;
const FLUSH: Duration = Duration::from_millis(20);

/// What goes out, when.
#[derive(Debug)]
pub(super) struct Events {
    frames: Vec<(Duration, Bytes)>,
    is_cut: bool,
}

impl Events {
    /// The events of an answer; `keep_alive` is a comment while the first token is waited for.
    pub(super) fn of(chunks: &[Chunk], speed: Speed, keep_alive: bool) -> Self {
        let mut frames = Vec::new();
        if keep_alive && speed.first_token_ms > 0 {
            let comment = Bytes::from_static(b": keep-alive\n\n");
            frames.push((Duration::ZERO, comment));
        }
        for chunk in chunks {
            let event = format!("data: {}\n\n", chunk.body);
            frames.push((speed.time_of(chunk.tokens), event.into()));
        }
        let end = frames.last().map_or(Duration::ZERO, |(at, _)| *at);
        frames.push((end, Bytes::from_static(b"data: [DONE]\n\n")));
        Self {
            frames,
            is_cut: false,
        }
    }

    /// Events that are not the API's.
    pub(super) fn garbage() -> Self {
        let text = "data: {\"id\": \"chatcmpl\n\ndata: <!doctype html>\n\ndata: [DONE]\n\n";
        Self {
            frames: vec![(Duration::ZERO, text.into())],
            is_cut: false,
        }
    }

    /// The same, broken off in the middle.
    pub(super) fn cut(mut self) -> Self {
        self.frames.truncate(self.frames.len().div_ceil(2));
        self.is_cut = true;
        self
    }

    /// The answer that sends them.
    pub(super) fn into_response(self, app: Arc<App>, request_id: &str) -> Response<Body> {
        let frames = reframed(self.frames);
        let start = Instant::now();
        let frames = stream::iter(frames).then(move |(at, frame)| {
            let app = Arc::clone(&app);
            async move {
                if wait(&app, start + at).await {
                    Ok(frame)
                } else {
                    Err(broken_off())
                }
            }
        });
        let end = stream::iter(self.is_cut.then_some(())).then(|()| async {
            // what is sent so far leaves the machine first
            tokio::time::sleep(FLUSH).await;
            Err(broken_off())
        });
        let mut response = Response::new(Body::from_stream(frames.chain(end)));
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("text/event-stream; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, kind);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert("x-request-id", id);
        }
        response
    }
}

impl Speed {
    /// When so many tokens are out, counted from the request.
    pub(super) fn time_of(self, tokens: u64) -> Duration {
        let first = Duration::from_millis(self.first_token_ms);
        let pace = self.tokens_per_second.unwrap_or(f64::INFINITY);
        let rest = tokens.saturating_sub(1) as f64 / pace;
        first + Duration::try_from_secs_f64(rest).unwrap_or_default()
    }
}

/// Waits; false if the world ended meanwhile.
pub(super) async fn wait(app: &App, until: Instant) -> bool {
    if until <= Instant::now() {
        return true;
    }
    tokio::select! {
        () = app.end.cancelled() => false,
        () = tokio::time::sleep_until(until) => true,
    }
}

// what goes out at the same moment is put together and divided anew
fn reframed(frames: Vec<(Duration, Bytes)>) -> Vec<(Duration, Bytes)> {
    let mut moments: Vec<(Duration, Vec<u8>)> = Vec::new();
    for (at, frame) in frames {
        match moments.last_mut() {
            Some((last, bytes)) if *last == at => bytes.extend_from_slice(&frame),
            _ => moments.push((at, frame.to_vec())),
        }
    }
    let divided = moments.into_iter().flat_map(|(at, bytes)| {
        let bytes = Bytes::from(bytes);
        let starts = (0..bytes.len()).step_by(FRAME_BYTES);
        starts
            .map(|start| (at, bytes.slice(start..bytes.len().min(start + FRAME_BYTES))))
            .collect::<Vec<_>>()
    });
    divided.collect()
}

fn broken_off() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}
