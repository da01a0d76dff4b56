//! The queue of chats, and what a person does to one.

use std::collections::HashSet;

use chrono::TimeDelta;
use common::channel::Marketplace;
use common::db::read_receipts;
use common::db::users::Role;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, statements_with};

fn ids(answer: &Answer) -> Vec<i64> {
    let chats = answer.expect(200)["chats"].as_array().unwrap();
    chats
        .iter()
        .map(|chat| chat["id"].as_i64().unwrap())
        .collect()
}

#[tokio::test]
async fn the_most_urgent_comes_first_and_pages_have_no_gaps() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let mut expected = Vec::new();
    for hours in [1, 7, 3, 20, 5] {
        let chat = app
            .chat_since(&shop, "Где заказ?", TimeDelta::hours(hours))
            .await;
        expected.push((hours, chat.id.0));
    }
    expected.sort_unstable_by_key(|(hours, _)| -hours);
    let expected: Vec<i64> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!(ids(&anna.get("/api/chats").await), expected);
    for sort in ["deadline", "recent"] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = anna
                .get(&format!("/api/chats?sort={sort}&limit=2{cursor}"))
                .await;
            seen.extend(ids(&page));
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 5);
        assert_eq!(seen.iter().collect::<HashSet<_>>().len(), 5);
        let other = if sort == "recent" {
            "deadline"
        } else {
            "recent"
        };
        anna.get(&format!("/api/chats?sort={other}{cursor}"))
            .await
            .expect_field("cursor");
    }
}

#[tokio::test]
async fn a_request_sends_few_statements() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let body = json!({ "chat_id": chat.id, "text": "Уже в пути" });
    anna.post("/api/messages", &body).await.expect(201);
    let id = chat.id;
    // Of a chat: itself, its messages, and the names of those who wrote them.
    for (path, most) in [
        ("/api/chats".to_owned(), 1),
        (format!("/api/chats?seller_id={}&limit=1", shop.id), 1),
        (format!("/api/chats/{id}"), 1),
        ("/api/chats/counts".to_owned(), 1),
        (format!("/api/messages/chat/{id}"), 3),
    ] {
        let tenant = anna.tenant().to_string();
        let before = statements_with(&tenant).len();
        anna.get(&path).await.expect(200);
        let sent = statements_with(&tenant).split_off(before);
        assert_eq!(sent.len(), most, "{path}: {sent:#?}");
    }
}

#[tokio::test]
async fn filters_combine() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let ozon = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let yandex = app.shop(anna.tenant(), Marketplace::YandexMarket).await;
    let late = app
        .chat_since(&ozon, "Давно", TimeDelta::hours(25))
        .await
        .id
        .0;
    let risky = app
        .chat_since(&ozon, "Скоро", TimeDelta::hours(20))
        .await
        .id
        .0;
    let fresh = app.chat_of(&yandex, "Сейчас").await;
    app.advance(TimeDelta::seconds(1));
    let changed_after = app.clock().now();
    app.cabinet_writes(&yandex, &fresh, "Ответили").await;
    let fresh = fresh.id.0;
    let expected: Vec<(String, Vec<i64>)> = vec![
        (format!("seller_id={}", ozon.id), vec![late, risky]),
        ("marketplace=yandex_market".into(), vec![fresh]),
        ("channel=ozon&status=open".into(), vec![late, risky]),
        ("status=waiting".into(), vec![fresh]),
        ("status=closed".into(), vec![]),
        ("unread_only=true".into(), vec![late, risky]),
        ("assigned_to=none&status=open".into(), vec![late, risky]),
        ("assigned_to=me".into(), vec![]),
        ("deadline=breached".into(), vec![late]),
        ("deadline=at_risk".into(), vec![risky]),
        ("search=0137-12&deadline=breached".into(), vec![late]),
        (
            "search=%D0%BC%D0%B0%D1%80&status=waiting".into(),
            vec![fresh],
        ),
        ("search=%25".into(), vec![]),
        ("search=%D0%BC%D0%B0&status=waiting".into(), vec![fresh]),
        ("snoozed=true".into(), vec![]),
        ("snoozed=false&status=waiting".into(), vec![fresh]),
        ("suggestion=ready".into(), vec![]),
        ("send_error=true".into(), vec![]),
        ("send_error=false&status=waiting".into(), vec![fresh]),
        (
            format!(
                "changed_after={}",
                changed_after.format("%Y-%m-%dT%H:%M:%S%.6fZ")
            ),
            vec![fresh],
        ),
    ];
    for (query, chats) in expected {
        let found = ids(&anna.get(&format!("/api/chats?{query}")).await);
        assert_eq!(found, chats, "{query}");
    }
    for (field, query) in [
        ("suggestion", "suggestion=stale"),
        ("snoozed", "snoozed=yes"),
        ("limit", "limit=101"),
        ("limit", "limit=99999999999999999999"),
        ("status", "status=open&status=closed"),
        ("assigned_to", "assigned_to=anna"),
        ("changed_after", "changed_after=yesterday"),
        ("channel", "channel=ozon&marketplace=wildberries"),
        ("cursor", "cursor=%7B%7D"),
        ("search", "search=%00"),
        ("unread_only", "unread_only=1"),
    ] {
        anna.get(&format!("/api/chats?{query}"))
            .await
            .expect_field(field);
    }
}

