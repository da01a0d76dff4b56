//! Does each fault of the language model do what it says, and no more?

use std::time::{Duration, Instant};

use sandbox::Marketplace::Ozon;
use sandbox::{FaultRequest, Kind, Sandbox};
use serde_json::{Value, json};

use super::{Llm, question, read};
use crate::client::{Seller, quiet_world};

fn fault(world: &Sandbox, kind: &str, value: Option<i64>) {
    world.clear_faults().expect("cleared");
    let request = FaultRequest {
        target: Some("llm".to_owned()),
        kind: kind.to_owned(),
        value,
        ..Default::default()
    };
    world.fault(request).expect("a fault");
}

fn asked() -> Value {
    question("deepseek-chat", "Где моя посылка?")
}

fn streamed() -> Value {
    let mut body = asked();
    body["stream"] = json!(true);
    body
}

fn statuses(world: &Sandbox) -> Vec<Option<u16>> {
    let calls = world.journal(0).into_iter();
    let calls = calls.filter(|entry| entry.kind == Kind::Llm);
    calls.map(|entry| entry.status).collect()
}

#[tokio::test]
async fn statuses_and_limits_have_the_apis_form() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    for status in [400, 401, 402, 403, 404, 429, 500, 502, 503] {
        fault(&world, "status", Some(status));
        let status = u16::try_from(status).expect("a status");
        llm.ask(asked()).await.expect(status).error();
    }
    fault(&world, "rate_limit", Some(7));
    let limited = llm.ask(asked()).await.expect(429);
    assert_eq!(limited.error()["code"], "rate_limit_exceeded");
    assert_eq!(limited.headers["retry-after"], "7");
    assert_eq!(statuses(&world).len(), 10);
    let shop = Seller::of(&world, Ozon, "demo");
    shop.post("/v1/roles", json!({})).await.expect(200);
    world.clear_faults().expect("cleared");
    llm.ask(asked()).await.expect(200);
}

#[tokio::test]
async fn latency_delays_and_a_caller_who_gives_up_is_noted_all_the_same() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    fault(&world, "latency", Some(300));
    let gone = llm.request(&asked()).timeout(Duration::from_millis(60));
    assert!(gone.send().await.is_err_and(|error| error.is_timeout()));
    let start = Instant::now();
    llm.ask(asked()).await.expect(200);
    assert!(start.elapsed() >= Duration::from_millis(300));
    assert_eq!(statuses(&world), [Some(200), Some(200)]);
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_in_the_middle() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    fault(&world, "truncate", None);
    let mut answer = llm.request(&streamed()).send().await.expect("an answer");
    let mut text = Vec::new();
    let error = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => text.extend_from_slice(&chunk),
            Ok(None) => panic!("a proper end"),
            Err(error) => break error,
        }
    };
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    let text = String::from_utf8(text).expect("whole letters");
    assert!(text.contains("chat.completion.chunk") && !text.contains("[DONE]"));
    assert!(!text.contains("\"finish_reason\":\"stop\""));
    let whole = llm.request(&asked()).send().await.expect("an answer");
    assert!(whole.text().await.is_err());
    assert_eq!(statuses(&world), [Some(200), Some(200)]);
}

#[tokio::test]
async fn a_cut_answer_never_comes_but_is_counted() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    fault(&world, "cut_after_accept", Some(10));
    assert!(llm.request(&asked()).send().await.is_err());
    assert!(llm.request(&streamed()).send().await.is_err());
    assert_eq!(world.llm_calls()["calls"], 2);
}

#[tokio::test]
async fn garbage_is_not_the_apis() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    for body in [asked(), streamed()] {
        fault(&world, "garbage", None);
        let page = llm.ask(body.clone()).await.expect(200);
        assert!(page.text.contains("<html>") && page.json.is_null());
        fault(&world, "garbage", Some(1));
        let other = llm.ask(body.clone()).await.expect(200);
        assert!(other.json.is_object() && other.json.get("choices").is_none());
        fault(&world, "garbage", Some(2));
        let broken = llm.ask(body).await.expect(200);
        let data = broken.text.split("\n\n").next().expect("an event");
        let data = data.strip_prefix("data: ").expect("data");
        assert!(serde_json::from_str::<Value>(data).is_err());
    }
}

#[tokio::test]
async fn an_empty_answer_is_proper_but_says_nothing() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    fault(&world, "empty", None);
    let reply = llm.ask(asked()).await.expect(200);
    assert_eq!(
        (reply.content().as_str(), reply.finish_reason()),
        ("", "stop")
    );
    assert_eq!(reply.json["usage"]["completion_tokens"], 0);
    let stream = llm.ask(streamed()).await.expect(200);
    assert!(stream.text.ends_with("data: [DONE]\n\n"));
    assert!(
        stream.text.matches("data: ").count() == 3,
        "{}",
        stream.text
    );
}

#[tokio::test]
async fn faults_stay_with_their_target_and_kind() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let put = |target: &str, kind: &str| {
        world.fault(FaultRequest {
            target: Some(target.to_owned()),
            kind: kind.to_owned(),
            ..Default::default()
        })
    };
    for kind in [
        "duplicate",
        "reorder",
        "redeliver",
        "late_echo",
        "list_ahead",
    ] {
        assert!(put("llm", kind).is_err(), "{kind}");
    }
    for kind in ["garbage", "empty"] {
        assert!(put("ozon", kind).is_err(), "{kind}");
    }
    put("ozon", "status").expect("a fault");
    llm.ask(asked()).await.expect(200);
    put("llm:/models", "status").expect("a fault");
    llm.ask(asked()).await.expect(200);
    let models = llm.http.get(format!("{}/models", llm.url));
    read(models.bearer_auth(&llm.key)).await.expect(500).error();
}
