//! Yandex Market: chats, histories, sends (FACTS §3.2).

use reqwest::Method;
use reqwest::multipart::Form;
use sandbox::{Marketplace::YandexMarket, Sandbox};
use serde_json::{Value, json};

use crate::client::{Seller, file, png, quiet_world, write_as};

fn say(world: &Sandbox, chat: Option<&str>, text: &str) -> sandbox::Written {
    world
        .write_as_buyer(YandexMarket, chat, text)
        .expect("written")
}

fn chats(reply: &Value) -> Vec<String> {
    let chats = reply["result"]["chats"].as_array().expect("chats");
    chats
        .iter()
        .map(|chat| chat["chatId"].to_string())
        .collect()
}

fn message_ids(reply: &Value) -> Vec<String> {
    let messages = reply["result"]["messages"].as_array().expect("messages");
    messages
        .iter()
        .map(|message| message["messageId"].to_string())
        .collect()
}

#[tokio::test]
async fn chats_are_paged_by_token_under_either_name() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let mut written: Vec<String> = (0..25).map(|_| say(&world, None, "a").chat).collect();
    written.reverse();
    let first = shop
        .business("/chats?limit=20", json!({}))
        .await
        .expect(200)
        .json;
    assert_eq!(chats(&first), written[..20]);
    let token = first["result"]["paging"]["nextPageToken"]
        .as_str()
        .expect("a token");
    for name in ["pageToken", "page_token"] {
        let next = shop
            .business(&format!("/chats?limit=20&{name}={token}"), json!({}))
            .await
            .expect(200)
            .json;
        assert_eq!(chats(&next), written[20..]);
        assert!(next["result"]["paging"].get("nextPageToken").is_none());
    }
    let default = shop.business("/chats", json!({})).await.expect(200).json;
    assert_eq!(chats(&default).len(), 10);
}

#[tokio::test]
async fn lists_refuse_what_the_document_forbids() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    for path in [
        "/chats?limit=0",
        "/chats?limit=21",
        "/chats?limit=50",
        "/chats?limit=x",
        "/chats?pageToken=zz",
    ] {
        let reply = shop.business(path, json!({})).await.expect(400);
        assert_eq!(reply.json["errors"][0]["code"], "BAD_REQUEST", "{path}");
    }
    for body in [
        json!({"statuses": []}),
        json!({"statuses": ["NEW", "NEW"]}),
        json!({"statuses": ["OPEN"]}),
        json!({"types": []}),
        json!({"types": ["X"]}),
        json!({"contextTypes": ["x"]}),
        json!({"orderIds": []}),
        json!({"contexts": []}),
        json!({"contexts": [{"type": "ORDER"}]}),
        json!({"orderIds": [1, 1]}),
        json!({"contexts": [{"type": "DIRECT", "id": 1}]}),
        json!({"statuses": "NEW"}),
        json!([]),
    ] {
        let reply = shop.business("/chats", body.clone()).await;
        assert_eq!(reply.status, 400, "{body}");
    }
    let empty = shop.request(Method::POST, &shop.cabinet("/chats"));
    shop.send(empty.header("Content-Type", "application/json"))
        .await
        .expect(400);
    let big = json!({"statuses": null, "pad": "x".repeat(512 << 10)});
    shop.business("/chats", big).await.expect(400);
    let nulls = json!({"statuses": null, "types": null, "contextTypes": null, "contexts": null, "orderIds": null});
    shop.business("/chats", nulls).await.expect(200);
}

