//! Do chunks make up the same answer, in the API's form?

use futures::StreamExt;
use serde_json::{Value, json};

use super::{Llm, question};
use crate::client::quiet_world;

/// Everything that came before `[DONE]`.
async fn chunks(llm: &Llm, body: &Value) -> Vec<Value> {
    let answer = llm.request(body).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()["content-type"].to_str().expect("a type");
    assert!(kind.starts_with("text/event-stream"));
    let text = answer.text().await.expect("a body");
    let mut events: Vec<&str> = text.split_terminator("\n\n").collect();
    assert!(text.ends_with("\n\n"));
    assert_eq!(events.pop(), Some("data: [DONE]"));
    events
        .iter()
        .map(|event| event.strip_prefix("data: ").expect("data"))
        .map(|data| serde_json::from_str(data).expect("JSON"))
        .collect()
}

fn joined(chunks: &[Value], key: &str) -> String {
    let deltas = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"][key].as_str());
    deltas.collect()
}

#[tokio::test]
async fn chunks_make_up_the_answer_and_end_with_the_usage() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let mut body = question("gpt-5.2", "Где моя посылка?");
    let whole = llm.ask(body.clone()).await.expect(200);
    body["stream"] = json!(true);
    let plain = chunks(&llm, &body).await;
    assert_eq!(joined(&plain, "content"), whole.content());
    assert_eq!(plain[0]["choices"][0]["delta"]["role"], "assistant");
    assert!(plain.len() > 20);
    assert!(plain.iter().all(|chunk| {
        chunk["object"] == "chat.completion.chunk"
            && chunk["id"] == plain[0]["id"]
            && chunk["model"] == "gpt-5.2"
            && chunk["choices"].as_array().map(Vec::len) == Some(1)
            && chunk.get("usage").is_none()
    }));
    let (last, before) = plain.split_last().expect("chunks");
    assert_eq!(last["choices"][0]["finish_reason"], "stop");
    assert_eq!(last["choices"][0]["delta"], json!({}));
    assert!(
        before
            .iter()
            .all(|chunk| chunk["choices"][0]["finish_reason"].is_null())
    );

    body["stream_options"] = json!({"include_usage": true});
    let counted = chunks(&llm, &body).await;
    let (last, before) = counted.split_last().expect("chunks");
    assert_eq!(
        (&last["choices"], &last["usage"]),
        (&json!([]), &whole.json["usage"])
    );
    assert!(
        before
            .iter()
            .all(|chunk| chunk.get("usage") == Some(&Value::Null))
    );
    assert_eq!(joined(before, "content"), whole.content());
}

#[tokio::test]
async fn length_stop_and_form_hold_for_chunks_too() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let mut body = question("deepseek-chat", "Где моя посылка? JSON");
    body["stream"] = json!(true);
    body["max_tokens"] = json!(4);
    let cut = chunks(&llm, &body).await;
    let last = cut.last().expect("a chunk");
    assert_eq!(last["choices"][0]["finish_reason"], "length");
    assert_eq!(cut.len(), 1 + 4 + 1);
    body["max_tokens"] = json!(4000);
    body["stop"] = json!("!");
    let stopped = chunks(&llm, &body).await;
    assert_eq!(joined(&stopped, "content"), "Здравствуйте");
    body["stop"] = json!(null);
    body["response_format"] = json!({"type": "json_object"});
    let object = chunks(&llm, &body).await;
    let object: Value = serde_json::from_str(&joined(&object, "content")).expect("JSON");
    assert!(object["answer"].is_string());
}

#[tokio::test]
async fn reasoning_comes_first_and_apart() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let mut body = question("deepseek-reasoner", "Где моя посылка?");
    let whole = llm.ask(body.clone()).await.expect(200);
    body["stream"] = json!(true);
    let all = chunks(&llm, &body).await;
    assert_eq!(joined(&all, "content"), whole.content());
    let message = &whole.json["choices"][0]["message"];
    assert_eq!(
        joined(&all, "reasoning_content"),
        message["reasoning_content"]
    );
    let says = |chunk: &Value| chunk["choices"][0]["delta"]["content"].is_string();
    let first = all.iter().position(says).expect("a content");
    assert!(
        all[1..first]
            .iter()
            .all(|chunk| chunk["choices"][0]["delta"]["content"].is_null())
    );
}

#[tokio::test]
async fn frames_end_in_the_middle_of_events_and_letters() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let mut body = question("deepseek-chat", "Где моя посылка?");
    body["stream"] = json!(true);
    let mut whole = Vec::new();
    let mut odd = 0;
    let mut frames = llm
        .request(&body)
        .send()
        .await
        .expect("an answer")
        .bytes_stream();
    while let Some(frame) = frames.next().await {
        let frame = frame.expect("a frame");
        odd += usize::from(!frame.ends_with(b"\n\n"));
        whole.extend_from_slice(&frame);
    }
    assert!(odd > 3, "{odd}");
    assert!(whole.ends_with(b"data: [DONE]\n\n"));
}
