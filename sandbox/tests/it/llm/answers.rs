//! Does the model say something sensible, and always the same?

use std::collections::HashSet;

use sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use super::{Llm, document, question};
use crate::client::quiet_world;

const QUESTIONS: [(&str, &str); 11] = [
    (
        "Где моя посылка? Статус не меняется",
        "достав|отправлени|посылка",
    ),
    ("Заказывала 44 размер, пришёл 48", "размер"),
    (
        "Пришёл с браком, трещина на корпусе",
        "дефект|повреждени|недостатк",
    ),
    ("Вернула товар, деньги так и не пришли", "возврат"),
    ("Спасибо, всё подошло!", "спасибо|благодарим"),
    ("Безобразие, третий день жду!!!", "извин|жаль"),
    ("Кабель для зарядки есть?", "комплект|разъём"),
    ("Подойдёт ребёнку 7 лет?", "возраст"),
    ("Какая гарантия?", "гаранти"),
    ("Какие цвета есть в наличии?", "вариант|модели|каталог"),
    ("Можно ли мыть в машине?", "уточн|опишите|подробн"),
];

#[tokio::test]
async fn different_questions_get_different_fitting_answers() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let mut answers = HashSet::new();
    for (text, words) in QUESTIONS {
        let answer = llm.says(text).await;
        let lower = answer.to_lowercase();
        assert!(
            words.split('|').any(|word| lower.contains(word)),
            "{text}: {answer}"
        );
        assert!(answers.insert(answer));
    }
    let first = llm.says("Какая гарантия у чайника?").await;
    assert!(first.contains("Какая гарантия у чайника"), "{first}");
    assert_ne!(first, llm.says("Гарантия действует в Казани?").await);
}

#[tokio::test]
async fn a_document_names_product_buyer_and_what_is_asked_now() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let texts = [
        ("buyer", "Какая гарантия?"),
        ("seller", "Год."),
        ("buyer", "Спасибо!"),
        ("buyer", "А где моя посылка?"),
    ];
    let answer = llm.says(&document("Чайник Вихрь", &texts)).await;
    assert!(answer.contains("«Чайник Вихрь»"), "{answer}");
    assert!(answer.contains("А где моя посылка") && !answer.contains("гаранти"));
    assert!(
        !answer.contains("Здравствуйте"),
        "it has been greeted before"
    );
    let mut first = json!({
        "product": "Плед", "buyer": {"name": "Анна"},
        "messages": [{"from": "buyer", "text": "Где посылка?"}],
    });
    let answer = llm.says(&first.to_string()).await;
    assert!(answer.starts_with("Здравствуйте, Анна!") && answer.contains("«Плед»"));
    first["messages"] = json!("none");
    let answer = llm.says(&first.to_string()).await;
    assert!(!answer.contains("«Плед»"), "no such document: {answer}");
}

#[tokio::test]
async fn a_short_question_goes_on_with_the_one_before() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let body = json!({"model": "gpt-5.2", "messages": [
        {"role": "system", "content": "Ты помощник магазина."},
        {"role": "user", "content": "Какая гарантия на «Чайник»?"},
        {"role": "assistant", "content": "Год."},
        {"role": "user", "content": "А точнее?"},
    ]});
    let answer = llm.ask(body).await.expect(200).content();
    assert!(answer.to_lowercase().contains("гаранти"), "{answer}");
}

#[tokio::test]
async fn an_answer_has_the_apis_form_and_counts_its_tokens() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let short = llm
        .ask(question("gpt-5.2", "Где посылка?"))
        .await
        .expect(200);
    let body = &short.json;
    assert_eq!(body["object"], "chat.completion");
    assert!(
        body["id"]
            .as_str()
            .is_some_and(|id| id.starts_with("chatcmpl-"))
    );
    assert!(body["created"].as_i64() > Some(1_700_000_000));
    assert_eq!(body["choices"][0]["message"]["role"], "assistant");
    assert_eq!(short.finish_reason(), "stop");
    assert!(short.headers.contains_key("x-request-id"));
    let usage = |body: &Value, key: &str| body["usage"][key].as_u64().expect("a count");
    let long = llm
        .ask(question("gpt-5.2", &"Где моя посылка? ".repeat(50)))
        .await;
    assert!(usage(&long.json, "prompt_tokens") > 10 * usage(body, "prompt_tokens"));
    let letters = short.content().chars().count() as u64;
    let made = usage(body, "completion_tokens");
    assert!(
        (letters / 6..letters).contains(&made),
        "{made} of {letters}"
    );
    let total = usage(body, "prompt_tokens") + made;
    assert_eq!(usage(body, "total_tokens"), total);
    assert_ne!(body["id"], long.json["id"]);
}

#[tokio::test]
async fn an_answer_ends_at_a_stop_or_at_its_length() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let mut body = question("deepseek-chat", "Где посылка?");
    let whole = llm.ask(body.clone()).await.expect(200);
    body["max_tokens"] = json!(7);
    let cut = llm.ask(body.clone()).await.expect(200);
    assert_eq!(cut.finish_reason(), "length");
    assert_eq!(cut.json["usage"]["completion_tokens"], 7);
    assert!(whole.content().starts_with(&cut.content()));
    assert!(cut.content().len() < whole.content().len());
    body["max_tokens"] = json!(8000);
    body["stop"] = json!(["никогда", "!"]);
    let stopped = llm.ask(body).await.expect(200);
    assert_eq!(
        (stopped.content().as_str(), stopped.finish_reason()),
        ("Здравствуйте", "stop")
    );
}

#[tokio::test]
async fn one_seed_gives_one_answer_and_another_seed_another() {
    let start = |seed| {
        Sandbox::start(Options {
            seed,
            ..Options::default()
        })
    };
    let mut all = Vec::new();
    for seed in [1, 1, 2] {
        let world = start(seed).await.expect("a world");
        let llm = Llm::of(&world);
        let mut answers = Vec::new();
        for (text, _) in QUESTIONS {
            answers.push(llm.says(text).await);
        }
        all.push(answers);
    }
    assert_eq!(all[0], all[1]);
    assert_ne!(all[0], all[2]);
}

#[tokio::test]
async fn the_reasoner_shows_its_reasoning_apart() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let mut body = question("deepseek-reasoner", "Деньги не пришли");
    let reply = llm.ask(body.clone()).await.expect(200);
    let message = &reply.json["choices"][0]["message"];
    let reasoning = message["reasoning_content"].as_str().expect("a reasoning");
    assert!(reasoning.contains("refund") && !reply.content().contains(reasoning));
    let details = &reply.json["usage"]["completion_tokens_details"];
    assert!(details["reasoning_tokens"].as_u64() > Some(10));
    body["max_tokens"] = json!(5);
    let cut = llm.ask(body).await.expect(200);
    assert_eq!(
        (cut.content().as_str(), cut.finish_reason()),
        ("", "length")
    );
}
