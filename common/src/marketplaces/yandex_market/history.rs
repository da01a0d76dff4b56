//! How Yandex Market's messages become ours.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::chats::{Context, Paging};
use crate::marketplaces::wire::{self, Id};
use crate::marketplaces::{
    ChatContext, MessagePage, VendorAttachment, VendorAuthor, VendorMessage,
};
use crate::text::clean_text;

/// The result of getChatHistory.
#[derive(Deserialize)]
pub(super) struct History {
    context: Option<Context>,
    #[serde(default, deserialize_with = "wire::items")]
    messages: Vec<Value>,
    paging: Option<Paging>,
}

impl History {
    pub(super) fn into_page(self, chat: &str, asked: Option<&str>) -> MessagePage {
        let told = self.messages.iter().map(|item| item["createdAt"].as_str());
        let nearest = wire::nearest_time(told);
        let context = ChatContext {
            // The list knows better: it tells a dispute from a chat.
            chat_type: None,
            ..self.context.unwrap_or_default().into_context()
        };
        let messages = self.messages.into_iter().enumerate();
        MessagePage {
            messages: messages
                .filter_map(|(position, item)| read(item, position, chat, nearest, &context))
                .collect(),
            next: self.paging.unwrap_or_default().next(asked),
            resume: None,
        }
    }
}

/// None: without an id there is nothing to tell it apart by.
fn read(
    item: Value,
    position: usize,
    chat: &str,
    nearest: DateTime<Utc>,
    context: &ChatContext,
) -> Option<VendorMessage> {
    let Ok(Id(id)) = Id::deserialize(&item["messageId"]) else {
        tracing::warn!(position, "skipped a message of Yandex Market without an id");
        return None;
    };
    let at = item["createdAt"].as_str().and_then(wire::time);
    let author = match item["sender"].as_str() {
        Some("CUSTOMER") => VendorAuthor::Buyer,
        Some("PARTNER") => VendorAuthor::Seller,
        _ => VendorAuthor::System,
    };
    let mut message = wire::placeholder(chat.to_owned(), id, at.unwrap_or(nearest), author);
    message.context = context.clone();
    if let (Ok(read), Some(_)) = (Message::deserialize(item), at) {
        message.text = clean_text(&read.message.unwrap_or_default());
        let payload = read.payload.unwrap_or_default().into_iter();
        message.attachments = payload.map(Payload::into_attachment).collect();
        message.problem = None;
    }
    Some(message)
}

impl Payload {
    fn into_attachment(self) -> VendorAttachment {
        let name = self.name.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| wire::file_name(&self.url).to_owned());
        VendorAttachment {
            content_type: wire::content_type(&name),
            name,
            size_bytes: self.size,
            source: self.url,
        }
    }
}

#[derive(Deserialize)]
struct Message {
    message: Option<String>,
    payload: Option<Vec<Payload>>,
}

#[derive(Deserialize)]
struct Payload {
    url: String,
    name: Option<String>,
    #[serde(default, deserialize_with = "wire::whole")]
    size: Option<i64>,
}
