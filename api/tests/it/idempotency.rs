//! `Idempotency-Key`: done once, answered the same.

use chrono::TimeDelta;
use common::channel::Marketplace;
use common::db::idempotency_keys;
use common::db::users::Role;
use diesel_async::SimpleAsyncConnection;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

async fn post(person: &Person<'_>, key: &str, path: &str, body: &Value) -> Answer {
    let request = person.request(Method::POST, path);
    Answer::of(request.header("idempotency-key", key).json(body)).await
}

/// How many messages the chat has.
async fn count(person: &Person<'_>, chat: &Value) -> usize {
    let thread = person.get(&format!("/api/messages/chat/{chat}")).await;
    thread.expect(200)["messages"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_message_posted_twenty_times_at_once_is_stored_once() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = json!(app.chat_of(&shop, "Где заказ?").await.id);
    let body = json!({ "chat_id": chat, "text": "Уже в пути" });
    let tries = (0..20).map(|_| post(&anna, "key-1", "/api/messages", &body));
    let answers = join_all(tries).await;
    let (done, waiting): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 201);
    assert!(!done.is_empty());
    for answer in &done {
        assert_eq!(answer.text, done[0].text);
        assert_eq!(answer.header("location"), done[0].header("location"));
    }
    for answer in waiting {
        let error = answer.expect_error(409, "in_progress");
        assert_eq!(error["retryable"], true);
    }
    let again = post(&anna, "key-1", "/api/messages", &body).await;
    assert_eq!((again.status.as_u16(), &again.text), (201, &done[0].text));
    assert_eq!(count(&anna, &chat).await, 2, "the buyer's and ours");
}

#[tokio::test]
async fn another_request_with_the_same_key_is_a_conflict() {
    let app = TestApp::start().await;
    let anna = app.admin("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = json!(app.chat_of(&shop, "Где заказ?").await.id);
    let body = json!({ "chat_id": chat, "text": "Уже в пути" });
    post(&anna, "key-1", "/api/messages", &body)
        .await
        .expect(201);
    let other = json!({ "chat_id": chat, "text": "Завтра" });
    post(&anna, "key-1", "/api/messages", &other)
        .await
        .expect_error(409, "idempotency_conflict");
    post(
        &anna,
        "key-1",
        "/api/team/invites",
        &json!({ "role": "agent" }),
    )
    .await
    .expect_error(409, "idempotency_conflict");
    post(&anna, "key-2", "/api/messages", &body)
        .await
        .expect(201);
    assert_eq!(count(&anna, &chat).await, 3);
}

#[tokio::test]
async fn keys_of_other_people_are_other_keys() {
    let app = TestApp::start().await;
    let body = json!({ "role": "agent" });
    let mut links = Vec::new();
    for (tenant, name) in [("demo", "ada"), ("demo", "bert"), ("acme", "eve")] {
        let admin = app.person(tenant, name, Role::Owner).await;
        let first = post(&admin, "the-same", "/api/team/invites", &body).await;
        let again = post(&admin, "the-same", "/api/team/invites", &body).await;
        assert_eq!(first.expect(201), again.expect(201));
        links.push(first.body["link"].to_string());
        let kept = app.dump("idempotency_keys").await;
        let token = first.body["link"]
            .as_str()
            .unwrap()
            .rsplit_once('.')
            .unwrap()
            .1;
        assert!(kept.contains("the-same") && !kept.contains(token), "{kept}");
    }
    links.dedup();
    assert_eq!(links.len(), 3);
}

#[tokio::test]
async fn what_failed_may_be_tried_again_with_its_key() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let body = json!({ "chat_id": 1, "text": "Уже в пути" });
    post(&anna, "key-1", "/api/messages", &body)
        .await
        .expect_error(404, "chat_not_found");
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    assert_eq!(chat.id.0, 1);
    post(&anna, "key-1", "/api/messages", &body)
        .await
        .expect(201);
}

#[tokio::test]
async fn a_shop_is_connected_once_and_asked_about_once() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let body = json!({
        "name": "Shop", "marketplace": "ozon", "client_id": "77", "api_key": "some-key",
    });
    let path = "/api/sellers?probe=false";
    let first = post(&ada, "key-1", path, &body).await;
    let again = post(&ada, "key-1", path, &body).await;
    assert_eq!(first.expect(201), again.expect(201));
    ada.post(path, &body)
        .await
        .expect_error(409, "seller_exists");
    assert!(!app.dump("idempotency_keys").await.contains("some-key"));
}

#[tokio::test]
async fn while_the_first_runs_the_second_is_told_so() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = json!(app.chat_of(&shop, "Где заказ?").await.id);
    let body = json!({ "chat_id": chat, "text": "Уже в пути" });
    let mut conn = app.conn().await;
    conn.batch_execute("BEGIN").await.unwrap();
    let taken = idempotency_keys::take(&mut conn, anna.tenant(), anna.user.id, "key-1").await;
    assert!(taken.unwrap());
    post(&anna, "key-1", "/api/messages", &body)
        .await
        .expect_error(409, "in_progress");
    conn.batch_execute("ROLLBACK").await.unwrap();
    post(&anna, "key-1", "/api/messages", &body)
        .await
        .expect(201);
}

#[tokio::test]
async fn a_day_later_the_key_is_free_and_forgotten() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = json!(app.chat_of(&shop, "Где заказ?").await.id);
    let body = json!({ "chat_id": chat, "text": "Уже в пути" });
    let program = json!({ "name": "x", "scopes": ["write"] });
    let ada = app.admin("ada").await;
    let token = ada.post("/api/tokens", &program).await;
    let token = token.expect(201)["token"].as_str().unwrap().to_owned();
    let send = async || {
        let request = app.http.post(app.url("/api/messages")).json(&body);
        let request = request.header("idempotency-key", "key-1");
        Answer::of(request.bearer_auth(&token)).await
    };
    let first = send().await;
    app.advance(TimeDelta::hours(23));
    assert_eq!(send().await.expect(201), first.expect(201));
    app.advance(TimeDelta::hours(1));
    assert_ne!(send().await.expect(201)["id"], first.body["id"]);
    let mut conn = app.conn().await;
    let before = app.clock().now();
    for purged in [1, 0] {
        let gone = idempotency_keys::purge_across_tenants(&mut conn, before).await;
        assert_eq!(gone.unwrap(), purged);
    }
}

#[tokio::test]
async fn a_key_has_a_form() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let body = json!({ "chat_id": 1, "text": "x" });
    for key in [String::new(), "x".repeat(256), "ключ".to_owned()] {
        post(&anna, &key, "/api/messages", &body)
            .await
            .expect_field("Idempotency-Key");
    }
}
