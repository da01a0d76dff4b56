//! Who may ask, by which paths, and which models?

use std::collections::HashSet;

use serde_json::json;

use super::{Llm, question, read};
use crate::client::quiet_world;

#[tokio::test]
async fn a_key_is_needed_and_never_repeated() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let url = format!("{}/chat/completions", llm.url);
    let body = question("deepseek-chat", "Где заказ?");
    let request = || llm.http.post(&url).json(&body);
    let none = read(request()).await.expect(401);
    assert_eq!(none.error()["code"], json!(null));
    let basic = request().basic_auth("a", Some(&llm.key));
    read(basic).await.expect(401).error();
    let bare = request().header("Authorization", &llm.key);
    read(bare).await.expect(401).error();
    let wrong = read(request().bearer_auth("sk-wrong-1")).await.expect(401);
    assert_eq!(wrong.error()["code"], "invalid_api_key");
    assert!(!wrong.text.contains("sk-wrong-1"));
    let models = llm.http.get(format!("{}/models", llm.url));
    read(models).await.expect(401).error();
    read(request().bearer_auth(&llm.key)).await.expect(200);
    let dump = json!(world.journal(0)).to_string();
    assert!(!dump.contains("sk-wrong-1") && !dump.contains(&llm.key));
}

#[tokio::test]
async fn the_state_shows_the_key_and_the_models_are_listed() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let state = world.state();
    assert_eq!(state["llm"]["api_key"], json!(world.llm_key()));
    assert_eq!(world.llm_url(), format!("{}/llm/v1", world.url()));
    let url = format!("{}/models", llm.url);
    let list = read(llm.http.get(&url).bearer_auth(&llm.key))
        .await
        .expect(200);
    assert_eq!(list.json["object"], "list");
    let models = list.json["data"].as_array().expect("models");
    assert!(models.iter().all(|model| {
        model["object"] == "model" && model["created"].is_u64() && model["owned_by"].is_string()
    }));
    let names: HashSet<&str> = models
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    let expected = [
        "deepseek-chat",
        "deepseek-reasoner",
        "gpt-5.2",
        "sandbox-obey",
    ];
    assert_eq!(names, HashSet::from(expected));
    for name in names {
        let reply = llm.ask(question(name, "Где заказ?")).await.expect(200);
        assert_eq!(reply.json["model"], name);
        assert!(!reply.content().is_empty());
    }
}

#[tokio::test]
async fn unknown_models_are_refused_as_each_vendor_does() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let openai = llm.ask(question("gpt-9", "a")).await.expect(404);
    assert_eq!(openai.error()["code"], "model_not_found");
    let deepseek = llm.ask(question("deepseek-v9", "a")).await.expect(400);
    assert_eq!(deepseek.error()["message"], "Model Not Exist");
    let mut none = question("", "a");
    none.as_object_mut().expect("an object").remove("model");
    llm.ask(none).await.expect(400).error();
}

#[tokio::test]
async fn other_paths_methods_and_types_are_refused() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let get = |path: &str| {
        let url = format!("{}{path}", llm.url);
        read(llm.http.get(url).bearer_auth(&llm.key))
    };
    let wrong_method = get("/chat/completions").await.expect(405);
    assert_eq!(wrong_method.error()["code"], "method_not_supported");
    get("/embeddings").await.expect(404).error();
    let url = format!("{}/chat/completions", llm.url);
    let body = question("deepseek-chat", "a").to_string();
    let untyped = llm.http.post(&url).bearer_auth(&llm.key).body(body);
    let untyped = read(untyped).await.expect(415);
    assert_eq!(untyped.error()["code"], "unsupported_content_type");
}
