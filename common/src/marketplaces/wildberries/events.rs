//! How the events of Wildberries' stream become messages.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;

use super::chats::GoodCard;
use crate::marketplaces::wire::{self, Id};
use crate::marketplaces::{MessagePage, VendorAttachment, VendorAuthor, VendorMessage};
use crate::text::clean_text;

/// The answer of /api/v1/seller/events.
#[derive(Deserialize)]
pub(super) struct Answer {
    pub(super) result: Option<Events>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Events {
    #[serde(default, deserialize_with = "wire::whole")]
    next: Option<i64>,
    #[serde(default, deserialize_with = "wire::whole")]
    total_events: Option<i64>,
    #[serde(default, deserialize_with = "wire::items")]
    events: Vec<Value>,
}

impl Events {
    /// The messages of a page that was asked for with the cursor `asked`.
    pub(super) fn into_page(self, asked: Option<&str>) -> MessagePage {
        let told = self.events.iter().map(|event| event["addTime"].as_str());
        let nearest = wire::nearest_time(told);
        let is_last = self.events.is_empty() || self.total_events == Some(0);
        // A cursor that stands still or goes back would be followed for ever.
        let reached: Option<i64> = asked.and_then(|cursor| cursor.parse().ok());
        let next = self.next.filter(|&next| next > reached.unwrap_or(0));
        let events = self.events.into_iter().enumerate();
        MessagePage {
            messages: events
                .filter_map(|(position, event)| read(event, position, nearest))
                .collect(),
            next: next.filter(|_| !is_last).map(|next| next.to_string()),
            resume: next
                .map(|next| next.to_string())
                .or_else(|| asked.map(str::to_owned)),
        }
    }
}

/// None: without ids there is nothing to tell it apart by, and not every event is a message.
fn read(event: Value, position: usize, nearest: DateTime<Utc>) -> Option<VendorMessage> {
    let ids = (
        Id::deserialize(&event["chatID"]),
        Id::deserialize(&event["eventID"]),
    );
    let (Ok(Id(chat)), Ok(Id(id))) = ids else {
        tracing::warn!(position, "skipped an event of Wildberries without ids");
        return None;
    };
    let kind = event["eventType"].as_str().unwrap_or("message");
    if kind != "message" && event["message"].is_null() {
        tracing::debug!(position, kind, "skipped an event that is no message");
        return None;
    }
    let at = time(&event);
    let author = author(&event);
    let mut message = wire::placeholder(chat, id, at.unwrap_or(nearest), author);
    message.reply_sign = event["replySign"]
        .as_str()
        .filter(|sign| !sign.is_empty())
        .map(str::to_owned);
    if let (Ok(read), Some(_)) = (Event::deserialize(event), at) {
        read.fill(&mut message);
    }
    Some(message)
}

/// Milliseconds in every example, but "Unix timestamp" in the text: seconds are taken, too.
fn time(event: &Value) -> Option<DateTime<Utc>> {
    let stamp = &event["addTimestamp"];
    let stamp = stamp
        .as_i64()
        .or_else(|| stamp.as_str()?.parse().ok())
        .filter(|&stamp| stamp > 0);
    match stamp {
        Some(seconds @ ..100_000_000_000) => DateTime::from_timestamp(seconds, 0),
        Some(millis) => DateTime::from_timestamp_millis(millis),
        None => event["addTime"].as_str().and_then(wire::time),
    }
}

fn author(event: &Value) -> VendorAuthor {
    match event["sender"].as_str() {
        Some("client") => VendorAuthor::Buyer,
        Some("seller") if event["source"] == "seller-portal" => VendorAuthor::SellerCabinet,
        Some("seller") => VendorAuthor::Seller,
        _ => VendorAuthor::System,
    }
}

impl Event {
    fn fill(self, message: &mut VendorMessage) {
        // The fourth event of the page's own example has none.
        let content = self.message;
        message.problem = content
            .is_none()
            .then(|| "the event carries no message".to_owned());
        let content = content.unwrap_or_default();
        message.text = clean_text(&content.text.unwrap_or_default());
        let attached = content.attachments.unwrap_or_default();
        message.context = attached.good_card.unwrap_or_default().into_context();
        message.context.buyer_name = self.client_name.filter(|name| !name.is_empty());
        let files = attached.files.unwrap_or_default().into_iter();
        let images = attached.images.unwrap_or_default().into_iter();
        let all = files.map(File::into_attachment);
        let all = all.chain(images.map(File::into_image));
        message.attachments.extend(all.flatten());
    }
}

impl File {
    fn into_attachment(self) -> Option<VendorAttachment> {
        let url = self.url.unwrap_or_default();
        let name = self.name.filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| wire::file_name(&url).to_owned());
        Some(VendorAttachment {
            content_type: self.content_type.or_else(|| wire::content_type(&name)),
            name,
            size_bytes: self.size,
            // By the id it can be had with the token; whether the address is public, nobody says.
            source: wire::id_text(self.download_id).or(Some(url).filter(|url| !url.is_empty()))?,
        })
    }

    fn into_image(self) -> Option<VendorAttachment> {
        let mut image = self.into_attachment()?;
        image
            .content_type
            .get_or_insert_with(|| "image/jpeg".to_owned());
        Some(image)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    message: Option<Content>,
    client_name: Option<String>,
}

#[derive(Default, Deserialize)]
struct Content {
    text: Option<String>,
    attachments: Option<Attachments>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attachments {
    good_card: Option<GoodCard>,
    files: Option<Vec<File>>,
    images: Option<Vec<File>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(rename = "downloadID")]
    download_id: Option<Id>,
    url: Option<String>,
    name: Option<String>,
    content_type: Option<String>,
    #[serde(default, deserialize_with = "wire::whole")]
    size: Option<i64>,
}
