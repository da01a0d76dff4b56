//! Wildberries: chats and events (FACTS §2.4, §2.5).

use std::collections::HashSet;
use std::time::Duration;

use sandbox::{FaultRequest, Marketplace::Wildberries, Quirk, Sandbox, ShopRequest};
use serde_json::{Value, json};

use crate::client::{Reply, Seller, quiet_world, write_as};

const CHATS: &str = "/api/v1/seller/chats";
const EVENTS: &str = "/api/v1/seller/events";

fn say(world: &Sandbox, chat: Option<&str>, text: &str) -> sandbox::Written {
    world
        .write_as_buyer(Wildberries, chat, text)
        .expect("written")
}

fn events(reply: &Reply) -> Vec<Value> {
    reply.json["result"]["events"]
        .as_array()
        .expect("events")
        .clone()
}

fn detail(reply: &Reply) -> &str {
    reply.json["detail"].as_str().expect("a detail")
}

#[tokio::test]
async fn the_stream_is_followed_by_next_until_it_is_empty() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = say(&world, None, "0").chat;
    let written: Vec<String> = (1..130)
        .map(|at| say(&world, Some(&chat), &at.to_string()).message)
        .collect();
    let mut path = EVENTS.to_owned();
    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    loop {
        let reply = shop.get(&path).await.expect(200);
        let result = &reply.json["result"];
        let page = events(&reply);
        assert_eq!(result["totalEvents"], page.len());
        sizes.push(page.len());
        let next = result["next"].as_i64().expect("next");
        if page.is_empty() {
            assert!(path.ends_with(&next.to_string()), "the cursor is kept");
            assert!(result.get("newestEventTime").is_none());
            break;
        }
        assert_eq!(result["next"], page[page.len() - 1]["addTimestamp"]);
        assert_eq!(result["newestEventTime"], page[page.len() - 1]["addTime"]);
        assert_eq!(result["oldestEventTime"], page[0]["addTime"]);
        seen.extend(
            page.iter()
                .map(|event| event["eventID"].as_str().expect("an id").to_owned()),
        );
        path = format!("{EVENTS}?next={next}");
    }
    assert_eq!(sizes, [50, 50, 30, 0]);
    assert_eq!(seen[1..], written);
}

#[tokio::test]
async fn an_empty_stream_gives_a_cursor_that_misses_nothing() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let next = shop.get(EVENTS).await.expect(200).json["result"]["next"].clone();
    let written = say(&world, None, "first");
    let reply = shop.get(&format!("{EVENTS}?next={next}")).await.expect(200);
    assert_eq!(events(&reply)[0]["eventID"], json!(written.message));
}

#[tokio::test]
async fn a_cursor_is_a_positive_number() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    for (next, expected) in [
        ("0", "Invalid value for \"next\""),
        ("-5", "Invalid value for \"next\""),
        ("abc", "Invalid number"),
        ("", "Invalid number"),
        ("1.5", "Invalid number"),
    ] {
        let reply = shop.get(&format!("{EVENTS}?next={next}")).await.expect(400);
        assert_eq!(
            (detail(&reply), &reply.json["error"]),
            (expected, &json!(expected))
        );
        assert_eq!(reply.json["origin"], "proxy-chats");
    }
}

