//! Does the language model answer as its API's documents say, and as tests need it?

mod access;
mod answers;
mod calls;
mod faults;
mod format;
mod obey;
mod speed;
mod stream;
mod wrong;

use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder};
use sandbox::Sandbox;
use serde_json::{Value, json};

use crate::client::http;

/// A client of the language model.
#[derive(Clone, Debug)]
struct Llm {
    http: Client,
    url: String,
    key: String,
}

/// A complete answer.
#[derive(Debug)]
struct Reply {
    status: u16,
    headers: HeaderMap,
    text: String,
    json: Value,
}

impl Llm {
    fn of(world: &Sandbox) -> Self {
        Self {
            http: http(),
            url: world.llm_url(),
            key: world.llm_key().to_owned(),
        }
    }

    fn request(&self, body: &Value) -> RequestBuilder {
        let url = format!("{}/chat/completions", self.url);
        self.http.post(url).bearer_auth(&self.key).json(body)
    }

    async fn ask(&self, body: Value) -> Reply {
        read(self.request(&body)).await
    }

    /// Asks `deepseek-chat` one thing and returns what it says.
    async fn says(&self, text: &str) -> String {
        self.ask(question("deepseek-chat", text))
            .await
            .expect(200)
            .content()
    }

    /// Asks for JSON like the example and returns it.
    async fn fills(&self, model: &str, example: &str, user: &str) -> Value {
        let body = json!({
            "model": model,
            "response_format": {"type": "json_object"},
            "messages": [
                {"role": "system", "content": format!("Ты помощник магазина. Верни JSON вида {example}")},
                {"role": "user", "content": user},
            ],
        });
        let content = self.ask(body).await.expect(200).content();
        serde_json::from_str(&content).expect("JSON")
    }
}

impl Reply {
    fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    fn content(&self) -> String {
        let content = &self.json["choices"][0]["message"]["content"];
        content.as_str().expect("a content").to_owned()
    }

    fn finish_reason(&self) -> &str {
        let reason = &self.json["choices"][0]["finish_reason"];
        reason.as_str().expect("a reason")
    }

    /// The error, whose four keys are always there.
    fn error(&self) -> &Value {
        let error = self.json["error"].as_object().expect("an error");
        let keys: Vec<&str> = error.keys().map(String::as_str).collect();
        let expected = ["message", "type", "param", "code"];
        assert!(expected.iter().all(|key| keys.contains(key)) && keys.len() == 4);
        assert!(error["message"].is_string() && error["type"].is_string());
        &self.json["error"]
    }
}

async fn read(request: RequestBuilder) -> Reply {
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    let text = answer.text().await.expect("a body");
    Reply {
        status,
        headers,
        json: serde_json::from_str(&text).unwrap_or_default(),
        text,
    }
}

fn question(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

/// A conversation as a document, the last message being the buyer's.
fn document(product: &str, texts: &[(&str, &str)]) -> String {
    let messages: Vec<Value> = texts
        .iter()
        .map(|(from, text)| json!({"from": from, "text": text}))
        .collect();
    json!({"product": {"name": product}, "messages": messages}).to_string()
}