#[tokio::test]
async fn filters_find_by_status_type_and_context() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let direct = say(&world, None, "a").chat;
    let about = |kind: &str| json!({"marketplace": "yandex_market", "text": "a", "context": kind});
    let order = write_as(&world, about("ORDER")).chat;
    let dispute = write_as(
        &world,
        json!({"marketplace": "yandex_market", "text": "a", "chat_type": "ARBITRAGE"}),
    )
    .chat;
    world
        .write_in_cabinet(YandexMarket, &direct, "b")
        .expect("written");
    let known = shop
        .business("/chats", json!({"contextTypes": ["ORDER"]}))
        .await
        .json;
    let order_id = known["result"]["chats"][0]["context"]["orderId"].clone();
    for (body, expected) in [
        (json!({"statuses": ["WAITING_FOR_CUSTOMER"]}), vec![&direct]),
        (json!({"statuses": ["WAITING_FOR_PARTNER"]}), vec![&order]),
        (json!({"types": ["ARBITRAGE"]}), vec![&dispute]),
        (json!({"contextTypes": ["ORDER", "RETURN"]}), vec![&order]),
        (
            json!({"contexts": [{"type": "ORDER", "id": order_id}]}),
            vec![&order],
        ),
        (
            json!({"contexts": [{"type": "RETURN", "id": order_id}]}),
            vec![],
        ),
        (json!({"orderIds": [order_id]}), vec![&order]),
    ] {
        let reply = shop.business("/chats", body.clone()).await.expect(200);
        assert_eq!(
            chats(&reply.json).iter().collect::<Vec<_>>(),
            expected,
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_chat_id_belongs_into_the_query() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let chat = say(&world, None, "a").chat;
    let body = json!({"chatId": chat, "message": "x"});
    for path in [
        "/chats/message",
        "/chats/message?chatId=",
        "/chats/message?chatId=x",
        "/chats/message?chatId=0",
        "/chats/history",
    ] {
        shop.business(path, body.clone()).await.expect(400);
    }
    shop.business("/chats/message?chatId=999", json!({"message": "x"}))
        .await
        .expect(404);
    shop.get(&shop.cabinet("/chat?chatId=999"))
        .await
        .expect(404);
    let foreign = Seller::of(&world, YandexMarket, "acme");
    foreign
        .business(&format!("/chats/history?chatId={chat}"), json!({}))
        .await
        .expect(404);
    let one = shop
        .get(&shop.cabinet(&format!("/chat?chatId={chat}")))
        .await
        .expect(200)
        .json;
    assert_eq!(one["result"]["chatId"].to_string(), chat);
    assert_eq!(
        (&one["result"]["status"], &one["result"]["type"]),
        (&json!("WAITING_FOR_PARTNER"), &json!("CHAT"))
    );
}

#[tokio::test]
async fn history_begins_with_the_message_asked_for() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let first = say(&world, None, "0");
    let mut all = vec![first.message];
    all.extend((1..5).map(|at| say(&world, Some(&first.chat), &at.to_string()).message));
    let path = format!("/chats/history?chatId={}", first.chat);
    let whole = shop.business(&path, json!({})).await.expect(200).json;
    assert_eq!(message_ids(&whole), all);
    let from: u64 = all[2].parse().expect("a number");
    let page = shop
        .business(&format!("{path}&limit=2"), json!({"messageIdFrom": from}))
        .await
        .expect(200)
        .json;
    assert_eq!(message_ids(&page), all[2..4]);
    let token = page["result"]["paging"]["nextPageToken"]
        .as_str()
        .expect("a token");
    let page = shop
        .business(
            &format!("{path}&limit=2&pageToken={token}"),
            json!({"messageIdFrom": from}),
        )
        .await
        .expect(200)
        .json;
    assert_eq!(message_ids(&page), all[4..]);
    assert!(page["result"]["paging"].get("nextPageToken").is_none());
    for (path, body) in [
        (format!("{path}&limit=101"), json!({})),
        (path.clone(), json!({"messageIdFrom": 0})),
        (path.clone(), json!({"messageIdFrom": "x"})),
    ] {
        shop.business(&path, body).await.expect(400);
    }
    let messages = whole["result"]["messages"].as_array().expect("messages");
    let times: Vec<&str> = messages
        .iter()
        .filter_map(|message| message["createdAt"].as_str())
        .collect();
    assert!(
        times.windows(2).all(|pair| pair[0] < pair[1]) && times[0].ends_with("+03:00"),
        "{times:?}"
    );
    let path = shop.cabinet(&format!(
        "/chats/message?chatId={}&messageId={}",
        first.chat, all[3]
    ));
    assert_eq!(
        shop.get(&path).await.expect(200).json["result"]["message"],
        "3"
    );
    shop.get(&shop.cabinet(&format!("/chats/message?chatId={}&messageId=1", first.chat)))
        .await
        .expect(404);
    shop.get(&shop.cabinet(&format!("/chats/message?chatId={}", first.chat)))
        .await
        .expect(400);
}

#[tokio::test]
async fn a_sent_text_comes_back_trimmed_and_turns_the_status() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let chat = say(&world, None, " a ").chat;
    let path = format!("/chats/message?chatId={chat}");
    let reply = shop
        .business(&path, json!({"message": "  *Ответ*. \n"}))
        .await
        .expect(200);
    assert_eq!(reply.json, json!({"status": "OK"}));
    let history = shop
        .business(&format!("/chats/history?chatId={chat}"), json!({}))
        .await
        .json;
    let messages = &history["result"]["messages"];
    assert_eq!(
        (&messages[0]["message"], &messages[0]["sender"]),
        (&json!(" a "), &json!("CUSTOMER"))
    );
    assert_eq!(
        (&messages[1]["message"], &messages[1]["sender"]),
        (&json!("*Ответ*."), &json!("PARTNER"))
    );
    let one = shop
        .get(&shop.cabinet(&format!("/chat?chatId={chat}")))
        .await
        .json;
    assert_eq!(one["result"]["status"], "WAITING_FOR_CUSTOMER");
    assert_eq!(one["result"]["updatedAt"], messages[1]["createdAt"]);
    let received = world
        .journal(0)
        .into_iter()
        .find(|entry| entry.kind == sandbox::Kind::Received);
    let received = received.expect("an entry");
    assert_eq!(received.text.as_deref(), Some("  *Ответ*. \n"));
    assert_eq!(received.message, Some(messages[1]["messageId"].to_string()));
    say(&world, Some(&chat), "b");
    let one = shop
        .get(&shop.cabinet(&format!("/chat?chatId={chat}")))
        .await
        .json;
    assert_eq!(one["result"]["status"], "WAITING_FOR_PARTNER");
}

