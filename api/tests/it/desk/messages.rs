//! The messages of a chat: read, written, sent once more.

use chrono::TimeDelta;
use common::channel::Marketplace;
use common::db::chats::Chat;
use common::db::messages::{self, Message, Progress};
use common::db::sellers::{KeyChange, Seller, SellerChange, StoredCapabilities, StoredWarnings};
use common::domain::delivery::MessageState;
use common::ids::MessageId;
use common::marketplaces::Capabilities;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

async fn chat_in(app: &TestApp, person: &Person<'_>) -> (Seller, Chat) {
    let shop = app.shop(person.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где мой заказ?").await;
    (shop, chat)
}

async fn answer(person: &Person<'_>, chat: &Chat, more: &Value) -> Answer {
    let mut body = json!({ "chat_id": chat.id, "text": "Уже в пути" });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    person.post("/api/messages", &body).await
}

fn texts(answer: &Answer) -> Vec<&str> {
    let messages = answer.expect(200)["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|it| it["text"].as_str().unwrap())
        .collect()
}

async fn settle(app: &TestApp, id: &Value, progress: &Progress) -> Message {
    let person = app.tenant("demo").await.id;
    let mut conn = app.conn().await;
    let id = MessageId(id.as_i64().unwrap());
    messages::advance(&mut conn, person, id, MessageState::Queued, progress)
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn an_answer_is_queued_and_due_at_once() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (_, chat) = chat_in(&app, &anna).await;
    let posted = answer(&anna, &chat, &json!({ "text": "  Уже в пути \n" })).await;
    let message = posted.expect(201);
    assert_eq!(message["state"], "queued");
    assert_eq!(message["text"], "  Уже в пути \n", "kept as written");
    assert_eq!(message["direction"], "outgoing");
    assert_eq!(
        message["author"],
        json!({ "type": "agent", "user_id": anna.user.id, "name": "anna" })
    );
    let path = format!("/api/messages/{}", message["id"]);
    assert_eq!(posted.header("location"), path);
    let mut kept = message.clone();
    kept.as_object_mut().unwrap().remove("warnings");
    assert_eq!(anna.get(&path).await.expect(200), &kept);
    let stored = app.chat(anna.tenant(), chat.id).await;
    assert!(stored.deliver_at.is_some_and(|at| at <= app.clock().now()));
    assert_eq!(stored.status.as_str(), "open", "nothing has arrived yet");
    assert_eq!(stored.last_message_preview.as_deref(), Some("Уже в пути"));
}

#[tokio::test]
async fn the_same_request_twice_stores_one_message() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (_, chat) = chat_in(&app, &anna).await;
    let named = json!({ "client_message_id": "a-1" });
    let tries = (0..8).map(|_| answer(&anna, &chat, &named));
    let answers = futures::future::join_all(tries).await;
    let created = answers.iter().filter(|it| it.status == 201).count();
    assert_eq!(created, 1);
    assert!(
        answers
            .iter()
            .all(|it| it.body["id"] == answers[0].body["id"])
    );
    let other = json!({ "client_message_id": "a-1", "text": "Другое" });
    answer(&anna, &chat, &other)
        .await
        .expect_error(409, "message_conflict");
    let thread = anna.get(&format!("/api/messages/chat/{}", chat.id)).await;
    assert_eq!(texts(&thread), ["Где мой заказ?", "Уже в пути"]);
}

#[tokio::test]
async fn whoever_has_not_seen_everything_is_told() {
    let app = TestApp::start().await;
    let (anna, boris) = (app.agent("anna").await, app.agent("boris").await);
    let (shop, chat) = chat_in(&app, &anna).await;
    let seen = json!({ "last_seen_message_id": chat.last_buyer_message_id });
    let mine = answer(&anna, &chat, &seen).await;
    mine.expect(201);
    // One's own answer is no surprise, but it is one to the other.
    answer(&anna, &chat, &seen).await.expect(201);
    answer(&boris, &chat, &seen)
        .await
        .expect_error(409, "chat_moved_on");
    let seen = json!({ "last_seen_message_id": mine.body["id"] });
    app.buyer_writes(&shop, &chat, "Алло?").await;
    answer(&anna, &chat, &seen)
        .await
        .expect_error(409, "chat_moved_on");
    let anyway = json!({ "last_seen_message_id": mine.body["id"], "send_anyway": true });
    answer(&anna, &chat, &anyway).await.expect(201);
    for unknown in [0, -1, i64::MAX] {
        let unknown = json!({ "last_seen_message_id": unknown });
        answer(&anna, &chat, &unknown)
            .await
            .expect_field("last_seen_message_id");
    }
}

#[tokio::test]
async fn what_the_marketplace_would_refuse_is_refused_here() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (shop, chat) = chat_in(&app, &anna).await;
    let long = answer(&anna, &chat, &json!({ "text": "ж".repeat(1001) })).await;
    let error = long.expect_error(422, "text_too_long");
    assert_eq!(error["details"][0]["limit"], 1000);
    let fits = answer(&anna, &chat, &json!({ "text": "ж".repeat(1000) })).await;
    fits.expect(201);
    for text in ["", "   \n\t "] {
        let blank = answer(&anna, &chat, &json!({ "text": text })).await;
        blank.expect_field("text");
    }
    let read_only = KeyChange {
        account_id: shop.account_id.clone(),
        client_id: None,
        sealed_key: "sealed".into(),
        key_fingerprint: "00000000".into(),
        capabilities: StoredCapabilities(Some(Capabilities::default())),
        warnings: StoredWarnings::default(),
        probe_at: app.clock().now(),
    };
    let change = SellerChange {
        key: Some(read_only),
        ..SellerChange::default()
    };
    app.change_shop(&shop, &change).await;
    answer(&anna, &chat, &json!({}))
        .await
        .expect_error(409, "seller_read_only");
    let change = SellerChange {
        is_active: Some(false),
        ..SellerChange::default()
    };
    app.change_shop(&shop, &change).await;
    answer(&anna, &chat, &json!({}))
        .await
        .expect_error(409, "seller_inactive");
}

