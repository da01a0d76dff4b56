//! Does each fault do what it says, and no more?

use std::time::{Duration, Instant};

use sandbox::Marketplace::{Ozon, Wildberries, YandexMarket};
use sandbox::{FaultRequest, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Seller, http, quiet_world};

const HISTORY: &str = "/v3/chat/history";
const SEND: &str = "/v1/chat/send/message";

fn fault(world: &Sandbox, target: &str, kind: &str, value: Option<i64>) {
    let request = FaultRequest {
        target: Some(target.to_owned()),
        kind: kind.to_owned(),
        value,
        ..Default::default()
    };
    world.fault(request).expect("a fault");
}

fn texts(world: &Sandbox, chat: &str) -> Vec<String> {
    let all = world.messages(Ozon, chat).expect("a chat");
    all.into_iter().filter_map(|message| message.text).collect()
}

async fn ozon() -> (Sandbox, Seller, String) {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Ozon, "demo");
    let chat = world.write_as_buyer(Ozon, None, "0").expect("written").chat;
    (world, shop, chat)
}

#[tokio::test]
async fn latency_delays_and_a_caller_who_gives_up_has_sent_all_the_same() {
    let (world, shop, chat) = ozon().await;
    fault(&world, "ozon:/v1/chat/send/message", "latency", Some(400));
    let start = Instant::now();
    shop.post(HISTORY, json!({"chat_id": chat}))
        .await
        .expect(200);
    assert!(start.elapsed() < Duration::from_millis(390));
    let request = shop
        .request(reqwest::Method::POST, SEND)
        .json(&json!({"chat_id": chat, "text": "1"}));
    let gone = request.timeout(Duration::from_millis(100)).send().await;
    assert!(gone.is_err_and(|error| error.is_timeout()));
    assert_eq!(texts(&world, &chat), ["0"]);
    let start = Instant::now();
    shop.post(SEND, json!({"chat_id": chat, "text": "2"}))
        .await
        .expect(200);
    assert!(start.elapsed() >= Duration::from_millis(400));
    assert_eq!(texts(&world, &chat), ["0", "1", "2"]);
}

#[tokio::test]
async fn a_status_is_answered_and_nothing_done() {
    let (world, shop, chat) = ozon().await;
    for status in [400, 403, 404, 409, 500] {
        fault(&world, "ozon", "status", Some(status));
        let status = u16::try_from(status).expect("a status");
        shop.post(SEND, json!({"chat_id": chat, "text": "1"}))
            .await
            .expect(status);
        world.clear_faults().expect("cleared");
    }
    assert_eq!(texts(&world, &chat), ["0"]);
    let received: Vec<_> = world
        .journal(0)
        .into_iter()
        .filter(|entry| entry.kind == sandbox::Kind::Received)
        .collect();
    assert_eq!(received.len(), 5);
    assert!(
        received
            .iter()
            .all(|entry| entry.text.as_deref() == Some("1") && entry.message.is_none())
    );
    assert_eq!(received[4].status, Some(500));
}

#[tokio::test]
async fn other_marketplaces_answer_statuses_in_their_own_form() {
    let world = quiet_world().await;
    let (wb, yandex) = (
        Seller::of(&world, Wildberries, "demo"),
        Seller::of(&world, YandexMarket, "demo"),
    );
    for status in [401, 402, 403, 429, 503] {
        fault(&world, "wildberries", "status", Some(status));
        wb.get("/api/v1/seller/chats")
            .await
            .expect(u16::try_from(status).expect("a status"));
        world.clear_faults().expect("cleared");
    }
    for status in [400, 401, 403, 404, 420, 423, 500, 503] {
        fault(&world, "yandex_market", "status", Some(status));
        yandex
            .business("/chats", json!({}))
            .await
            .expect(u16::try_from(status).expect("a status"));
        world.clear_faults().expect("cleared");
    }
}