#[tokio::test]
async fn a_text_has_1_to_4096_letters() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let path = format!("/chats/message?chatId={}", say(&world, None, "a").chat);
    for (body, status) in [
        (json!({"message": ""}), 400),
        (json!({"message": " \n"}), 400),
        (json!({}), 400),
        (json!({"message": null}), 400),
        (json!({"message": 5}), 400),
        (json!({"message": "ё".repeat(4096)}), 200),
        (json!({"message": "ё".repeat(4097)}), 400),
    ] {
        assert_eq!(shop.business(&path, body).await.status, status);
    }
}

#[tokio::test]
async fn files_have_5_megabytes_and_need_credentials() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let chat = say(&world, None, "a").chat;
    let path = shop.cabinet(&format!("/chats/file/send?chatId={chat}"));
    shop.form(&path, Form::new().part("file", file("a.png", png(5 << 20))))
        .await
        .expect(200);
    shop.form(
        &path,
        Form::new().part("file", file("a.png", png((5 << 20) + 1))),
    )
    .await
    .expect(400);
    shop.form(&path, Form::new().part("other", file("a.png", png(9))))
        .await
        .expect(400);
    shop.post(&path, json!({"file": "x"})).await.expect(400);
    let history = shop
        .business(&format!("/chats/history?chatId={chat}"), json!({}))
        .await
        .json;
    let sent = &history["result"]["messages"][1];
    assert!(sent.get("message").is_none());
    assert_eq!(
        (&sent["payload"][0]["name"], &sent["payload"][0]["size"]),
        (&json!("a.png"), &json!(5 << 20))
    );
    let url = sent["payload"][0]["url"].as_str().expect("an address");
    let path = &url[url.find("/files/").expect("a path")..];
    assert_eq!(shop.get(path).await.expect(200).body.len(), 5 << 20);
    shop.send(shop.bare(Method::GET, path)).await.expect(401);
    let token = shop.shop["credentials"]["oauth_token"]
        .as_str()
        .expect("a token");
    let oauth = shop
        .bare(Method::GET, path)
        .header("Authorization", format!("OAuth {token}"));
    shop.send(oauth).await.expect(200);
    Seller::of(&world, YandexMarket, "acme")
        .get(path)
        .await
        .expect(404);
}

#[tokio::test]
async fn a_seller_begins_chats_about_orders_and_returns() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, YandexMarket, "demo");
    let order: u64 = shop.shop["orders"][1]["number"]
        .as_str()
        .expect("a number")
        .parse()
        .expect("a number");
    let return_id = shop.shop["orders"][1]["return_id"].clone();
    let about = |kind: &str, id: &Value| {
        shop.business("/chats/new", json!({"context": {"type": kind, "id": id}}))
    };
    let first = about("ORDER", &json!(order)).await.expect(200).json;
    assert_eq!(about("ORDER", &json!(order)).await.expect(200).json, first);
    assert_eq!(
        shop.business("/chats/new", json!({"orderId": order}))
            .await
            .expect(200)
            .json,
        first
    );
    let second = about("RETURN", &return_id).await.expect(200).json;
    assert_ne!(first, second);
    let one = shop
        .get(&shop.cabinet(&format!("/chat?chatId={}", second["result"]["chatId"])))
        .await
        .json;
    assert_eq!(one["result"]["status"], "NEW");
    assert_eq!(
        (
            &one["result"]["context"]["type"],
            &one["result"]["context"]["returnId"]
        ),
        (&json!("RETURN"), &return_id)
    );
    about("ORDER", &json!(1)).await.expect(404);
    for body in [
        json!({}),
        json!({"context": null}),
        json!({"context": {"type": "DIRECT", "id": order}}),
        json!({"context": {"type": "ORDER"}}),
        json!({"context": {"type": "ORDER", "id": 0}}),
        json!({"context": 1}),
    ] {
        shop.business("/chats/new", body).await.expect(400);
    }
}