#[tokio::test]
async fn after_the_window_nothing_is_sent() {
    let app = TestApp::start().await;
    let shop = app
        .shop(app.tenant("demo").await.id, Marketplace::Ozon)
        .await;
    let chat = app.chat_of(&shop, "Где мой заказ?").await;
    app.advance(TimeDelta::hours(48));
    let anna = app.agent("anna").await;
    answer(&anna, &chat, &json!({}))
        .await
        .expect_error(409, "window_closed");
}

#[tokio::test]
async fn an_answer_reopens_a_closed_chat() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (_, chat) = chat_in(&app, &anna).await;
    anna.call(&format!("/api/chats/{}/close", chat.id))
        .await
        .expect(200);
    answer(&anna, &chat, &json!({})).await.expect(201);
    let chat = app.chat(anna.tenant(), chat.id).await;
    assert_eq!(chat.status.as_str(), "open");
}

#[tokio::test]
async fn a_failed_message_is_sent_once_more_and_no_other() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (_, chat) = chat_in(&app, &anna).await;
    let posted = answer(&anna, &chat, &json!({})).await;
    let id = &posted.expect(201)["id"];
    let path = format!("/api/messages/{id}/retry");
    anna.call(&path).await.expect_error(409, "not_failed");
    let failed = Progress::failed("seller_key_rejected", "Invalid Api-Key");
    let failed = settle(&app, id, &failed).await;
    let errors = anna.get("/api/chats?send_error=true").await;
    assert_eq!(errors.expect(200)["chats"][0]["id"], chat.id.0);
    let shown = anna.get(&format!("/api/messages/{id}")).await;
    assert_eq!(shown.expect(200)["error"]["message"], "Invalid Api-Key");
    let again = anna.call(&path).await;
    assert_eq!(again.expect(200)["state"], "queued");
    assert_eq!(again.body["error"], Value::Null);
    let mut conn = app.conn().await;
    let stored = messages::find(&mut conn, anna.tenant(), failed.id).await;
    assert!(stored.unwrap().unwrap().send_before > Some(app.clock().now()));
    settle(&app, id, &Progress::to(MessageState::Unknown)).await;
    anna.call(&path).await.expect_error(409, "not_failed");
}

#[tokio::test]
async fn a_thread_is_read_from_its_end() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "1").await;
    for no in 2..=5 {
        app.advance(TimeDelta::seconds(1));
        app.buyer_writes(&shop, &chat, &no.to_string()).await;
    }
    let path = format!("/api/messages/chat/{}", chat.id);
    let newest = anna.get(&format!("{path}?limit=2")).await;
    assert_eq!(texts(&newest), ["4", "5"]);
    let cursor = newest.body["next_cursor"].as_str().unwrap();
    let older = anna.get(&format!("{path}?limit=2&cursor={cursor}")).await;
    assert_eq!(texts(&older), ["2", "3"]);
    let (second, third) = (
        &older.body["messages"][0]["id"],
        &older.body["messages"][1]["id"],
    );
    let oldest = anna.get(&format!("{path}?before={second}")).await;
    assert_eq!(texts(&oldest), ["1"]);
    assert_eq!(oldest.body["next_cursor"], Value::Null);
    let newer = anna.get(&format!("{path}?after={third}&limit=1")).await;
    assert_eq!(texts(&newer), ["4"]);
    anna.get(&format!("{path}?before=0"))
        .await
        .expect_field("before");
    anna.get(&format!("{path}?after=99999"))
        .await
        .expect_field("after");
    anna.get(&format!("{path}?cursor=x"))
        .await
        .expect_field("cursor");
    anna.get(&format!("{path}?before={second}&after={third}"))
        .await
        .expect_field("cursor");
}
