//! Is every request in the journal and in the counts, over a restart too?

use sandbox::Kind;
use serde_json::{Value, json};

use super::{Llm, question, read};
use crate::client::{http, quiet_world};
use crate::restart::{folder, spawn, start};

const KEY: &str = "sk-sandbox-5f1d0c7e94b84a26";

#[tokio::test]
async fn each_request_is_journalled_as_it_came() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    let body = question("gpt-5.2", "Где «посылка»?")
        .to_string()
        .replace(':', ": ");
    let url = format!("{}/chat/completions", llm.url);
    let send = |key: &str| {
        let request = llm.http.post(&url).bearer_auth(key);
        read(
            request
                .header("Content-Type", "application/json")
                .body(body.clone()),
        )
    };
    send(&llm.key).await.expect(200);
    send("wrong").await.expect(401);
    llm.ask(question("gpt-9", "a")).await.expect(404);
    let models = llm.http.get(format!("{}/models", llm.url));
    read(models.bearer_auth(&llm.key)).await.expect(200);
    let entries = world.journal(0);
    let calls: Vec<Value> = entries
        .iter()
        .filter(|entry| entry.kind == Kind::Llm)
        .map(|entry| json!(entry))
        .collect();
    assert_eq!(calls.len(), 4);
    for key in ["marketplace", "seller", "chat", "message"] {
        assert!(
            calls.iter().all(|call| call.get(key) == Some(&Value::Null)),
            "{key}"
        );
    }
    assert_eq!(
        (&calls[0]["kind"], &calls[0]["text"]),
        (&json!("llm"), &json!(body))
    );
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (&call["path"], &call["status"]))
        .collect();
    let completions = &json!("/v1/chat/completions");
    assert_eq!(
        seen,
        [
            (completions, &json!(200)),
            (completions, &json!(401)),
            (completions, &json!(404)),
            (&json!("/v1/models"), &json!(200)),
        ]
    );
    assert!(calls[3]["text"].is_null());
    let counted = http().get(format!("{}/control/llm", world.url()));
    let counted = read(counted).await.expect(200).json;
    assert_eq!(counted, world.llm_calls());
    assert_eq!(
        (&counted["calls"], &counted["by_model"]),
        (&json!(3), &json!({"gpt-5.2": 2}))
    );
}

#[tokio::test]
async fn calls_and_speed_outlive_a_kill() {
    let folder = folder();
    let (mut process, url) = spawn(&folder);
    let mut llm = Llm {
        http: http(),
        url: format!("{url}/llm/v1"),
        key: KEY.to_owned(),
    };
    let first = llm.ask(parcel("gpt-5.2")).await.expect(200);
    llm.ask(parcel("deepseek-chat")).await.expect(200);
    let speed = json!({"tokens_per_second": 5000, "first_token_ms": 1});
    let set = llm.http.post(format!("{url}/control/llm"));
    let before = read(set.body(speed.to_string())).await.expect(200).json;
    process.kill().expect("killed");
    process.wait().expect("ended");

    let world = start(&folder.join("sandbox")).await;
    assert_eq!(world.llm_calls(), before);
    assert_eq!(before["calls"], 2);
    let journal = world.journal(0).into_iter();
    let kept: Vec<_> = journal
        .filter(|entry| entry.kind == Kind::Llm)
        .map(|entry| entry.text)
        .collect();
    assert_eq!(kept[1], Some(parcel("deepseek-chat").to_string()));
    llm.url = world.llm_url();
    let again = llm.ask(parcel("gpt-5.2")).await.expect(200);
    assert_eq!(again.content(), first.content());
    assert_ne!(again.json["id"], first.json["id"]);
    let counts = json!({"deepseek-chat": 1, "gpt-5.2": 2});
    assert_eq!(world.llm_calls()["by_model"], counts);
    assert_eq!(world.llm_key(), KEY);
    world.stop().await;
    std::fs::remove_dir_all(folder).expect("removed");
}

#[tokio::test]
async fn the_page_shows_the_last_calls() {
    let world = quiet_world().await;
    let llm = Llm::of(&world);
    llm.says("<b>Где посылка?</b>").await;
    let page = http().get(world.url()).send().await.expect("an answer");
    let page = page.text().await.expect("a page");
    assert!(page.contains("deepseek-chat") && page.contains("1 calls"));
    assert!(page.contains("&lt;b&gt;Где посылка?") && !page.contains("<b>Где"));
}

fn parcel(model: &str) -> Value {
    question(model, "Где посылка?")
}