#[tokio::test]
async fn a_cut_send_is_accepted_once_and_never_answered() {
    let (world, shop, chat) = ozon().await;
    let request = FaultRequest {
        target: Some("ozon:/v1/chat/send/message".to_owned()),
        kind: "cut_after_accept".to_owned(),
        times: Some(1),
        ..Default::default()
    };
    world.fault(request).expect("a fault");
    let send = || {
        shop.request(reqwest::Method::POST, SEND)
            .json(&json!({"chat_id": chat, "text": "1"}))
            .send()
    };
    let cut = send().await;
    assert!(cut.is_err(), "{cut:?}");
    assert_eq!(texts(&world, &chat), ["0", "1"]);
    let last = world.journal(0).pop().expect("an entry");
    assert_eq!((last.status, last.text.as_deref()), (Some(200), Some("1")));
    assert!(last.message.is_some());
    assert_eq!(send().await.expect("an answer").status(), 200);
    assert_eq!(texts(&world, &chat), ["0", "1", "1"]);
}

#[tokio::test]
async fn a_cut_turns_the_signature_so_that_a_blind_retry_fails() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = world
        .write_as_buyer(Wildberries, None, "0")
        .expect("written")
        .chat;
    let sign = shop.sign(&chat).await;
    fault(
        &world,
        "wildberries:/api/v1/seller/message",
        "cut_after_accept",
        None,
    );
    let form = reqwest::multipart::Form::new()
        .text("replySign", sign.clone())
        .text("message", "1");
    let cut = shop
        .request(reqwest::Method::POST, "/api/v1/seller/message")
        .multipart(form)
        .send()
        .await;
    assert!(cut.is_err());
    world.clear_faults().expect("cleared");
    shop.write(&sign, "1").await.expect(400);
    assert_eq!(
        world.messages(Wildberries, &chat).map(|all| all.len()),
        Some(2)
    );
}

#[tokio::test]
async fn a_truncated_answer_promises_more_than_it_holds() {
    let (world, shop, chat) = ozon().await;
    let whole = shop
        .post(HISTORY, json!({"chat_id": chat}))
        .await
        .body
        .len();
    fault(&world, "ozon", "truncate", None);
    let body = json!({"chat_id": chat}).to_string();
    let address = world.url().strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let head = format!(
        "POST /ozon{HISTORY} HTTP/1.1\r\nHost: {address}\r\nClient-Id: {}\r\nApi-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        shop.id(),
        shop.key(),
        body.len()
    );
    stream.write_all(head.as_bytes()).await.expect("written");
    let mut answer = Vec::new();
    // the connection may end with an error instead of an orderly end
    drop(stream.read_to_end(&mut answer).await);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains(&format!("content-length: {whole}")),
        "{head}"
    );
    assert_eq!(body.len(), whole / 2);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_leaves_no_trace() {
    let (world, shop, chat) = ozon().await;
    let before = world.journal(0).len();
    let body = json!({"chat_id": chat, "text": "1"}).to_string();
    let address = world.url().strip_prefix("http://").expect("an address");
    let head = |length: usize| {
        format!(
            "POST /ozon{SEND} HTTP/1.1\r\nHost: {address}\r\nClient-Id: {}\r\nApi-Key: {}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}",
            shop.id(),
            shop.key()
        )
    };
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream
        .write_all(head(body.len() + 1).as_bytes())
        .await
        .expect("written");
    stream.shutdown().await.expect("shut down");
    let mut answer = Vec::new();
    drop(stream.read_to_end(&mut answer).await);
    assert_eq!(answer, b"");
    assert_eq!(
        (texts(&world, &chat).len(), world.journal(0).len()),
        (1, before)
    );
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream
        .write_all(head(body.len()).as_bytes())
        .await
        .expect("written");
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.expect("an answer");
    assert_eq!((&answer, texts(&world, &chat).len()), (b"HTTP/1.1 200", 2));
}

