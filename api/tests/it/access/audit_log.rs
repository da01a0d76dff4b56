//! Who changed what.

use chrono::TimeDelta;
use common::db::audit_log;
use common::db::users::Role;
use diesel_async::RunQueryDsl;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

async fn entries(admin: &Person<'_>, query: &str) -> Vec<Value> {
    let page = admin.get(&format!("/api/audit-log?limit=100{query}")).await;
    page.expect(200)["entries"].as_array().unwrap().clone()
}

fn shop_of(app: &TestApp) -> Value {
    let state = app.sandbox.state();
    let shops = state["shops"].as_array().unwrap();
    let shop = shops.iter().find(|shop| shop["marketplace"] == "ozon");
    let credentials = &shop.unwrap()["credentials"];
    json!({
        "name": "My Store", "marketplace": "ozon", "client_id": credentials["client_id"],
        "api_key": credentials["api_key"],
    })
}

/// What is done to shops.
async fn change_shops(olga: &Person<'_>, shop: &Value) {
    let made = olga.post("/api/sellers", shop).await;
    let path = format!("/api/sellers/{}", made.expect(201)["id"]);
    let name = json!({ "name": "Renamed" });
    olga.patch(&path, &name).await.expect(200);
    let key = json!({ "api_key": shop["api_key"] });
    olga.patch(&path, &key).await.expect(200);
    olga.delete(&path).await.expect(204);
    olga.post("/api/sellers", shop).await.expect(201);
}

/// What is done to the team; gives the id of whoever joined.
async fn change_team(app: &TestApp, olga: &Person<'_>) -> Value {
    let agent = json!({ "role": "agent" });
    let invite = olga.post("/api/team/invites", &agent).await;
    let path = format!("/api/team/invites/{}", invite.expect(201)["id"]);
    olga.delete(&path).await.expect(204);
    let invite = olga.post("/api/team/invites", &agent).await;
    let link = invite.expect(201)["link"].as_str().unwrap();
    let token = link.rsplit_once('=').unwrap().1;
    let body = json!({ "token": token, "username": "clara", "password": "correct horse" });
    app.post("/api/v1/auth/accept-invite", &body)
        .await
        .expect(200);
    let team = olga.get("/api/team").await;
    let team = team.expect(200)["team"].as_array().unwrap();
    let clara = team.iter().find(|member| member["username"] == "clara");
    let clara = clara.unwrap()["id"].clone();
    let admin = json!({ "role": "admin" });
    for _ in 0..2 {
        let path = format!("/api/team/{clara}");
        olga.patch(&path, &admin).await.expect(200);
    }
    clara
}

/// What programs and people do to get in and out.
async fn come_and_go(app: &TestApp, olga: &Person<'_>) {
    let program = json!({ "name": "export", "scopes": ["admin"] });
    let made = olga.post("/api/tokens", &program).await;
    let token = made.expect(201)["token"].as_str().unwrap();
    let request = app.http.post(app.url("/api/team/invites"));
    let request = request.json(&json!({ "role": "agent" })).bearer_auth(token);
    Answer::of(request).await.expect(201);
    let path = format!("/api/tokens/{}", made.body["id"]);
    olga.delete(&path).await.expect(204);
    let mut login = json!({ "email": "clara", "password": "wrong horse", "tenant": "demo" });
    app.post("/api/v1/auth/login", &login).await.expect(401);
    app.is_idle().await;
    login["password"] = json!("correct horse");
    app.post("/api/v1/auth/login", &login).await.expect(200);
    let name = json!({ "username": "Olga" });
    olga.put("/api/v1/users/me", &name).await.expect(200);
    olga.call("/api/v1/auth/logout").await.expect(200);
}

