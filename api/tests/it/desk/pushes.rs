//! Pushes from marketplaces.

use chrono::TimeDelta;
use common::channel::Marketplace;
use common::db::sellers::{self, Seller};
use serde_json::json;

use crate::support::TestApp;

fn path(app: &TestApp, seller: &Seller) -> String {
    let url = app.state.ctx.push_url(seller).unwrap();
    url.strip_prefix("https://chat.example").unwrap().to_owned()
}

async fn is_woken(app: &TestApp, seller: &Seller) -> bool {
    let mut conn = app.conn().await;
    let found = sellers::find(&mut conn, seller.tenant_id, seller.id).await;
    found.unwrap().unwrap().woken_at.is_some()
}

#[tokio::test]
async fn a_new_message_wakes_the_poll() {
    let app = TestApp::start().await;
    let tenant = app.tenant("demo").await.id;
    for (marketplace, push) in [
        (
            Marketplace::Ozon,
            json!({ "message_type": "TYPE_NEW_MESSAGE", "chat_type": "Buyer_Seller" }),
        ),
        (
            Marketplace::YandexMarket,
            json!({ "notificationType": "CHAT_MESSAGE_SENT" }),
        ),
    ] {
        let shop = app.shop(tenant, marketplace).await;
        app.advance(TimeDelta::seconds(1));
        let path = path(&app, &shop);
        let answer = app.post(&path, &push).await;
        answer.expect(200);
        assert_eq!(answer.header("content-type"), "application/json");
        app.post(&format!("{path}/notification"), &push)
            .await
            .expect(200);
        let started = tokio::time::Instant::now();
        while !is_woken(&app, &shop).await {
            assert!(started.elapsed().as_secs() < 5, "not woken");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn pings_are_answered_and_wake_nobody() {
    let app = TestApp::start().await;
    let tenant = app.tenant("demo").await.id;
    let shop = app.shop(tenant, Marketplace::Ozon).await;
    let ping = json!({ "message_type": "TYPE_PING", "time": "2019-08-24T14:15:22Z" });
    let answer = app.post(&path(&app, &shop), &ping).await;
    assert_eq!(answer.expect(200)["name"], "chat-center");
    assert!(!is_woken(&app, &shop).await);
    app.post(&path(&app, &shop), &json!([])).await.expect(400);
}

#[tokio::test]
async fn an_address_that_is_not_ours_is_not_there() {
    let app = TestApp::start().await;
    let tenant = app.tenant("demo").await.id;
    let shop = app.shop(tenant, Marketplace::Ozon).await;
    let path = path(&app, &shop);
    let ping = json!({ "message_type": "TYPE_PING" });
    for wrong in [
        path.replace("/ozon/", "/yandex/"),
        path[..path.len() - 1].to_owned(),
        format!("{}0", &path[..path.len() - 1]),
        "/hooks/ozon/x".to_owned(),
        "/hooks/ozon/%FF".to_owned(),
        path.replace("/ozon/", "/wildberries/"),
    ] {
        if wrong != path {
            app.post(&wrong, &ping).await.expect_error(404, "not_found");
        }
    }
}
