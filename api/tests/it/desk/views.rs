//! Filters of the list of chats that people come back to.

use common::channel::Marketplace;
use common::db::users::Role;
use serde_json::{Value, json};

use crate::support::{Person, TestApp};

const PATH: &str = "/api/views";

async fn saved(person: &Person<'_>, scope: &str, filter: Value, position: i32) -> String {
    let body = json!({
        "scope": scope, "name": " Вид ", "filter": filter, "position": position,
    });
    let saved = person.post(PATH, &body).await;
    assert_eq!(saved.expect(201)["name"], "Вид");
    format!("{PATH}/{}", saved.body["id"])
}

#[tokio::test]
async fn views_are_listed_in_their_order_to_those_whose_they_are() {
    let app = TestApp::start().await;
    let (anna, boris) = (app.agent("anna").await, app.agent("boris").await);
    let clara = app.admin("clara").await;
    let refused = json!({ "scope": "tenant", "name": "Вид", "filter": {} });
    anna.post(PATH, &refused)
        .await
        .expect_error(403, "forbidden");
    let shared = saved(&clara, "tenant", json!({ "status": "open" }), 2).await;
    let own = saved(&anna, "own", json!({ "tag": "VIP", "status": null }), 1).await;
    let list = anna.get(PATH).await;
    let views = list.expect(200)["views"].as_array().unwrap();
    assert_eq!(views.len(), 2);
    assert_eq!(views[0]["filter"], json!({ "tag": "VIP" }));
    assert_eq!(views[1]["scope"], "tenant");
    assert_eq!(
        boris.get(PATH).await.expect(200)["views"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    anna.patch(&shared, &json!({ "position": 0 }))
        .await
        .expect_error(403, "forbidden");
    anna.delete(&shared).await.expect_error(403, "forbidden");
    for stranger in [&boris, &clara] {
        let not_found = "view_not_found";
        stranger.get(&own).await.expect_error(404, not_found);
        let change = json!({ "name": "x" });
        stranger
            .patch(&own, &change)
            .await
            .expect_error(404, not_found);
        stranger.delete(&own).await.expect_error(404, not_found);
        let count = format!("{own}/count");
        stranger.get(&count).await.expect_error(404, not_found);
    }
    let moved = anna
        .patch(&own, &json!({ "position": 3, "filter": {} }))
        .await;
    assert_eq!(moved.expect(200)["filter"], json!({}));
    let list = anna.get(PATH).await;
    assert_eq!(list.expect(200)["views"][1]["position"], 3);
    anna.delete(&own).await.expect(204);
    clara.delete(&shared).await.expect(204);
    assert_eq!(anna.get(PATH).await.expect(200)["views"], json!([]));
}

#[tokio::test]
async fn a_filter_is_what_the_list_takes() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let whole = json!({
        "seller_id": 1, "marketplace": "ozon", "channel": "ozon", "status": "open",
        "unread_only": true, "assigned_to": 3, "deadline": "at_risk", "suggestion": "ready",
        "send_error": false, "tag": "VIP", "snoozed": false, "search": "мария",
        "changed_after": "2026-11-21T09:00:00Z", "sort": "recent",
    });
    let own = saved(&anna, "own", whole.clone(), 0).await;
    assert_eq!(anna.get(&own).await.expect(200)["filter"], whole);
    for (field, filter) in [
        ("filter.color", json!({ "color": "red" })),
        ("filter.limit", json!({ "limit": 5 })),
        ("filter.cursor", json!({ "cursor": "x" })),
        ("filter.status", json!({ "status": "done" })),
        ("filter.seller_id", json!({ "seller_id": "one" })),
        ("filter.unread_only", json!({ "unread_only": 1 })),
        ("filter.assigned_to", json!({ "assigned_to": "anna" })),
        (
            "filter.channel",
            json!({ "channel": "ozon", "marketplace": "wildberries" }),
        ),
        ("filter.search", json!({ "search": "я".repeat(101) })),
        ("filter.tag", json!({ "tag": ["VIP"] })),
        ("filter", json!("status=open")),
        ("filter", json!(null)),
    ] {
        let body = json!({ "name": "Вид", "filter": filter });
        anna.post(PATH, &body).await.expect_field(field);
    }
    anna.patch(&own, &json!({ "filter": { "color": "red" } }))
        .await
        .expect_field("filter.color");
    let nameless = json!({ "name": " ", "filter": {} });
    anna.post(PATH, &nameless).await.expect_field("name");
}

#[tokio::test]
async fn a_view_is_counted_as_whoever_looks_sees_it() {
    let app = TestApp::start().await;
    let (anna, boris) = (app.agent("anna").await, app.agent("boris").await);
    let clara = app.admin("clara").await;
    let eve = app.person("acme", "eve", Role::Owner).await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let foreign = app.shop(eve.tenant(), Marketplace::Ozon).await;
    app.chat_of(&foreign, "Чужой").await;
    let mut chats = Vec::new();
    for _ in 0..3 {
        chats.push(app.chat_of(&shop, "Где заказ?").await.id);
    }
    for chat in &chats[..2] {
        let path = format!("/api/chats/{chat}/assign");
        let body = json!({ "user_id": anna.user.id });
        anna.post(&path, &body).await.expect(200);
    }
    let mine = saved(&clara, "tenant", json!({ "assigned_to": "me" }), 0).await;
    let mine = format!("{mine}/count");
    assert_eq!(anna.get(&mine).await.expect(200), &json!({ "count": 2 }));
    assert_eq!(boris.get(&mine).await.expect(200), &json!({ "count": 0 }));
    let all = format!("{}/count", saved(&clara, "tenant", json!({}), 0).await);
    assert_eq!(boris.get(&all).await.expect(200), &json!({ "count": 3 }));
}
