//! Invitations into the team: made, taken back, accepted once.

use chrono::TimeDelta;
use common::db::users::Role;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

async fn invited(admin: &Person<'_>, body: &Value) -> (String, Value) {
    let answer = admin.post("/api/team/invites", body).await;
    let invite = answer.expect(201).clone();
    let link = invite["link"].as_str().unwrap();
    let token = link
        .strip_prefix("https://chat.example/accept-invite?token=")
        .unwrap_or_else(|| panic!("{link}"));
    (token.to_owned(), invite)
}

async fn accept(app: &TestApp, token: &str, username: &str) -> Answer {
    let body = json!({ "token": token, "username": username, "password": "correct horse" });
    app.post("/api/v1/auth/accept-invite", &body).await
}

async fn me(app: &TestApp, tokens: &Value) -> Value {
    let request = app.http.get(app.url("/api/v1/users/me"));
    let token = tokens["access_token"].as_str().unwrap();
    let me = Answer::of(request.bearer_auth(token)).await;
    me.expect(200).clone()
}

#[tokio::test]
async fn whoever_has_the_link_joins_with_the_role_and_email_of_the_invitation() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let body = json!({ "email": "clara@example.com", "role": "agent" });
    let (token, invite) = invited(&ada, &body).await;
    assert!(token.starts_with(&ada.tenant().0.simple().to_string()));
    let expires = invite["expires_at"]
        .as_str()
        .unwrap()
        .parse::<chrono::DateTime<chrono::Utc>>();
    let left = expires.unwrap() - app.clock().now();
    assert!(left > TimeDelta::days(6) && left <= TimeDelta::days(7));
    let joined = accept(&app, &token, "Клара").await;
    assert_eq!(joined.expect(200)["token_type"], "Bearer");
    assert!(joined.header("set-cookie").contains("refresh_token="));
    let me = me(&app, &joined.body).await;
    assert_eq!(me["email"], "clara@example.com");
    assert_eq!(
        (&me["role"], &me["tenant"]["slug"]),
        (&json!("agent"), &json!("demo"))
    );
    let pending = ada.get("/api/team/invites").await;
    assert_eq!(pending.expect(200)["invites"], json!([]));
    let login = json!({ "email": "clara@example.com", "password": "correct horse" });
    app.post("/api/v1/auth/login", &login).await.expect(200);
}

#[tokio::test]
async fn without_an_email_one_signs_in_by_tenant_and_name() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (token, _) = invited(&ada, &json!({ "username": "clara", "role": "agent" })).await;
    accept(&app, &token, "clara").await.expect(200);
    let mut login = json!({ "email": "Clara", "password": "correct horse", "tenant": "demo" });
    let tokens = app.post("/api/v1/auth/login", &login).await;
    assert_eq!(me(&app, tokens.expect(200)).await["email"], Value::Null);
    login["tenant"] = json!("operators");
    app.post("/api/v1/auth/login", &login).await.expect(401);
    login.as_object_mut().unwrap().remove("tenant");
    app.post("/api/v1/auth/login", &login).await.expect(401);
}

#[tokio::test]
async fn of_many_who_accept_at_once_one_joins() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (token, _) = invited(&ada, &json!({ "role": "agent" })).await;
    let names: Vec<String> = (0..8).map(|no| format!("clara {no}")).collect();
    let answers = join_all(names.iter().map(|name| accept(&app, &token, name))).await;
    let (joined, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|it| it.status == 200);
    assert_eq!((joined.len(), refused.len()), (1, 7));
    for answer in refused {
        answer.expect_error(401, "invite_invalid");
    }
    let team = ada.get("/api/team").await;
    assert_eq!(team.expect(200)["team"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_accepted_any_more_is_refused() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (withdrawn, invite) = invited(&ada, &json!({ "role": "agent" })).await;
    let path = format!("/api/team/invites/{}", invite["id"]);
    ada.delete(&path).await.expect(204);
    ada.delete(&path)
        .await
        .expect_error(404, "invite_not_found");
    let (late, _) = invited(&ada, &json!({ "role": "agent" })).await;
    app.advance(TimeDelta::days(7));
    let eve = app.person("acme", "eve", Role::Owner).await;
    let other = eve.tenant().0.simple().to_string();
    let moved = late.replacen(&late[..32], &other, 1);
    for token in [withdrawn.as_str(), &late, &moved, "", "x"] {
        accept(&app, token, "clara")
            .await
            .expect_error(401, "invite_invalid");
    }
}

#[tokio::test]
async fn a_taken_name_does_not_use_the_invitation_up() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (token, _) = invited(&ada, &json!({ "role": "agent" })).await;
    accept(&app, &token, "ADA")
        .await
        .expect_error(409, "username_taken");
    accept(&app, &token, "clara").await.expect(200);
    let body = json!({ "email": "clara@example.com", "role": "agent" });
    let (one, _) = invited(&ada, &body).await;
    let (other, _) = invited(&ada, &body).await;
    accept(&app, &one, "clara 1").await.expect(200);
    accept(&app, &other, "clara 2")
        .await
        .expect_error(409, "email_taken");
    ada.post("/api/team/invites", &body)
        .await
        .expect_error(409, "email_taken");
}

#[tokio::test]
async fn who_may_invite_and_to_what() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let anna = app.agent("anna").await;
    let body = json!({ "role": "agent" });
    anna.post("/api/team/invites", &body)
        .await
        .expect_error(403, "forbidden");
    anna.get("/api/team/invites").await.expect(403);
    ada.post("/api/team/invites", &json!({ "role": "admin" }))
        .await
        .expect(201);
    let registration =
        json!({ "email": "new@example.com", "username": "newcomer", "password": "correct horse" });
    let tokens = app.post("/api/v1/auth/register", &registration).await;
    let token = tokens.expect(201)["access_token"].as_str().unwrap();
    let request = app.http.post(app.url("/api/team/invites")).json(&body);
    Answer::of(request.bearer_auth(token))
        .await
        .expect_error(403, "email_unconfirmed");
    for (field, value) in [
        ("role", json!("owner")),
        ("role", json!("member")),
        ("role", Value::Null),
        ("email", json!("clara")),
        ("username", json!("x")),
        ("tenant", json!("acme")),
    ] {
        let mut body = json!({ "role": "agent" });
        body[field] = value;
        ada.post("/api/team/invites", &body)
            .await
            .expect_field(field);
    }
}

#[tokio::test]
async fn attempts_are_counted() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let (token, invite) = invited(&ada, &json!({ "role": "agent" })).await;
    let path = format!("/api/team/invites/{}", invite["id"]);
    ada.delete(&path).await.expect(204);
    for _ in 0..10 {
        accept(&app, &token, "clara")
            .await
            .expect_error(401, "invite_invalid");
    }
    accept(&app, &token, "clara")
        .await
        .expect_error(429, "too_many_requests");
}

#[tokio::test]
async fn invitations_come_in_pages() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    for _ in 0..3 {
        invited(&ada, &json!({ "role": "agent" })).await;
    }
    let first = ada.get("/api/team/invites?limit=2").await;
    let cursor = first.expect(200)["next_cursor"].as_str().unwrap();
    let path = format!("/api/team/invites?limit=2&cursor={cursor}");
    let rest = ada.get(&path).await;
    assert_eq!(rest.expect(200)["invites"].as_array().unwrap().len(), 1);
    assert_eq!(rest.body["next_cursor"], Value::Null);
    assert!(!first.text.contains("token"));
}
