//! How does a seller write at Ozon, and when may he not? (FACTS §1.6–§1.8, §1.10)

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::json;

use crate::answer::Answer;
use crate::clock::HOUR;
use crate::incoming::Incoming;
use crate::world::{Author, Chat, Context, Draft, NewChat, Via, World};

use super::fields::Fields;
use super::messages::find;
use super::{error, invalid};

const MAX_LETTERS: usize = 1000;

/// `POST /v1/chat/send/message`.
pub(super) fn message(
    world: &mut World,
    shop: usize,
    _: &Incoming,
    fields: &Fields,
) -> Result<Answer, Answer> {
    let id = fields.required_text("chat_id")?;
    let text = fields.text("text")?.unwrap_or_default();
    if !(1..=MAX_LETTERS).contains(&text.chars().count()) {
        return Err(invalid(
            "invalid ChatSendMessageRequest.Text: value length must be between 1 and 1000 runes, inclusive",
        ));
    }
    need_premium(world, shop, "ChatSendMessage")?;
    let place = find(world, shop, id)?;
    need_window(world, place)?;
    Ok(accept(world, place, Some(text.to_owned()), Vec::new()))
}

/// `POST /v1/chat/send/file`.
pub(super) fn file(
    world: &mut World,
    shop: usize,
    _: &Incoming,
    fields: &Fields,
) -> Result<Answer, Answer> {
    let id = fields.required_text("chat_id")?;
    let name = fields.required_text("name")?;
    let content = fields.required_text("base64_content")?;
    if !name
        .rsplit_once('.')
        .is_some_and(|(stem, end)| !stem.is_empty() && !end.is_empty())
    {
        return Err(invalid("name: value must be a file name with extension"));
    }
    let Ok(content) = STANDARD.decode(content) else {
        return Err(invalid("invalid value for bytes field base64_content"));
    };
    if content.is_empty() {
        return Err(invalid("base64_content: value is required"));
    }
    let place = find(world, shop, id)?;
    if world.chats[place].kind.starts_with("BUYER_SELLER") {
        need_premium(world, shop, "ChatSendFile")?;
    }
    need_window(world, place)?;
    let stored = world.store_file(shop, name, Bytes::from(content), Some(0));
    Ok(accept(world, place, None, vec![stored]))
}

/// `POST /v1/chat/start`: begins a chat about a posting, or returns the one there is.
pub(super) fn start(
    world: &mut World,
    place: usize,
    _: &Incoming,
    fields: &Fields,
) -> Result<Answer, Answer> {
    let number = fields.required_text("posting_number")?.to_owned();
    need_premium(world, place, "ChatStart")?;
    let now = world.now();
    let shop = &world.shops[place];
    let Some(order) = shop.orders.iter().find(|order| order.number == number) else {
        return Err(error(404, 5, "posting not found"));
    };
    if order.scheme == "fbo" {
        let text = "only the customer can start a chat for an FBO posting";
        return Err(error(400, 9, text));
    }
    if order.delivered_at.is_some_and(|at| now >= at + 72 * HOUR) {
        return Err(error(400, 9, "time to start a chat has expired"));
    }
    let context = Context {
        kind: "ORDER".to_owned(),
        order: Some(number.clone()),
        scheme: order.scheme.clone(),
        delivered_at: order.delivered_at,
        sku: Some(order.sku),
        price: order.price,
        return_id: None,
    };
    let mut chats = shop.chats.iter().rev().map(|chat| &world.chats[*chat]);
    let old = chats.find(|chat| chat.context.order.as_deref() == Some(&number));
    let chat = match old.map(|chat| chat.place) {
        Some(chat) => chat,
        None => {
            let new = NewChat {
                context,
                ..NewChat::default()
            };
            world.begin_chat(place, new)
        }
    };
    let body = json!({"result": {"chat_id": world.chats[chat].id}});
    Ok(Answer::json(200, &body).about(chat))
}

/// Refuses a shop without Premium Plus or Pro.
pub(super) fn need_premium(world: &World, shop: usize, method: &str) -> Result<(), Answer> {
    if world.shops[shop].is_premium {
        return Ok(());
    }
    let text = format!(
        "Implementation.{method}: {method} error: rpc error: code = PermissionDenied desc = not available with existing subscription"
    );
    Err(error(403, 7, &text))
}

fn need_window(world: &mut World, place: usize) -> Result<(), Answer> {
    let now = world.now();
    let chat = &world.chats[place];
    if chat.status == "CLOSED" {
        return Err(error(400, 9, "chat is closed"));
    }
    if is_open(chat, now) {
        return Ok(());
    }
    Err(error(
        400,
        9,
        "time to send a message to the chat has expired",
    ))
}

// FBO: 48 h from the buyer's last message; FBS: also until 72 h after delivery
fn is_open(chat: &Chat, now: i64) -> bool {
    if !chat.kind.starts_with("BUYER_SELLER") {
        return true;
    }
    let by_order = matches!(chat.context.scheme.as_str(), "fbs" | "rfbs")
        && chat
            .context
            .delivered_at
            .is_none_or(|at| now < at + 72 * HOUR);
    by_order || chat.last_buyer_at().is_some_and(|at| now < at + 48 * HOUR)
}

fn accept(world: &mut World, chat: usize, text: Option<String>, files: Vec<String>) -> Answer {
    let draft = Draft {
        author: Author::Seller,
        via: Via::Api,
        // a file alone is a message with an empty text
        text: Some(text.unwrap_or_default()),
        files,
        ..Draft::default()
    };
    world.write(chat, draft);
    let mut answer = Answer::json(200, &json!({"result": "success"})).about(chat);
    answer.has_sent = true;
    answer
}
