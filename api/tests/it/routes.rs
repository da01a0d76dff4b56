//! Rules that hold for every operation of the OpenAPI document.

use api::document;
use api::routes::to_json;
use common::channel::Marketplace;
use common::db::chat_starts::{self, NewChatStart};
use common::db::sellers::Seller;
use common::db::users::Role;
use common::domain::chat_starts::StartState;
use common::domain::suggestions::SuggestionState;
use common::ids::ChatStartId;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Person, TestApp};

/// Operations that anybody may call, and why nothing is given away.
const PUBLIC: &[&str] = &[
    "POST /api/v1/auth/register",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    // The token is in the body.
    "POST /api/v1/auth/accept-invite",
    // The token comes in the first frame.
    "GET /api/ws",
    // The secret stands in the address.
    "POST /hooks/ozon/{secret}",
    "POST /hooks/ozon/{secret}/notification",
    "POST /hooks/yandex/{secret}",
    "POST /hooks/yandex/{secret}/notification",
    "GET /health",
    "GET /ready",
    // Loopback or a token of its own.
    "GET /metrics",
    "GET /openapi.json",
];

struct Operation {
    method: Method,
    path: String,
    about: Value,
}

fn operations() -> Vec<Operation> {
    let document: Value = serde_json::from_str(&to_json(&document())).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, about) in methods.as_object().unwrap() {
            operations.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                about: about.clone(),
            });
        }
    }
    assert!(operations.len() >= 29, "{}", operations.len());
    operations
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn is_public(&self) -> bool {
        PUBLIC.contains(&self.name().as_str())
    }

    fn path_with(&self, id: &str) -> String {
        let path = self.path.replace("{id}", id).replace("{user_id}", id);
        path.replace("{chat_id}", id).replace("{secret}", id)
    }

    /// The example of the document as the body.
    fn body(&self) -> Option<Value> {
        let content = &self.about["requestBody"]["content"]["application/json"];
        Some(content["example"].clone()).filter(|example| !example.is_null())
    }
}

#[test]
fn the_document_in_docs_is_up_to_date() {
    let written = include_str!("../../../docs/openapi.json");
    let is_same = written.trim_end() == to_json(&document());
    assert!(
        is_same,
        "write it anew: target/debug/api openapi > docs/openapi.json"
    );
}

#[test]
fn every_operation_says_who_may_call_it() {
    for operation in operations() {
        let is_secured = operation.about["security"][0]["bearer"].is_array();
        assert_ne!(is_secured, operation.is_public(), "{}", operation.name());
    }
}

#[test]
fn every_operation_has_examples_and_error_bodies() {
    for operation in operations() {
        let name = operation.name();
        if let Some(content) = operation.about["requestBody"]["content"].as_object() {
            let shown = content.values().any(|it| !it["example"].is_null());
            assert!(shown, "no request example: {name}");
        }
        assert!(
            operation.about["description"].is_string() || operation.about["summary"].is_string()
        );
        for (status, response) in operation.about["responses"].as_object().unwrap() {
            if ["101", "204"].contains(&status.as_str()) {
                continue;
            }
            let content = response["content"].as_object();
            let content = content.and_then(|content| content.values().next());
            let example = content.map(|content| &content["example"]);
            assert!(
                example.is_some_and(|it| !it.is_null()),
                "no example: {name} {status}"
            );
        }
    }
}

