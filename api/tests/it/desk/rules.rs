//! Rules, hours, and what they say about a chat.

use chrono::TimeDelta;
use common::channel::Marketplace;
use common::db::users::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

fn office() -> Value {
    let day = json!([{ "from": "09:00", "to": "17:00" }]);
    json!({
        "name": "Офис", "zone": "Europe/Moscow",
        "week": { "mon": day, "tue": day, "wed": day, "thu": day, "fri": day },
    })
}

fn rule(more: Value) -> Value {
    let mut rule =
        json!({ "name": "Правило", "matches_everything": true, "answer_within_s": 3600 });
    for (name, value) in more.as_object().unwrap() {
        rule[name] = value.clone();
    }
    rule
}

async fn added(admin: &Person<'_>, path: &str, body: &Value) -> i64 {
    let answer: Answer = admin.post(path, body).await;
    let id = answer.expect(201)["id"].as_i64().unwrap();
    assert_eq!(answer.header("location"), format!("{path}/{id}"));
    id
}

#[tokio::test]
async fn rules_and_hours_are_kept_shown_changed_and_deleted() {
    let app = TestApp::start().await;
    let admin = app.admin("ada").await;
    let hours = added(&admin, "/api/business-hours", &office()).await;
    let id = added(
        &admin,
        "/api/sla-rules",
        &rule(json!({ "business_hours_id": hours })),
    )
    .await;
    let path = format!("/api/sla-rules/{id}");
    let shown = admin.get(&path).await;
    assert_eq!(shown.expect(200)["business_hours_id"], hours);
    let in_use = admin.delete(&format!("/api/business-hours/{hours}")).await;
    in_use.expect_error(409, "hours_in_use");
    let changed = admin
        .put(&path, &rule(json!({ "answer_within_s": 7200 })))
        .await;
    assert_eq!(changed.expect(200)["answer_within_s"], 7200);
    assert_eq!(changed.body["business_hours_id"], Value::Null);
    let listed = admin.get("/api/sla-rules").await;
    assert_eq!(listed.expect(200)["sla_rules"][0]["id"], id);
    assert_eq!(listed.body["default"]["answer_within_s"], 86400);
    let twice = admin.post("/api/sla-rules", &rule(json!({}))).await;
    twice.expect_error(409, "name_taken");
    admin.delete(&path).await.expect(204);
    admin
        .get(&path)
        .await
        .expect_error(404, "sla_rule_not_found");
    admin
        .delete(&format!("/api/business-hours/{hours}"))
        .await
        .expect(204);
    let page = admin.get("/api/business-hours").await;
    assert_eq!(page.expect(200)["business_hours"], json!([]));
}

#[tokio::test]
async fn what_no_rule_may_say_is_named() {
    let app = TestApp::start().await;
    let admin = app.admin("ada").await;
    let wrong = [
        ("name", json!("")),
        ("priority", json!(5000)),
        ("answer_within_s", json!(5)),
        ("at_risk_s", json!(3600)),
        ("intent", json!("love")),
        ("keyword", json!("***")),
        ("seller_id", json!(999)),
        ("business_hours_id", json!(999)),
        ("source", json!("x".repeat(501))),
        ("shop", json!(1)),
    ];
    for (field, value) in wrong {
        let refused = admin
            .post("/api/sla-rules", &rule(json!({ field: value })))
            .await;
        refused.expect_field(field);
    }
    let mut hours = office();
    hours["zone"] = json!("Europe/Atlantis");
    admin
        .post("/api/business-hours", &hours)
        .await
        .expect_field("week");
    hours = office();
    hours["week"]["mon"] = json!([{ "from": "9", "to": "17:00" }]);
    admin
        .post("/api/business-hours", &hours)
        .await
        .expect_field("week");
}

#[tokio::test]
async fn agents_read_rules_and_do_not_write_them() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    anna.get("/api/sla-rules").await.expect(200);
    anna.get("/api/business-hours").await.expect(200);
    let refused = anna.post("/api/sla-rules", &rule(json!({}))).await;
    refused.expect_error(403, "forbidden");
    let refused = anna.post("/api/business-hours", &office()).await;
    refused.expect_error(403, "forbidden");
}

#[tokio::test]
async fn another_tenants_hours_and_shops_make_no_rule() {
    let app = TestApp::start().await;
    let admin = app.admin("ada").await;
    let eve = app.person("acme", "eve", Role::Owner).await;
    let hours = added(&admin, "/api/business-hours", &office()).await;
    let shop = app.shop(admin.tenant(), Marketplace::Ozon).await;
    let foreign = eve
        .post(
            "/api/sla-rules",
            &rule(json!({ "business_hours_id": hours })),
        )
        .await;
    foreign.expect_field("business_hours_id");
    let foreign = eve
        .post("/api/sla-rules", &rule(json!({ "seller_id": shop.id })))
        .await;
    foreign.expect_field("seller_id");
}

