//! Bad input, whatever the operation: answered in our form, stored nowhere.

use common::channel::Marketplace;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Person, TestApp};

async fn send(person: &Person<'_>, kind: &str, body: impl Into<reqwest::Body>) -> Answer {
    let request = person.request(Method::POST, "/api/messages");
    Answer::of(request.header("content-type", kind).body(body)).await
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    for body in [
        "",
        "{",
        "nonsense",
        "{\"chat_id\":1,\"text\":\"x\"}}",
        "{\"text\":\"\\ud800\"}",
        "\u{feff}{}",
    ] {
        send(&anna, "application/json", body)
            .await
            .expect_error(400, "malformed_json");
    }
    let deep = "[".repeat(100_000);
    send(&anna, "application/json", deep)
        .await
        .expect_error(400, "malformed_json");
    let not_utf8: &[u8] = b"{\"text\":\"\xff\"}";
    send(&anna, "application/json", not_utf8)
        .await
        .expect_error(400, "malformed_json");
}

#[tokio::test]
async fn only_json_is_taken() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "x",
    ] {
        send(&anna, kind, "{}")
            .await
            .expect_error(415, "unsupported_media_type");
    }
    send(&anna, "Application/JSON; charset=utf-8", "{}")
        .await
        .expect_field("chat_id");
}

#[tokio::test]
async fn large_bodies_are_refused_and_the_answer_arrives() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    for mib in [2, 7] {
        let body = vec![b'x'; mib * 1024 * 1024];
        send(&anna, "application/json", body)
            .await
            .expect_error(413, "body_too_large");
    }
    let text = "x".repeat(1024 * 1024 - 100);
    let body = json!({ "chat_id": 1, "text": text }).to_string();
    send(&anna, "application/json", body)
        .await
        .expect_error(404, "chat_not_found");
}

#[tokio::test]
async fn wrong_types_name_their_field() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    for (field, value) in [
        ("chat_id", json!("1")),
        ("chat_id", json!(1.5)),
        ("chat_id", json!(null)),
        ("chat_id", json!(1e300)),
        ("text", json!(7)),
        ("text", json!(["x"])),
        ("text", json!("a\u{0}b")),
        ("client_message_id", json!("")),
        ("client_message_id", json!("x".repeat(65))),
        ("client_message_id", json!("\u{0}")),
        ("send_anyway", json!("true")),
        ("last_seen_message_id", json!(true)),
        ("state", json!("sent")),
        ("tenant_id", json!(1)),
        ("user_id", json!(1)),
    ] {
        let mut body = json!({ "chat_id": chat.id, "text": "x" });
        body[field] = value;
        anna.post("/api/messages", &body).await.expect_field(field);
    }
    for body in ["[]", "7", "null", "\"x\""] {
        send(&anna, "application/json", body)
            .await
            .expect_error(422, "validation_failed");
    }
    let thread = anna.get(&format!("/api/messages/chat/{}", chat.id)).await;
    assert_eq!(thread.expect(200)["messages"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn unknown_query_parameters_are_refused_everywhere() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    for path in [
        "/api/chats/1",
        "/api/v1/users/me",
        "/health",
        "/api/sellers",
    ] {
        anna.get(&format!("{path}?nonsense=1"))
            .await
            .expect_field("nonsense");
    }
}

#[tokio::test]
async fn nothing_of_the_database_is_told() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    for query in [
        "search='%20OR%201=1--",
        "search=%5C",
        "seller_id=-9223372036854775808",
    ] {
        let answer = anna.get(&format!("/api/chats?{query}")).await;
        assert_eq!(answer.expect(200)["chats"], json!([]));
    }
}
