//! Ozon: sends and chats begun by the seller (FACTS §1.6–§1.8, §1.10).

use std::time::Duration;

use sandbox::{Marketplace::Ozon, ShopRequest};
use serde_json::{Value, json};

use crate::client::{Seller, quiet_world};

const LIST: &str = "/v3/chat/list";
const HISTORY: &str = "/v3/chat/history";
const SEND: &str = "/v1/chat/send/message";
const FILE: &str = "/v1/chat/send/file";
const START: &str = "/v1/chat/start";
const READ: &str = "/v2/chat/read";
const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_sent_text_comes_back_as_escaped_markdown_without_an_id_in_the_answer() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let chat = world
        .write_as_buyer(Ozon, None, "*Где* [заказ](x)?")
        .expect("written")
        .chat;
    let text = " Цена: 1_000 - 5% (a*b) [c] #1! ~`|> {x} +\\ ";
    let reply = shop
        .post(SEND, json!({"chat_id": chat, "text": text}))
        .await
        .expect(200);
    assert_eq!(reply.json, json!({"result": "success"}));
    let history = shop
        .post(HISTORY, json!({"chat_id": chat}))
        .await
        .expect(200)
        .json;
    let echo = &history["messages"][0];
    let escaped = " Цена: 1\\_000 \\- 5% \\(a\\*b\\) \\[c\\] \\#1\\! \\~\\`\\|\\> \\{x\\} \\+\\\\ ";
    assert_eq!(echo["data"], json!([escaped]));
    assert_eq!(echo["user"], json!({"id": shop.id(), "type": "Seller"}));
    assert_eq!(history["messages"][1]["data"], json!(["*Где* [заказ](x)?"]));
    assert_eq!(history["messages"][1]["user"]["type"], "Customer");
    let entries = world.journal(0);
    let received = entries
        .iter()
        .find(|entry| entry.path.as_deref() == Some(SEND));
    let received = received.expect("an entry");
    assert_eq!(
        (received.text.as_deref(), received.status),
        (Some(text), Some(200))
    );
    assert_eq!(json!(received.message), echo["message_id"]);
}

#[tokio::test]
async fn a_text_has_1_to_1000_letters() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let chat = world.write_as_buyer(Ozon, None, "a").expect("written").chat;
    for (text, status) in [
        (String::new(), 400),
        ("ё".repeat(1000), 200),
        ("ё".repeat(1001), 400),
    ] {
        let reply = shop
            .post(SEND, json!({"chat_id": chat, "text": text}))
            .await;
        assert_eq!(reply.status, status, "{}", text.len());
    }
    let unknown = shop
        .post(SEND, json!({"chat_id": "nowhere", "text": "a"}))
        .await;
    assert_eq!((unknown.status, &unknown.json["code"]), (404, &json!(5)));
}

#[tokio::test]
async fn without_premium_one_reads_but_does_not_write() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let chat = world.write_as_buyer(Ozon, None, "a").expect("written").chat;
    let request = ShopRequest {
        marketplace: Some(Ozon),
        seller: Some(shop.id().to_owned()),
        premium: Some(false),
        ..Default::default()
    };
    world.shop(request).await.expect("changed");
    shop.post(LIST, json!({"limit": 1})).await.expect(200);
    shop.post(HISTORY, json!({"chat_id": chat}))
        .await
        .expect(200);
    for (path, body) in [
        (SEND, json!({"chat_id": chat, "text": "a"})),
        (READ, json!({"chat_id": chat})),
        (
            FILE,
            json!({"chat_id": chat, "name": "a.png", "base64_content": "aGk="}),
        ),
        (START, json!({"posting_number": "1"})),
    ] {
        let reply = shop.post(path, body).await;
        assert_eq!(
            (reply.status, reply.json["code"].clone()),
            (403, json!(7)),
            "{path}"
        );
        let text = reply.json["message"].as_str().expect("a message");
        assert!(
            text.ends_with("not available with existing subscription"),
            "{text}"
        );
    }
    // a wrong request is refused as such before the subscription is looked at
    shop.post(SEND, json!({"chat_id": chat, "text": ""}))
        .await
        .expect(400);
    assert_eq!(world.messages(Ozon, &chat).map(|all| all.len()), Some(1));
}

#[tokio::test]
async fn the_window_closes_48_hours_after_the_buyers_last_message() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let chat = world.write_as_buyer(Ozon, None, "a").expect("written").chat;
    world.advance(HOUR * 47).expect("moved");
    shop.post(SEND, json!({"chat_id": chat, "text": "in time"}))
        .await
        .expect(200);
    world.advance(HOUR).expect("moved");
    let reply = shop
        .post(SEND, json!({"chat_id": chat, "text": "too late"}))
        .await;
    assert!(
        (400..500).contains(&reply.status) && reply.json["code"] != 7,
        "{}",
        reply.json
    );
    shop.post(
        FILE,
        json!({"chat_id": chat, "name": "a.png", "base64_content": "aGk="}),
    )
    .await
    .expect(400);
    world
        .write_as_buyer(Ozon, Some(&chat), "again")
        .expect("written");
    shop.post(SEND, json!({"chat_id": chat, "text": "in time again"}))
        .await
        .expect(200);
    assert_eq!(world.messages(Ozon, &chat).map(|all| all.len()), Some(4));
}

#[tokio::test]
async fn a_chat_starts_for_fbs_postings_within_72_hours_of_delivery() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let orders = shop.shop["orders"].as_array().expect("orders").clone();
    let start = |order: &Value| shop.post(START, json!({"posting_number": order["number"]}));
    let under_way = start(&orders[0]).await.expect(200).json;
    assert_eq!(start(&orders[0]).await.expect(200).json, under_way);
    let delivered = start(&orders[1]).await.expect(200).json["result"]["chat_id"].clone();
    start(&orders[2]).await.expect(400);
    assert_eq!(orders[3]["scheme"], "fbo");
    start(&orders[3]).await.expect(400);
    start(&json!({"number": "1-1-1"})).await.expect(404);
    shop.post(START, json!({})).await.expect(400);
    shop.post(SEND, json!({"chat_id": delivered, "text": "a"}))
        .await
        .expect(200);
    world.advance(HOUR * 72).expect("moved");
    shop.post(SEND, json!({"chat_id": delivered, "text": "a"}))
        .await
        .expect(400);
    shop.post(
        SEND,
        json!({"chat_id": under_way["result"]["chat_id"], "text": "a"}),
    )
    .await
    .expect(200);
}
