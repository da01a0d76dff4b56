//! Registering and signing in.

use serde_json::{Value, json};

use crate::support::{Answer, TestApp};

fn anna() -> Value {
    json!({ "email": "anna@example.com", "username": "Анна", "password": "correct horse" })
}

async fn login(app: &TestApp, body: &Value) -> Answer {
    app.post("/api/v1/auth/login", body).await
}

async fn me(app: &TestApp, tokens: &Value) -> Value {
    let request = app.http.get(app.url("/api/v1/users/me"));
    let token = tokens["access_token"].as_str().unwrap();
    Answer::of(request.bearer_auth(token))
        .await
        .expect(200)
        .clone()
}

#[tokio::test]
async fn whoever_registers_owns_a_tenant_named_after_them() {
    let app = TestApp::start().await;
    let answer = app.post("/api/v1/auth/register", &anna()).await;
    let tokens = answer.expect(201);
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 900);
    let cookie = answer.header("set-cookie");
    for part in [
        "refresh_token=",
        "HttpOnly",
        "SameSite=Strict",
        "Path=/api/v1/auth",
    ] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    let me = me(&app, tokens).await;
    assert_eq!(me["role"], "owner");
    assert_eq!(me["tenant"]["slug"], "anna");
    assert_eq!(me["email"], "anna@example.com");
}

#[tokio::test]
async fn a_taken_or_reserved_slug_is_numbered() {
    let app = TestApp::start().await;
    let mut slugs = Vec::new();
    for (email, username) in [("a@x.y", "Anna"), ("b@x.y", "anna"), ("c@x.y", "Admin")] {
        let body = json!({ "email": email, "username": username, "password": "correct horse" });
        let answer = app.post("/api/v1/auth/register", &body).await;
        let me = me(&app, answer.expect(201)).await;
        slugs.push(me["tenant"]["slug"].as_str().unwrap().to_owned());
    }
    assert_eq!(slugs, ["anna", "anna-2", "admin-2"]);
}

#[tokio::test]
async fn an_email_is_taken_only_once_it_is_proven() {
    let app = TestApp::start().await;
    app.post("/api/v1/auth/register", &anna()).await.expect(201);
    app.post("/api/v1/auth/register", &anna()).await.expect(201);
    app.agent("boris").await;
    let body =
        json!({ "email": "Boris@DEMO.test", "username": "boris", "password": "correct horse" });
    let answer = app.post("/api/v1/auth/register", &body).await;
    answer.expect_error(409, "email_taken");
}

#[tokio::test]
async fn what_breaks_a_rule_is_named() {
    let app = TestApp::start().await;
    let long = "x".repeat(101);
    for (field, value) in [
        ("email", json!("anna")),
        ("email", json!("anna @example.com")),
        ("email", json!(7)),
        ("username", json!("ab")),
        ("username", json!(long)),
        ("password", json!("short")),
        ("password", Value::Null),
        ("tenant", json!("demo")),
        ("role", json!("owner")),
    ] {
        let mut body = anna();
        body[field] = value;
        app.post("/api/v1/auth/register", &body)
            .await
            .expect_field(field);
    }
}

#[tokio::test]
async fn the_right_password_signs_in_and_no_other() {
    let app = TestApp::start().await;
    app.post("/api/v1/auth/register", &anna()).await.expect(201);
    let right = json!({ "email": " Anna@Example.com ", "password": "correct horse" });
    let tokens = login(&app, &right).await.expect(200).clone();
    assert!(me(&app, &tokens).await["last_login_at"].is_string());
    for body in [
        json!({ "email": "anna@example.com", "password": "correct horse!" }),
        json!({ "email": "nobody@example.com", "password": "correct horse" }),
        json!({ "email": "anna@example.com", "password": "correct horse", "tenant": "demo" }),
        json!({ "email": "anna@example.com", "password": "correct horse", "tenant": "none" }),
    ] {
        let answer = login(&app, &body).await;
        answer.expect_error(401, "invalid_credentials");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
}

#[tokio::test]
async fn who_lives_in_several_tenants_is_asked_which() {
    let app = TestApp::start().await;
    app.post("/api/v1/auth/register", &anna()).await.expect(201);
    app.post("/api/v1/auth/register", &anna()).await.expect(201);
    let mut body = json!({ "email": "anna@example.com", "password": "correct horse" });
    let answer = login(&app, &body).await;
    let error = answer.expect_error(409, "tenant_required");
    let mut slugs: Vec<_> = error["details"]["tenants"].as_array().unwrap().clone();
    slugs.sort_by_key(ToString::to_string);
    assert_eq!(slugs, [json!("anna"), json!("anna-2")]);
    body["tenant"] = json!("anna-2");
    let tokens = login(&app, &body).await.expect(200).clone();
    assert_eq!(me(&app, &tokens).await["tenant"]["slug"], "anna-2");
}

#[tokio::test]
async fn attempts_are_limited_also_for_the_right_password() {
    let app = TestApp::start().await;
    app.post("/api/v1/auth/register", &anna()).await.expect(201);
    let wrong = json!({ "email": "anna@example.com", "password": "wrong password" });
    for _ in 0..9 {
        login(&app, &wrong).await.expect(401);
    }
    let answer = login(&app, &wrong).await;
    answer.expect_error(429, "too_many_requests");
    let wait: u32 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    let right = json!({ "email": "anna@example.com", "password": "correct horse" });
    login(&app, &right).await.expect(429);
    let other = json!({ "email": "boris@example.com", "password": "correct horse" });
    login(&app, &other).await.expect(401);
}

#[tokio::test]
async fn forged_proxy_headers_do_not_evade_the_limit() {
    let app = TestApp::start().await;
    let wrong = json!({ "email": "anna@example.com", "password": "wrong password" });
    let mut refused = 0;
    for no in 0..12 {
        let request = app.http.post(app.url("/api/v1/auth/login")).json(&wrong);
        let request = request.header("x-forwarded-for", format!("9.9.9.{no}"));
        refused += i32::from(Answer::of(request).await.status == 429);
    }
    assert_eq!(refused, 2);
}
