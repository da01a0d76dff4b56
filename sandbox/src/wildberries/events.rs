//! What stands in a seller's stream of events? (FACTS §2.5)

use std::ops::Bound;

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock;
use crate::ids;
use crate::incoming::Incoming;
use crate::world::{Author, Message, Quirk, StoredFile, Via, World};

use super::{chat_error, good_card, shown};

const PAGE: usize = 50;

/// `GET /api/v1/seller/events`: one page after the cursor; the cursor itself is not in it.
pub(super) fn events(world: &mut World, shop: usize, incoming: &Incoming) -> Answer {
    let now = world.now();
    let after = match cursor(incoming.query("next")) {
        Ok(after) => after,
        // plain JSON here, unlike the refusals of a send
        Err(detail) => return Answer::json(400, &chat_error(world, "Bad Request", detail)),
    };
    let stream = &world.shops[shop].events;
    // what is dated ahead of now only because many came at once is there already
    let horizon = now.max(world.shops[shop].last_event);
    let until = Bound::Included(horizon);
    let later = |from: i64| stream.range((Bound::Excluded(from.min(horizon)), until));
    let mut from = after.unwrap_or(0);
    let is_new = later(from).next().is_some();
    let back = incoming.twist.step_back(PAGE);
    if is_new && back > 0 {
        let earlier = stream.range(..=from).rev().nth(back);
        from = earlier.map_or(0, |(cursor, _)| *cursor);
    }
    let page: Vec<(i64, usize, usize)> = later(from)
        .take(PAGE)
        .map(|(cursor, (chat, at))| (*cursor, *chat, *at))
        .collect();
    // right after a page without events an event of this very millisecond may follow
    let next = page.last().map_or(after.unwrap_or(now - 1), |last| last.0);
    let base = incoming.base();
    let items = page
        .iter()
        .map(|(_, chat, at)| item(world, *chat, *at, &base));
    let items = incoming.twist.apply(items.collect());
    let times = page
        .iter()
        .map(|(_, chat, at)| world.chats[*chat].messages[*at].at);
    let mut result = json!({"next": next, "totalEvents": items.len(), "events": items});
    if let (Some(newest), Some(oldest)) = (times.clone().max(), times.min()) {
        result["newestEventTime"] = json!(clock::iso_seconds(newest));
        result["oldestEventTime"] = json!(clock::iso_seconds(oldest));
    }
    let mut answer = Answer::json(200, &json!({"result": result, "errors": null}));
    answer.served = page.iter().map(|(_, chat, at)| (*chat, *at)).collect();
    answer
}

fn cursor(next: Option<&str>) -> Result<Option<i64>, &'static str> {
    let Some(text) = next else { return Ok(None) };
    match text.parse::<i64>() {
        Err(_) => Err("Invalid number"),
        Ok(number) if number <= 0 => Err("Invalid value for \"next\""),
        Ok(number) => Ok(Some(number)),
    }
}

fn item(world: &World, place: usize, at: usize, base: &str) -> Value {
    let chat = &world.chats[place];
    let message = &chat.messages[at];
    let with_nulls = world.shop_of_chat(place).has(Quirk::Nulls);
    let sender = match message.author {
        Author::Buyer => "client",
        Author::Seller => "seller",
        _ => "wb",
    };
    let mut item = json!({
        "chatID": chat.id,
        "eventID": message.id,
        "eventType": message.event_type,
        "addTimestamp": message.at,
        "addTime": clock::iso_seconds(message.at),
        "sender": sender,
    });
    if let Some(source) = source(world, message) {
        item["source"] = json!(source);
    }
    if at == 0 {
        item["isNewChat"] = json!(true);
        item["replySign"] = json!(message.sign);
    } else if message.author == Author::Buyer {
        item["isNewChat"] = json!(false);
    }
    if message.author == Author::Buyer {
        item["clientName"] = json!(chat.buyer_name);
    }
    match &message.text {
        Some(text) => {
            item["message"] = json!({"text": shown(message.author, text)});
            if let Some(attachments) = attachments(world, place, at, base) {
                item["message"]["attachments"] = attachments;
            }
        }
        None if with_nulls => item["message"] = Value::Null,
        None => {}
    }
    item
}

fn source(world: &World, message: &Message) -> Option<&'static str> {
    const BUYERS: [&str; 4] = ["rusite", "android", "ios", "global"];
    match (message.via, message.author) {
        (Via::Api, _) => Some("seller-public-api"),
        (Via::Cabinet, _) => Some("seller-portal"),
        (Via::Site, Author::Buyer) => {
            Some(BUYERS[ids::pick(world.seed, "source", message.number, BUYERS.len())])
        }
        (Via::Site, _) => None,
    }
}

fn attachments(world: &World, place: usize, at: usize, base: &str) -> Option<Value> {
    let chat = &world.chats[place];
    let message = &chat.messages[at];
    let mut attachments = json!({});
    if at == 0 {
        attachments["goodCard"] = good_card(chat);
    }
    let (images, files): (Vec<&StoredFile>, Vec<_>) =
        world.files_of(message).partition(|file| file.is_image());
    let url = |file: &StoredFile| format!("{base}/wildberries{}{}", super::DOWNLOAD, file.id);
    if !files.is_empty() {
        let files = files.iter().map(|file| {
            json!({
                "contentType": file.content_type, "date": clock::iso_ms(file.at),
                "downloadID": file.id, "name": file.name, "url": url(file),
                "size": file.content.len(),
            })
        });
        attachments["files"] = files.collect();
    }
    if !images.is_empty() {
        let images = images.iter().map(
            |file| json!({"date": clock::iso_ms(file.at), "downloadID": file.id, "url": url(file)}),
        );
        attachments["images"] = images.collect();
    }
    let is_empty = attachments
        .as_object()
        .is_none_or(serde_json::Map::is_empty);
    (!is_empty).then_some(attachments)
}
