//! Wildberries: tokens, categories, rates (FACTS §2.1–§2.3, §2.8).

use std::time::Duration;

use reqwest::Method;
use sandbox::{Marketplace::Wildberries, Refusal, Sandbox, ShopRequest};
use serde_json::json;

use crate::client::{Reply, Seller, quiet_world};

const CHATS: &str = "/api/v1/seller/chats";

async fn amended(world: &Sandbox, request: ShopRequest) -> Seller {
    let shop = Seller::of(world, Wildberries, "demo");
    let request = ShopRequest {
        marketplace: Some(Wildberries),
        seller: Some(shop.id().to_owned()),
        ..request
    };
    let shop = world.shop(request).await.expect("changed");
    Seller::with(world, Wildberries, shop)
}

fn detail(reply: &Reply) -> String {
    reply.json["detail"].as_str().expect("a detail").to_owned()
}

fn number(reply: &Reply, name: &str) -> i64 {
    reply
        .header(name)
        .expect("a header")
        .parse()
        .expect("a number")
}

#[tokio::test]
async fn a_token_comes_raw_or_as_bearer() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    shop.get(CHATS).await.expect(200);
    let bearer = shop.bare(Method::GET, CHATS).bearer_auth(shop.key());
    shop.send(bearer).await.expect(200);
    let missing = shop.send(shop.bare(Method::GET, CHATS)).await.expect(401);
    assert_eq!(missing.json["title"], "unauthorized");
    assert_eq!(missing.json["origin"], "s2s-api-auth-catalog");
    let (rest, signature) = shop.key().rsplit_once('.').expect("a token");
    for (token, expected) in [
        ("abc".to_owned(), "invalid number of segments"),
        (
            format!("{rest}.a?b"),
            "could not base64 decode signature: illegal base64 data at input byte 1",
        ),
        (
            format!("{rest}.{}", signature.chars().rev().collect::<String>()),
            "signature",
        ),
    ] {
        let reply = shop
            .send(
                shop.bare(Method::GET, CHATS)
                    .header("Authorization", &token),
            )
            .await
            .expect(401);
        assert!(
            detail(&reply).starts_with("token problem; token"),
            "{}",
            detail(&reply)
        );
        assert!(detail(&reply).contains(expected), "{}", detail(&reply));
    }
}

#[tokio::test]
async fn tokens_expire_after_180_days_and_can_be_withdrawn() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    world
        .advance(Duration::from_secs(179 * 24 * 3600))
        .expect("moved");
    shop.get(CHATS).await.expect(200);
    world
        .advance(Duration::from_secs(25 * 3600))
        .expect("moved");
    assert!(detail(&shop.get(CHATS).await.expect(401)).contains("expired"));
    let renewed = amended(
        &world,
        ShopRequest {
            expires_at: Some(Some("2099-01-01T00:00:00Z".parse().expect("a date"))),
            ..Default::default()
        },
    )
    .await;
    assert_ne!(renewed.key(), shop.key());
    renewed.get(CHATS).await.expect(200);
    let revoked = amended(
        &world,
        ShopRequest {
            revoked: Some(true),
            ..Default::default()
        },
    )
    .await;
    assert!(detail(&revoked.get(CHATS).await.expect(401)).contains("withdrawn"));
}

