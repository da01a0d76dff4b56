//! Ozon: lists, histories, read marks, files (FACTS §1.4, §1.5, §1.7, §1.9).

use std::time::Duration;

use reqwest::Method;
use sandbox::{FaultRequest, Marketplace::Ozon};
use serde_json::{Value, json};

use crate::client::{Seller, quiet_world, write_as};

const LIST: &str = "/v3/chat/list";
const HISTORY: &str = "/v3/chat/history";
const SEND: &str = "/v1/chat/send/message";
const FILE: &str = "/v1/chat/send/file";
const READ: &str = "/v2/chat/read";

fn ids(reply: &Value) -> Vec<String> {
    let messages = reply["messages"].as_array().expect("messages");
    let id = |message: &Value| message["message_id"].as_str().expect("an id").to_owned();
    messages.iter().map(id).collect()
}

#[tokio::test]
async fn a_list_is_paged_by_cursor_until_nothing_is_next() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let mut written: Vec<String> = (0..7)
        .map(|_| world.write_as_buyer(Ozon, None, "a").expect("written").chat)
        .collect();
    let mut cursor = String::new();
    let mut seen = Vec::new();
    for page in 0..4 {
        let reply = shop
            .post(LIST, json!({"limit": 2, "cursor": cursor}))
            .await
            .expect(200);
        let chats = reply.json["chats"].as_array().expect("chats");
        seen.extend(
            chats
                .iter()
                .map(|item| item["chat"]["chat_id"].as_str().expect("id").to_owned()),
        );
        assert_eq!(reply.json["has_next"], json!(page < 3));
        assert_eq!(reply.json["total_unread_count"], 7);
        cursor = reply.json["cursor"].as_str().expect("cursor").to_owned();
    }
    written.reverse();
    assert_eq!(seen, written);
}

#[tokio::test]
async fn a_list_needs_a_limit_up_to_100() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    for body in [
        json!({}),
        json!({"limit": null}),
        json!({"limit": 0}),
        json!({"limit": 101}),
        json!({"limit": -1}),
        json!({"limit": "x"}),
        json!({"limit": 1, "cursor": "7"}),
        json!({"limit": 1, "cursor": 7}),
        json!({"limit": 1, "filter": {"chat_status": "OPEN"}}),
        json!({"limit": 1, "filter": {"unread_only": "yes"}}),
        json!([]),
    ] {
        let reply = shop.post(LIST, body.clone()).await;
        assert_eq!(
            (reply.status, reply.json["code"].clone()),
            (400, json!(3)),
            "{body}"
        );
    }
    for body in [
        json!({"limit": 100, "filter": null, "cursor": null}),
        json!({"limit": "100"}),
        json!({"limit": 1, "filter": {"chat_status": "Opened", "unread_only": null}}),
        json!({"limit": 1, "unknown": true}),
    ] {
        shop.post(LIST, body).await.expect(200);
    }
}

#[tokio::test]
async fn filters_by_status_and_unread() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let read = world.write_as_buyer(Ozon, None, "a").expect("written");
    let unread = world.write_as_buyer(Ozon, None, "b").expect("written");
    shop.post(READ, json!({"chat_id": read.chat}))
        .await
        .expect(200);
    let body =
        json!({"chat_id": read.chat, "marketplace": "ozon", "chat": read.chat, "status": "CLOSED"});
    let control = format!("{}/control/chats", world.url());
    crate::client::http()
        .post(control)
        .json(&body)
        .send()
        .await
        .expect("closed");
    for (filter, expected) in [
        (json!({"unread_only": true}), vec![&unread.chat]),
        (json!({"chat_status": "CLOSED"}), vec![&read.chat]),
        (json!({"chat_status": "OPENED"}), vec![&unread.chat]),
        (
            json!({"chat_status": "all"}),
            vec![&unread.chat, &read.chat],
        ),
    ] {
        let reply = shop
            .post(LIST, json!({"limit": 10, "filter": filter}))
            .await
            .expect(200);
        let chats = reply.json["chats"].as_array().expect("chats");
        let found: Vec<&str> = chats
            .iter()
            .filter_map(|item| item["chat"]["chat_id"].as_str())
            .collect();
        assert_eq!(found, expected, "{filter}");
    }
    let refused = shop
        .post(SEND, json!({"chat_id": read.chat, "text": "x"}))
        .await;
    assert_eq!((refused.status, &refused.json["code"]), (400, &json!(9)));
}

