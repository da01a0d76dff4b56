//! Ozon: credentials, roles, rates, removed versions (FACTS §1.1–§1.3).

use std::time::Duration;

use reqwest::Method;
use sandbox::{Marketplace::Ozon, Quirk, Refusal, Sandbox, ShopRequest};
use serde_json::json;

use crate::client::{Seller, quiet_world};

const LIST: &str = "/v3/chat/list";

async fn amend(world: &Sandbox, shop: &Seller, request: ShopRequest) {
    let request = ShopRequest {
        marketplace: Some(Ozon),
        seller: Some(shop.id().to_owned()),
        ..request
    };
    world.shop(request).await.expect("changed");
}

#[tokio::test]
async fn removed_and_unknown_versions_are_plain_404() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    for path in [
        "/v1/chat/list",
        "/v1/chat/history",
        "/v1/chat/updates",
        "/v2/chat/list",
        "/v2/chat/history",
        "/v1/chat/read",
        "/v4/chat/list",
        "/v3/chat/list/",
    ] {
        let reply = shop.post(path, json!({"limit": 1})).await.expect(404);
        assert_eq!(reply.body, b"404 page not found", "{path}");
        assert!(
            reply
                .header("content-type")
                .is_some_and(|kind| kind.starts_with("text/plain"))
        );
    }
    let reply = shop.get(LIST).await.expect(405);
    assert_eq!(reply.json["message"], "method is not allowed");
}

#[tokio::test]
async fn credentials_come_as_a_pair_or_as_a_bearer_token() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let bare = || shop.bare(Method::POST, LIST).json(&json!({"limit": 1}));
    let missing = shop.send(bare()).await.expect(401);
    assert_eq!(missing.json["code"], 16);
    shop.send(bare().header("Client-Id", shop.id()))
        .await
        .expect(401);
    shop.send(bare().header("Api-Key", shop.key()))
        .await
        .expect(401);
    let token = shop.shop["credentials"]["oauth_token"]
        .as_str()
        .expect("a token");
    shop.send(bare().bearer_auth(token)).await.expect(200);
    shop.send(bare().bearer_auth("other")).await.expect(401);
    shop.send(bare().bearer_auth(shop.key())).await.expect(401);
    for (id, key) in [(shop.id(), "wrong"), ("999", shop.key())] {
        let request = bare().header("Client-Id", id).header("Api-Key", key);
        let reply = shop.send(request).await.expect(403);
        let text = "Invalid Api-Key, please check the key and try again";
        assert_eq!(
            (&reply.json["code"], &reply.json["message"]),
            (&json!(7), &json!(text))
        );
    }
    let foreign = Seller::of(&world, Ozon, "acme");
    let mixed = bare()
        .header("Client-Id", shop.id())
        .header("Api-Key", foreign.key());
    shop.send(mixed).await.expect(403);
}

#[tokio::test]
async fn revoked_replaced_and_expired_keys_are_deactivated() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let ask = || shop.post(LIST, json!({"limit": 1}));
    amend(
        &world,
        &shop,
        ShopRequest {
            revoked: Some(true),
            ..Default::default()
        },
    )
    .await;
    let text = "Api-key is deactivated, use another one or generate a new one";
    assert_eq!(ask().await.expect(403).json["message"], text);
    amend(
        &world,
        &shop,
        ShopRequest {
            revoked: Some(false),
            ..Default::default()
        },
    )
    .await;
    ask().await.expect(200);
    amend(
        &world,
        &shop,
        ShopRequest {
            api_key: Some("new".into()),
            ..Default::default()
        },
    )
    .await;
    assert_eq!(ask().await.expect(403).json["message"], text);
    let renewed = Seller::of(&world, Ozon, "demo");
    renewed.post(LIST, json!({"limit": 1})).await.expect(200);
    world
        .advance(Duration::from_secs(181 * 24 * 3600))
        .expect("moved");
    assert_eq!(
        renewed
            .post(LIST, json!({"limit": 1}))
            .await
            .expect(403)
            .json["message"],
        text
    );
}