#[tokio::test]
async fn a_preview_shows_what_would_change_and_keeps_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin("ada").await;
    let shop = app.shop(admin.tenant(), Marketplace::Ozon).await;
    let wants = app.chat_of(&shop, "Хочу оформить возврат").await;
    app.chat_of(&shop, "Спасибо, всё подошло").await;
    let try_out = rule(json!({ "matches_everything": false, "keyword": "возврат*" }));
    let preview = admin
        .post("/api/sla-rules/preview", &json!({ "rule": try_out }))
        .await;
    let preview = preview.expect(200);
    assert_eq!(preview["looked_at"], 2);
    let changes = preview["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0]["chat_id"], wants.id.0);
    assert_eq!(changes[0]["before"]["rule"], Value::Null);
    assert_eq!(changes[0]["after"]["rule_name"], "Правило");
    let untouched = app.chat(admin.tenant(), wants.id).await;
    assert_eq!(untouched.version, wants.version);
    let listed = admin.get("/api/sla-rules").await;
    assert_eq!(listed.expect(200)["sla_rules"], json!([]));
    let nothing = admin.post("/api/sla-rules/preview", &json!({})).await;
    nothing.expect_field("rule");
    let missing = admin
        .post("/api/sla-rules/preview", &json!({ "id": 999 }))
        .await;
    missing.expect_error(404, "sla_rule_not_found");
}

#[tokio::test]
async fn a_deadline_is_explained_in_words_and_numbers() {
    let app = TestApp::start().await;
    let admin = app.admin("ada").await;
    let hours = added(&admin, "/api/business-hours", &office()).await;
    let counts = rule(json!({ "business_hours_id": hours, "priority": 5, "source": "договор" }));
    let id = added(&admin, "/api/sla-rules", &counts).await;
    let silent = json!({ "name": "Молчит", "answer_within_s": 60 });
    added(&admin, "/api/sla-rules", &silent).await;
    let shop = app.shop(admin.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let explained = admin.get(&format!("/api/chats/{}/deadline", chat.id)).await;
    let explained = explained.expect(200);
    let obligation = &explained["obligation"];
    assert_eq!(obligation["rule"], id);
    assert_eq!(obligation["source"], "договор");
    let stretches = obligation["business_hours"]["stretches"]
        .as_array()
        .unwrap();
    let counted: i64 = stretches
        .iter()
        .map(|it| it["seconds"].as_i64().unwrap())
        .sum();
    assert!((3599..=3600).contains(&counted), "{counted}");
    assert_eq!(explained["rules"][0]["counts"], true);
    assert_eq!(explained["rules"][1]["verdict"], "no_conditions");
    let words = explained["steps"].to_string();
    for part in [
        "«Правило»",
        "1 ч",
        "Europe/Moscow",
        "Площадка принимает ответ",
    ] {
        assert!(words.contains(part), "{part} is not in {words}");
    }
    let answered = app.cabinet_writes(&shop, &chat, "Едет").await;
    let explained = admin
        .get(&format!("/api/chats/{}/deadline", answered.id))
        .await;
    assert_eq!(explained.expect(200)["obligation"], Value::Null);
    assert!(
        explained.body["steps"]
            .to_string()
            .contains("ответ доставлен")
    );
}

#[tokio::test]
async fn a_chat_rests_until_it_is_time_or_the_buyer_writes() {
    let app = TestApp::start_with(&[("JWT_EXPIRE_MINUTES", "6000")]).await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let path = format!("/api/chats/{}/snooze", chat.id);
    let now = app.clock().now();
    let until = |by: TimeDelta| json!({ "until": now + by });
    anna.post(&path, &until(-TimeDelta::hours(1)))
        .await
        .expect_field("until");
    anna.post(&path, &until(TimeDelta::days(91)))
        .await
        .expect_field("until");
    let rests = anna.post(&path, &until(TimeDelta::hours(2))).await;
    assert_eq!(
        rests.expect(200)["snoozed_until"],
        json!(now + TimeDelta::hours(2))
    );
    assert!(rests.body["deadline"]["at"].is_string(), "no clock stops");
    // Beyond the warning it rests only until then: the last quarter of 24 hours.
    let rests = anna.post(&path, &until(TimeDelta::days(3))).await;
    let ends = rests.expect(200)["snoozed_until"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(ends < (now + TimeDelta::hours(19)).to_rfc3339());
    let woken = app.buyer_writes(&shop, &chat, "Ау").await;
    assert_eq!(woken.snoozed_until, None);
    anna.post(&path, &until(TimeDelta::hours(2)))
        .await
        .expect(200);
    let woken = anna.post(&path, &json!({ "until": null })).await;
    assert_eq!(woken.expect(200)["snoozed_until"], Value::Null);
    let late = anna
        .post(&path, &json!({ "until": null, "version": 1 }))
        .await;
    late.expect_error(409, "chat_moved_on");
    app.advance(TimeDelta::hours(19));
    let later = json!({ "until": app.clock().now() + TimeDelta::hours(1) });
    anna.post(&path, &later)
        .await
        .expect_error(409, "chat_at_risk");
}
