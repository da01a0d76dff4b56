//! Who looks at or writes in which chat.

use std::time::Duration;

use common::channel::Marketplace;
use common::db::chats::Chat;
use common::db::users::Role;
use common::feed::{Presence, PresenceState, Present};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Person, Socket, TestApp};

async fn chat_of(app: &TestApp, person: &Person<'_>) -> Chat {
    let shop = app.shop(person.tenant(), Marketplace::Ozon).await;
    app.chat_of(&shop, "Где заказ?").await
}

async fn is_in(socket: &mut Socket, state: &str, chat: impl serde::Serialize) {
    socket.say(&json!({ "type": state, "chat_id": chat })).await;
}

/// What the next event says: names with what they do.
async fn present(socket: &mut Socket, chat: &Chat) -> Vec<(String, String)> {
    let data = socket.frame_of("presence").await["data"].clone();
    assert_eq!(data["chat_id"], chat.id.0, "{data}");
    let users = data["users"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    users
        .map(|user| (text(&user["name"]), text(&user["state"])))
        .collect()
}

fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |text: &str| text.to_owned();
    of.iter().map(|(a, b)| (owned(a), owned(b))).collect()
}

#[tokio::test]
async fn people_see_who_is_in_a_chat_until_they_leave() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let boris = app.agent("boris").await;
    let chat = chat_of(&app, &anna).await;
    let (mut at_anna, _) = anna.socket(None).await;
    let (mut at_boris, _) = boris.socket(None).await;
    let mut events = boris.events(None).await;
    is_in(&mut at_anna, "viewing", chat.id).await;
    let anna_looks = pairs(&[("anna", "viewing")]);
    assert_eq!(present(&mut at_boris, &chat).await, anna_looks);
    let (_, data) = events.event("presence").await;
    let anna_there = json!({ "user_id": anna.user.id, "name": "anna", "state": "viewing" });
    assert_eq!(data["users"], json!([anna_there]));
    is_in(&mut at_boris, "editing", chat.id).await;
    let both = pairs(&[("anna", "viewing"), ("boris", "editing")]);
    assert_eq!(present(&mut at_boris, &chat).await, both);
    let path = format!("/api/chats/{}/presence", chat.id);
    let seen = anna.get(&path).await;
    assert_eq!(seen.expect(200)["users"].as_array().unwrap().len(), 2);
    assert_eq!(seen.body["users"][1]["state"], "editing");
    is_in(&mut at_boris, "viewing", Value::Null).await;
    assert_eq!(present(&mut at_boris, &chat).await, anna_looks);
    drop(at_anna);
    assert_eq!(present(&mut at_boris, &chat).await, []);
    assert_eq!(anna.get(&path).await.expect(200)["users"], json!([]));
}

#[tokio::test]
async fn going_to_another_chat_leaves_the_first() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (first, second) = (chat_of(&app, &anna).await, chat_of(&app, &anna).await);
    let (mut socket, _) = anna.socket(None).await;
    is_in(&mut socket, "editing", first.id).await;
    let writes = pairs(&[("anna", "editing")]);
    assert_eq!(present(&mut socket, &first).await, writes);
    is_in(&mut socket, "editing", second.id).await;
    assert_eq!(present(&mut socket, &first).await, []);
    assert_eq!(present(&mut socket, &second).await, writes);
}

#[tokio::test]
async fn a_person_is_shown_once_however_many_sockets() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let chat = chat_of(&app, &anna).await;
    let (mut writing, _) = anna.socket(None).await;
    let (mut looking, _) = anna.socket(None).await;
    is_in(&mut writing, "editing", chat.id).await;
    let writes = pairs(&[("anna", "editing")]);
    assert_eq!(present(&mut looking, &chat).await, writes);
    is_in(&mut looking, "viewing", chat.id).await;
    drop(writing);
    let looks = pairs(&[("anna", "viewing")]);
    assert_eq!(present(&mut looking, &chat).await, looks);
}

#[tokio::test]
async fn a_foreign_chat_is_like_one_that_is_not_there() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let eve = app.person("acme", "eve", Role::Owner).await;
    let (chat, own) = (chat_of(&app, &anna).await, chat_of(&app, &eve).await);
    let (mut at_anna, _) = anna.socket(None).await;
    let (mut at_eve, _) = eve.socket(None).await;
    for nowhere in [json!(chat.id), json!(i64::MAX), json!(-1)] {
        is_in(&mut at_eve, "viewing", &nowhere).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    is_in(&mut at_eve, "viewing", own.id).await;
    let eve_looks = pairs(&[("eve", "viewing")]);
    assert_eq!(present(&mut at_eve, &own).await, eve_looks);
    is_in(&mut at_anna, "viewing", chat.id).await;
    let anna_looks = pairs(&[("anna", "viewing")]);
    assert_eq!(present(&mut at_anna, &chat).await, anna_looks);
}

#[tokio::test]
async fn a_flood_is_heard_as_its_last_word() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (first, last) = (chat_of(&app, &anna).await, chat_of(&app, &anna).await);
    let (mut socket, _) = anna.socket(None).await;
    for number in 0..500 {
        let state = if number % 2 == 0 {
            "editing"
        } else {
            "viewing"
        };
        is_in(&mut socket, state, first.id).await;
    }
    is_in(&mut socket, "editing", last.id).await;
    let mut told = 0;
    loop {
        let data = socket.frame_of("presence").await["data"].clone();
        told += 1;
        if data["chat_id"] == last.id.0 {
            assert_eq!(data["users"][0]["state"], "editing");
            break;
        }
    }
    assert!(told < 20, "{told} events");
}

#[tokio::test]
async fn whoever_stopped_with_their_process_vanishes() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let chat = chat_of(&app, &anna).await;
    let (mut socket, _) = anna.socket(None).await;
    let dead = Presence::kept_for(&app.state.ctx.redis, Duration::from_millis(100));
    let who = Present {
        user_id: anna.user.id,
        name: "анна".to_owned(),
        state: PresenceState::Editing,
    };
    dead.show(anna.tenant(), chat.id, Uuid::new_v4(), &who)
        .await
        .unwrap();
    let writes = pairs(&[("анна", "editing")]);
    assert_eq!(present(&mut socket, &chat).await, writes);
    assert_eq!(present(&mut socket, &chat).await, []);
}

#[tokio::test]
async fn a_place_is_a_number_or_null() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    for said in [
        json!({ "type": "viewing" }),
        json!({ "type": "editing", "chat_id": "7" }),
    ] {
        let (mut socket, _) = anna.socket(None).await;
        socket.say(&said).await;
        assert_eq!(socket.close_code().await, 4400, "{said}");
    }
}
