//! The demo's seed.

use api::seed_demo::seed_demo;
use common::db::sellers::{self, SellerFilter};
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn the_demo_is_made_once_and_follows_the_sandboxs_keys() {
    let app = TestApp::start().await;
    let sandbox = app.sandbox.url().to_owned();
    for _ in 0..2 {
        seed_demo(app.state.config.clone(), &sandbox).await.unwrap();
    }
    for (email, tenant, role) in [
        ("owner@demo.test", "demo", "owner"),
        ("anna@demo.test", "demo", "agent"),
        ("owner@acme.test", "acme", "owner"),
        ("operator@demo.test", "operators", "operator"),
    ] {
        let body = json!({ "email": email, "password": "demo-password-1" });
        let tokens = app.post("/api/v1/auth/login", &body).await;
        let token = tokens.expect(200)["access_token"].as_str().unwrap();
        let me = app.http.get(app.url("/api/v1/users/me")).bearer_auth(token);
        let me = crate::support::Answer::of(me).await;
        assert_eq!(me.expect(200)["tenant"]["slug"], tenant);
        assert_eq!(me.body["role"], role);
    }
    let mut conn = app.conn().await;
    for slug in ["demo", "acme"] {
        let tenant = app.tenant(slug).await.id;
        let shops = sellers::list(&mut conn, tenant, SellerFilter::default(), None, 100)
            .await
            .unwrap();
        assert_eq!(shops.len(), 3, "{slug}");
        assert!(shops.iter().all(|shop| shop.capabilities().is_some()));
    }
    let state = app.sandbox.state();
    let shops = state["shops"].as_array().unwrap().iter();
    let pushed = shops.filter(|shop| shop["push_url"].is_string()).count();
    assert_eq!(pushed, 4, "Ozon and Yandex Market of two tenants");
}

#[tokio::test]
async fn production_is_refused() {
    let app = TestApp::start_with(&[("APP_ENV", "prod")]).await;
    let sandbox = app.sandbox.url().to_owned();
    let refused = seed_demo(app.state.config.clone(), &sandbox).await;
    assert!(refused.unwrap_err().to_string().contains("APP_ENV=prod"));
}
