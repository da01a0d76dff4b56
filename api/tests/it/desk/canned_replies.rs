//! Answers that are written once and used often.

use common::channel::Marketplace;
use common::db::users::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

const PATH: &str = "/api/canned-replies";

fn reply(scope: &str, shortcut: &str) -> Value {
    json!({ "scope": scope, "shortcut": shortcut, "title": "Где заказ", "text": "Да, {buyer}" })
}

async fn kept(person: &Person<'_>, body: &Value) -> String {
    let kept = person.post(PATH, body).await;
    format!("{PATH}/{}", kept.expect(201)["id"])
}

fn shortcuts(list: &Answer) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let replies = list.expect(200)["canned_replies"]
        .as_array()
        .unwrap()
        .iter();
    replies
        .map(|reply| (text(&reply["shortcut"]), text(&reply["scope"])))
        .collect()
}

#[tokio::test]
async fn shared_ones_are_kept_by_admins_and_own_ones_by_anybody() {
    let app = TestApp::start().await;
    let (anna, boris) = (app.agent("anna").await, app.agent("boris").await);
    let clara = app.admin("clara").await;
    anna.post(PATH, &reply("tenant", "где"))
        .await
        .expect_error(403, "forbidden");
    let shared = kept(&clara, &reply("tenant", "где")).await;
    let own = kept(&anna, &reply("own", "где")).await;
    kept(&boris, &reply("own", "привет")).await;
    let pairs = |of: &[(&str, &str)]| -> Vec<(String, String)> {
        of.iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    let list = anna.get(PATH).await;
    assert_eq!(
        shortcuts(&list),
        pairs(&[("где", "own"), ("где", "tenant")])
    );
    assert_eq!(
        shortcuts(&clara.get(PATH).await),
        pairs(&[("где", "tenant")])
    );
    let change = json!({ "title": "Иначе" });
    anna.patch(&shared, &change)
        .await
        .expect_error(403, "forbidden");
    anna.delete(&shared).await.expect_error(403, "forbidden");
    assert_eq!(
        anna.patch(&own, &change).await.expect(200)["title"],
        "Иначе"
    );
    assert_eq!(anna.get(&own).await.expect(200)["text"], "Да, {buyer}");
    for stranger in [&boris, &clara] {
        let missing = |answer: Answer| {
            answer.expect_error(404, "canned_reply_not_found");
        };
        missing(stranger.get(&own).await);
        missing(stranger.patch(&own, &change).await);
        missing(stranger.delete(&own).await);
        missing(
            stranger
                .post(&format!("{own}/render"), &json!({ "chat_id": 1 }))
                .await,
        );
    }
    clara.delete(&shared).await.expect(204);
    anna.delete(&own).await.expect(204);
    assert_eq!(shortcuts(&anna.get(PATH).await), []);
}

#[tokio::test]
async fn a_shortcut_is_taken_once() {
    let app = TestApp::start().await;
    let clara = app.admin("clara").await;
    kept(&clara, &reply("tenant", "Где")).await;
    let other = kept(&clara, &reply("tenant", "другой")).await;
    clara
        .post(PATH, &reply("tenant", "где"))
        .await
        .expect_error(409, "shortcut_taken");
    clara
        .patch(&other, &json!({ "shortcut": "ГДЕ" }))
        .await
        .expect_error(409, "shortcut_taken");
    clara
        .patch(&other, &json!({ "shortcut": "Другой" }))
        .await
        .expect(200);
    let eve = app.person("acme", "eve", Role::Owner).await;
    kept(&eve, &reply("tenant", "где")).await;
}

#[tokio::test]
async fn a_wrong_field_is_named() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let own = kept(&anna, &reply("own", "где")).await;
    for (field, value) in [
        ("shortcut", json!("два слова")),
        ("shortcut", json!("")),
        ("shortcut", json!("я".repeat(41))),
        ("title", json!(" ")),
        ("title", json!("я".repeat(101))),
        ("text", json!(" \n ")),
        ("text", json!("я".repeat(4097))),
        ("text", json!("Здравствуйте, {byer}")),
        ("text", json!(7)),
    ] {
        let mut body = reply("own", "новый");
        body[field] = value.clone();
        anna.post(PATH, &body).await.expect_field(field);
        anna.patch(&own, &json!({ field: value }))
            .await
            .expect_field(field);
    }
    let mut body = reply("team", "новый");
    anna.post(PATH, &body).await.expect_field("scope");
    body = reply("own", "новый");
    body["owner_id"] = json!(1);
    anna.post(PATH, &body).await.expect_field("owner_id");
    anna.patch(&own, &json!({ "scope": "tenant" }))
        .await
        .expect_field("scope");
}

#[tokio::test]
async fn variables_are_filled_from_the_chat() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_about(&shop, "Мария", "0137-1").await;
    let mut body = reply("own", "где");
    body["text"] = json!("{buyer}, заказ {order} ({product}) в пути. {agent}, {shop}");
    let path = format!("{}/render", kept(&anna, &body).await);
    let filled = anna.post(&path, &json!({ "chat_id": chat.id })).await;
    let expected = json!({
        "text": "Мария, заказ 0137-1 () в пути. anna, A shop", "missing": ["product"],
    });
    assert_eq!(filled.expect(200), &expected);
    let eve = app.person("acme", "eve", Role::Owner).await;
    let foreign = app.shop(eve.tenant(), Marketplace::Ozon).await;
    let foreign = app.chat_of(&foreign, "Чужой").await;
    for chat in [foreign.id.0, i64::MAX] {
        anna.post(&path, &json!({ "chat_id": chat }))
            .await
            .expect_error(404, "chat_not_found");
    }
    anna.post(&path, &json!({})).await.expect_field("chat_id");
}
