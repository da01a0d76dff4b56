//! What operators and machines ask about the process itself.

use reqwest::Method;

use crate::support::{Answer, TestApp};

#[tokio::test]
async fn health_touches_nothing() {
    let app = TestApp::start().await;
    let health = app.get("/health").await;
    assert_eq!(health.expect(200)["status"], "healthy");
    assert_eq!(health.body["service"], "chat-center");
    assert_eq!(health.header("x-content-type-options"), "nosniff");
    assert_eq!(
        app.get("/ready").await.expect(200)["degraded"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn without_redis_the_api_works_and_says_so() {
    let app = TestApp::start_with(&[("REDIS_URL", "redis://127.0.0.1:1")]).await;
    let anna = app.agent("anna").await;
    let ready = app.get("/ready").await;
    assert_eq!(ready.expect(200)["degraded"], serde_json::json!(["redis"]));
    anna.get("/api/chats").await.expect(200);
    let wrong = serde_json::json!({ "email": "a@b.c", "password": "wrong password" });
    app.post("/api/v1/auth/login", &wrong).await.expect(401);
}

#[tokio::test]
async fn metrics_are_for_this_machine_or_the_token() {
    let app = TestApp::start_with(&[("METRICS_TOKEN", "metrics-token")]).await;
    let local = app.get("/metrics").await;
    assert!(
        local.status == 200 || local.status == 500,
        "no recorder in this process"
    );
    let behind_proxy = |token: &str| {
        let request = app.http.get(app.url("/metrics"));
        let request = request.header("x-forwarded-for", "9.9.9.9");
        Answer::of(request.bearer_auth(token.to_owned()))
    };
    behind_proxy("wrong")
        .await
        .expect_error(401, "unauthorized");
    assert_ne!(behind_proxy("metrics-token").await.status, 401);
}

#[tokio::test]
async fn request_ids_are_taken_over_if_they_are_decent() {
    let app = TestApp::start().await;
    let ask = |id: &'static str| {
        let request = app.http.get(app.url("/health"));
        Answer::of(request.header("x-request-id", id))
    };
    assert_eq!(ask("A-1_b.2").await.header("x-request-id"), "A-1_b.2");
    let made = ask("has space").await;
    assert_eq!(made.header("x-request-id").len(), 32);
}

#[tokio::test]
async fn what_is_not_there_is_answered_in_our_form() {
    let app = TestApp::start().await;
    for path in [
        "/",
        "/nope",
        "/api",
        "/api/v1/auth",
        "/hooks/ozon",
        "/api/chats/1/nope",
        "/docs/nope",
    ] {
        app.get(path).await.expect_error(404, "not_found");
    }
    for (method, path) in [
        (Method::DELETE, "/health"),
        (Method::PUT, "/api/chats"),
        (Method::GET, "/api/v1/auth/login"),
    ] {
        Answer::of(app.http.request(method, app.url(path)))
            .await
            .expect_error(405, "method_not_allowed");
    }
}

#[tokio::test]
async fn the_documentation_is_served() {
    let script = concat!(env!("CARGO_TARGET_TMPDIR"), "/redoc.js");
    std::fs::write(script, "// ReDoc").unwrap();
    let app = TestApp::start_with(&[("REDOC_FILE", script)]).await;
    let document = app.get("/openapi.json").await;
    assert_eq!(document.expect(200)["openapi"], "3.1.0");
    assert_is_strict(&app.get("/docs/").await, "swagger-ui");
    assert_is_strict(&app.get("/redoc").await, "<redoc spec-url=");
    let served = app.get("/redoc/redoc.standalone.js").await;
    assert_eq!(served.text, "// ReDoc");
    assert!(served.header("content-type").starts_with("text/javascript"));
}

/// The page runs no script that stands in it, and may load nothing from elsewhere.
fn assert_is_strict(page: &Answer, shows: &str) {
    assert_eq!(page.status, 200);
    assert!(page.text.contains(shows), "{}", page.text);
    for script in page.text.split("<script").skip(1) {
        let (attributes, rest) = script.split_once('>').unwrap();
        let inside = rest.split_once("</script>").unwrap().0;
        assert!(attributes.contains(" src=") && inside.trim().is_empty());
        assert!(!attributes.contains("//"), "{attributes}");
    }
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self';"));
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("//"));
}

#[tokio::test]
async fn without_redoc_its_page_says_how_to_get_it() {
    let app = TestApp::start_with(&[("REDOC_FILE", "/nowhere/redoc.js")]).await;
    let page = app.get("/redoc").await;
    assert_eq!(page.status, 200);
    assert_eq!(page.text.lines().count(), 1);
    assert!(page.text.contains("scripts/redoc"), "{}", page.text);
    let script = app.get("/redoc/redoc.standalone.js").await;
    script.expect_error(404, "not_found");
}