#[tokio::test]
async fn without_a_token_everything_else_is_closed() {
    let app = TestApp::start().await;
    for operation in operations().iter().filter(|it| !it.is_public()) {
        let url = app.url(&operation.path_with("1"));
        let mut request = app.http.request(operation.method.clone(), url);
        if let Some(body) = operation.body() {
            request = request.json(&body);
        }
        let answer = Answer::of(request).await;
        answer.expect_error(401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

#[tokio::test]
async fn members_see_nothing_of_the_desk() {
    let app = TestApp::start().await;
    let member = app.person("demo", "max", Role::Member).await;
    for operation in operations().iter().filter(|it| !it.is_public()) {
        if operation.path.starts_with("/api/v1/") {
            continue;
        }
        let answer = send(&member, operation, "1").await;
        answer.expect_error(403, "forbidden");
    }
}

#[tokio::test]
async fn what_is_foreign_is_not_there() {
    let app = TestApp::start().await;
    let owner = app.person("demo", "anna", Role::Owner).await;
    let eve = app.person("acme", "eve", Role::Owner).await;
    let shop = app.shop(owner.tenant(), Marketplace::Ozon).await;
    let chat = app.chat_of(&shop, "Где заказ?").await;
    let message = chat.last_buyer_message_id.unwrap();
    let draft = app.draft(&chat, "Едет", SuggestionState::Ready).await;
    let kept = async |path: &str| {
        let operations = operations();
        let post = operations
            .iter()
            .find(|it| it.name() == format!("POST {path}"));
        let kept = owner.post(path, &post.unwrap().body().unwrap()).await;
        kept.expect(201)["id"].to_string()
    };
    let rule = kept("/api/sla-rules").await;
    let hours = kept("/api/business-hours").await;
    let chat = app.chat(owner.tenant(), chat.id).await;
    let id_of = |answer: Answer| answer.expect(201)["id"].to_string();
    let path = format!("/api/chats/{}/notes", chat.id);
    let note = id_of(owner.post(&path, &json!({ "text": "x" })).await);
    let chat = app.chat(owner.tenant(), chat.id).await;
    let start = wanted_chat(&owner, &shop).await.to_string();
    let mut body = json!({ "scope": "tenant", "shortcut": "x", "title": "x", "text": "x" });
    let reply = id_of(owner.post("/api/canned-replies", &body).await);
    body = json!({ "scope": "tenant", "name": "x", "filter": {} });
    let view = id_of(owner.post("/api/views", &body).await);
    let with_file = app.chat_with_file(&shop, "a.png").await;
    let thread = owner
        .get(&format!("/api/messages/chat/{}", with_file.id))
        .await;
    let file = &thread.body["messages"][0]["attachments"][0]["file_id"];
    let file = file.as_str().unwrap().to_owned();
    let agent = json!({ "role": "agent" });
    let invite = owner.post("/api/team/invites", &agent).await;
    let invite = invite.expect(201)["id"].to_string();
    let read = json!({ "name": "x", "scopes": ["read"] });
    let token = owner.post("/api/tokens", &read).await;
    let token = token.expect(201)["id"].to_string();
    let mut covered = 0;
    for operation in operations() {
        let id = match operation.path.as_str() {
            path if path.starts_with("/api/sellers/{") => shop.id.to_string(),
            path if path.starts_with("/api/chats/{") => chat.id.to_string(),
            path if path.starts_with("/api/messages/chat/") => chat.id.to_string(),
            path if path.starts_with("/api/messages/{") => message.to_string(),
            path if path.starts_with("/api/suggestions/{") => draft.id.to_string(),
            path if path.starts_with("/api/sla-rules/{") => rule.clone(),
            path if path.starts_with("/api/business-hours/{") => hours.clone(),
            path if path.starts_with("/api/notes/{") => note.clone(),
            path if path.starts_with("/api/canned-replies/{") => reply.clone(),
            path if path.starts_with("/api/views/{") => view.clone(),
            path if path.starts_with("/api/files/{") => file.clone(),
            path if path.starts_with("/api/tokens/{") => token.clone(),
            path if path.starts_with("/api/team/invites/{") => invite.clone(),
            path if path.starts_with("/api/team/{") => owner.user.id.to_string(),
            path if path.starts_with("/api/chat-starts/{") => start.clone(),
            path => {
                assert!(!path.contains('{') || path.starts_with("/hooks/"), "{path}");
                continue;
            }
        };
        covered += 1;
        let foreign = send(&eve, &operation, &id).await;
        assert_eq!(
            foreign.status,
            404,
            "{}: {}",
            operation.name(),
            foreign.text
        );
        for missing in [
            "999999999",
            "0",
            "-1",
            "x",
            "1.5",
            "99999999999999999999",
            "%00",
        ] {
            let missing = send(&eve, &operation, missing).await;
            assert_eq!(foreign.status, missing.status, "{}", operation.name());
            assert_eq!(foreign.text, missing.text, "{}", operation.name());
        }
    }
    assert!(covered >= 12, "{covered}");
    let body = json!({ "chat_id": chat.id, "text": "x" });
    let foreign = eve.post("/api/messages", &body).await;
    foreign.expect_error(404, "chat_not_found");
    let untouched = app.chat(owner.tenant(), chat.id).await;
    assert_eq!(untouched.version, chat.version);
}

/// A chat that somebody wants to begin, and no worker does.
async fn wanted_chat(person: &Person<'_>, shop: &Seller) -> ChatStartId {
    let now = person.app.clock().now();
    let start = NewChatStart {
        tenant_id: person.tenant(),
        seller_id: shop.id,
        channel: shop.marketplace,
        order_id: "17",
        user_id: person.user.id,
        state: StartState::Wanted,
        due_at: now,
        created_at: now,
        updated_at: now,
    };
    let mut conn = person.app.conn().await;
    let start = chat_starts::insert_new(&mut conn, &start).await.unwrap();
    start.expect("nobody else wants it").id
}

/// Sends an operation with the same request id each time, so that answers can be compared.
async fn send(person: &Person<'_>, operation: &Operation, id: &str) -> Answer {
    let path = operation.path_with(id);
    let mut request = person.request(operation.method.clone(), &path);
    request = request.header("x-request-id", "the-same");
    if let Some(body) = operation.body() {
        request = request.json(&body);
    }
    Answer::of(request).await
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = serde_json::to_value(api::document()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let text = document.to_string();
    let dangling: Vec<&str> = text
        .split("#/components/schemas/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .filter(|name| !schemas.contains_key(*name))
        .collect();
    assert!(dangling.is_empty(), "{dangling:?}");
    assert_eq!(
        schemas["Marketplace"]["enum"],
        serde_json::json!(["ozon", "wildberries", "yandex_market"])
    );
}
