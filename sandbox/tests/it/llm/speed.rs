//! Is the model as slow as it is told to be?

use std::time::{Duration, Instant};

use futures::StreamExt;
use sandbox::Sandbox;
use serde_json::{Value, json};

use super::{Llm, question, read};
use crate::client::{http, quiet_world};

fn control(world: &Sandbox, body: Value) -> reqwest::RequestBuilder {
    let url = format!("{}/control/llm", world.url());
    http().post(url).body(body.to_string())
}

#[tokio::test]
async fn a_speed_is_set_part_by_part() {
    let world = quiet_world().await;
    let shown = |calls: Value| {
        (
            calls["tokens_per_second"].clone(),
            calls["first_token_ms"].clone(),
        )
    };
    assert_eq!(shown(world.llm_calls()), (json!(null), json!(0)));
    let set = async |body: Value| read(control(&world, body)).await;
    let reply = set(json!({"tokens_per_second": 50})).await.expect(200);
    assert_eq!(shown(reply.json), (json!(50.0), json!(0)));
    let reply = set(json!({"first_token_ms": 7})).await.expect(200);
    assert_eq!(shown(reply.json), (json!(50.0), json!(7)));
    let reply = set(json!({"tokens_per_second": null})).await.expect(200);
    assert_eq!(shown(reply.json), (json!(null), json!(7)));
    set(json!({"tokens_per_second": 0})).await.expect(200);
    for wrong in [
        json!({"tokens_per_second": -1}),
        json!({"tokens_per_second": "fast"}),
        json!({"first_token_ms": -1}),
        json!({"first_token_ms": 600_001}),
        json!({"speed": 1}),
    ] {
        set(wrong).await.expect(400);
    }
    assert_eq!(shown(world.llm_calls()), (json!(null), json!(7)));
    assert_eq!(world.state()["llm"]["first_token_ms"], 7);
}

#[tokio::test]
async fn tokens_come_one_after_another() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    world.set_llm_speed(Some(100.0), 150).expect("set");
    let mut body = question("deepseek-chat", "Где моя посылка?");
    body["max_tokens"] = json!(31);
    body["stream"] = json!(true);
    let start = Instant::now();
    let answer = llm.request(&body).send().await.expect("an answer");
    assert!(
        start.elapsed() < Duration::from_millis(140),
        "headers come at once"
    );
    let mut frames = answer.bytes_stream();
    let (mut first, mut count, mut comments) = (None, 0, 0);
    while let Some(frame) = frames.next().await {
        let frame = frame.expect("a frame");
        if frame.starts_with(b": keep-alive") {
            comments += 1;
            continue;
        }
        count += 1;
        first.get_or_insert(start.elapsed());
    }
    let first = first.expect("a frame");
    assert!(first >= Duration::from_millis(150), "{first:?}");
    assert!(start.elapsed() >= Duration::from_millis(450));
    assert_eq!(comments, 1);
    assert!(count > 10, "{count}");

    body["stream"] = json!(false);
    let start = Instant::now();
    llm.ask(body).await.expect(200);
    assert!(start.elapsed() >= Duration::from_millis(450));
}

#[tokio::test]
async fn a_slow_answer_does_not_hold_up_the_end() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    world.set_llm_speed(Some(1.0), 0).expect("set");
    let mut body = question("deepseek-chat", "Где моя посылка?");
    body["stream"] = json!(true);
    let answer = llm.request(&body).send().await.expect("an answer");
    let start = Instant::now();
    world.stop().await;
    assert!(start.elapsed() < Duration::from_secs(1));
    assert!(answer.text().await.is_err());
}