#[tokio::test]
async fn lists_are_doubled_shuffled_and_served_again() {
    let (world, shop, chat) = ozon().await;
    for at in 1..30 {
        world
            .write_as_buyer(Ozon, Some(&chat), &at.to_string())
            .expect("written");
    }
    let ask = async |body: Value| -> Vec<String> {
        let reply = shop.post(HISTORY, body).await.expect(200).json;
        let messages = reply["messages"].as_array().expect("messages");
        messages
            .iter()
            .map(|message| message["data"][0].as_str().expect("a text").to_owned())
            .collect()
    };
    let body = json!({"chat_id": chat});
    let plain = ask(body.clone()).await;
    fault(&world, "ozon", "duplicate", None);
    let double = ask(body.clone()).await;
    assert!(double.len() == 60 && double[0] == double[1] && double[2] == double[3]);
    world.clear_faults().expect("cleared");
    fault(&world, "ozon:/v3/chat/history", "reorder", None);
    let mut shuffled = ask(body.clone()).await;
    assert_ne!(shuffled, plain);
    shuffled.sort_by_key(|text| std::cmp::Reverse(text.parse::<u32>().expect("a number")));
    assert_eq!(shuffled, plain);
    world.clear_faults().expect("cleared");
    let all = world.messages(Ozon, &chat).expect("a chat");
    let from = json!({"chat_id": chat, "direction": "Forward", "from_message_id": all[20].message, "limit": 100});
    assert_eq!(ask(from.clone()).await.len(), 10);
    fault(&world, "ozon", "redeliver", Some(4));
    let again = ask(from).await;
    assert_eq!((again.len(), again[0].as_str()), (14, "16"));
}

#[tokio::test]
async fn events_and_chats_of_the_others_are_twisted_too() {
    let world = quiet_world().await;
    let (wb, yandex) = (
        Seller::of(&world, Wildberries, "demo"),
        Seller::of(&world, YandexMarket, "demo"),
    );
    for market in [Wildberries, YandexMarket] {
        for _ in 0..5 {
            world.write_as_buyer(market, None, "a").expect("written");
        }
    }
    let first = wb.get("/api/v1/seller/events").await.expect(200).json;
    let next = first["result"]["events"][3]["addTimestamp"]
        .as_i64()
        .expect("a time");
    fault(&world, "wildberries", "redeliver", Some(2));
    let again = wb
        .get(&format!("/api/v1/seller/events?next={next}"))
        .await
        .expect(200)
        .json;
    assert_eq!(again["result"]["totalEvents"], 3);
    assert_eq!(again["result"]["next"], first["result"]["next"]);
    let end = first["result"]["next"].as_i64().expect("a time");
    let none = wb
        .get(&format!("/api/v1/seller/events?next={end}"))
        .await
        .expect(200)
        .json;
    assert_eq!(none["result"]["totalEvents"], 0, "or nobody ever finishes");
    fault(&world, "wildberries", "duplicate", None);
    let double = wb.get("/api/v1/seller/events").await.expect(200).json;
    assert_eq!(double["result"]["totalEvents"], 10);
    fault(&world, "yandex_market:/chats", "duplicate", None);
    let double = yandex.business("/chats", json!({})).await.expect(200).json;
    assert_eq!(double["result"]["chats"].as_array().map(Vec::len), Some(10));
    world.clear_faults().expect("cleared");
    fault(&world, "yandex_market", "redeliver", Some(1));
    let page = yandex
        .business("/chats?limit=3", json!({}))
        .await
        .expect(200)
        .json;
    let token = page["result"]["paging"]["nextPageToken"]
        .as_str()
        .expect("a token");
    let path = format!("/chats?limit=3&pageToken={token}");
    let next = yandex.business(&path, json!({})).await.expect(200).json;
    assert_eq!(next["result"]["chats"][0], page["result"]["chats"][2]);
}

#[tokio::test]
async fn rate_limits_come_with_their_headers() {
    let (world, shop, _) = ozon().await;
    for target in ["ozon", "wildberries", "yandex_market"] {
        fault(&world, target, "rate_limit", Some(7));
    }
    let reply = shop
        .post("/v3/chat/list", json!({"limit": 1}))
        .await
        .expect(429);
    assert_eq!(
        (reply.header("retry-after"), &reply.json["code"]),
        (Some("7"), &json!(8))
    );
    let reply = Seller::of(&world, Wildberries, "demo")
        .get("/api/v1/seller/chats")
        .await
        .expect(429);
    assert_eq!(
        (
            reply.header("retry-after"),
            reply.header("x-ratelimit-retry")
        ),
        (Some("7"), Some("7"))
    );
    let reply = Seller::of(&world, YandexMarket, "demo")
        .business("/chats", json!({}))
        .await
        .expect(420);
    assert_eq!(
        (
            reply.header("retry-after"),
            reply.header("x-ratelimit-resource-remaining")
        ),
        (Some("7"), Some("0"))
    );
}

