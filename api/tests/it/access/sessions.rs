//! Staying signed in, and signing out.

use chrono::TimeDelta;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

async fn refresh(app: &TestApp, token: &str) -> Answer {
    let body = json!({ "refresh_token": token });
    app.post("/api/v1/auth/refresh", &body).await
}

fn token(answer: &Value) -> String {
    answer["refresh_token"].as_str().unwrap().to_owned()
}

fn with_cookie(person: &Person<'_>) -> RequestBuilder {
    let cookie = format!("theme=dark; refresh_token={}", person.tokens.refresh_token);
    let url = person.app.url("/api/v1/auth/refresh");
    person.app.http.post(url).header("cookie", cookie)
}

#[tokio::test]
async fn two_tabs_get_the_same_pair() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let first = refresh(&app, &anna.tokens.refresh_token).await;
    app.advance(TimeDelta::seconds(9));
    let second = refresh(&app, &anna.tokens.refresh_token).await;
    assert_eq!(first.expect(200), second.expect(200));
    assert_ne!(token(&first.body), anna.tokens.refresh_token);
    refresh(&app, &token(&first.body)).await.expect(200);
}

#[tokio::test]
async fn a_token_used_again_later_ends_the_session() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let next = refresh(&app, &anna.tokens.refresh_token).await;
    let next = token(next.expect(200));
    app.advance(TimeDelta::seconds(11));
    let reused = refresh(&app, &anna.tokens.refresh_token).await;
    reused.expect_error(401, "refresh_token_reused");
    refresh(&app, &next)
        .await
        .expect_error(401, "refresh_token_invalid");
    anna.get("/api/v1/users/me")
        .await
        .expect_error(401, "unauthorized");
}

#[tokio::test]
async fn an_older_ancestor_ends_the_session_at_once() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let second = token(refresh(&app, &anna.tokens.refresh_token).await.expect(200));
    let third = token(refresh(&app, &second).await.expect(200));
    refresh(&app, &anna.tokens.refresh_token)
        .await
        .expect_error(401, "refresh_token_reused");
    refresh(&app, &third).await.expect(401);
}

#[tokio::test]
async fn of_many_at_once_all_get_the_same_pair() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let tries = (0..20).map(|_| refresh(&app, &anna.tokens.refresh_token));
    let answers = futures::future::join_all(tries).await;
    let first = answers[0].expect(200);
    assert!(answers.iter().all(|answer| answer.expect(200) == first));
}

#[tokio::test]
async fn a_forged_token_is_refused_and_ends_nothing() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let ours = &anna.tokens.refresh_token;
    let parts: Vec<&str> = ours.split('.').collect();
    let next_generation = format!("{}.{}.1.{}", parts[0], parts[1], parts[3]);
    for forged in [
        next_generation.as_str(),
        "",
        "x",
        "a.b.c.d",
        &ours[..ours.len() - 2],
    ] {
        refresh(&app, forged)
            .await
            .expect_error(401, "refresh_token_invalid");
    }
    refresh(&app, ours).await.expect(200);
}

#[tokio::test]
async fn a_session_ends_with_its_time() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    app.advance(TimeDelta::minutes(16));
    anna.get("/api/v1/users/me")
        .await
        .expect_error(401, "token_expired");
    app.advance(TimeDelta::days(14));
    refresh(&app, &anna.tokens.refresh_token).await.expect(401);
}

#[tokio::test]
async fn the_cookie_counts_only_from_our_own_pages() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let page = with_cookie(&anna).header("sec-fetch-site", "same-origin");
    Answer::of(page).await.expect(200);
    let foreign = with_cookie(&anna).header("sec-fetch-site", "cross-site");
    Answer::of(foreign).await.expect(401);
    let foreign = with_cookie(&anna).header("origin", "https://evil.example");
    Answer::of(foreign).await.expect(401);
    Answer::of(with_cookie(&anna)).await.expect(401);
}

#[tokio::test]
async fn signing_out_ends_the_session_everywhere() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let answer = anna.call("/api/v1/auth/logout").await;
    answer.expect(200);
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    anna.get("/api/v1/users/me").await.expect(401);
    refresh(&app, &anna.tokens.refresh_token).await.expect(401);
    app.post("/api/v1/auth/logout", &json!({}))
        .await
        .expect_error(401, "unauthorized");
}

#[tokio::test]
async fn a_refresh_token_signs_out_too() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let body = json!({ "refresh_token": anna.tokens.refresh_token });
    app.post("/api/v1/auth/logout", &body).await.expect(200);
    anna.get("/api/v1/users/me").await.expect(401);
    app.post("/api/v1/auth/logout", &body).await.expect(200);
}

#[tokio::test]
async fn a_revoked_session_is_shut_out_within_two_seconds() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    // Known to the cache from now on.
    anna.get("/api/v1/users/me").await.expect(200);
    anna.is_shut_out().await;
    let revoked = tokio::time::Instant::now();
    while anna.get("/api/v1/users/me").await.status == 200 {
        assert!(revoked.elapsed().as_secs() < 3, "still in after 3 s");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
