//! Live events over a WebSocket.

use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use common::feed::PresenceState;
use common::ids::ChatId;
use serde::Deserialize;
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::presence::{Attendance, Place};
use super::{Live, News};
use crate::access::authenticate_token;
use crate::http::{ApiError, ApiResult, Outcome, codes};
use crate::state::AppState;

const HELLO_WITHIN: Duration = Duration::from_secs(10);
const SENT_WITHIN: Duration = Duration::from_secs(10);
const PING_EVERY: Duration = Duration::from_secs(15);
/// A client that says nothing for so long, not even `pong`, is gone.
const SILENT_FOR: Duration = Duration::from_secs(45);
const LARGEST_FRAME: usize = 64 * 1024;
/// Thousands of sockets wait most of the time: their buffers are small.
const BUFFERED: usize = 1024;

/// Why a socket is closed: codes for programs.
#[derive(Clone, Copy)]
enum Goodbye {
    /// The process stops, or the client was too slow: come again with the last id.
    ComeAgain,
    Malformed,
    /// The token is bad, or the session has ended.
    SignIn,
    Forbidden,
}

impl Goodbye {
    fn frame(self) -> CloseFrame {
        let (code, reason) = match self {
            Self::ComeAgain => (1012, "come again"),
            Self::Malformed => (4400, "malformed frame"),
            Self::SignIn => (4401, "sign in"),
            Self::Forbidden => (4403, "forbidden"),
        };
        CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        }
    }
}

/// What clients send.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Frame {
    Hello {
        token: String,
        after: Option<String>,
    },
    Ping,
    /// They look at this chat; null: at none.
    Viewing {
        #[serde(deserialize_with = "Option::deserialize")]
        chat_id: Option<ChatId>,
    },
    /// They write in this chat; null: in none.
    Editing {
        #[serde(deserialize_with = "Option::deserialize")]
        chat_id: Option<ChatId>,
    },
    /// What may come later.
    #[serde(other)]
    Other,
}

/// Opens a WebSocket with live events.
///
/// The first frame is `{"type":"hello","token":"…","after":"<event id>"?}`, within 10 s; the answer
/// is `{"type":"ready","id":"…"}`, then come frames `{"id","type","data"}`. `{"type":"ping"}` is
/// answered with `{"type":"pong"}`. `{"type":"viewing","chat_id":7}` and `editing` say where the client
/// is (`null`: in no chat; only the last counts), which the others hear as `presence` until it says
/// otherwise or the socket ends. A bad token, and a session that ends, close with 4401.
#[utoipa::path(
    get, path = "/api/ws", tag = "live",
    responses(
        (status = 101, description = "switching to WebSocket"),
        (status = 400, description = "`websocket_expected`"),
    )
)]
pub async fn open_socket(
    State(state): State<AppState>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> ApiResult<Response> {
    let upgrade = upgrade.map_err(|_| codes::WEBSOCKET_EXPECTED)?;
    let tasks = state.tasks.clone();
    Ok(upgrade
        .max_message_size(LARGEST_FRAME)
        .read_buffer_size(BUFFERED)
        .write_buffer_size(BUFFERED)
        .on_upgrade(move |socket| tasks.track_future(talk(state, socket))))
}

async fn talk(state: AppState, mut socket: WebSocket) {
    metrics::gauge!("sockets_open").increment(1);
    let goodbye = match greet(&state, &mut socket).await {
        Ok(live) => pass_on(live, &mut socket).await,
        Err(goodbye) => goodbye,
    };
    if let Some(goodbye) = goodbye {
        let close = Message::Close(Some(goodbye.frame()));
        // Whoever is gone already need not hear it.
        timeout(Duration::from_secs(1), socket.send(close))
            .await
            .ok();
    }
    metrics::gauge!("sockets_open").decrement(1);
}

/// Waits for the hello; none says that the client is gone.
async fn greet(state: &AppState, socket: &mut WebSocket) -> Result<Live, Option<Goodbye>> {
    let hello = timeout(HELLO_WITHIN, socket.recv());
    let hello = tokio::select! {
        hello = hello => hello.map_err(|_| Some(Goodbye::SignIn))?,
        () = state.stop.cancelled() => return Err(Some(Goodbye::ComeAgain)),
    };
    let text = match hello {
        Some(Ok(Message::Text(text))) => text,
        Some(Ok(_)) => return Err(Some(Goodbye::Malformed)),
        Some(Err(_)) | None => return Err(None),
    };
    let Ok(Frame::Hello { token, after }) = serde_json::from_str(&text) else {
        return Err(Some(Goodbye::Malformed));
    };
    let access = authenticate_token(state, &token).await;
    let access = access.map_err(|error| Some(refused(&error)))?;
    if !access.answers_buyers() {
        return Err(Some(Goodbye::Forbidden));
    }
    let live = Live::start(state, access, after.as_deref()).await;
    let ready = json!({ "type": "ready", "id": live.listener.starts_after() });
    send(socket, Message::Text(ready.to_string().into())).await?;
    Ok(live)
}

fn refused(error: &ApiError) -> Goodbye {
    match error.code.outcome {
        Outcome::Unauthorized => Goodbye::SignIn,
        _ => Goodbye::ComeAgain,
    }
}

/// Passes events on until something ends it.
async fn pass_on(mut live: Live, socket: &mut WebSocket) -> Option<Goodbye> {
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard_at = Instant::now();
    let mut attendance = Attendance::new(&live.state, &live.access);
    loop {
        let step = tokio::select! {
            news = live.next() => match news {
                News::Event(event) => match Utf8Bytes::try_from(event.frame()) {
                    Ok(frame) => send(socket, Message::Text(frame)).await,
                    Err(_) => Ok(()),
                },
                News::AccessEnded => Err(Some(Goodbye::SignIn)),
                News::Over => Err(Some(Goodbye::ComeAgain)),
            },
            said = socket.recv() => {
                heard_at = Instant::now();
                answer(socket, &mut attendance, said).await
            }
            _ = pings.tick() => {
                if heard_at.elapsed() > SILENT_FOR {
                    Err(None)
                } else {
                    send(socket, Message::Ping(bytes::Bytes::new())).await
                }
            }
        };
        if let Err(goodbye) = step {
            return goodbye;
        }
    }
}

async fn answer(
    socket: &mut WebSocket,
    attendance: &mut Attendance,
    said: Option<Result<Message, axum::Error>>,
) -> Result<(), Option<Goodbye>> {
    match said {
        Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
            Ok(Frame::Ping) => {
                let pong = Utf8Bytes::from_static(r#"{"type":"pong"}"#);
                send(socket, Message::Text(pong)).await
            }
            Ok(Frame::Viewing { chat_id }) => {
                attendance.is_at(place(chat_id, PresenceState::Viewing));
                Ok(())
            }
            Ok(Frame::Editing { chat_id }) => {
                attendance.is_at(place(chat_id, PresenceState::Editing));
                Ok(())
            }
            Ok(Frame::Other) => Ok(()),
            Ok(Frame::Hello { .. }) | Err(_) => Err(Some(Goodbye::Malformed)),
        },
        Some(Ok(Message::Binary(_))) => Err(Some(Goodbye::Malformed)),
        Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
        Some(Ok(Message::Close(_)) | Err(_)) | None => Err(None),
    }
}

fn place(chat: Option<ChatId>, state: PresenceState) -> Option<Place> {
    chat.map(|chat| Place { chat, state })
}

/// A client that does not take a frame in time is too slow.
async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Option<Goodbye>> {
    match timeout(SENT_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_elapsed) => Err(Some(Goodbye::ComeAgain)),
    }
}
