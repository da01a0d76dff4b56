//! Is every wrong request refused, in the API's own words?

use serde_json::{Value, json};

use super::{Llm, question, read};
use crate::client::quiet_world;

async fn refused(llm: &Llm, model: &str, change: Value) -> (Value, Value) {
    let mut body = question(model, "Где заказ? Ответь в JSON");
    let parts = change.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(parts);
    let reply = llm.ask(body).await;
    assert_eq!(reply.status, 400, "{change}: {}", reply.text);
    assert_eq!(reply.error()["type"], "invalid_request_error");
    (
        reply.error()["param"].clone(),
        reply.error()["code"].clone(),
    )
}

#[tokio::test]
async fn messages_are_checked_one_by_one() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let many = vec![json!({"role": "user", "content": "a"}); 2049];
    for (messages, param, code) in [
        (json!(null), "messages", "missing_required_parameter"),
        (json!("a"), "messages", "invalid_type"),
        (json!([]), "messages", "empty_array"),
        (json!(many), "messages", "array_above_max_length"),
        (json!(["a"]), "messages[0]", "invalid_type"),
        (
            json!([{"content": "a"}]),
            "messages[0].role",
            "missing_required_parameter",
        ),
        (
            json!([{"role": "robot", "content": "a"}]),
            "messages[0].role",
            "invalid_value",
        ),
        (
            json!([{"role": "tool", "content": "a"}]),
            "messages[0].role",
            "invalid_value",
        ),
        (
            json!([{"role": "user"}]),
            "messages[0].content",
            "missing_required_parameter",
        ),
        (
            json!([{"role": "user", "content": null}]),
            "messages[0].content",
            "invalid_type",
        ),
        (
            json!([{"role": "user", "content": 1}]),
            "messages[0].content",
            "invalid_type",
        ),
        (
            json!([{"role": "user", "content": []}]),
            "messages[0].content",
            "invalid_type",
        ),
        (
            json!([{"role": "user", "content": "a"}, {"role": "user", "content": "a", "from": "b"}]),
            "messages[1].from",
            "unknown_parameter",
        ),
    ] {
        let found = refused(&llm, "gpt-5.2", json!({"messages": messages})).await;
        assert_eq!(found, (json!(param), json!(code)), "{messages}");
    }
    let developer = json!({"messages": [{"role": "developer", "content": "a"}]});
    let found = refused(&llm, "deepseek-chat", developer.clone()).await;
    assert_eq!(found.1, "invalid_request_error");
    let mut accepted = developer;
    accepted["model"] = json!("gpt-5.2");
    llm.ask(accepted).await.expect(200);
}

#[tokio::test]
async fn parameters_have_types_and_ranges() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    for (name, value, code) in [
        ("temperature", json!(2.1), "decimal_above_max_value"),
        ("temperature", json!(-0.1), "decimal_below_min_value"),
        ("temperature", json!("1"), "invalid_type"),
        ("top_p", json!(1.5), "decimal_above_max_value"),
        ("presence_penalty", json!(-3), "decimal_below_min_value"),
        ("frequency_penalty", json!(3), "decimal_above_max_value"),
        ("max_completion_tokens", json!(0), "integer_below_min_value"),
        ("max_completion_tokens", json!(1.5), "invalid_type"),
        ("max_completion_tokens", json!(128_001), "invalid_value"),
        ("max_tokens", json!(5), "unsupported_parameter"),
        ("n", json!(2), "integer_above_max_value"),
        ("seed", json!("a"), "invalid_type"),
        ("user", json!(1), "invalid_type"),
        ("stop", json!(1), "invalid_type"),
        ("stop", json!([]), "invalid_array_length"),
        (
            "stop",
            json!(["a", "b", "c", "d", "e"]),
            "invalid_array_length",
        ),
        ("stop", json!(""), "empty_string"),
        ("stream", json!("true"), "invalid_type"),
        (
            "stream_options",
            json!({"include_usage": true}),
            "invalid_value",
        ),
        ("tools", json!([]), "unsupported_parameter"),
    ] {
        let found = refused(&llm, "gpt-5.2", json!({name: value})).await;
        assert_eq!(found, (json!(name), json!(code)), "{name} {value}");
    }
    let unknown = json!({"stream": true, "stream_options": {"usage": true}});
    let found = refused(&llm, "gpt-5.2", unknown).await;
    assert_eq!(found.1, "unknown_parameter");
    refused(&llm, "gpt-5.2", json!({"temprature": 1})).await;
    refused(&llm, "deepseek-chat", json!({"max_tokens": 8193})).await;
    let fine = json!({
        "model": "deepseek-chat", "temperature": 0.0, "top_p": 1, "stop": null, "seed": -5,
        "max_tokens": 8192, "stream": false, "messages": [{"role": "user", "content": "a", "name": "b"}],
    });
    llm.ask(fine).await.expect(200);
}

#[tokio::test]
async fn a_form_of_the_answer_has_its_conditions() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let object = json!({"type": "json_object"});
    for model in ["deepseek-chat", "gpt-5.2"] {
        let mut body = question(model, "Где заказ?");
        body["response_format"] = object.clone();
        let reply = llm.ask(body.clone()).await.expect(400);
        let message = reply.error()["message"].as_str().expect("a message");
        assert!(
            message.contains("must contain the word 'json'"),
            "{message}"
        );
        body["messages"][0]["content"] = json!("Где заказ? Ответь в JSON");
        llm.ask(body).await.expect(200);
    }
    let schema =
        |inner: Value| json!({"response_format": {"type": "json_schema", "json_schema": inner}});
    let plain = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    for wrong in [
        json!({"response_format": "json_object"}),
        json!({"response_format": {}}),
        json!({"response_format": {"type": "xml"}}),
        json!({"response_format": {"type": "json_schema"}}),
        schema(json!({"schema": plain})),
        schema(json!({"name": "with space", "schema": plain})),
        schema(json!({"name": "a"})),
        schema(json!({"name": "a", "schema": {"type": "array"}})),
        schema(json!({"name": "a", "schema": plain, "strict": true})),
    ] {
        refused(&llm, "gpt-5.2", wrong).await;
    }
    let right = schema(json!({"name": "a", "schema": plain}));
    refused(&llm, "deepseek-chat", right).await;
}

#[tokio::test]
async fn what_is_too_long_or_no_json_is_refused() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let long = question("deepseek-chat", &"слово ".repeat(140_000));
    let reply = llm.ask(long).await.expect(400);
    assert_eq!(reply.error()["code"], "context_length_exceeded");
    let huge = question("deepseek-chat", &"a".repeat(5 << 20));
    llm.ask(huge).await.expect(413).error();
    for body in ["", "{", "[]", "null"] {
        let url = format!("{}/chat/completions", llm.url);
        let request = llm.http.post(url).bearer_auth(&llm.key);
        let request = request
            .header("Content-Type", "application/json")
            .body(body);
        read(request).await.expect(400).error();
    }
}
