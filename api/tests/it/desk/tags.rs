//! What chats are tagged with, and finding them by it.

use common::channel::Marketplace;
use common::db::users::Role;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn tags_are_trimmed_and_each_is_kept_once_in_order() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let (mut socket, _) = anna.socket(None).await;
    let path = format!("/api/chats/{}/tags", chat.id);
    let body = json!({ "tags": [" VIP ", "возврат", "vip", "Возврат"], "version": chat.version });
    let tagged = anna.put(&path, &body).await;
    assert_eq!(tagged.expect(200)["tags"], json!(["VIP", "возврат"]));
    assert_eq!(tagged.body["version"], chat.version + 1);
    let told = socket.frame_of("chat.updated").await;
    assert_eq!(told["data"], tagged.body);
    anna.put(&path, &body)
        .await
        .expect_error(409, "chat_moved_on");
    let same = json!({ "tags": ["VIP", "возврат"] });
    let same = anna.put(&path, &same).await;
    assert_eq!(same.expect(200)["version"], tagged.body["version"]);
    let none = anna.put(&path, &json!({ "tags": [] })).await;
    assert_eq!(none.expect(200)["tags"], json!([]));
}

#[tokio::test]
async fn chats_are_found_by_tag_within_the_tenant() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let eve = app.person("acme", "eve", Role::Agent).await;
    let mut ids = Vec::new();
    for (person, tags) in [
        (&anna, json!(["VIP", "срочно"])),
        (&anna, json!(["VIP"])),
        (&anna, json!([])),
        (&eve, json!(["VIP", "чужой"])),
    ] {
        let shop = app.shop(person.tenant(), Marketplace::Ozon).await;
        let chat = app.chat_of(&shop, "Где заказ?").await;
        let path = format!("/api/chats/{}/tags", chat.id);
        person
            .put(&path, &json!({ "tags": tags }))
            .await
            .expect(200);
        ids.push(chat.id.0);
    }
    for (query, expected) in [
        ("tag=VIP", vec![ids[0], ids[1]]),
        (
            "tag=%D1%81%D1%80%D0%BE%D1%87%D0%BD%D0%BE&status=open",
            vec![ids[0]],
        ),
        ("tag=VIP&status=closed", vec![]),
        ("tag=vip", vec![]),
        ("tag=", vec![]),
    ] {
        let found = anna.get(&format!("/api/chats?{query}")).await;
        let found = found.expect(200)["chats"].as_array().unwrap();
        let found: Vec<_> = found.iter().map(|it| it["id"].as_i64().unwrap()).collect();
        assert_eq!(found, expected, "{query}");
    }
    let tags = anna.get("/api/tags").await;
    let expected = json!([{ "tag": "VIP", "chats": 2 }, { "tag": "срочно", "chats": 1 }]);
    assert_eq!(tags.expect(200)["tags"], expected);
}

#[tokio::test]
async fn a_tag_is_short_and_printable() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let path = format!("/api/chats/{}/tags", chat.id);
    let many: Vec<String> = (0..21).map(|number| number.to_string()).collect();
    for (field, tags) in [
        ("tags", json!(many)),
        ("tags[0]", json!(["  "])),
        ("tags[1]", json!(["a", "я".repeat(41)])),
        ("tags[0]", json!(["a\nb"])),
        ("tags", json!("VIP")),
        ("tags", json!(null)),
    ] {
        let body = json!({ "tags": tags });
        anna.put(&path, &body).await.expect_field(field);
    }
    anna.put(&path, &json!({})).await.expect_field("tags");
    let most = json!({ "tags": many[..20] });
    anna.put(&path, &most).await.expect(200);
    let longest = json!({ "tags": ["я".repeat(40)] });
    anna.put(&path, &longest).await.expect(200);
}
