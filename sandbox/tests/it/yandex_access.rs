//! Yandex Market: keys, scopes, cabinets, rates (FACTS §3.1).

use std::time::Duration;

use reqwest::Method;
use sandbox::{
    FaultRequest, Marketplace::YandexMarket, Quirk, Refusal, Sandbox, ShopRequest, WriteRequest,
};
use serde_json::{Value, json};

use crate::client::{Reply, Seller, quiet_world};

async fn amend(world: &Sandbox, shop: &Seller, request: ShopRequest) {
    let request = ShopRequest {
        marketplace: Some(YandexMarket),
        seller: Some(shop.id().to_owned()),
        ..request
    };
    world.shop(request).await.expect("changed");
}

fn code(reply: &Reply) -> &Value {
    &reply.json["errors"][0]["code"]
}

#[tokio::test]
async fn a_key_or_a_token_but_of_this_cabinet() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let path = shop.cabinet("/chats");
    let bare = || shop.bare(Method::POST, &path).json(&json!({}));
    assert_eq!(code(&shop.send(bare()).await.expect(401)), "UNAUTHORIZED");
    assert_eq!(
        code(&shop.send(bare().header("Api-Key", "no")).await.expect(403)),
        "FORBIDDEN"
    );
    let token = shop.shop["credentials"]["oauth_token"]
        .as_str()
        .expect("a token");
    shop.send(bare().bearer_auth(token)).await.expect(200);
    shop.send(bare().bearer_auth("no")).await.expect(403);
    let foreign = Seller::of(&world, YandexMarket, "acme");
    let wrong = shop
        .send(bare().header("Api-Key", foreign.key()))
        .await
        .expect(403);
    assert_eq!(code(&wrong), "FORBIDDEN");
    shop.post("/v2/businesses/x/chats", json!({}))
        .await
        .expect(400);
    shop.post("/v2/businesses/0/chats", json!({}))
        .await
        .expect(400);
    amend(
        &world,
        &shop,
        ShopRequest {
            revoked: Some(true),
            ..Default::default()
        },
    )
    .await;
    shop.business("/chats", json!({})).await.expect(403);
}

#[tokio::test]
async fn the_path_without_a_version_is_gone() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let old = format!("/businesses/{}/chats", shop.id());
    assert_eq!(
        code(&shop.post(&old, json!({})).await.expect(404)),
        "NOT_FOUND"
    );
    let wrong = shop
        .request(Method::GET, &shop.cabinet("/chats"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(wrong.status(), 405);
}

#[tokio::test]
async fn scopes_open_reading_and_writing() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let chat = world
        .write_as_buyer(YandexMarket, None, "a")
        .expect("written")
        .chat;
    let send = format!("/chats/message?chatId={chat}");
    for (scope, reads, writes) in [
        ("communication", 200, 200),
        ("all-methods", 200, 200),
        ("all-methods:read-only", 200, 403),
        ("pricing", 403, 403),
    ] {
        let request = ShopRequest {
            scopes: Some(vec![scope.to_owned()]),
            ..Default::default()
        };
        amend(&world, &shop, request).await;
        assert_eq!(
            shop.business("/chats", json!({})).await.status,
            reads,
            "{scope}"
        );
        assert_eq!(
            shop.business(&send, json!({"message": "x"})).await.status,
            writes,
            "{scope}"
        );
    }
}

#[tokio::test]
async fn three_requests_at_once_are_one_too_many() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let fault = FaultRequest {
        target: Some("yandex_market".into()),
        kind: "latency".into(),
        value: Some(300),
        ..Default::default()
    };
    world.fault(fault).expect("a fault");
    let asked = futures::future::join_all((0..3).map(|_| shop.business("/chats", json!({})))).await;
    let refused: Vec<&Reply> = asked.iter().filter(|reply| reply.status == 420).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(
        refused[0].json["errors"][0]["message"],
        "Hit rate limit of 2 parallel requests"
    );
    let two = futures::future::join_all((0..2).map(|_| shop.business("/chats", json!({})))).await;
    assert!(two.iter().all(|reply| reply.status == 200));
}

#[tokio::test]
async fn a_thousand_sends_an_hour_and_headers_on_every_answer() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let chat = world
        .write_as_buyer(YandexMarket, None, "a")
        .expect("written")
        .chat;
    let path = shop.cabinet(&format!("/chat?chatId={chat}"));
    let header = |reply: &Reply, name: &str| reply.header(name).map(ToOwned::to_owned);
    for left in (0..1000).rev() {
        let reply = shop.get(&path).await.expect(200);
        assert_eq!(
            header(&reply, "x-ratelimit-resource-remaining"),
            Some(left.to_string())
        );
    }
    let reply = shop.get(&path).await.expect(420);
    assert_eq!(
        header(&reply, "x-ratelimit-resource-limit"),
        Some("1000".to_owned())
    );
    let until = header(&reply, "x-ratelimit-resource-until").expect("a header");
    assert!(until.ends_with(" GMT") && until.len() == 29, "{until}");
    let text = reply.json["errors"][0]["message"]
        .as_str()
        .expect("a message");
    assert!(
        text.starts_with("Hit rate limit of 1000 points per hour for resource"),
        "{text}"
    );
    let other = shop.business("/chats?limit=0", json!({})).await.expect(400);
    assert_eq!(
        header(&other, "x-ratelimit-resource-remaining"),
        Some("4999".to_owned())
    );
    let stranger = shop.send(shop.bare(Method::GET, &path)).await.expect(401);
    assert!(header(&stranger, "x-ratelimit-resource-limit").is_some());
    world.advance(Duration::from_secs(3600)).expect("moved");
    shop.get(&path).await.expect(200);
}

#[tokio::test]
async fn a_locked_resource_and_files_for_oauth_only() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let request = json!({"marketplace": "yandex_market", "text": "", "file": {"name": "a.png"}});
    let request: WriteRequest = serde_json::from_value(request).expect("a request");
    let chat = world.write(request).expect("written").chat;
    let history = shop
        .business(&format!("/chats/history?chatId={chat}"), json!({}))
        .await
        .expect(200)
        .json;
    let url = history["result"]["messages"][0]["payload"][0]["url"]
        .as_str()
        .expect("an address");
    let path = &url[url.find("/files/").expect("a path")..];
    shop.get(path).await.expect(200);
    let quirks = Some(vec![Quirk::FilesNeedOauth]);
    amend(
        &world,
        &shop,
        ShopRequest {
            quirks,
            ..Default::default()
        },
    )
    .await;
    shop.get(path).await.expect(403);
    amend(
        &world,
        &shop,
        ShopRequest {
            refusal: Some(Some(Refusal::Locked)),
            ..Default::default()
        },
    )
    .await;
    shop.business("/chats", json!({})).await.expect(423);
}
