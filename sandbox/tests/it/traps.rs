//! Does the world of the demo hold what real ones hold, and is it the same for one seed?

use sandbox::Marketplace::{Ozon, Wildberries, YandexMarket};
use sandbox::{Kind, Options, Sandbox};
use serde_json::{Value, json};

use crate::client::Seller;

async fn world(seed: u64) -> Sandbox {
    let options = Options {
        seed,
        start_ms: Some(1_800_000_000_000),
        ..Options::default()
    };
    Sandbox::start(options).await.expect("a world")
}

#[tokio::test]
async fn each_connected_shop_has_chats_of_which_some_wait() {
    let world = world(1).await;
    let state = world.state();
    for shop in state["shops"].as_array().expect("shops") {
        let chats: Vec<&Value> = state["chats"]
            .as_array()
            .expect("chats")
            .iter()
            .filter(|chat| {
                chat["seller"] == shop["seller"] && chat["marketplace"] == shop["marketplace"]
            })
            .collect();
        if shop["connected_to"].is_null() {
            assert!(chats.is_empty());
            continue;
        }
        let buyers: Vec<_> = chats
            .iter()
            .filter(|chat| chat["messages"].as_u64() > Some(0))
            .collect();
        assert!(
            buyers
                .iter()
                .any(|chat| chat["waiting"] == true && chat["persona"].is_string()),
            "{shop}"
        );
        assert!(
            buyers
                .iter()
                .filter(|chat| chat["waiting"] == false)
                .count()
                >= 1,
            "{shop}"
        );
    }
}

#[tokio::test]
async fn lists_hold_more_than_buyers_chats() {
    let world = world(1).await;
    let ozon = Seller::of(&world, Ozon, "demo");
    let list = ozon
        .post("/v3/chat/list", json!({"limit": 100}))
        .await
        .expect(200)
        .json;
    let kinds: Vec<&str> = list["chats"]
        .as_array()
        .expect("chats")
        .iter()
        .filter_map(|item| item["chat"]["chat_type"].as_str())
        .collect();
    assert!(kinds.contains(&"SELLER_SUPPORT") && kinds.contains(&"SELLER_NOTIFICATION_LOGISTICS"));
    for item in list["chats"].as_array().expect("chats") {
        let body = json!({"chat_id": item["chat"]["chat_id"]});
        let history = ozon.post("/v3/chat/history", body).await.expect(200).json;
        let newest = &history["messages"][0];
        let kind = newest["user"]["type"].as_str().expect("a type");
        assert_eq!(
            kind == "Customer" || kind == "Seller",
            item["chat"]["chat_type"] == "BUYER_SELLER"
        );
    }
    let wb = Seller::of(&world, Wildberries, "demo");
    let events = wb.get("/api/v1/seller/events").await.expect(200).json;
    let events = events["result"]["events"].as_array().expect("events");
    assert!(events.iter().any(|event| event.get("message").is_none()));
    let yandex = Seller::of(&world, YandexMarket, "demo");
    let chats = yandex.business("/chats", json!({})).await.expect(200).json;
    let kinds: Vec<&str> = chats["result"]["chats"]
        .as_array()
        .expect("chats")
        .iter()
        .filter_map(|chat| chat["context"]["type"].as_str())
        .collect();
    assert!(
        kinds.contains(&"DIRECT") && kinds.contains(&"ORDER") && kinds.contains(&"RETURN"),
        "{kinds:?}"
    );
}

#[tokio::test]
async fn one_seed_makes_one_world() {
    // the clock runs on between two starts, and it alone may differ
    let without_times = |world: &Sandbox| {
        let mut state = world.state();
        let texts: Vec<_> = world
            .journal(0)
            .into_iter()
            .filter(|entry| entry.kind == Kind::Written)
            .map(|entry| (entry.chat, entry.message, entry.text))
            .collect();
        state["now"] = Value::Null;
        for list in ["shops", "chats"] {
            for item in state[list].as_array_mut().expect("a list") {
                let item = item.as_object_mut().expect("an object");
                item.retain(|key, _| !key.ends_with("_at") && key != "orders");
                // the day a token ends is a second
                if item["marketplace"] == "wildberries" {
                    item.remove("credentials");
                }
            }
        }
        (state, texts)
    };
    let (first, second, third) = (world(7).await, world(7).await, world(8).await);
    for world in [&first, &second, &third] {
        world.write_as_buyer(Ozon, None, "a").expect("written");
    }
    assert_eq!(without_times(&first), without_times(&second));
    assert_ne!(without_times(&first).1, without_times(&third).1);
}
