//! How Ozon's messages become ours.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use crate::marketplaces::wire::{self, Id};
use crate::marketplaces::{
    ChatContext, MessagePage, ReadFrom, VendorAttachment, VendorAuthor, VendorMessage,
};
use crate::text::{MarkdownFile, clean_text, read_markdown};

/// The answer of /v3/chat/history, newest message first.
#[derive(Deserialize)]
pub(super) struct ChatHistory {
    #[serde(default, deserialize_with = "wire::items")]
    messages: Vec<Value>,
    #[serde(default, deserialize_with = "wire::flag")]
    has_next: bool,
}

impl ChatHistory {
    /// Oldest message first; without those before `from.since`.
    pub(super) fn into_page(self, chat: &str, from: ReadFrom<'_>) -> MessagePage {
        let told = self.messages.iter().map(|item| item["created_at"].as_str());
        let nearest = wire::nearest_time(told);
        let mut messages: Vec<VendorMessage> = self
            .messages
            .into_iter()
            .enumerate()
            .filter_map(|(position, item)| read(item, position, chat, nearest))
            .collect();
        messages.reverse();
        let oldest = messages
            .iter()
            .map(|message| message.external_id.as_str())
            .min_by(|one, other| order(one, other))
            .map(str::to_owned);
        let is_before = |id: &str| from.since.is_some_and(|since| order(id, since).is_lt());
        let reached = messages.iter().any(|message| {
            from.since == Some(message.external_id.as_str()) || is_before(&message.external_id)
        });
        messages.retain(|message| !is_before(&message.external_id));
        MessagePage {
            messages,
            // Whether the asked message comes again is not documented: a page of only it ends.
            next: oldest
                .filter(|oldest| self.has_next && !reached && Some(oldest.as_str()) != from.page),
            resume: None,
        }
    }
}

/// Ids grow with time and may be longer than 64 bits; what is no number has no order.
fn order(one: &str, other: &str) -> Ordering {
    let digits = |id: &str| id.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(one) || !digits(other) {
        return Ordering::Equal;
    }
    let (one, other) = (one.trim_start_matches('0'), other.trim_start_matches('0'));
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

/// None: without an id there is nothing to tell it apart by.
fn read(item: Value, position: usize, chat: &str, nearest: DateTime<Utc>) -> Option<VendorMessage> {
    let Ok(Id(id)) = Id::deserialize(&item["message_id"]) else {
        tracing::warn!(position, "skipped a message of Ozon without an id");
        return None;
    };
    let at = item["created_at"].as_str().and_then(wire::time);
    let author = author(item["user"]["type"].as_str().unwrap_or_default());
    let mut message = wire::placeholder(chat.to_owned(), id, at.unwrap_or(nearest), author);
    if let (Ok(read), Some(_)) = (Message::deserialize(item), at) {
        read.fill(&mut message);
        message.problem = None;
    }
    Some(message)
}

/// An open list: customer, seller, and a growing number of Ozon's own.
fn author(kind: &str) -> VendorAuthor {
    // Ozon's own examples begin with the Cyrillic letter: "Сustomer".
    match kind.replace('С', "C").to_ascii_lowercase().as_str() {
        "customer" => VendorAuthor::Buyer,
        "seller" => VendorAuthor::Seller,
        _ => VendorAuthor::System,
    }
}

impl Message {
    fn fill(self, message: &mut VendorMessage) {
        let mut paragraphs = Vec::new();
        for part in self.data.unwrap_or_default() {
            let part = clean_text(&part);
            if self.is_image && is_address(part.trim()) {
                message.attachments.push(image(part.trim()));
                continue;
            }
            // FACTS 1.5: attachments are links to this path; they open with the shop's key only.
            let read = read_markdown(&part, |url| url.contains("/chat/file/"));
            message.attachments.extend(read.files.into_iter().map(file));
            paragraphs.push(read.text.trim().to_owned());
        }
        paragraphs.retain(|paragraph| !paragraph.is_empty());
        message.text = paragraphs.join("\n");
        let buyer = self.user.filter(|_| message.author == VendorAuthor::Buyer);
        let context = self.context.unwrap_or_default();
        message.context = ChatContext {
            buyer_external_id: buyer.and_then(|user| wire::id_text(user.id)),
            order_id: wire::id_text(context.order_number),
            product_sku: wire::id_text(context.sku),
            ..ChatContext::default()
        };
    }
}

fn is_address(text: &str) -> bool {
    text.starts_with("https://") && !text.contains(char::is_whitespace)
}

fn image(url: &str) -> VendorAttachment {
    file(MarkdownFile {
        name: String::new(),
        url: url.to_owned(),
        is_image: true,
    })
}

fn file(file: MarkdownFile) -> VendorAttachment {
    let name = if file.name.is_empty() {
        wire::file_name(&file.url)
    } else {
        without_size(&file.name)
    };
    VendorAttachment {
        name: name.to_owned(),
        content_type: wire::content_type(name)
            .or_else(|| wire::content_type(&file.url))
            .or_else(|| file.is_image.then(|| "image/jpeg".to_owned())),
        size_bytes: None,
        source: file.url,
    }
}

/// Labels of files end with a size: `Screenshot_1.png (24.5KB)`.
fn without_size(label: &str) -> &str {
    match label.rsplit_once(" (") {
        Some((name, size)) if size.to_ascii_uppercase().ends_with("B)") => name.trim_end(),
        _ => label,
    }
}

#[derive(Deserialize)]
struct Message {
    user: Option<User>,
    data: Option<Vec<String>>,
    #[serde(default, deserialize_with = "wire::flag")]
    is_image: bool,
    context: Option<Context>,
}

#[derive(Deserialize)]
struct User {
    id: Option<Id>,
}

#[derive(Default, Deserialize)]
struct Context {
    order_number: Option<Id>,
    sku: Option<Id>,
}
