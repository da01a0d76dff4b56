//! Keys for programs: what they open, and when they stop.

use chrono::TimeDelta;
use common::channel::Marketplace;
use common::db::users::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

/// A program with a token.
struct Program<'a> {
    app: &'a TestApp,
    token: String,
    about: Value,
}

impl<'a> Program<'a> {
    async fn of(maker: &Person<'a>, scope: &str) -> Self {
        let body = json!({ "name": "nightly export", "scopes": [scope] });
        let made = maker.post("/api/tokens", &body).await;
        Self {
            app: maker.app,
            token: made.expect(201)["token"].as_str().unwrap().to_owned(),
            about: made.body.clone(),
        }
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.app.http.request(method, self.app.url(path));
        let request = request.bearer_auth(&self.token);
        Answer::of(match body {
            Some(body) => request.json(&body),
            None => request,
        })
        .await
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }
}

#[tokio::test]
async fn a_token_is_shown_once_and_stored_hashed() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let program = Program::of(&ada, "read").await;
    let start = format!("cc_{}.", ada.tenant().0.simple());
    assert!(program.token.starts_with(&start), "{}", program.token);
    assert_eq!(program.about["scopes"], json!(["read"]));
    assert_eq!(program.about["created_by"], ada.user.id.0);
    let listed = ada.get("/api/tokens").await;
    assert_eq!(listed.expect(200)["tokens"][0]["name"], "nightly export");
    assert!(!listed.text.contains("cc_"));
    let secret = program.token.rsplit_once('.').unwrap().1;
    let rows = app.dump("api_tokens").await;
    assert!(
        rows.contains("nightly export") && !rows.contains(secret),
        "{rows}"
    );
}

#[tokio::test]
async fn each_scope_opens_what_it_says() {
    let app = TestApp::start().await;
    let olga = app.person("demo", "olga", Role::Owner).await;
    let shop = app.shop(olga.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let shop = format!("/api/sellers/{}", shop.id);
    let answer = json!({ "chat_id": chat.id, "text": "Уже в пути" });
    let name = json!({ "name": "Another" });
    for (scope, may_write, may_lead) in [
        ("read", false, false),
        ("write", true, false),
        ("admin", true, true),
    ] {
        let program = Program::of(&olga, scope).await;
        program.get("/api/chats").await.expect(200);
        let written = program.post("/api/messages", answer.clone()).await;
        let changed = program.send(Method::PATCH, &shop, Some(name.clone())).await;
        let audited = program.get("/api/tokens").await;
        let status = |may: bool, yes: u16| if may { yes } else { 403 };
        assert_eq!(written.status, status(may_write, 201), "{scope}");
        assert_eq!(changed.status, status(may_lead, 200), "{scope}");
        assert_eq!(audited.status, status(may_lead, 200), "{scope}");
        if !may_write {
            written.expect_error(403, "scope_missing");
        }
        if may_write {
            assert_eq!(written.body["author"]["user_id"], olga.user.id.0);
            assert_eq!(written.body["author"]["name"], "olga");
        }
    }
}

#[tokio::test]
async fn a_token_makes_no_tokens_and_is_no_person() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let program = Program::of(&ada, "admin").await;
    let body = json!({ "name": "more", "scopes": ["read"] });
    program
        .post("/api/tokens", body)
        .await
        .expect_error(403, "forbidden");
    let renamed = json!({ "username": "mallory" });
    program
        .send(Method::PUT, "/api/v1/users/me", Some(renamed))
        .await
        .expect_error(403, "forbidden");
    let me = program.get("/api/v1/users/me").await;
    assert_eq!(me.expect(200)["username"], "ada");
    program
        .send(Method::POST, "/api/v1/auth/logout", None)
        .await
        .expect_error(401, "unauthorized");
    let olga = app.person("demo", "olga", Role::Owner).await;
    let path = format!("/api/team/{}", olga.user.id);
    let role = json!({ "role": "agent" });
    program
        .send(Method::PATCH, &path, Some(role))
        .await
        .expect_error(403, "forbidden");
}

#[tokio::test]
async fn a_token_may_never_more_than_its_maker_may_now() {
    let app = TestApp::start().await;
    let olga = app.person("demo", "olga", Role::Owner).await;
    let ada = app.admin("ada").await;
    let program = Program::of(&ada, "admin").await;
    program.get("/api/team/invites").await.expect(200);
    let path = format!("/api/team/{}", ada.user.id);
    olga.patch(&path, &json!({ "role": "agent" }))
        .await
        .expect(200);
    program
        .get("/api/team/invites")
        .await
        .expect_error(403, "forbidden");
    program.get("/api/chats").await.expect(200);
    olga.patch(&path, &json!({ "role": "member" }))
        .await
        .expect(200);
    program.get("/api/chats").await.expect(403);
    olga.patch(&path, &json!({ "is_active": false }))
        .await
        .expect(200);
    program
        .get("/api/chats")
        .await
        .expect_error(401, "unauthorized");
}