#[tokio::test]
async fn history_goes_both_ways_from_an_id_that_is_included() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let first = world.write_as_buyer(Ozon, None, "0").expect("written");
    let chat = first.chat.clone();
    let mut all = vec![first.message];
    for at in 1..5 {
        let written = world.write_as_buyer(Ozon, Some(&chat), &at.to_string());
        all.push(written.expect("written").message);
    }
    let ask = |body: Value| shop.post(HISTORY, body);
    let newest = ask(json!({"chat_id": chat})).await.expect(200).json;
    assert_eq!(ids(&newest), all.iter().rev().cloned().collect::<Vec<_>>());
    assert_eq!(newest["has_next"], false);
    let page = ask(json!({"chat_id": chat, "limit": 2, "from_message_id": all[3]}))
        .await
        .expect(200)
        .json;
    assert_eq!(ids(&page), [all[3].clone(), all[2].clone()]);
    assert_eq!(page["has_next"], true);
    let number: u64 = all[2].parse().expect("a number");
    assert!(number > 1 << 53);
    let page = ask(json!({"chat_id": chat, "direction": "Forward", "from_message_id": number}))
        .await
        .expect(200)
        .json;
    assert_eq!(ids(&page), all[2..]);
    let filter = json!({"message_ids": [all[1], all[4]]});
    let page = ask(json!({"chat_id": chat, "filter": filter}))
        .await
        .expect(200)
        .json;
    assert_eq!(ids(&page), [all[4].clone(), all[1].clone()]);
    let mut times: Vec<String> = newest["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| message["created_at"].as_str().expect("a time").to_owned())
        .collect();
    times.reverse();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "{times:?}");
}

#[tokio::test]
async fn history_refuses_what_the_document_forbids() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let chat = world.write_as_buyer(Ozon, None, "0").expect("written").chat;
    for body in [
        json!({}),
        json!({"chat_id": ""}),
        json!({"chat_id": chat, "limit": 1001}),
        json!({"chat_id": chat, "direction": "Forward"}),
        json!({"chat_id": chat, "direction": "Sideways"}),
        json!({"chat_id": chat, "from_message_id": "x"}),
        json!({"chat_id": 5}),
    ] {
        let reply = shop.post(HISTORY, body.clone()).await;
        assert_eq!(
            (reply.status, reply.json["code"].clone()),
            (400, json!(3)),
            "{body}"
        );
    }
    shop.post(
        HISTORY,
        json!({"chat_id": chat, "limit": 1000, "direction": null}),
    )
    .await
    .expect(200);
    let foreign = Seller::of(&world, Ozon, "acme");
    let reply = foreign.post(HISTORY, json!({"chat_id": chat})).await;
    assert_eq!((reply.status, reply.json["code"].clone()), (404, json!(5)));
}

#[tokio::test]
async fn reading_marks_a_message_and_those_before_it() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let first = world.write_as_buyer(Ozon, None, "0").expect("written");
    let chat = &first.chat;
    let second = world
        .write_as_buyer(Ozon, Some(chat), "1")
        .expect("written");
    let third = world
        .write_as_buyer(Ozon, Some(chat), "2")
        .expect("written");
    let reply = shop
        .post(
            READ,
            json!({"chat_id": chat, "from_message_id": second.message}),
        )
        .await
        .expect(200);
    assert_eq!(reply.json, json!({"unread_count": 1}));
    let list = shop.post(LIST, json!({"limit": 1})).await.json;
    assert_eq!(
        list["chats"][0]["first_unread_message_id"],
        json!(third.message)
    );
    assert_eq!(list["chats"][0]["last_message_id"], json!(third.message));
    assert_eq!(list["chats"][0]["unread_count"], 1);
    let history = shop.post(HISTORY, json!({"chat_id": chat})).await.json;
    let read: Vec<bool> = history["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|m| m["is_read"] == true)
        .collect();
    assert_eq!(read, [false, true, true]);
    // an earlier one does not undo it, and without an id all are read
    shop.post(
        READ,
        json!({"chat_id": chat, "from_message_id": first.message}),
    )
    .await
    .expect(200);
    assert_eq!(
        shop.post(READ, json!({"chat_id": chat})).await.json["unread_count"],
        0
    );
    shop.post(READ, json!({})).await.expect(400);
}