#[tokio::test]
async fn everything_that_is_done_is_written_down_once() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let olga = app.person("demo", "olga", Role::Owner).await;
    let shop = shop_of(&app);
    change_shops(&olga, &shop).await;
    let clara = change_team(&app, &olga).await;
    come_and_go(&app, &olga).await;
    let mut seen = entries(&ada, "").await;
    seen.reverse();
    let program = seen
        .iter()
        .filter_map(|entry| entry["actor"]["name"].as_str())
        .find(|name| name.starts_with("export (token "));
    let program = program.expect("the token by its name").to_owned();
    let told: Vec<(&str, &str)> = seen
        .iter()
        .map(|entry| {
            let text = |value: &'_ Value| value.as_str().map(str::len);
            assert!(text(&entry["ip"]).is_some(), "{entry}");
            (
                entry["action"].as_str().unwrap(),
                entry["actor"]["name"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        ("seller.created", "olga"),
        ("seller.updated", "olga"),
        ("seller.key_renewed", "olga"),
        ("seller.deleted", "olga"),
        ("seller.reactivated", "olga"),
        ("invite.created", "olga"),
        ("invite.deleted", "olga"),
        ("invite.created", "olga"),
        ("invite.accepted", "clara"),
        ("sign_in.succeeded", "clara"),
        ("user.updated", "olga"),
        ("token.created", "olga"),
        ("invite.created", program.as_str()),
        ("token.deleted", "olga"),
        ("sign_in.failed", "somebody"),
        ("sign_in.succeeded", "clara"),
        ("user.renamed", "olga"),
        ("session.ended", "Olga"),
    ];
    assert_eq!(told, expected);
    let changed = seen.iter().find(|entry| entry["action"] == "user.updated");
    let changed = changed.unwrap();
    assert_eq!(changed["target"], format!("user:{clara}"));
    assert_eq!(changed["actor"]["user_id"], olga.user.id.0);
    assert_eq!(changed["before"]["role"], "agent");
    assert_eq!(changed["after"]["role"], "admin");
    let rows = app.dump("audit_log").await;
    for secret in [
        shop["api_key"].as_str().unwrap(),
        "correct horse",
        "cc_",
        "accept-invite",
    ] {
        assert!(!rows.contains(secret), "{secret} in {rows}");
    }
}

#[tokio::test]
async fn whoever_registers_is_written_down_in_their_own_tenant() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let body =
        json!({ "email": "new@example.com", "username": "newcomer", "password": "correct horse" });
    let tokens = app.post("/api/v1/auth/register", &body).await;
    let token = tokens.expect(201)["access_token"].as_str().unwrap();
    let request = app.http.get(app.url("/api/audit-log")).bearer_auth(token);
    let seen = Answer::of(request).await;
    let entries_of = seen.expect(200)["entries"].as_array().unwrap();
    let actions: Vec<_> = entries_of.iter().map(|entry| &entry["action"]).collect();
    assert_eq!(actions, ["sign_in.succeeded", "user.registered"]);
    assert_eq!(entries(&ada, "").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_refresh_token_used_again_is_written_down() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let anna = app.agent("anna").await;
    let body = json!({ "refresh_token": anna.tokens.refresh_token });
    app.post("/api/v1/auth/refresh", &body).await.expect(200);
    app.advance(TimeDelta::seconds(11));
    app.post("/api/v1/auth/refresh", &body).await.expect(401);
    let seen = entries(&ada, "&action=session.reused").await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["target"], format!("user:{}", anna.user.id));
    assert_eq!(
        seen[0]["actor"],
        json!({ "name": "somebody", "user_id": null })
    );
}

#[tokio::test]
async fn entries_are_found_by_who_what_and_when_and_come_in_pages() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let olga = app.person("demo", "olga", Role::Owner).await;
    let agent = json!({ "role": "agent" });
    let first = ada.post("/api/team/invites", &agent).await;
    let target = format!("invite:{}", first.expect(201)["id"]);
    app.advance(TimeDelta::minutes(10));
    ada.post("/api/team/invites", &agent).await.expect(201);
    let olgas = olga.post("/api/team/invites", &agent).await;
    let path = format!("/api/team/invites/{}", olgas.expect(201)["id"]);
    olga.delete(&path).await.expect(204);
    let between = app.clock().now() - TimeDelta::minutes(5);
    let between = between.format("%Y-%m-%dT%H:%M:%SZ");
    for (query, found) in [
        ("&actor=ada".to_owned(), 2),
        ("&actor=olga&action=invite.deleted".to_owned(), 1),
        ("&action=invite.created".to_owned(), 3),
        (format!("&target={target}"), 1),
        (format!("&from={between}"), 3),
        (format!("&to={between}"), 1),
        ("&actor=nobody".to_owned(), 0),
    ] {
        assert_eq!(entries(&ada, &query).await.len(), found, "{query}");
    }
    let mut seen = Vec::new();
    let mut next = "/api/audit-log?limit=3".to_owned();
    loop {
        let page = ada.get(&next).await.expect(200).clone();
        seen.extend(page["entries"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        next = format!("/api/audit-log?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, entries(&ada, "").await);
    ada.get("/api/audit-log?from=yesterday")
        .await
        .expect_field("from");
    ada.get("/api/audit-log?cursor=x")
        .await
        .expect_field("cursor");
}

#[tokio::test]
async fn the_log_is_for_admins_of_its_tenant_and_cannot_be_changed() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let anna = app.agent("anna").await;
    let eve = app.person("acme", "eve", Role::Owner).await;
    let agent = json!({ "role": "agent" });
    ada.post("/api/team/invites", &agent).await.expect(201);
    anna.get("/api/audit-log")
        .await
        .expect_error(403, "forbidden");
    assert_eq!(entries(&eve, "").await, Vec::<Value>::new());
    let mut conn = app.conn().await;
    for change in [
        "DELETE FROM audit_log",
        "UPDATE audit_log SET actor = 'eve'",
    ] {
        let statement = diesel::sql_query(format!("{change} WHERE tenant_id = $1"))
            .bind::<diesel::sql_types::Uuid, _>(ada.tenant());
        let refused = statement.execute(&mut conn).await.unwrap_err();
        assert!(refused.to_string().contains("append-only"), "{refused}");
    }
    let filter = audit_log::EntryFilter::default();
    let rows = audit_log::list(&mut conn, ada.tenant(), &filter, None, 10).await;
    assert_eq!(rows.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_undone_is_not_written_down() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    app.agent("boris").await;
    let taken = json!({ "username": "BORIS" });
    ada.put("/api/v1/users/me", &taken).await.expect(409);
    let missing = ada.request(Method::DELETE, "/api/tokens/7");
    Answer::of(missing).await.expect(404);
    assert_eq!(entries(&ada, "").await, Vec::<Value>::new());
}
