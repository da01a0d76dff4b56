//! Shops at marketplaces.

use common::channel::Marketplace;
use common::db::users::Role;
use sandbox::FaultRequest;
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

/// A shop of the sandbox as a client would connect it.
fn shop_of(app: &TestApp, marketplace: &str) -> Value {
    let state = app.sandbox.state();
    let shops = state["shops"].as_array().unwrap();
    let shop = shops.iter().find(|shop| shop["marketplace"] == marketplace);
    let credentials = &shop.unwrap()["credentials"];
    let mut body = json!({
        "name": "My Store", "marketplace": marketplace, "api_key": credentials["api_key"],
    });
    if marketplace != "wildberries" {
        body["client_id"] = credentials["client_id"].clone();
    }
    body
}

async fn connect(admin: &Person<'_>, body: &Value) -> Value {
    admin.post("/api/sellers", body).await.expect(201).clone()
}

#[tokio::test]
async fn every_marketplace_is_probed_live() {
    let app = TestApp::start().await;
    let admin = app.admin("olga").await;
    for marketplace in ["ozon", "wildberries", "yandex_market"] {
        let body = shop_of(&app, marketplace);
        let answer = admin.post("/api/sellers", &body).await;
        let seller = answer.expect(201);
        assert_eq!(
            answer.header("location"),
            format!("/api/sellers/{}", seller["id"])
        );
        assert_eq!(seller["capabilities"]["read"], true);
        assert_eq!(seller["is_active"], true);
        assert_eq!(seller["key_fingerprint"].as_str().unwrap().len(), 8);
        let key = body["api_key"].as_str().unwrap();
        assert!(!answer.text.contains(key), "the key came back");
    }
    let page = admin.get("/api/sellers").await;
    assert_eq!(page.expect(200)["total"], 3);
    let filtered = admin
        .get("/api/sellers?marketplace=ozon&is_active=true")
        .await;
    assert_eq!(filtered.expect(200)["total"], 1);
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_the_marketplaces_words() {
    let app = TestApp::start().await;
    let admin = app.admin("olga").await;
    let mut body = shop_of(&app, "ozon");
    body["api_key"] = json!("wrong");
    let answer = admin.post("/api/sellers", &body).await;
    let error = answer.expect_error(422, "seller_key_rejected");
    assert!(error["message"].as_str().unwrap().len() > 30, "{error}");
    let not_asked = admin.post("/api/sellers?probe=false", &body).await;
    assert_eq!(not_asked.expect(201)["capabilities"], Value::Null);
}

#[tokio::test]
async fn a_marketplace_that_is_down_leaves_a_warning() {
    let app = TestApp::start().await;
    let admin = app.admin("olga").await;
    let fault = FaultRequest {
        target: Some("ozon".into()),
        kind: "status".into(),
        value: Some(503),
        ..FaultRequest::default()
    };
    app.sandbox.fault(fault).unwrap();
    let seller = connect(&admin, &shop_of(&app, "ozon")).await;
    assert_eq!(seller["warnings"][0]["code"], "probe_unavailable");
}

#[tokio::test]
async fn the_same_shop_twice_is_a_conflict_until_it_is_deactivated() {
    let app = TestApp::start().await;
    let admin = app.admin("olga").await;
    let body = shop_of(&app, "ozon");
    let seller = connect(&admin, &body).await;
    admin
        .post("/api/sellers", &body)
        .await
        .expect_error(409, "seller_exists");
    let path = format!("/api/sellers/{}", seller["id"]);
    assert_eq!(admin.delete(&path).await.expect(204), &Value::Null);
    assert_eq!(admin.get(&path).await.expect(200)["is_active"], false);
    admin
        .call(&format!("{path}/sync"))
        .await
        .expect_error(409, "seller_inactive");
    let again = connect(&admin, &body).await;
    assert_eq!(again["id"], seller["id"]);
    assert_eq!(again["is_active"], true);
    admin.call(&format!("{path}/sync")).await.expect(202);
    // Another tenant may connect the same account.
    let acme = app.person("acme", "olga", Role::Owner).await;
    connect(&acme, &body).await;
}

#[tokio::test]
async fn a_shop_is_changed_and_a_new_key_probed() {
    let app = TestApp::start().await;
    let admin = app.admin("olga").await;
    let body = shop_of(&app, "ozon");
    let seller = connect(&admin, &body).await;
    let path = format!("/api/sellers/{}", seller["id"]);
    let renamed = admin.patch(&path, &json!({ "name": " Renamed " })).await;
    assert_eq!(renamed.expect(200)["name"], "Renamed");
    admin
        .patch(&path, &json!({ "api_key": "wrong" }))
        .await
        .expect_error(422, "seller_key_rejected");
    admin
        .patch(&path, &json!({ "client_id": "77" }))
        .await
        .expect_field("api_key");
    let same_key = json!({ "api_key": body["api_key"] });
    admin.patch(&path, &same_key).await.expect(200);
    let off = admin.patch(&path, &json!({ "is_active": false })).await;
    assert_eq!(off.expect(200)["sync"]["status"], "idle");
}

#[tokio::test]
async fn what_breaks_a_rule_is_named() {
    let app = TestApp::start().await;
    let admin = app.admin("olga").await;
    for (field, value) in [
        ("name", json!("")),
        ("name", json!("x".repeat(256))),
        ("marketplace", json!("amazon")),
        ("client_id", Value::Null),
        ("client_id", json!(5)),
        ("api_key", json!("")),
        ("api_key", json!("ключ")),
        ("api_key", json!("x".repeat(4097))),
        ("tenant_id", json!(1)),
    ] {
        let mut body = shop_of(&app, "ozon");
        body[field] = value;
        admin.post("/api/sellers", &body).await.expect_field(field);
    }
    admin
        .get("/api/sellers?limit=0")
        .await
        .expect_field("limit");
    admin
        .get("/api/sellers?cursor=x")
        .await
        .expect_field("cursor");
}

#[tokio::test]
async fn agents_read_shops_and_change_none() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let seller = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let path = format!("/api/sellers/{}", seller.id);
    anna.get("/api/sellers").await.expect(200);
    anna.get(&path).await.expect(200);
    let body = shop_of(&app, "ozon");
    anna.post("/api/sellers", &body)
        .await
        .expect_error(403, "forbidden");
    anna.patch(&path, &json!({}))
        .await
        .expect_error(403, "forbidden");
    anna.delete(&path).await.expect_error(403, "forbidden");
    anna.call(&format!("{path}/sync"))
        .await
        .expect_error(403, "forbidden");
    let member = app.person("demo", "max", Role::Member).await;
    member
        .get("/api/sellers")
        .await
        .expect_error(403, "forbidden");
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    for _ in 0..3 {
        app.shop(anna.tenant(), Marketplace::Ozon).await;
    }
    let first = anna.get("/api/sellers?limit=2").await;
    let first = first.expect(200);
    assert_eq!(first["sellers"].as_array().unwrap().len(), 2);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = anna
        .get(&format!("/api/sellers?limit=2&cursor={cursor}"))
        .await;
    let second = second.expect(200);
    assert_eq!(second["sellers"].as_array().unwrap().len(), 1);
    assert_eq!(second["next_cursor"], Value::Null);
}
