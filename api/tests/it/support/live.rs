//! Listening to live events: over a WebSocket, and over SSE.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::{Person, TestApp};

const SOON: Duration = Duration::from_secs(10);

/// An open WebSocket.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl TestApp {
    /// Opens a socket and says nothing.
    pub(crate) async fn socket(&self) -> Socket {
        let (socket, _) = connect_async(self.socket_url()).await.expect("a socket");
        Socket(socket)
    }
}

impl Person<'_> {
    /// Opens a socket and says hello; gives also the id that `ready` names.
    pub(crate) async fn socket(&self, after: Option<&str>) -> (Socket, String) {
        let mut socket = self.app.socket().await;
        let mut hello = json!({ "type": "hello", "token": self.tokens.access_token });
        if let Some(after) = after {
            hello["after"] = json!(after);
        }
        socket.say(&hello).await;
        let ready = socket.frame().await;
        assert_eq!(ready["type"], "ready", "{ready}");
        (socket, ready["id"].as_str().unwrap().to_owned())
    }

    /// Opens the stream of events.
    pub(crate) async fn events(&self, after: Option<&str>) -> Events {
        let mut request = self.request(Method::GET, "/api/events");
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        Events {
            response,
            read: String::new(),
        }
    }
}

impl Socket {
    pub(crate) async fn say(&mut self, frame: &Value) {
        self.say_text(&frame.to_string()).await;
    }

    pub(crate) async fn say_text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("sent");
    }

    /// The next frame that is not a ping.
    pub(crate) async fn frame(&mut self) -> Value {
        loop {
            let next = timeout(SOON, self.0.next()).await.expect("in time");
            match next.expect("an open socket").expect("a frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(close) => panic!("closed: {close:?}"),
                _ => {}
            }
        }
    }

    /// The next frame of this type.
    pub(crate) async fn frame_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    /// The code with which the socket is closed, whatever comes before.
    pub(crate) async fn close_code(&mut self) -> u16 {
        loop {
            let next = timeout(SOON, self.0.next()).await.expect("in time");
            if let Message::Close(close) = next.expect("a close frame").expect("a frame") {
                return close.expect("a code").code.into();
            }
        }
    }
}

/// An open stream of events.
pub(crate) struct Events {
    response: reqwest::Response,
    read: String,
}

impl Events {
    /// The next event: its fields by name.
    pub(crate) async fn next(&mut self) -> Option<Vec<(String, String)>> {
        loop {
            if let Some((event, rest)) = self.read.split_once("\n\n") {
                let fields = event.lines().filter_map(|line| line.split_once(':'));
                let fields = fields
                    .map(|(name, value)| (name.to_owned(), value.trim_start().to_owned()))
                    .collect();
                self.read = rest.to_owned();
                return Some(fields);
            }
            let chunk = timeout(SOON, self.response.chunk()).await.expect("in time");
            match chunk {
                Ok(Some(chunk)) => self.read.push_str(std::str::from_utf8(&chunk).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }

    /// The next event with this name: its id and data.
    pub(crate) async fn event(&mut self, kind: &str) -> (String, Value) {
        loop {
            let fields = self.next().await.expect("an event");
            let field = |name: &str| {
                let found = fields.iter().find(|(field, _)| field == name);
                found.map(|(_, value)| value.clone()).unwrap_or_default()
            };
            if field("event") == kind {
                let data = serde_json::from_str(&field("data")).unwrap();
                return (field("id"), data);
            }
        }
    }
}
