//! Operations that fit only one moment, and how that moment is brought about.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::demo::Demo;
use crate::document::Document;

/// Operations that need a moment.
const KNOWN: [&str; 1] = ["retry_message"];
const POLL: Duration = Duration::from_millis(50);
const FAILS_WITHIN: u32 = 400;

/// The path to ask for, if the operation needs a moment.
pub async fn bring_about(operation: &str, demo: &Demo, token: &str) -> Result<Option<String>> {
    match operation {
        "retry_message" => {
            let message = refused_message(demo, token).await;
            Ok(Some(format!("/api/messages/{}/retry", message?)))
        }
        _ => Ok(None),
    }
}

/// Moments of operations that are not in the document.
pub fn unused(document: &Document) -> Vec<String> {
    let operations = document.operations();
    let gone = KNOWN
        .iter()
        .filter(|known| operations.iter().all(|it| it.id != **known));
    gone.map(|known| format!("no operation {known} is in the document"))
        .collect()
}

/// A message that the marketplace refused.
async fn refused_message(demo: &Demo, token: &str) -> Result<Value> {
    let api = |path: &str| demo.client.get(demo.url(path)).bearer_auth(token);
    let chats: Value = api("/api/chats?marketplace=ozon&limit=1")
        .send()
        .await?
        .json()
        .await?;
    let chat = &chats["chats"][0]["id"];
    fault(
        demo,
        &json!({ "target": "ozon:/v1/chat/send/message", "kind": "status", "value": 400 }),
    )
    .await?;
    let body = json!({ "chat_id": chat, "text": "Здравствуйте!" });
    let posted = demo
        .client
        .post(demo.url("/api/messages"))
        .bearer_auth(token)
        .json(&body);
    let posted: Value = posted.send().await?.error_for_status()?.json().await?;
    let id = posted["id"].clone();
    for _ in 0..FAILS_WITHIN {
        let message: Value = api(&format!("/api/messages/{id}"))
            .send()
            .await?
            .json()
            .await?;
        match message["state"]
            .as_str()
            .context("a message without a state")?
        {
            "failed" => {
                fault(demo, &json!({ "kind": "clear" })).await?;
                return Ok(id);
            }
            "sent" => bail!("a message was sent that should have been refused"),
            _ => sleep(POLL).await,
        }
    }
    bail!("no message fails although Ozon refuses all")
}

async fn fault(demo: &Demo, fault: &Value) -> Result<()> {
    let url = format!("{}/control/faults", demo.world.sandbox);
    let answer = demo.client.post(url).json(fault).send().await?;
    ensure!(
        answer.status().is_success(),
        "the sandbox refuses a fault: {}",
        answer.text().await?
    );
    Ok(())
}
