//! What people tell each other about a chat.

use common::channel::Marketplace;
use common::db::users::Role;
use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn notes_are_read_newest_first_page_by_page() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let boris = app.agent("boris").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let path = format!("/api/chats/{}/notes", chat.id);
    for number in 0..3 {
        let body = json!({ "text": format!("Заметка {number}") });
        let written = anna.post(&path, &body).await;
        assert_eq!(written.expect(201)["author"]["name"], "anna");
    }
    let page = boris.get(&format!("{path}?limit=2")).await;
    let texts = |page: &Value| -> Vec<String> {
        let notes = page["notes"].as_array().unwrap().iter();
        notes
            .map(|note| note["text"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(texts(page.expect(200)), ["Заметка 2", "Заметка 1"]);
    assert_eq!(page.body["notes"][0]["author"]["name"], "anna");
    let cursor = page.body["next_cursor"].as_str().unwrap();
    let rest = boris.get(&format!("{path}?limit=2&cursor={cursor}")).await;
    assert_eq!(texts(rest.expect(200)), ["Заметка 0"]);
    assert_eq!(rest.body["next_cursor"], Value::Null);
}

#[tokio::test]
async fn pages_learn_of_a_note_and_the_buyer_does_not() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let (mut socket, _) = anna.socket(None).await;
    let path = format!("/api/chats/{}/notes", chat.id);
    anna.post(&path, &json!({ "text": "Только для своих" }))
        .await
        .expect(201);
    let told = socket.frame_of("chat.updated").await;
    assert_eq!(told["data"]["version"], chat.version + 1);
    let after = app.chat(anna.tenant(), chat.id).await;
    assert_eq!(after.deliver_at, None);
    assert_eq!(after.status, chat.status);
    assert_eq!(after.last_message_preview, chat.last_message_preview);
    let messages = anna.get(&format!("/api/messages/chat/{}", chat.id)).await;
    assert_eq!(
        messages.expect(200)["messages"].as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn only_the_author_changes_a_note_and_admins_may_delete_it() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let boris = app.agent("boris").await;
    let admin = app.admin("clara").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let path = format!("/api/chats/{}/notes", chat.id);
    let note = anna.post(&path, &json!({ "text": "Раз" })).await;
    let own = format!("/api/notes/{}", note.expect(201)["id"]);
    let changed = anna.patch(&own, &json!({ "text": "Два" })).await;
    assert_eq!(changed.expect(200)["text"], "Два");
    assert!(changed.body["edited_at"].is_string());
    for other in [&boris, &admin] {
        let refused = other.patch(&own, &json!({ "text": "Три" })).await;
        refused.expect_error(403, "forbidden");
    }
    boris.delete(&own).await.expect_error(403, "forbidden");
    admin.delete(&own).await.expect(204);
    anna.delete(&own).await.expect_error(404, "note_not_found");
    assert_eq!(anna.get(&path).await.expect(200)["notes"], json!([]));
}

#[tokio::test]
async fn a_note_has_a_text() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let path = format!("/api/chats/{}/notes", chat.id);
    let blank = " \n\u{a0}";
    for text in [json!(""), json!(blank), json!("я".repeat(4001)), json!(7)] {
        anna.post(&path, &json!({ "text": text }))
            .await
            .expect_field("text");
    }
    let longest = json!({ "text": "я".repeat(4000) });
    anna.post(&path, &longest).await.expect(201);
    anna.get(&format!("{path}?limit=0"))
        .await
        .expect_field("limit");
    anna.get(&format!("{path}?cursor=x"))
        .await
        .expect_field("cursor");
}

#[tokio::test]
async fn a_note_of_another_tenant_is_not_there() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let eve = app.person("acme", "eve", Role::Owner).await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let path = format!("/api/chats/{}/notes", chat.id);
    let note = anna.post(&path, &json!({ "text": "Наше" })).await;
    let foreign = format!("/api/notes/{}", note.expect(201)["id"]);
    let body = json!({ "text": "Чужое" });
    eve.patch(&foreign, &body)
        .await
        .expect_error(404, "note_not_found");
    eve.delete(&foreign)
        .await
        .expect_error(404, "note_not_found");
    let kept = anna.get(&path).await;
    assert_eq!(kept.expect(200)["notes"][0]["text"], "Наше");
}
