//! Drafts: asked for, used, edited, rejected; and what a text should not say.

use common::channel::Marketplace;
use common::db::chats::Chat;
use common::db::sellers::Seller;
use common::domain::suggestions::SuggestionState;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

async fn chat_in(app: &TestApp, person: &Person<'_>, at: Marketplace) -> (Seller, Chat) {
    let shop = app.shop(person.tenant(), at).await;
    let chat = app.chat_of(&shop, "Где мой заказ?").await;
    (shop, chat)
}

async fn send(person: &Person<'_>, chat: &Chat, text: &str, more: Value) -> Answer {
    let mut body = json!({ "chat_id": chat.id, "text": text });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    person.post("/api/messages", &body).await
}

async fn outcomes(person: &Person<'_>, chat: &Chat) -> Vec<Value> {
    let page = person
        .get(&format!("/api/chats/{}/suggestions", chat.id))
        .await;
    let drafts = page.expect(200)["suggestions"].as_array().unwrap();
    drafts
        .iter()
        .map(|draft| draft["outcome"]["kind"].clone())
        .collect()
}

#[tokio::test]
async fn what_became_of_a_draft_is_recorded() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let cases = [
        ("Здравствуйте! Уже едет.", "sent_as_is"),
        ("Здравствуйте! Едет уже.", "edited"),
    ];
    for (text, kind) in cases {
        let (_, chat) = chat_in(&app, &anna, Marketplace::Ozon).await;
        let draft = app
            .draft(&chat, "Здравствуйте! Уже едет. ", SuggestionState::Ready)
            .await;
        let used = json!({ "suggestion_id": draft.id });
        send(&anna, &chat, text, used.clone()).await.expect(201);
        assert_eq!(outcomes(&anna, &chat).await, [kind]);
        let shown = anna.get(&format!("/api/chats/{}", chat.id)).await;
        assert_eq!(shown.expect(200)["suggestion"]["state"], "none");
        // Used once is used up.
        let again = send(&anna, &chat, text, used).await;
        again.expect_error(409, "stale_suggestion");
    }
    let metrics = anna.get("/api/metrics/replies?days=1").await;
    let metrics = metrics.expect(200);
    assert_eq!(metrics["eligible"], 2);
    assert_eq!(
        (&metrics["accepted"], &metrics["edited"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test]
async fn a_draft_that_the_chat_left_behind_cannot_be_sent() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (shop, chat) = chat_in(&app, &anna, Marketplace::Ozon).await;
    let draft = app.draft(&chat, "Уже едет", SuggestionState::Ready).await;
    app.buyer_writes(&shop, &chat, "Отменяю!").await;
    let used = json!({ "suggestion_id": draft.id });
    let late = send(&anna, &chat, "Уже едет", used).await;
    late.expect_error(409, "stale_suggestion");
    assert_eq!(outcomes(&anna, &chat).await, ["stale"]);
    let thread = anna.get(&format!("/api/messages/chat/{}", chat.id)).await;
    assert_eq!(thread.expect(200)["messages"].as_array().unwrap().len(), 2);
    let shown = anna.get(&format!("/api/chats/{}", chat.id)).await;
    assert_eq!(
        shown.expect(200)["suggestion"],
        json!({ "id": null, "state": "wanted" })
    );
}

#[tokio::test]
async fn a_draft_is_rejected_once_with_a_reason() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (_, chat) = chat_in(&app, &anna, Marketplace::Ozon).await;
    let draft = app.draft(&chat, "Уже едет", SuggestionState::Ready).await;
    let path = format!("/api/suggestions/{}/reject", draft.id);
    anna.post(&path, &json!({ "reason": " " }))
        .await
        .expect_field("reason");
    let rejected = anna.post(&path, &json!({ "reason": "не о том" })).await;
    let outcome = &rejected.expect(200)["outcome"];
    assert_eq!(outcome["kind"], "rejected");
    assert_eq!(outcome["reason"], "не о том");
    assert_eq!(outcome["by"], anna.user.id.0);
    let again = anna.post(&path, &json!({ "reason": "не о том" })).await;
    again.expect_error(409, "stale_suggestion");
    let used = json!({ "suggestion_id": draft.id });
    send(&anna, &chat, "Уже едет", used)
        .await
        .expect_error(409, "stale_suggestion");
}

#[tokio::test]
async fn a_draft_of_another_chat_is_none_of_this_one() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (_, chat) = chat_in(&app, &anna, Marketplace::Ozon).await;
    let (_, other) = chat_in(&app, &anna, Marketplace::Ozon).await;
    let draft = app.draft(&other, "Уже едет", SuggestionState::Ready).await;
    for id in [draft.id.0, 999_999_999] {
        let used = send(&anna, &chat, "Уже едет", json!({ "suggestion_id": id })).await;
        used.expect_field("suggestion_id");
    }
}

#[tokio::test]
async fn a_new_draft_is_made_only_where_an_answer_is_owed() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (shop, chat) = chat_in(&app, &anna, Marketplace::Ozon).await;
    let path = format!("/api/chats/{}/analyze", chat.id);
    let wanted = anna.call(&path).await;
    assert_eq!(wanted.expect(202)["suggestion"]["state"], "wanted");
    let stored = app.chat(anna.tenant(), chat.id).await;
    assert!(stored.suggest_at.unwrap() <= app.clock().now());
    app.cabinet_writes(&shop, &chat, "Уже едет").await;
    anna.call(&path)
        .await
        .expect_error(409, "nothing_to_answer");
}

#[tokio::test]
async fn what_the_marketplace_punishes_needs_a_word() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (_, chat) = chat_in(&app, &anna, Marketplace::Wildberries).await;
    let text = "Напишите нам на shop@mail.ru";
    let refused = send(&anna, &chat, text, json!({})).await;
    let error = refused.expect_error(422, "text_forbidden");
    let details = error["details"].as_array().unwrap();
    assert_eq!(details[0]["rule"], "contacts");
    let span = &details[0]["span"];
    let (from, to) = (span[0].as_u64().unwrap(), span[1].as_u64().unwrap());
    let meant: String = text
        .chars()
        .skip(usize::try_from(from).unwrap())
        .take(usize::try_from(to - from).unwrap())
        .collect();
    assert_eq!(meant, "shop@mail.ru");
    let unknown = send(&anna, &chat, text, json!({ "acknowledge": ["rudeness"] })).await;
    unknown.expect_field("acknowledge");
    let known: Vec<&Value> = details.iter().map(|detail| &detail["rule"]).collect();
    let sent = send(&anna, &chat, text, json!({ "acknowledge": known })).await;
    assert_eq!(sent.expect(201)["warnings"][0]["rule"], "contacts");
    // Mere brackets, file names and sizes are nothing to be punished for.
    let decent = send(
        &anna,
        &chat,
        "Размер 44-46 (см. таблица.pdf), т.е. ваш",
        json!({}),
    )
    .await;
    assert_eq!(decent.expect(201)["warnings"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_seen_is_no_text() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let (_, chat) = chat_in(&app, &anna, Marketplace::Ozon).await;
    let blank = send(&anna, &chat, "\u{200b}\u{2060}", json!({})).await;
    blank.expect_field("text");
}