#[tokio::test]
async fn views_are_counted() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    app.chat_since(&shop, "Давно", TimeDelta::hours(25)).await;
    app.chat_since(&shop, "Скоро", TimeDelta::hours(20)).await;
    let mine = app.chat_of(&shop, "Мой").await;
    let answered = app.chat_of(&shop, "Отвечен").await;
    app.advance(TimeDelta::seconds(1));
    app.cabinet_writes(&shop, &answered, "Ответ").await;
    let path = format!("/api/chats/{}/assign", mine.id);
    anna.post(&path, &json!({ "user_id": anna.user.id }))
        .await
        .expect(200);
    let counts = anna.get("/api/chats/counts").await;
    assert_eq!(
        counts.expect(200),
        &json!({
            "mine": 1, "unassigned": 2, "at_risk": 1, "breached": 1, "suggestion_ready": 0,
            "waiting": 1, "send_error": 0,
        })
    );
}

#[tokio::test]
async fn reading_a_chat_marks_it_and_tells_the_marketplace() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    assert_eq!(chat.unread_count, 1);
    let path = format!("/api/chats/{}/mark-read", chat.id);
    let read = anna.call(&path).await;
    assert_eq!(read.expect(200)["unread_count"], 0);
    assert_eq!(read.body["status"], "open");
    let again = anna.call(&path).await;
    assert_eq!(again.expect(200)["version"], read.body["version"]);
    let messages = anna.get(&format!("/api/messages/chat/{}", chat.id)).await;
    assert!(messages.expect(200)["messages"][0]["read_at"].is_string());
    let mut conn = app.conn().await;
    let (now, limit) = (app.clock().now(), 10);
    let due = read_receipts::claim_due_across_tenants(&mut conn, Marketplace::Ozon, now, limit);
    let due = due.await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].chat_id, chat.id);
}

#[tokio::test]
async fn a_chat_is_closed_and_reopened_by_those_who_saw_it() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let path = format!("/api/chats/{}", chat.id);
    let old = json!({ "version": chat.version - 1 });
    anna.post(&format!("{path}/close"), &old)
        .await
        .expect_error(409, "chat_moved_on");
    let seen = json!({ "version": chat.version });
    let closed = anna.post(&format!("{path}/close"), &seen).await;
    assert_eq!(closed.expect(200)["status"], "closed");
    assert_eq!(closed.body["deadline"], Value::Null);
    let reopened = anna.call(&format!("{path}/reopen")).await;
    assert_eq!(reopened.expect(200)["status"], "open");
    anna.call(&format!("{path}/close")).await.expect(200);
    app.buyer_writes(&shop, &chat, "Алло?").await;
    assert_eq!(anna.get(&path).await.expect(200)["status"], "open");
}

#[tokio::test]
async fn only_active_staff_of_the_tenant_is_given_a_chat() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let boris = app.agent("boris").await;
    let member = app.person("demo", "max", Role::Member).await;
    let foreign = app.person("acme", "eve", Role::Agent).await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let path = format!("/api/chats/{}/assign", chat.id);
    let given = anna.post(&path, &json!({ "user_id": boris.user.id })).await;
    assert_eq!(given.expect(200)["assigned_to"], boris.user.id.0);
    assert_eq!(
        ids(&boris.get("/api/chats?assigned_to=me").await),
        [chat.id.0]
    );
    for nobody in [member.user.id.0, foreign.user.id.0, i64::MAX] {
        anna.post(&path, &json!({ "user_id": nobody }))
            .await
            .expect_field("user_id");
    }
    anna.post(&path, &json!({})).await.expect_field("user_id");
    let taken = anna.post(&path, &json!({ "user_id": null })).await;
    assert_eq!(taken.expect(200)["assigned_to"], Value::Null);
}

#[tokio::test]
async fn a_search_takes_letters_for_one_another() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let mut chats = Vec::new();
    for (name, order) in [
        ("Алёна Жёлтая", "0042-Ab-1"),
        ("АЛЕНА", "17"),
        ("50%_\\", "18"),
    ] {
        chats.push(app.chat_about(&shop, name, order).await.id.0);
    }
    let all = &chats[..2];
    for (search, expected) in [
        ("алена", all),
        ("АЛЁНА", all),
        ("  алена  ", all),
        ("желт", &chats[..1]),
        ("ЖЁЛТ", &chats[..1]),
        ("0042-ab", &chats[..1]),
        ("%", &chats[2..]),
        ("_", &chats[2..]),
        ("\\", &chats[2..]),
        ("алена17", &[]),
    ] {
        let found = anna.request(reqwest::Method::GET, "/api/chats");
        let found = Answer::of(found.query(&[("search", search)])).await;
        assert_eq!(ids(&found), expected, "{search}");
    }
}

#[tokio::test]
async fn drafts_and_rest_are_filters() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let mut chats = Vec::new();
    for state in ["ready", "held", "stale"] {
        let chat = app.chat_of(&shop, "Где заказ?").await;
        app.suggest(&chat, state).await;
        chats.push(chat.id.0);
    }
    let rests = app.chat_of(&shop, "Потом").await;
    app.snooze(&rests, TimeDelta::minutes(10)).await;
    let page = async |query: &str| ids(&anna.get(&format!("/api/chats?{query}")).await);
    assert_eq!(page("suggestion=ready").await, chats[..1]);
    assert_eq!(page("suggestion=held").await, chats[1..2]);
    assert_eq!(page("snoozed=true").await, [rests.id.0]);
    assert_eq!(page("snoozed=false").await, chats);
    let counts = anna.get("/api/chats/counts").await;
    assert_eq!(counts.expect(200)["suggestion_ready"], 1);
    app.advance(TimeDelta::minutes(10));
    assert_eq!(page("snoozed=true").await, Vec::<i64>::new());
}