#[tokio::test]
async fn a_revoked_or_expired_token_opens_nothing() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let program = Program::of(&ada, "write").await;
    let mut socket = app.socket().await;
    let hello = json!({ "type": "hello", "token": program.token });
    socket.say(&hello).await;
    assert_eq!(socket.frame().await["type"], "ready");
    let stream = program.app.http.get(app.url("/api/events"));
    let stream = stream.bearer_auth(&program.token).send().await.unwrap();
    assert_eq!(stream.status(), 200);
    let path = format!("/api/tokens/{}", program.about["id"]);
    ada.delete(&path).await.expect(204);
    program
        .get("/api/chats")
        .await
        .expect_error(401, "unauthorized");
    assert_eq!(socket.close_code().await, 4401);
    stream.bytes().await.ok();
    ada.delete(&path).await.expect_error(404, "token_not_found");
    assert_eq!(
        ada.get("/api/tokens").await.expect(200)["tokens"],
        json!([])
    );

    let soon = app.clock().now() + TimeDelta::minutes(5);
    let body = json!({ "name": "short", "scopes": ["read"], "expires_at": soon });
    let short = ada.post("/api/tokens", &body).await;
    let token = short.expect(201)["token"].as_str().unwrap();
    let ask = || Answer::of(app.http.get(app.url("/api/chats")).bearer_auth(token));
    ask().await.expect(200);
    app.advance(TimeDelta::minutes(5));
    ask().await.expect_error(401, "unauthorized");
}

#[tokio::test]
async fn a_token_revoked_elsewhere_is_shut_out_within_two_seconds() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let program = Program::of(&ada, "read").await;
    program.get("/api/chats").await.expect(200);
    let mut conn = app.conn().await;
    let id = common::ids::ApiTokenId(program.about["id"].as_i64().unwrap());
    let now = app.clock().now();
    common::db::api_tokens::revoke(&mut conn, ada.tenant(), id, now)
        .await
        .unwrap();
    common::db::access_changes::insert(&mut conn, ada.tenant(), ada.user.id)
        .await
        .unwrap();
    let revoked = tokio::time::Instant::now();
    while program.get("/api/chats").await.status == 200 {
        assert!(revoked.elapsed().as_secs() < 3, "still in after 3 s");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn forged_and_foreign_tokens_open_nothing() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let eve = app.person("acme", "eve", Role::Owner).await;
    let program = Program::of(&ada, "admin").await;
    let foreign = eve.tenant().0.simple().to_string();
    let moved = program.token.replacen(&program.token[3..35], &foreign, 1);
    let plain = program.token.trim_start_matches("cc_").to_owned();
    let cut = program.token[..program.token.len() - 1].to_owned();
    for token in [moved, plain, cut, "cc_".to_owned(), "cc_x.y".to_owned()] {
        let request = app.http.get(app.url("/api/chats")).bearer_auth(&token);
        Answer::of(request).await.expect_error(401, "unauthorized");
    }
}

#[tokio::test]
async fn the_last_use_is_known_to_the_minute() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let program = Program::of(&ada, "read").await;
    let used = async || {
        let listed = ada.get("/api/tokens").await;
        listed.expect(200)["tokens"][0]["last_used_at"].clone()
    };
    assert_eq!(used().await, Value::Null);
    let mut seen = vec![Value::Null];
    for seconds in [0, 10, 55] {
        app.advance(TimeDelta::seconds(seconds));
        program.get("/api/chats").await.expect(200);
        app.is_idle().await;
        seen.push(used().await);
    }
    assert!(seen[1].is_string());
    assert_eq!(seen[1], seen[2]);
    assert_ne!(seen[2], seen[3]);
}

#[tokio::test]
async fn who_may_make_tokens_and_of_what_form() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    let anna = app.agent("anna").await;
    let body = json!({ "name": "mine", "scopes": ["read"] });
    anna.post("/api/tokens", &body)
        .await
        .expect_error(403, "forbidden");
    anna.get("/api/tokens").await.expect_error(403, "forbidden");
    for (field, value) in [
        ("name", json!(" ")),
        ("name", json!("x".repeat(101))),
        ("scopes", json!([])),
        ("scopes", json!(["read", "read"])),
        ("scopes[0]", json!(["owner"])),
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("expires_at", json!("tomorrow")),
        ("created_by", json!(1)),
        ("role", json!("owner")),
    ] {
        let mut body = json!({ "name": "mine", "scopes": ["read"] });
        body[field.trim_end_matches("[0]")] = value;
        ada.post("/api/tokens", &body).await.expect_field(field);
    }
}

#[tokio::test]
async fn tokens_come_in_pages() {
    let app = TestApp::start().await;
    let ada = app.admin("ada").await;
    for _ in 0..3 {
        Program::of(&ada, "read").await;
    }
    let first = ada.get("/api/tokens?limit=2").await;
    let cursor = first.expect(200)["next_cursor"].as_str().unwrap();
    let rest = ada
        .get(&format!("/api/tokens?limit=2&cursor={cursor}"))
        .await;
    assert_eq!(rest.expect(200)["tokens"].as_array().unwrap().len(), 1);
    assert_eq!(rest.body["next_cursor"], Value::Null);
}