#[tokio::test]
async fn a_file_is_a_link_that_needs_the_shops_credentials() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let file = json!({"name": "скол.png"});
    let chat = write_as(
        &world,
        json!({"marketplace": "ozon", "text": "вот", "file": file}),
    )
    .chat;
    for body in [
        json!({"chat_id": chat, "name": "a.png"}),
        json!({"chat_id": chat, "base64_content": "aGk="}),
        json!({"chat_id": chat, "name": "a", "base64_content": "aGk="}),
        json!({"chat_id": chat, "name": "a.png", "base64_content": "?"}),
    ] {
        shop.post(FILE, body).await.expect(400);
    }
    shop.post(
        FILE,
        json!({"chat_id": chat, "name": "чек.pdf", "base64_content": "JVBERi0="}),
    )
    .await
    .expect(200);
    let history = shop.post(HISTORY, json!({"chat_id": chat})).await.json;
    let (sent, buyers) = (&history["messages"][0], &history["messages"][1]);
    let link = sent["data"][0].as_str().expect("a link");
    assert!(link.starts_with("[чек.pdf (1KB)](http://"), "{link}");
    assert_eq!(
        (&sent["is_image"], &sent["moderate_image_status"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(
        (&buyers["is_image"], &buyers["moderate_image_status"]),
        (&json!(true), &json!("SUCCESS"))
    );
    let link = buyers["data"][1].as_str().expect("a link");
    let url = link
        .strip_prefix("![](")
        .and_then(|rest| rest.strip_suffix(')'))
        .expect("a link");
    let path = &url[url.find("/v2/chat/file/").expect("a path")..];
    let got = shop.get(path).await.expect(200);
    assert_eq!(got.header("content-type"), Some("image/png"));
    assert!(got.body.starts_with(b"\x89PNG"));
    assert_eq!(shop.send(shop.bare(Method::GET, path)).await.status, 401);
    assert_eq!(Seller::of(&world, Ozon, "acme").get(path).await.status, 404);
}

#[tokio::test]
async fn pictures_wait_for_moderation() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let file = |moderation| json!({"marketplace": "ozon", "text": "", "file": {"name": "a.png", "moderation": moderation}});
    let pending = write_as(&world, file("pending")).chat;
    let failed = write_as(&world, file("failed")).chat;
    let status = |chat: &str| {
        let asked = shop.post(HISTORY, json!({"chat_id": chat}));
        async { asked.await.json["messages"][0]["moderate_image_status"].clone() }
    };
    assert_eq!(
        (status(&pending).await, status(&failed).await),
        (json!("MODERATION"), json!("FAILED"))
    );
    world.advance(Duration::from_secs(31)).expect("moved");
    assert_eq!(
        (status(&pending).await, status(&failed).await),
        (json!("SUCCESS"), json!("FAILED"))
    );
}

#[tokio::test]
async fn the_list_runs_ahead_of_the_history_on_request() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let first = world.write_as_buyer(Ozon, None, "0").expect("written");
    let fault = FaultRequest {
        target: Some("ozon".into()),
        kind: "list_ahead".into(),
        value: Some(60_000),
        ..Default::default()
    };
    world.fault(fault).expect("a fault");
    let second = world
        .write_as_buyer(Ozon, Some(&first.chat), "1")
        .expect("written");
    let list = shop.post(LIST, json!({"limit": 1})).await.json;
    assert_eq!(list["chats"][0]["last_message_id"], json!(second.message));
    assert_eq!(list["chats"][0]["unread_count"], 2);
    let history = shop
        .post(HISTORY, json!({"chat_id": first.chat}))
        .await
        .json;
    assert_eq!(ids(&history), std::slice::from_ref(&first.message));
    world.advance(Duration::from_secs(60)).expect("moved");
    let history = shop
        .post(HISTORY, json!({"chat_id": first.chat}))
        .await
        .json;
    assert_eq!(ids(&history), [second.message, first.message]);
}

#[tokio::test]
async fn a_burst_within_a_millisecond_shows_at_once() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let chat = world.write_as_buyer(Ozon, None, "0").expect("written").chat;
    for at in 1..900 {
        let written = world.write_as_buyer(Ozon, Some(&chat), &at.to_string());
        written.expect("written");
    }
    let body = json!({"chat_id": chat, "limit": 1000});
    let history = shop.post(HISTORY, body).await.expect(200).json;
    assert_eq!(ids(&history).len(), 900);
    let list = shop.post(LIST, json!({"limit": 1})).await.expect(200).json;
    assert_eq!(list["chats"][0]["unread_count"], 900);
}
