//! What is answered while something is away, or too slow.

use std::time::Duration;

use diesel_async::{AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn without_a_database_the_api_lives_and_says_what_is_missing() {
    let nowhere = ("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none");
    let app = TestApp::start_bare(&[nowhere]).await;
    app.get("/health").await.expect(200);
    let ready = app.get("/ready").await;
    let error = ready.expect_error(503, "not_ready");
    assert_eq!(error["details"]["missing"], json!(["postgresql"]));
    let body = json!({ "email": "a@b.c", "password": "some password" });
    let answer = app.post("/api/v1/auth/login", &body).await;
    let error = answer.expect_error(503, "database_unavailable");
    assert_eq!(error["retryable"], true);
    assert_eq!(answer.header("retry-after"), "1");
    assert!(!answer.text.contains("127.0.0.1"));
}

#[tokio::test]
async fn a_question_that_takes_too_long_is_given_up() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let mut conn = app.conn().await;
    conn.batch_execute("BEGIN; LOCK TABLE chats IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let answer = anna.get("/api/chats?search=maria").await;
    let error = answer.expect_error(503, "query_too_broad");
    assert_eq!(error["retryable"], true);
    conn.batch_execute("ROLLBACK").await.unwrap();
    anna.get("/api/chats?search=maria").await.expect(200);
}

#[tokio::test]
async fn dead_connections_are_replaced() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    anna.get("/api/chats").await.expect(200);
    let mut conn = app.conn().await;
    conn.batch_execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .await
    .unwrap();
    for _ in 0..8 {
        anna.get("/api/chats").await.expect(200);
    }
}

#[tokio::test]
async fn requests_under_way_end_when_the_process_stops() {
    let app = TestApp::start().await;
    let anna = app.agent("anna").await;
    let mut conn = app.conn().await;
    conn.batch_execute("BEGIN; LOCK TABLE chats IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let stopping = async {
        while !is_waited_for(&mut conn).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        app.state.shut_down();
        conn.batch_execute("ROLLBACK").await.unwrap();
    };
    let (answer, ()) = tokio::join!(anna.get("/api/chats"), stopping);
    answer.expect(200);
    app.state.tasks.wait().await;
    assert!(app.http.get(app.url("/health")).send().await.is_err());
}

/// Whether somebody waits for a lock.
async fn is_waited_for(conn: &mut AsyncPgConnection) -> bool {
    let waiting = "SELECT pid FROM pg_locks WHERE NOT granted AND database = \
         (SELECT oid FROM pg_database WHERE datname = current_database())";
    diesel::sql_query(waiting).execute(conn).await.unwrap() > 0
}
