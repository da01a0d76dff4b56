//! Does an answer in JSON have the form that was asked for?

use serde_json::{Value, json};

use super::{Llm, document};
use crate::client::quiet_world;

const DRAFT: &str = r#"{"intent": "delivery|return|size|defect|complaint|thanks|product|other",
    "sentiment": "positive|neutral|negative", "urgency": "low|normal|high",
    "needs_human": false, "reason": "почему нужен человек", "text": "ответ покупателю",
    "confidence": 0.8, "sources": []}"#;

#[tokio::test]
async fn every_key_of_the_example_is_filled_by_the_buyers_words() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    for (text, intent, sentiment, urgency, needs_human) in [
        ("Где моя посылка?", "delivery", "neutral", "normal", false),
        (
            "Деньги за возврат не пришли",
            "return",
            "negative",
            "high",
            true,
        ),
        ("Размер не подошёл", "size", "neutral", "normal", false),
        ("Пришло с браком", "defect", "negative", "high", true),
        (
            "Какой позор, безобразие!!!",
            "complaint",
            "negative",
            "high",
            true,
        ),
        ("Спасибо, всё отлично!", "thanks", "positive", "low", false),
        ("Кабель в комплекте?", "product", "neutral", "normal", false),
        (
            "Можно ли мыть в машине?",
            "other",
            "neutral",
            "normal",
            false,
        ),
        (
            "Где посылка? Позовите оператора",
            "delivery",
            "neutral",
            "high",
            true,
        ),
    ] {
        let user = document("Чайник", &[("buyer", text)]);
        let filled = llm.fills("deepseek-chat", DRAFT, &user).await;
        let found = (
            filled["intent"].as_str(),
            filled["sentiment"].as_str(),
            filled["urgency"].as_str(),
            filled["needs_human"].as_bool(),
        );
        let expected = (
            Some(intent),
            Some(sentiment),
            Some(urgency),
            Some(needs_human),
        );
        assert_eq!(found, expected, "{text}");
        assert!(
            filled["text"]
                .as_str()
                .is_some_and(|text| text.contains("Чайник"))
        );
        assert!(
            filled["reason"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        assert!(filled["confidence"].is_f64() && filled["sources"] == json!([]));
        assert_eq!(filled.as_object().map(serde_json::Map::len), Some(8));
    }
}

#[tokio::test]
async fn any_other_form_is_followed_too() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let example = r#"{"тема": "возврат|доставка|прочее", "reply": {"body": "текст", "escalate": true|false,
        "priority": 3}, "variants": ["вариант ответа"], "note": null}. Пример товара: {}"#;
    let filled = llm.fills("gpt-5.2", example, "Где посылка?").await;
    assert_eq!(filled["тема"], "доставка");
    assert_eq!(filled["reply"]["escalate"], false);
    assert_eq!(filled["reply"]["priority"], 2);
    let body = filled["reply"]["body"].as_str().expect("a text");
    assert_eq!(filled["variants"], json!([body]));
    assert!(filled.as_object().expect("an object").contains_key("note"));
    assert!(filled["note"].is_null());
    let none = llm
        .fills("gpt-5.2", "по обстоятельствам", "Где посылка?")
        .await;
    assert!(none["answer"].is_string());
}

#[tokio::test]
async fn sources_that_speak_of_the_question_are_cited() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let user = json!({
        "knowledge": [
            {"id": "a-1", "text": "Гарантия на чайники составляет два года. Остальное в талоне."},
            {"id": "a-2", "text": "Пункты выдачи работают с десяти."},
        ],
        "messages": [{"from": "buyer", "text": "Какая гарантия на чайник?"}],
    });
    let filled = llm.fills("deepseek-chat", DRAFT, &user.to_string()).await;
    assert_eq!(filled["sources"], json!(["a-1"]));
    let text = filled["text"].as_str().expect("a text");
    assert!(
        text.contains("Гарантия на чайники составляет два года."),
        "{text}"
    );
}

#[tokio::test]
async fn a_schema_is_obeyed() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let schema = json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["intent", "needs_human", "text", "tags", "level", "more"],
        "properties": {
            "intent": {"enum": ["delivery", "refund", "other"], "type": "string"},
            "needs_human": {"type": "boolean"},
            "text": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["delivery", "other"]}},
            "level": {"type": "integer"},
            "more": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/more"}]},
        },
        "$defs": {"more": {
            "type": "object", "additionalProperties": false, "required": ["share"],
            "properties": {"share": {"type": "number"}},
        }},
    });
    let body = json!({
        "model": "gpt-5.2",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "draft", "strict": true, "schema": schema},
        },
        "messages": [{"role": "user", "content": "Верните деньги"}],
    });
    let content = llm.ask(body).await.expect(200).content();
    let filled: Value = serde_json::from_str(&content).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    assert!(validator.is_valid(&filled), "{filled}");
    assert_eq!(
        (&filled["intent"], &filled["needs_human"]),
        (&json!("refund"), &json!(true))
    );
    assert!(filled["more"]["share"].is_number());
}

#[tokio::test]
async fn an_answer_that_is_cut_is_no_json_any_more() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let body = json!({
        "model": "deepseek-chat", "max_tokens": 10,
        "response_format": {"type": "json_object"},
        "messages": [
            {"role": "system", "content": format!("JSON: {DRAFT}")},
            {"role": "user", "content": "Где посылка?"},
        ],
    });
    let reply = llm.ask(body).await.expect(200);
    assert_eq!(reply.finish_reason(), "length");
    assert!(serde_json::from_str::<Value>(&reply.content()).is_err());
}