#[tokio::test]
async fn events_tell_who_wrote_from_where() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = say(&world, None, "Здравствуйте").chat;
    let sign = shop.sign(&chat).await;
    shop.write(&sign, "  Ответ \n").await.expect(200);
    world
        .write_in_cabinet(Wildberries, &chat, "Из кабинета")
        .expect("written");
    write_as(
        &world,
        json!({"marketplace": "wildberries", "chat": chat, "text": "Системное", "as": "system"}),
    );
    let all = events(&shop.get(EVENTS).await.expect(200));
    assert_eq!(all.len(), 4);
    assert_eq!(
        (&all[0]["isNewChat"], &all[0]["replySign"]),
        (&json!(true), &json!(sign))
    );
    assert!(
        all[0]["clientName"].is_string()
            && all[0]["message"]["attachments"]["goodCard"].is_object()
    );
    assert!(
        all[1..]
            .iter()
            .all(|event| event.get("replySign").is_none() && event.get("clientName").is_none())
    );
    let told: Vec<_> = all
        .iter()
        .map(|event| (event["sender"].clone(), event["message"]["text"].clone()))
        .collect();
    assert_eq!(
        told[1..],
        [
            (json!("seller"), json!("Ответ")),
            (json!("seller"), json!("Из кабинета")),
            (json!("wb"), json!("Системное")),
        ]
    );
    assert_eq!(
        (&all[1]["source"], &all[2]["source"]),
        (&json!("seller-public-api"), &json!("seller-portal"))
    );
    let chats = shop.get(CHATS).await.expect(200).json;
    assert_eq!(chats["errors"], Value::Null);
    assert_eq!(chats["result"][0]["lastMessage"]["text"], "Системное");
    assert_eq!(chats["result"][0]["clientName"], all[0]["clientName"]);
}

#[tokio::test]
async fn events_may_lack_a_message_or_be_of_an_unknown_kind() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = say(&world, None, "a").chat;
    write_as(
        &world,
        json!({"marketplace": "wildberries", "chat": chat, "no_message": true, "as": "seller"}),
    );
    write_as(
        &world,
        json!({"marketplace": "wildberries", "chat": chat, "text": "b", "event_type": "refund"}),
    );
    let all = events(&shop.get(EVENTS).await.expect(200));
    assert!(all[1].get("message").is_none());
    assert_eq!(all[2]["eventType"], "refund");
}

#[tokio::test]
async fn an_echo_that_is_late_keeps_its_time_and_is_not_lost_behind_the_cursor() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = say(&world, None, "a").chat;
    let fault = FaultRequest {
        target: Some("wildberries".into()),
        kind: "late_echo".into(),
        value: Some(30_000),
        ..Default::default()
    };
    world.fault(fault).expect("a fault");
    let sign = shop.sign(&chat).await;
    let sent = shop.write(&sign, "late").await.expect(200);
    world.clear_faults().expect("cleared");
    say(&world, Some(&chat), "b");
    let reply = shop.get(EVENTS).await.expect(200);
    assert_eq!(events(&reply).len(), 2);
    world.advance(Duration::from_secs(31)).expect("moved");
    let next = &reply.json["result"]["next"];
    let reply = shop.get(&format!("{EVENTS}?next={next}")).await.expect(200);
    let late = &events(&reply)[0];
    assert_eq!(late["message"]["text"], "late");
    assert_eq!(late["addTimestamp"], sent.json["result"]["addTime"]);
    let next = &reply.json["result"]["next"];
    let reply = shop.get(&format!("{EVENTS}?next={next}")).await.expect(200);
    assert_eq!(events(&reply), Vec::<Value>::new());
}

#[tokio::test]
async fn no_two_events_of_a_seller_share_a_moment() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    for _ in 0..40 {
        say(&world, None, "a");
    }
    let all = events(&shop.get(EVENTS).await.expect(200));
    let moments: HashSet<i64> = all
        .iter()
        .filter_map(|event| event["addTimestamp"].as_i64())
        .collect();
    assert_eq!((all.len(), moments.len()), (40, 40));
}

#[tokio::test]
async fn the_list_may_be_empty_though_there_are_events_to_answer() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = say(&world, None, "a").chat;
    let request = ShopRequest {
        marketplace: Some(Wildberries),
        seller: Some(shop.id().to_owned()),
        quirks: Some(vec![Quirk::EmptyChats]),
        ..Default::default()
    };
    world.shop(request).await.expect("changed");
    assert_eq!(shop.get(CHATS).await.expect(200).json["result"], json!([]));
    let all = events(&shop.get(EVENTS).await.expect(200));
    let sign = all[0]["replySign"].as_str().expect("a sign");
    let sent = shop.write(sign, "b").await.expect(200);
    assert_eq!(sent.json["result"]["chatID"], json!(chat));
}
