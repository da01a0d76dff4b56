//! Beginning a chat about an order.

use std::time::Duration;

use common::channel::Marketplace;
use common::db::chat_starts::{self, ChatStart};
use common::db::chats as rows;
use common::db::sellers::{KeyChange, Seller, SellerChange, StoredCapabilities, StoredWarnings};
use common::db::users::Role;
use common::domain::chat_starts::StartProblem;
use common::marketplaces::Capabilities;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

const PATH: &str = "/api/chats";

/// Claims the next start, as a worker does.
async fn claimed(app: &TestApp, marketplace: Marketplace) -> ChatStart {
    loop {
        let (mut conn, now) = (app.conn().await, app.clock().now());
        let due = chat_starts::claim_due_across_tenants(&mut conn, marketplace, now, 1);
        if let Some(start) = due.await.unwrap().pop() {
            return start;
        }
        drop(conn);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Somebody wants a chat, and the worker says why there will be none.
async fn refused(
    person: &Person<'_>,
    shop: &Seller,
    problem: StartProblem,
    words: Option<&str>,
) -> Answer {
    let app = person.app;
    let body = json!({ "seller_id": shop.id, "order_id": "17" });
    let work = async {
        let start = claimed(app, shop.marketplace).await;
        let (mut conn, now) = (app.conn().await, app.clock().now());
        chat_starts::fail(&mut conn, &start, problem, words, now)
            .await
            .unwrap();
    };
    tokio::join!(person.post(PATH, &body), work).0
}

#[tokio::test]
async fn a_chat_that_the_worker_begins_is_given() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let body = json!({ "seller_id": shop.id, "order_id": " 0137-9 " });
    let work = async {
        let start = claimed(&app, Marketplace::Ozon).await;
        assert_eq!(
            (start.order_id.as_str(), start.user_id),
            ("0137-9", anna.user.id)
        );
        let (mut conn, now) = (app.conn().await, app.clock().now());
        let (tenant, seller) = (start.tenant_id, start.seller_id);
        let chat = rows::lock_or_create(&mut conn, tenant, seller, start.channel, "new", now);
        let chat = chat.await.unwrap();
        chat_starts::finish(&mut conn, &start, chat.id, now)
            .await
            .unwrap();
        chat
    };
    let (begun, chat) = tokio::join!(anna.post(PATH, &body), work);
    assert_eq!(begun.expect(201)["id"], chat.id.0);
    assert_eq!(begun.body["external_id"], "new");
}

#[tokio::test]
async fn the_chat_there_is_about_an_order_is_given() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let other = app.shop(anna.tenant(), Marketplace::Ozon).await;
    app.chat_about(&other, "Мария", "0137-Ё_9").await;
    let chat = app.chat_about(&shop, "Мария", "0137-Ё_9").await;
    let body = json!({ "seller_id": shop.id, "order_id": "0137-Ё_9" });
    let found = anna.post(PATH, &body).await;
    assert_eq!(found.expect(200)["id"], chat.id.0);
}

#[tokio::test]
async fn what_takes_long_goes_on_and_two_wait_for_the_same() {
    let app = TestApp::start().await;
    let (anna, boris) = (app.agent("anna").await, app.agent("boris").await);
    let eve = app.person("acme", "eve", Role::Owner).await;
    let shop = app.shop(anna.tenant(), Marketplace::YandexMarket).await;
    let body = json!({ "seller_id": shop.id, "order_id": "17" });
    let (first, second) = tokio::join!(anna.post(PATH, &body), boris.post(PATH, &body));
    let place = first.header("location").to_owned();
    assert_eq!(first.expect(202)["state"], "wanted");
    assert_eq!(second.expect(202)["id"], first.body["id"]);
    assert_eq!(place, format!("/api/chat-starts/{}", first.body["id"]));
    assert_eq!(boris.get(&place).await.expect(200), &first.body);
    eve.get(&place)
        .await
        .expect_error(404, "chat_start_not_found");
    let start = claimed(&app, Marketplace::YandexMarket).await;
    let (mut conn, now) = (app.conn().await, app.clock().now());
    let problem = StartProblem::OrderNotFound;
    chat_starts::fail(&mut conn, &start, problem, Some("no such order"), now)
        .await
        .unwrap();
    let failed = anna.get(&place).await;
    let error = json!({ "code": "order_not_found", "message": "no such order" });
    assert_eq!(failed.expect(200)["error"], error);
    assert_eq!(failed.body["state"], "failed");
}

#[tokio::test]
async fn a_refusal_has_its_code_and_the_marketplaces_words() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    for (problem, status, code) in [
        (StartProblem::CannotStart, 409, "cannot_start_chat"),
        (StartProblem::OrderNotFound, 404, "order_not_found"),
        (StartProblem::WindowClosed, 409, "window_closed"),
        (StartProblem::ReadOnly, 409, "seller_read_only"),
        (StartProblem::KeyRejected, 422, "seller_key_rejected"),
        (StartProblem::SellerInactive, 409, "seller_inactive"),
        (StartProblem::Unavailable, 503, "marketplace_unavailable"),
    ] {
        let answer = refused(&anna, &shop, problem, Some("its own words")).await;
        let error = answer.expect_error(status, code);
        assert_eq!(error["message"], "its own words");
        assert_eq!(serde_json::to_value(problem).unwrap(), code);
    }
    let answer = refused(&anna, &shop, StartProblem::WindowClosed, None).await;
    answer.expect_error(409, "window_closed");
}

#[tokio::test]
async fn what_cannot_be_is_refused_at_once() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let eve = app.person("acme", "eve", Role::Owner).await;
    let wildberries = app.shop(anna.tenant(), Marketplace::Wildberries).await;
    let foreign = app.shop(eve.tenant(), Marketplace::Ozon).await;
    let read_only = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let may_read = Capabilities {
        read: true,
        ..Capabilities::default()
    };
    let key = KeyChange {
        account_id: read_only.account_id.clone(),
        client_id: None,
        sealed_key: "sealed".into(),
        key_fingerprint: "00000000".into(),
        capabilities: StoredCapabilities(Some(may_read)),
        warnings: StoredWarnings::default(),
        probe_at: app.clock().now(),
    };
    let change = SellerChange {
        key: Some(key),
        ..SellerChange::default()
    };
    app.change_shop(&read_only, &change).await;
    let inactive = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let change = SellerChange {
        is_active: Some(false),
        ..SellerChange::default()
    };
    app.change_shop(&inactive, &change).await;
    for (seller, status, code) in [
        (wildberries.id.0, 409, "cannot_start_chat"),
        (read_only.id.0, 409, "seller_read_only"),
        (inactive.id.0, 409, "seller_inactive"),
        (foreign.id.0, 404, "seller_not_found"),
        (i64::MAX, 404, "seller_not_found"),
    ] {
        let body = json!({ "seller_id": seller, "order_id": "17" });
        anna.post(PATH, &body).await.expect_error(status, code);
    }
    for (field, order) in [
        ("order_id", json!(" ")),
        ("order_id", json!("1".repeat(101))),
        ("order_id", json!(17)),
        ("order_id", Value::Null),
    ] {
        let body = json!({ "seller_id": read_only.id, "order_id": order });
        anna.post(PATH, &body).await.expect_field(field);
    }
    let body = json!({ "seller_id": 1, "order_id": "17", "text": "x" });
    anna.post(PATH, &body).await.expect_field("text");
}