#[tokio::test]
async fn a_late_echo_keeps_its_id_and_time() {
    let (world, shop, chat) = ozon().await;
    fault(&world, "ozon", "late_echo", Some(20_000));
    shop.post(SEND, json!({"chat_id": chat, "text": "1"}))
        .await
        .expect(200);
    world.clear_faults().expect("cleared");
    let later = world
        .write_as_buyer(Ozon, Some(&chat), "2")
        .expect("written");
    let ask = || {
        shop.post(
            HISTORY,
            json!({"chat_id": chat, "direction": "Forward", "from_message_id": 1}),
        )
    };
    let shown = ask().await.expect(200).json;
    assert_eq!(shown["messages"].as_array().map(Vec::len), Some(2));
    let list = shop.post("/v3/chat/list", json!({"limit": 1})).await.json;
    assert_eq!(list["chats"][0]["last_message_id"], json!(later.message));
    world.advance(Duration::from_secs(20)).expect("moved");
    let shown = ask().await.expect(200).json;
    let stored = world.messages(Ozon, &chat).expect("a chat");
    assert_eq!(shown["messages"][1]["message_id"], json!(stored[1].message));
    assert_eq!(shown["messages"][1]["created_at"], json!(stored[1].at));
    assert_eq!(shown["messages"][1]["data"], json!(["1"]));
}

#[tokio::test]
async fn faults_end_by_time_by_count_by_seller_and_by_order() {
    let (world, shop, _) = ozon().await;
    let ask = async || shop.post("/v1/roles", json!({})).await.status;
    let base = FaultRequest {
        target: Some("ozon".to_owned()),
        kind: "status".to_owned(),
        ..Default::default()
    };
    world
        .fault(FaultRequest {
            for_ms: Some(60_000),
            ..base.clone()
        })
        .expect("a fault");
    assert_eq!(
        (ask().await, world.state()["faults"][0]["kind"].clone()),
        (500, json!("status"))
    );
    world.advance(Duration::from_secs(60)).expect("moved");
    assert_eq!(
        (ask().await, world.state()["faults"].clone()),
        (200, json!([]))
    );
    world
        .fault(FaultRequest {
            times: Some(2),
            ..base.clone()
        })
        .expect("a fault");
    assert_eq!((ask().await, ask().await, ask().await), (500, 500, 200));
    world
        .fault(FaultRequest {
            seller: Some("other".to_owned()),
            ..base.clone()
        })
        .expect("a fault");
    assert_eq!(ask().await, 200);
    world
        .fault(FaultRequest {
            seller: Some(shop.id().to_owned()),
            ..base.clone()
        })
        .expect("a fault");
    assert_eq!(ask().await, 500);
    let control = format!("{}/control/faults", world.url());
    http().delete(&control).send().await.expect("cleared");
    assert_eq!(ask().await, 200);
    world
        .fault(FaultRequest {
            probability: Some(0.5),
            ..base.clone()
        })
        .expect("a fault");
    let mut hits = 0;
    for _ in 0..40 {
        hits += usize::from(ask().await == 500);
    }
    assert!((5..35).contains(&hits), "{hits}");
    http()
        .post(&control)
        .json(&json!({"kind": "clear", "target": "ozon"}))
        .send()
        .await
        .expect("cleared");
    assert_eq!(world.state()["faults"], json!([]));
    for wrong in [
        FaultRequest {
            kind: "nonsense".to_owned(),
            ..base.clone()
        },
        FaultRequest {
            target: Some("amazon".to_owned()),
            ..base.clone()
        },
        FaultRequest {
            value: Some(200),
            ..base.clone()
        },
        FaultRequest {
            probability: Some(2.0),
            ..base
        },
    ] {
        assert!(world.fault(wrong).is_err());
    }
}