#[tokio::test]
async fn the_chat_category_and_the_right_to_write_are_bits() {
    let world = quiet_world().await;
    let chat = world
        .write_as_buyer(Wildberries, None, "a")
        .expect("written")
        .chat;
    let sign = Seller::of(&world, Wildberries, "demo").sign(&chat).await;
    let scope = "scope is not allowed for this resource";
    let shop = amended(
        &world,
        ShopRequest {
            categories: Some(vec![1, 7]),
            ..Default::default()
        },
    )
    .await;
    for path in [CHATS, "/api/v1/seller/events", "/ping"] {
        let reply = shop.get(path).await.expect(403);
        assert_eq!(
            (detail(&reply), &reply.json["origin"]),
            (scope.to_owned(), &json!("ag-marketplace"))
        );
    }
    shop.get("/api/v1/seller-info").await.expect(200);
    let request = ShopRequest {
        categories: Some(vec![9]),
        read_only: Some(true),
        ..Default::default()
    };
    let shop = amended(&world, request).await;
    shop.get(CHATS).await.expect(200);
    assert_eq!(detail(&shop.write(&sign, "x").await.expect(403)), scope);
    let shop = amended(
        &world,
        ShopRequest {
            read_only: Some(false),
            ..Default::default()
        },
    )
    .await;
    shop.write(&sign, "x").await.expect(200);
    let shop = amended(
        &world,
        ShopRequest {
            token_type: Some(json!("test")),
            ..Default::default()
        },
    )
    .await;
    shop.get(CHATS).await.expect(403);
    let request = ShopRequest {
        token_type: Some(json!(4)),
        refusal: Some(Some(Refusal::PaymentRequired)),
        ..Default::default()
    };
    let shop = amended(&world, request).await;
    assert_eq!(
        shop.get(CHATS).await.expect(402).json["title"],
        "payment required"
    );
}

#[tokio::test]
async fn ten_requests_in_ten_seconds_per_method() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    assert_eq!(
        number(&shop.get(CHATS).await.expect(200), "x-ratelimit-remaining"),
        9
    );
    let mut refused = None;
    for _ in 0..30 {
        let reply = shop.get(CHATS).await;
        if reply.status == 429 {
            refused = Some(reply);
            break;
        }
    }
    let refused = refused.expect("a refusal");
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        (&refused.json["title"], &refused.json["status"]),
        (&json!("too many requests"), &json!(429))
    );
    assert!(detail(&refused).starts_with("limited by "));
    assert_eq!(
        (
            number(&refused, "x-ratelimit-retry"),
            number(&refused, "x-ratelimit-limit")
        ),
        (1, 10)
    );
    assert!((9..=10).contains(&number(&refused, "x-ratelimit-reset")));
    assert_eq!(refused.header("retry-after"), None);
    shop.get("/api/v1/seller/events").await.expect(200);
    world.advance(Duration::from_secs(1)).expect("moved");
    shop.get(CHATS).await.expect(200);
}

#[tokio::test]
async fn a_base_token_asks_once_an_hour() {
    let world = quiet_world().await;
    let shop = amended(
        &world,
        ShopRequest {
            token_type: Some(json!("base")),
            ..Default::default()
        },
    )
    .await;
    shop.get(CHATS).await.expect(200);
    let refused = shop.get(CHATS).await.expect(429);
    assert!((3595..=3600).contains(&number(&refused, "x-ratelimit-retry")));
    assert_eq!(number(&refused, "x-ratelimit-limit"), 1);
    shop.get("/api/v1/seller/events").await.expect(200);
    world.advance(Duration::from_secs(3600)).expect("moved");
    shop.get(CHATS).await.expect(200);
}

#[tokio::test]
async fn ping_and_seller_info_answer_within_their_limits() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    for _ in 0..3 {
        let reply = shop.get("/ping").await.expect(200);
        assert_eq!(reply.json["Status"], "OK");
        assert!(
            reply.json["TS"]
                .as_str()
                .is_some_and(|time| time.ends_with("+03:00"))
        );
    }
    shop.get("/ping").await.expect(429);
    let info = shop.get("/api/v1/seller-info").await.expect(200);
    assert_eq!(info.json["sid"], json!(shop.id()));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_404() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let reply = shop.get("/api/v1/seller/nothing").await.expect(404);
    assert_eq!(reply.json["title"], "path not found");
    let wrong = shop
        .request(Method::GET, "/api/v1/seller/message")
        .send()
        .await
        .expect("an answer");
    assert_eq!(wrong.status(), 404);
}