#[tokio::test]
async fn roles_decide_and_are_told() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let told = shop.post("/v1/roles", json!({})).await.expect(200);
    assert_eq!(told.json["roles"][0]["name"], "Admin");
    assert_eq!(told.json["expires_at"], shop.shop["expires_at"]);
    shop.send(shop.request(Method::POST, "/v1/roles"))
        .await
        .expect(200);
    let chat = world.write_as_buyer(Ozon, None, "a").expect("written").chat;
    let send = || {
        shop.post(
            "/v1/chat/send/message",
            json!({"chat_id": chat, "text": "a"}),
        )
    };
    let roles = |name: &str| ShopRequest {
        scopes: Some(vec![name.to_owned()]),
        ..Default::default()
    };
    amend(&world, &shop, roles("Admin read only")).await;
    shop.post(LIST, json!({"limit": 1})).await.expect(200);
    let text = "Api-Key is missing a required role for a method";
    assert_eq!(send().await.expect(403).json["message"], text);
    amend(&world, &shop, roles("Posting FBS")).await;
    assert_eq!(
        shop.post(LIST, json!({"limit": 1})).await.expect(403).json["message"],
        text
    );
    shop.post("/v1/roles", json!({})).await.expect(200);
}

#[tokio::test]
async fn the_51st_request_of_a_second_is_refused() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    // the clock is the world's, so that a slow machine does not help
    let asked =
        futures::future::join_all((0..200).map(|_| shop.post("/v1/roles", json!({})))).await;
    let refused: Vec<_> = asked
        .into_iter()
        .filter(|reply| reply.status == 429)
        .collect();
    let reply = refused.first().expect("a refusal");
    let text = "You have reached request rate limit per second";
    assert_eq!(reply.json, json!({"code": 8, "message": text}));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(reply.header("ratelimit-remaining"), Some("0"));
    world.advance(Duration::from_secs(1)).expect("moved");
    shop.post("/v1/roles", json!({})).await.expect(200);
}

#[tokio::test]
async fn whole_shops_are_refused_for_their_reasons() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    for (refusal, status, text) in [
        (Refusal::OfferNotSigned, 403, "Offer not signed"),
        (
            Refusal::IpRestricted,
            403,
            "Api-Key is restricted to specific IP addresses",
        ),
        (Refusal::CircleIsOpen, 503, "Circle is open"),
    ] {
        amend(
            &world,
            &shop,
            ShopRequest {
                refusal: Some(Some(refusal)),
                ..Default::default()
            },
        )
        .await;
        let reply = shop.post(LIST, json!({"limit": 1})).await.expect(status);
        assert_eq!(reply.json["message"], text);
    }
    amend(
        &world,
        &shop,
        ShopRequest {
            refusal: Some(None),
            ..Default::default()
        },
    )
    .await;
    shop.post(LIST, json!({"limit": 1})).await.expect(200);
}

#[tokio::test]
async fn a_body_must_call_itself_json() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let request = shop.request(Method::POST, LIST).body("{\"limit\":1}");
    shop.send(request.header("Content-Type", "text/plain"))
        .await
        .expect(400);
    let request = shop.request(Method::POST, LIST).body("{\"limit\":");
    shop.send(request.header("Content-Type", "application/json"))
        .await
        .expect(400);
}

#[tokio::test]
async fn oddities_of_the_real_one_can_be_switched_on() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let chat = world.write_as_buyer(Ozon, None, "a").expect("written").chat;
    let quirks = vec![
        Quirk::CyrillicCustomer,
        Quirk::NumericIds,
        Quirk::TextualHasNext,
        Quirk::InvalidKeyIsNotFound,
    ];
    amend(
        &world,
        &shop,
        ShopRequest {
            quirks: Some(quirks),
            ..Default::default()
        },
    )
    .await;
    let list = shop.post(LIST, json!({"limit": 1})).await.expect(200).json;
    assert_eq!(list["has_next"], "false");
    assert!(list["chats"][0]["last_message_id"].is_u64());
    let request = shop
        .request(Method::POST, "/v3/chat/history")
        .json(&json!({"chat_id": chat}));
    let history = request
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a body");
    assert!(history.contains("\u{421}ustomer"));
    let request = shop
        .bare(Method::POST, LIST)
        .header("Client-Id", shop.id())
        .header("Api-Key", "no");
    assert_eq!(shop.send(request).await.expect(404).json["code"], 5);
}
