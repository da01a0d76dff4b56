//! Live events over WebSocket and SSE.

use common::channel::Marketplace;
use common::db::users::Role;
use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn a_socket_hears_what_happens() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let (mut socket, _) = anna.socket(None).await;
    socket.say(&json!({ "type": "ping" })).await;
    assert_eq!(socket.frame().await, json!({ "type": "pong" }));
    socket
        .say(&json!({ "type": "viewing", "chat_id": chat.id }))
        .await;
    let body = json!({ "chat_id": chat.id, "text": "Уже в пути" });
    let posted = anna.post("/api/messages", &body).await;
    let created = socket.frame_of("message.created").await;
    let mut message = posted.expect(201).clone();
    message.as_object_mut().unwrap().remove("warnings");
    assert_eq!(created["data"], message);
    let changed = socket.frame_of("chat.updated").await;
    assert_eq!(changed["data"]["id"], chat.id.0);
    assert!(changed["id"].is_string());
}

#[tokio::test]
async fn nobody_hears_other_tenants() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let eve = app.person("acme", "eve", Role::Agent).await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let foreign = app.shop(eve.tenant(), Marketplace::Ozon).await;
    let foreign = app.chat_of(&foreign, "Чужой").await;
    let (mut socket, _) = eve.socket(None).await;
    anna.call(&format!("/api/chats/{}/close", chat.id))
        .await
        .expect(200);
    eve.call(&format!("/api/chats/{}/close", foreign.id))
        .await
        .expect(200);
    let first = socket.frame().await;
    assert_eq!(first["data"]["id"], foreign.id.0, "{first}");
}

#[tokio::test]
async fn what_is_no_hello_closes_the_socket() {
    let app = TestApp::start().await;
    let member = app.person("demo", "max", Role::Member).await;
    let member = json!({ "type": "hello", "token": member.tokens.access_token });
    for (said, code) in [
        (json!({ "type": "hello", "token": "x" }), 4401),
        (member, 4403),
        (json!({ "type": "ping" }), 4400),
        (json!({ "type": "hello" }), 4400),
        (json!(7), 4400),
    ] {
        let mut socket = app.socket().await;
        socket.say(&said).await;
        assert_eq!(socket.close_code().await, code, "{said}");
    }
    let anna = app.agent("anna").await;
    let (mut socket, _) = anna.socket(None).await;
    socket.say_text("{").await;
    assert_eq!(socket.close_code().await, 4400);
    app.get("/api/ws")
        .await
        .expect_error(400, "websocket_expected");
}

#[tokio::test]
async fn a_revoked_session_ends_sockets_and_streams() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (mut socket, _) = anna.socket(None).await;
    let mut events = anna.events(None).await;
    anna.is_shut_out().await;
    let revoked = tokio::time::Instant::now();
    assert_eq!(socket.close_code().await, 4401);
    while events.next().await.is_some() {}
    assert!(revoked.elapsed().as_secs() < 5);
}

#[tokio::test]
async fn a_listener_goes_on_where_it_was() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let path = format!("/api/chats/{}", chat.id);
    let (mut socket, _) = anna.socket(None).await;
    anna.call(&format!("{path}/close")).await.expect(200);
    let closed = socket.frame_of("chat.updated").await;
    drop(socket);
    anna.call(&format!("{path}/reopen")).await.expect(200);
    let after = closed["id"].as_str();
    let (mut socket, _) = anna.socket(after).await;
    let reopened = socket.frame_of("chat.updated").await;
    assert_eq!(reopened["data"]["status"], "open");
    let (id, data) = anna.events(after).await.event("chat.updated").await;
    assert_eq!(Value::from(id), reopened["id"]);
    assert_eq!(data, reopened["data"]);
}

#[tokio::test]
async fn an_unknown_place_is_answered_with_reset() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (mut socket, _) = anna.socket(Some("0000-1-0")).await;
    assert_eq!(socket.frame().await["type"], "reset");
    anna.events(Some("nonsense")).await.event("reset").await;
}

#[tokio::test]
async fn a_stream_begins_with_how_to_come_back() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let mut events = anna.events(None).await;
    let opening = events.next().await.unwrap();
    assert!(opening.contains(&("retry".to_owned(), "2000".to_owned())));
    app.get("/api/events")
        .await
        .expect_error(401, "unauthorized");
    anna.get("/api/events?since=1").await.expect_field("since");
}

#[tokio::test]
async fn stopping_ends_sockets_and_streams() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (mut socket, _) = anna.socket(None).await;
    let mut events = anna.events(None).await;
    app.state.shut_down();
    assert_eq!(socket.close_code().await, 1012);
    while events.next().await.is_some() {}
}
