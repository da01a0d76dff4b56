//! The people of a tenant, and what becomes of those who leave.

use common::channel::Marketplace;
use common::db::users::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

fn path(person: &Person<'_>) -> String {
    format!("/api/team/{}", person.user.id)
}

fn names(page: &Value) -> Vec<&str> {
    let team = page["team"].as_array().unwrap().iter();
    team.map(|member| member["username"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn everybody_who_answers_sees_the_team() {
    let app = TestApp::start().await;
    let olga = app.person("demo", "olga", Role::Owner).await;
    let anna = app.agent("anna").await;
    app.person("acme", "eve", Role::Owner).await;
    olga.patch(
        &path(&app.agent("boris").await),
        &json!({ "is_active": false }),
    )
    .await
    .expect(200);
    olga.post("/api/team/invites", &json!({ "role": "agent" }))
        .await
        .expect(201);
    let seen = anna.get("/api/team").await;
    assert_eq!(names(seen.expect(200)), ["olga", "anna", "boris"]);
    assert_eq!(seen.body["team"][2]["is_active"], false);
    assert_eq!(seen.body["team"][1]["id"], anna.user.id.0);
    assert_eq!(seen.body["invites"], json!([]), "for admins");
    let seen = olga.get("/api/team?is_active=true").await;
    assert_eq!(names(seen.expect(200)), ["olga", "anna"]);
    assert_eq!(seen.body["invites"].as_array().unwrap().len(), 1);
    assert!(!seen.text.contains("password"));
}

#[tokio::test]
async fn the_team_comes_in_pages() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    for name in ["boris", "clara", "dora"] {
        app.agent(name).await;
    }
    let mut seen = Vec::new();
    let mut next = "/api/team?limit=3".to_owned();
    loop {
        let page = anna.get(&next).await.expect(200).clone();
        seen.extend(names(&page).into_iter().map(str::to_owned));
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        next = format!("/api/team?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, ["anna", "boris", "clara", "dora"]);
    anna.get("/api/team?limit=0").await.expect_field("limit");
    anna.get("/api/team?cursor=x").await.expect_field("cursor");
}

#[tokio::test]
async fn a_role_is_changed_and_counts_at_once() {
    let app = TestApp::start().await;
    let olga = app.person("demo", "olga", Role::Owner).await;
    let anna = app.agent("anna").await;
    anna.get("/api/team/invites").await.expect(403);
    let changed = olga.patch(&path(&anna), &json!({ "role": "admin" })).await;
    assert_eq!(changed.expect(200)["role"], "admin");
    anna.get("/api/team/invites").await.expect(200);
    olga.patch(&path(&anna), &json!({ "role": "member" }))
        .await
        .expect(200);
    anna.get("/api/team").await.expect_error(403, "forbidden");
}

#[tokio::test]
async fn nobody_gives_or_takes_more_than_they_may() {
    let app = TestApp::start().await;
    let olga = app.person("demo", "olga", Role::Owner).await;
    let ada = app.admin("ada").await;
    let bert = app.admin("bert").await;
    let anna = app.agent("anna").await;
    for (who, whom, change, code) in [
        (&anna, &bert, json!({ "role": "agent" }), "forbidden"),
        (&ada, &bert, json!({ "role": "agent" }), "forbidden"),
        (&ada, &olga, json!({ "is_active": false }), "forbidden"),
        (&ada, &anna, json!({ "role": "owner" }), "forbidden"),
        (&ada, &ada, json!({ "role": "agent" }), "not_oneself"),
        (&olga, &olga, json!({ "role": "admin" }), "not_oneself"),
        (&olga, &olga, json!({ "is_active": false }), "not_oneself"),
    ] {
        who.patch(&path(whom), &change)
            .await
            .expect_error(403, code);
    }
    ada.patch(&path(&anna), &json!({ "role": "admin" }))
        .await
        .expect(200);
    olga.patch(&path(&ada), &json!({ "role": "owner" }))
        .await
        .expect(200);
}

#[tokio::test]
async fn what_breaks_a_rule_is_named() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let anna = app.agent("anna").await;
    for (field, value) in [
        ("role", json!("operator")),
        ("role", json!(7)),
        ("is_active", json!("no")),
        ("tenant_id", json!(1)),
        ("password", json!("x")),
    ] {
        let mut body = json!({});
        body[field] = value;
        ada.patch(&path(&anna), &body).await.expect_field(field);
    }
    let eve = app.person("acme", "eve", Role::Owner).await;
    eve.patch(&path(&anna), &json!({ "role": "member" }))
        .await
        .expect_error(404, "user_not_found");
}

#[tokio::test]
async fn of_two_owners_who_put_each_other_out_one_stays() {
    let app = TestApp::start().await;
    let olga = app.person("demo", "olga", Role::Owner).await;
    let oleg = app.person("demo", "oleg", Role::Owner).await;
    let out = json!({ "role": "agent" });
    let (to_oleg, to_olga) = (path(&oleg), path(&olga));
    let (one, other) = tokio::join!(olga.patch(&to_oleg, &out), oleg.patch(&to_olga, &out));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403], "{} {}", one.text, other.text);
}

#[tokio::test]
async fn who_is_deactivated_is_out_within_five_seconds_and_their_chats_are_free() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let anna = app.agent("anna").await;
    let shop = app.shop(anna.tenant(), Marketplace::Ozon).await;
    let mut chats = Vec::new();
    for text in ["Где заказ?", "Ещё жду"] {
        let chat = app.chat_of(&shop, text).await;
        let assigned = json!({ "user_id": anna.user.id });
        anna.post(&format!("/api/chats/{}/assign", chat.id), &assigned)
            .await
            .expect(200);
        chats.push(chat);
    }
    anna.call(&format!("/api/chats/{}/close", chats[1].id))
        .await
        .expect(200);
    let (mut socket, _) = anna.socket(None).await;
    let mut events = anna.events(None).await;
    let (mut watching, _) = ada.socket(None).await;
    ada.patch(&path(&anna), &json!({ "is_active": false }))
        .await
        .expect(200);
    let since = tokio::time::Instant::now();
    anna.get("/api/chats")
        .await
        .expect_error(401, "unauthorized");
    assert_eq!(socket.close_code().await, 4401);
    while events.next().await.is_some() {}
    assert!(since.elapsed().as_secs() < 5);
    for chat in &chats {
        let now = app.chat(anna.tenant(), chat.id).await;
        assert_eq!(now.assigned_to, None);
    }
    let freed = watching.frame_of("chat.updated").await;
    assert_eq!(freed["data"]["id"], chats[0].id.0);
    assert_eq!(freed["data"]["assigned_to"], Value::Null);
    let refreshed = json!({ "refresh_token": anna.tokens.refresh_token });
    app.post("/api/v1/auth/refresh", &refreshed)
        .await
        .expect(401);
    let again = json!({ "user_id": anna.user.id });
    ada.post(&format!("/api/chats/{}/assign", chats[0].id), &again)
        .await
        .expect_field("user_id");
    ada.patch(&path(&anna), &json!({ "is_active": true }))
        .await
        .expect(200);
    anna.get("/api/chats").await.expect(401);
}

#[tokio::test]
async fn what_a_person_invited_to_ends_with_their_role() {
    let app = TestApp::start().await;
    let olga = app.person("demo", "olga", Role::Owner).await;
    let ada = app.admin("ada").await;
    let invite = ada
        .post("/api/team/invites", &json!({ "role": "admin" }))
        .await;
    let link = invite.expect(201)["link"].as_str().unwrap();
    let token = link.rsplit_once('=').unwrap().1;
    olga.patch(&path(&ada), &json!({ "role": "agent" }))
        .await
        .expect(200);
    let body = json!({ "token": token, "username": "mallory", "password": "correct horse" });
    let answer: Answer = app.post("/api/v1/auth/accept-invite", &body).await;
    answer.expect_error(401, "invite_invalid");
    let pending = olga.get("/api/team/invites").await;
    assert_eq!(pending.expect(200)["invites"], json!([]));
}
