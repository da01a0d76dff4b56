//! Wildberries: signatures, sends, files (FACTS §2.6, §2.7).

use std::time::Duration;

use reqwest::multipart::Form;
use sandbox::{Marketplace::Wildberries, Sandbox};
use serde_json::{Value, json};

use crate::client::{Reply, Seller, file, png, quiet_world, write_as};

const EVENTS: &str = "/api/v1/seller/events";
const MESSAGE: &str = "/api/v1/seller/message";

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

// waits for the rate limit by the world's clock
fn pause(world: &Sandbox) {
    world.advance(Duration::from_secs(10)).expect("moved");
}

#[tokio::test]
async fn a_signature_is_used_up_by_a_send_and_by_a_new_message() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = say(&world, None, "a").chat;
    let first = shop.sign(&chat).await;
    assert_eq!(shop.sign(&chat).await, first);
    assert!(first.len() <= 255 && first.starts_with(&chat));
    let sent = shop.write(&first, "one").await.expect(200);
    assert_eq!(
        (&sent.json["result"]["chatID"], &sent.json["errors"]),
        (&json!(chat), &json!([]))
    );
    let second = sent.json["result"]["sign"]
        .as_str()
        .expect("a sign")
        .to_owned();
    assert_eq!(shop.sign(&chat).await, second);
    let stale = shop.write(&first, "two").await.expect(400);
    assert_eq!(
        (detail(&stale), stale.json["title"].as_str()),
        ("Invalid signature", Some("Bad Request"))
    );
    say(&world, Some(&chat), "b");
    shop.write(&second, "two").await.expect(400);
    let third = shop.sign(&chat).await;
    world
        .write_in_cabinet(Wildberries, &chat, "x")
        .expect("written");
    shop.write(&third, "two").await.expect(200);
    pause(&world);
    for wrong in ["1:2:3", "x", &third.replace('a', "b")] {
        assert_eq!(
            detail(&shop.write(wrong, "x").await.expect(400)),
            "Invalid signature"
        );
    }
    let texts: Vec<_> = world
        .messages(Wildberries, &chat)
        .expect("a chat")
        .into_iter()
        .filter_map(|m| m.text)
        .collect();
    assert_eq!(texts, ["a", "one", "b", "x", "two"]);
    // the echo is bound by its time
    pause(&world);
    let echo = &events(&shop.get(EVENTS).await)[1];
    assert_eq!(echo["addTimestamp"], sent.json["result"]["addTime"]);
}

#[tokio::test]
async fn another_sellers_signature_is_invalid() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = say(&world, None, "a").chat;
    let sign = shop.sign(&chat).await;
    let foreign = Seller::of(&world, Wildberries, "acme");
    assert_eq!(
        detail(&foreign.write(&sign, "x").await.expect(400)),
        "Invalid signature"
    );
}

#[tokio::test]
async fn a_send_is_refused_for_what_the_documents_forbid() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = say(&world, None, "a").chat;
    let sign = shop.sign(&chat).await;
    let form = || Form::new().text("replySign", sign.clone());
    let message = "Invalid value for \"message\"";
    for (form, expected) in [
        (form(), message),
        (form().text("message", "   "), message),
        (form().text("message", "ё".repeat(1001)), message),
        (
            Form::new().text("message", "x"),
            "Invalid value for \"replySign\"",
        ),
        (
            form().part("file", file("a.png", png((5 << 20) + 1))),
            "attachment too big. Max size: 5MiB",
        ),
        (
            form().part("file", file("v.mp4", b"\0\0\0\x18ftypmp42".to_vec())),
            "\"v.mp4\" has unsupported mime type",
        ),
        (
            form().part("file", file("a.png", b"hello".to_vec())),
            "\"a.png\" has unsupported mime type",
        ),
    ] {
        let reply = shop.form(MESSAGE, form).await.expect(400);
        assert!(detail(&reply).ends_with(expected), "{}", detail(&reply));
        assert_eq!(reply.json["error"], reply.json["detail"]);
    }
    pause(&world);
    let mut many = form();
    for at in 0..7 {
        many = many.part("file", file(&format!("{at}.png"), png(5 << 20)));
    }
    assert!(detail(&shop.form(MESSAGE, many).await.expect(400)).contains("30MiB"));
    let plain = shop
        .request(reqwest::Method::POST, MESSAGE)
        .json(&json!({"replySign": sign, "message": "x"}));
    shop.send(plain).await.expect(400);
    assert_eq!(
        world.messages(Wildberries, &chat).map(|all| all.len()),
        Some(1)
    );
    shop.write(&sign, &"ё".repeat(1000)).await.expect(200);
}

#[tokio::test]
async fn files_are_fetched_through_the_api_after_moderation() {
    let world = quiet_world().await;
    let shop = Seller::of(&world, Wildberries, "demo");
    let chat = say(&world, None, "a").chat;
    let form = Form::new()
        .text("replySign", shop.sign(&chat).await)
        .part("file", file("чек.pdf", b"%PDF-1.4 x".to_vec()))
        .part("file", file("empty.png", Vec::new()));
    let sent = shop.form(MESSAGE, form).await.expect(200);
    let errors = sent.json["errors"].as_array().expect("errors");
    assert!(
        errors.len() == 1
            && errors[0]
                .as_str()
                .is_some_and(|text| text.contains("empty.png"))
    );
    let buyers = |moderation| json!({"marketplace": "wildberries", "chat": chat, "text": "", "file": {"name": "a.png", "moderation": moderation}});
    write_as(&world, buyers("pending"));
    write_as(&world, buyers("failed"));
    let all = events(&shop.get(EVENTS).await.expect(200));
    let pdf = &all[1]["message"]["attachments"]["files"][0];
    assert_eq!(
        (&pdf["name"], &pdf["contentType"], &pdf["size"]),
        (&json!("чек.pdf"), &json!("application/pdf"), &json!(10))
    );
    let path = |event: &Value, kind: &str| {
        let id = &event["message"]["attachments"][kind][0]["downloadID"];
        format!("/api/v1/seller/download/{}", id.as_str().expect("an id"))
    };
    let got = shop.get(&path(&all[1], "files")).await.expect(200);
    assert_eq!(
        (got.header("content-type"), got.body.as_slice()),
        (Some("application/pdf"), &b"%PDF-1.4 x"[..])
    );
    let pending = shop.get(&path(&all[2], "images")).await.expect(202);
    assert_eq!(pending.json["moderationState"], "pending");
    assert!(
        pending.json["retrySeconds"]
            .as_i64()
            .is_some_and(|wait| (1..=30).contains(&wait))
    );
    let failed = shop.get(&path(&all[3], "images")).await.expect(451);
    assert_eq!(
        (detail(&failed), &failed.json["title"]),
        ("moderation error", &json!("Unavailable for Legal Reasons"))
    );
    world.advance(Duration::from_secs(30)).expect("moved");
    assert_eq!(
        shop.get(&path(&all[2], "images"))
            .await
            .expect(200)
            .header("content-type"),
        Some("image/png")
    );
    assert_eq!(
        detail(&shop.get("/api/v1/seller/download/none").await.expect(400)),
        "invalid fileID"
    );
    let foreign = Seller::of(&world, Wildberries, "acme");
    foreign.get(&path(&all[1], "files")).await.expect(400);
}
