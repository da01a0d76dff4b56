//! Which messages and files does Yandex Market show? (FACTS §3.2, §4.4)

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock;
use crate::incoming::Incoming;
use crate::world::{Author, Message, Quirk, World};

use super::body::{chat, id, limit, make_token, object, page_token, query_id};
use super::chats::{context, order_id};
use super::{FILES, access, error, ok};

const PAGE_MARK: char = 'm';

/// `getChatHistory`: oldest messages first, from `messageIdFrom` on, that one included.
pub(super) fn history(
    world: &mut World,
    shop: usize,
    incoming: &Incoming,
) -> Result<Answer, Answer> {
    let now = world.now();
    let limit = limit(incoming, 50, 100)?;
    let page_from = page_token(incoming, PAGE_MARK)?;
    let from = id(&object(incoming)?, "messageIdFrom")?;
    let place = chat(world, shop, incoming)?;
    let chat = &world.chats[place];
    let visible: Vec<(usize, &Message)> = chat.visible(now).collect();
    let from = page_from.or(from).unwrap_or(0);
    let mut start = visible.partition_point(|(_, message)| message.number < from);
    if start < visible.len() {
        start = start.saturating_sub(incoming.twist.step_back(limit));
    }
    let end = visible.len().min(start + limit);
    let base = incoming.base();
    let page = &visible[start..end];
    let items = page.iter().map(|(_, message)| item(world, message, &base));
    let mut result = json!({
        "context": context(world, chat),
        "messages": incoming.twist.apply(items.collect()),
        "paging": {},
    });
    if let Some(order) = order_id(&chat.context) {
        result["orderId"] = json!(order);
    }
    if let Some((_, next)) = visible.get(end) {
        result["paging"]["nextPageToken"] = json!(make_token(PAGE_MARK, next.number));
    }
    let mut answer = ok(&result).about(place);
    answer.served = page.iter().map(|(at, _)| (place, *at)).collect();
    Ok(answer)
}

/// `getChatMessage`.
pub(super) fn one(world: &mut World, shop: usize, incoming: &Incoming) -> Result<Answer, Answer> {
    let now = world.now();
    query_id(incoming, "chatId")?;
    let wanted = query_id(incoming, "messageId")?;
    let place = chat(world, shop, incoming)?;
    let messages = &world.chats[place].messages;
    let found = messages.binary_search_by_key(&wanted, |message| message.number);
    let at = found.ok().filter(|at| messages[*at].visible_at <= now);
    let Some(at) = at else {
        let text = format!("Message {wanted} not found");
        return Err(error(404, "NOT_FOUND", &text));
    };
    let mut answer = ok(&item(world, &messages[at], &incoming.base())).about(place);
    answer.served = vec![(place, at)];
    Ok(answer)
}

/// A file behind a `payload` address; it needs credentials of its cabinet.
pub(super) fn file(world: &mut World, incoming: &Incoming) -> Answer {
    let shop = match access::authenticate(world, incoming) {
        Ok(shop) => shop,
        Err(answer) => return answer,
    };
    let needs_oauth = world.shops[shop].has(Quirk::FilesNeedOauth);
    if needs_oauth && access::token(incoming).is_none() {
        return error(403, "FORBIDDEN", "OAuth token is required");
    }
    let id = incoming.path[FILES.len()..].split('/').next();
    let found = id.and_then(|id| world.file(id));
    match found.filter(|file| file.shop == shop) {
        Some(file) => {
            let kind = match file.content_type.as_str() {
                "image/png" => "image/png",
                "image/jpeg" => "image/jpeg",
                "application/pdf" => "application/pdf",
                _ => "application/octet-stream",
            };
            Answer::raw(200, kind, file.content.clone())
        }
        None => error(404, "NOT_FOUND", "File not found"),
    }
}

fn item(world: &World, message: &Message, base: &str) -> Value {
    let sender = match message.author {
        Author::Buyer => "CUSTOMER",
        Author::Seller => "PARTNER",
        Author::Support => "SUPPORT",
        _ => "MARKET",
    };
    let mut item = json!({
        "messageId": message.number,
        "createdAt": clock::moscow_ms(message.at),
        "sender": sender,
    });
    let text = message.text.as_deref().unwrap_or_default();
    // a seller's text comes back trimmed
    let text = match message.author {
        Author::Seller => text.trim(),
        _ => text,
    };
    if !text.is_empty() {
        item["message"] = json!(text);
    }
    let payload: Vec<Value> = world
        .files_of(message)
        .map(|file| {
            let url = format!("{base}/yandex{FILES}{}", file.id);
            json!({"name": file.name, "url": url, "size": file.content.len()})
        })
        .collect();
    if !payload.is_empty() {
        item["payload"] = json!(payload);
    }
    item
}
