//! Are pushes sent as the documents say? (FACTS §1.11, §3.3)

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use sandbox::Marketplace::{Ozon, YandexMarket};
use sandbox::{Sandbox, ShopRequest};
use serde_json::{Value, json};

use crate::client::{Seller, quiet_world};

#[derive(Clone, Debug, Default)]
struct Receiver {
    got: Arc<Mutex<Vec<(String, Value)>>>,
    refusals_left: Arc<Mutex<u32>>,
}

impl Receiver {
    async fn start() -> (Self, String) {
        let receiver = Self::default();
        let router = Router::new().fallback(receive).with_state(receiver.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a listener");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        #[expect(clippy::disallowed_methods, reason = "it ends with the test")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        (receiver, url)
    }

    async fn wait_for(&self, count: usize) -> Vec<(String, Value)> {
        for _ in 0..80 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let got = self.got.lock().expect("a lock").clone();
            if got.len() >= count {
                return got;
            }
        }
        panic!("{:?}", self.got);
    }
}

async fn receive(State(receiver): State<Receiver>, uri: Uri, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    receiver
        .got
        .lock()
        .expect("a lock")
        .push((uri.path().to_owned(), body));
    let mut left = receiver.refusals_left.lock().expect("a lock");
    if *left > 0 {
        *left -= 1;
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let pong =
        json!({"version": "1", "name": "test", "time": "2026-01-01T00:00:00Z", "result": true});
    (
        [(header::CONTENT_TYPE, "application/json")],
        pong.to_string(),
    )
        .into_response()
}

async fn connect(world: &Sandbox, shop: &Seller, url: &str) -> Value {
    let request = ShopRequest {
        marketplace: Some(shop.market),
        seller: Some(shop.id().to_owned()),
        push_url: Some(Some(url.to_owned())),
        ..Default::default()
    };
    world.shop(request).await.expect("changed")
}

#[tokio::test]
async fn ozon_pings_and_tells_of_messages_that_are_not_the_sellers_own() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let (receiver, url) = Receiver::start().await;
    let connected = connect(&world, &shop, &format!("{url}/hooks/ozon/s")).await;
    assert_eq!(connected["push_check"], json!({"ok": true, "error": null}));
    let written = world.write_as_buyer(Ozon, None, "Текст").expect("written");
    let text = json!({"chat_id": written.chat, "text": "b"});
    shop.post("/v1/chat/send/message", text).await.expect(200);
    world
        .write_as_buyer(Ozon, Some(&written.chat), "c")
        .expect("written");
    let got = receiver.wait_for(3).await;
    assert_eq!(got[0].1["message_type"], "TYPE_PING");
    assert!(got[0].1["time"].is_string() && got.iter().all(|(path, _)| path == "/hooks/ozon/s"));
    let push = got
        .iter()
        .find(|(_, body)| body["data"] == json!(["Текст"]));
    let push = &push.expect("a push").1;
    let stored = world.messages(Ozon, &written.chat).expect("a chat");
    assert_eq!(push["created_at"], json!(stored[0].at));
    let mut rest = push.clone();
    for key in ["created_at", "user"] {
        rest.as_object_mut().expect("an object").remove(key);
    }
    let expected = json!({
        "message_type": "TYPE_NEW_MESSAGE", "chat_id": written.chat, "chat_type": "Buyer_Seller",
        "message_id": written.message, "data": ["Текст"], "seller_id": shop.id(),
    });
    assert_eq!(
        (&rest, &push["user"]["type"]),
        (&expected, &json!("Customer"))
    );
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        receiver.wait_for(3).await.len(),
        3,
        "nothing about the seller's own"
    );
}

#[tokio::test]
async fn yandex_tells_of_chats_and_messages_without_text_and_tries_again() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let (receiver, url) = Receiver::start().await;
    connect(&world, &shop, &format!("{url}/hook")).await;
    let ping = receiver.wait_for(1).await;
    assert_eq!(
        (ping[0].0.as_str(), &ping[0].1["notificationType"]),
        ("/hook", &json!("PING"))
    );
    *receiver.refusals_left.lock().expect("a lock") = 2;
    let written = world
        .write_as_buyer(YandexMarket, None, "тайна")
        .expect("written");
    let got = receiver.wait_for(5).await;
    let of = |kind: &str| {
        got.iter()
            .rev()
            .find(|(_, body)| body["notificationType"] == kind)
            .expect("a push")
            .1
            .clone()
    };
    let business: u64 = shop.id().parse().expect("a number");
    let created = of("CHAT_CREATED");
    assert_eq!(
        (&created["businessId"], created["chatId"].to_string()),
        (&json!(business), written.chat.clone())
    );
    assert!(created["createdAt"].is_string());
    let sent = of("CHAT_MESSAGE_SENT");
    assert_eq!(
        (&sent["messageId"], sent["chatId"].to_string()),
        (&json!(written.message), written.chat)
    );
    assert!(
        sent["sentAt"].is_string()
            && !json!(got.iter().map(|(_, body)| body).collect::<Vec<_>>())
                .to_string()
                .contains("тайна")
    );
}

#[tokio::test]
async fn a_push_address_that_does_not_answer_is_reported_and_kept() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let connected = connect(&world, &shop, "http://127.0.0.1:9/x").await;
    assert_eq!(
        connected["push_check"],
        json!({"ok": false, "error": "REQUEST_ERROR"})
    );
    assert_eq!(connected["push_url"], "http://127.0.0.1:9/x");
    let (receiver, url) = Receiver::start().await;
    *receiver.refusals_left.lock().expect("a lock") = 1;
    assert_eq!(
        connect(&world, &shop, &url).await["push_check"]["error"],
        "SERVER_FAULT"
    );
    let request = ShopRequest {
        marketplace: Some(Ozon),
        seller: Some(shop.id().to_owned()),
        push_url: Some(None),
        ..Default::default()
    };
    assert_eq!(
        world.shop(request).await.expect("changed")["push_url"],
        Value::Null
    );
}
