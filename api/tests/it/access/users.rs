//! The person who is signed in.

use common::db::users::Role;
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn everybody_sees_themselves() {
    let app = TestApp::start().await;
    let eve = app.person("acme", "eve", Role::Member).await;
    let me = eve.get("/api/v1/users/me").await;
    let me = me.expect(200);
    assert_eq!(me["id"], eve.user.public_id.to_string());
    assert_eq!(me["role"], "member");
    assert_eq!(me["tenant"]["slug"], "acme");
    app.get("/api/v1/users/me")
        .await
        .expect_error(401, "unauthorized");
}

#[tokio::test]
async fn a_name_is_changed_unless_it_is_taken() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    app.agent("boris").await;
    let path = "/api/v1/users/me";
    let renamed = anna.put(path, &json!({ "username": " Анна " })).await;
    assert_eq!(renamed.expect(200)["username"], "Анна");
    assert_eq!(anna.get(path).await.expect(200)["username"], "Анна");
    anna.put(path, &json!({ "username": "BORIS" }))
        .await
        .expect_error(409, "username_taken");
    anna.put(path, &json!({ "username": "x" }))
        .await
        .expect_field("username");
    anna.put(path, &json!({ "username": "anna", "role": "owner" }))
        .await
        .expect_field("role");
}

#[tokio::test]
async fn tokens_of_others_open_nothing() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let token = &anna.tokens.access_token;
    let cut = &token[..token.len() - 3];
    for bad in ["", "x", "a.b.c", cut, &anna.tokens.refresh_token] {
        let request = app.http.get(app.url("/api/chats")).bearer_auth(bad);
        crate::support::Answer::of(request)
            .await
            .expect_error(401, "unauthorized");
    }
}

#[tokio::test]
async fn operators_are_no_tenants_staff() {
    let app = TestApp::start().await;
    for role in [Role::Owner, Role::Admin, Role::Agent] {
        let oscar = app.person("operators", role.as_str(), role).await;
        let me = oscar.get("/api/v1/users/me").await;
        assert_eq!(me.expect(200)["role"], "operator");
        for path in [
            "chats",
            "sellers",
            "team",
            "team/invites",
            "tokens",
            "audit-log",
            "events",
        ] {
            oscar
                .get(&format!("/api/{path}"))
                .await
                .expect_error(403, "forbidden");
        }
        let mut socket = app.socket().await;
        let hello = json!({ "type": "hello", "token": oscar.tokens.access_token });
        socket.say(&hello).await;
        assert_eq!(socket.close_code().await, 4403);
    }
}
