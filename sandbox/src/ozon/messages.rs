//! What does a chat at Ozon hold, and how far is it read? (FACTS §1.5, §1.9)

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock;
use crate::incoming::Incoming;
use crate::world::{Author, Change, Chat, Message, Moderation, Quirk, Shop, World};

use super::fields::Fields;
use super::{FILES, error, invalid, send};

const DEFAULT_LIMIT: u64 = 50;
const MAX_LIMIT: u64 = 1000;

/// `POST /v3/chat/history`: messages from one id on, that one included.
pub(super) fn history(
    world: &mut World,
    shop: usize,
    incoming: &Incoming,
    fields: &Fields,
) -> Result<Answer, Answer> {
    let now = world.now();
    let asked = Asked::of(fields)?;
    let place = find(world, shop, &asked.chat)?;
    let chat = &world.chats[place];
    let found = asked.select(chat, now);
    let mut start = found.partition_point(|(_, message)| !asked.reaches(message));
    if start < found.len() {
        start = start.saturating_sub(incoming.twist.step_back(asked.limit));
    }
    let page: Vec<_> = found[start..].iter().take(asked.limit).copied().collect();
    let has_next = start + page.len() < found.len();
    let base = incoming.base();
    let items = page
        .iter()
        .map(|(_, message)| item(world, chat, message, &base, now));
    let items = incoming.twist.apply(items.collect());
    let body = json!({"has_next": flag(&world.shops[shop], has_next), "messages": items});
    let mut answer = Answer::json(200, &body).about(place);
    answer.served = page.iter().map(|(at, _)| (place, *at)).collect();
    Ok(answer)
}

/// What a request for a history asks for.
struct Asked {
    chat: String,
    is_forward: bool,
    from: Option<u64>,
    limit: usize,
    only: Vec<u64>,
}

impl Asked {
    fn of(fields: &Fields) -> Result<Self, Answer> {
        let chat = fields.required_text("chat_id")?.to_owned();
        let is_forward = is_forward(fields)?;
        let from = fields.number("from_message_id")?;
        if is_forward && from.is_none() {
            let text = "from_message_id: value is required if direction = Forward";
            return Err(invalid(text));
        }
        let limit = fields.number("limit")?.unwrap_or(DEFAULT_LIMIT);
        if limit > MAX_LIMIT {
            return Err(invalid("limit: value must be inside range [1, 1000]"));
        }
        Ok(Self {
            chat,
            is_forward,
            from,
            limit: usize::try_from(limit).unwrap_or(1),
            only: fields.object("filter")?.numbers("message_ids")?,
        })
    }

    // in the order of the answer
    fn select<'a>(&self, chat: &'a Chat, now: i64) -> Vec<(usize, &'a Message)> {
        let messages = chat
            .visible(now)
            .filter(|(_, message)| self.only.is_empty() || self.only.contains(&message.number));
        if self.is_forward {
            messages.collect()
        } else {
            messages.rev().collect()
        }
    }

    fn reaches(&self, message: &Message) -> bool {
        match (self.from, self.is_forward) {
            (Some(from), true) => message.number >= from,
            (Some(from), false) => message.number <= from,
            (None, _) => true,
        }
    }
}

/// `POST /v2/chat/read`: marks a message and those before it.
pub(super) fn read(
    world: &mut World,
    shop: usize,
    _: &Incoming,
    fields: &Fields,
) -> Result<Answer, Answer> {
    let now = world.now();
    let id = fields.required_text("chat_id")?;
    let up_to = fields.number("from_message_id")?;
    send::need_premium(world, shop, "ChatRead")?;
    let place = find(world, shop, id)?;
    let newest = world.chats[place].messages.last();
    let newest = newest.map_or(0, |message| message.number);
    world.record(Change::Read(place, up_to.unwrap_or(newest).min(newest)));
    let unread = world.chats[place].unread(now).count();
    Ok(Answer::json(200, &json!({"unread_count": unread})).about(place))
}

/// The chat if it is one of the shop's.
pub(super) fn find(world: &World, shop: usize, id: &str) -> Result<usize, Answer> {
    world
        .chat_in_shop(shop, id)
        .ok_or_else(|| error(404, 5, "chat not found"))
}

/// An id as Ozon writes it: a text, since it exceeds 2^53.
pub(super) fn id(number: u64, is_numeric: bool) -> Value {
    if is_numeric {
        json!(number)
    } else {
        json!(number.to_string())
    }
}

/// Yes or no as Ozon writes it.
pub(super) fn flag(shop: &Shop, flag: bool) -> Value {
    if shop.has(Quirk::TextualHasNext) {
        json!(flag.to_string())
    } else {
        json!(flag)
    }
}

/// The content of a message in Markdown: what a seller wrote comes back escaped.
pub(crate) fn markdown(world: &World, message: &Message, base: &str) -> Vec<String> {
    let mut data = Vec::new();
    if let Some(text) = message.text.as_deref().filter(|text| !text.is_empty()) {
        data.push(match message.author {
            Author::Seller => escape(text),
            _ => text.to_owned(),
        });
    }
    for file in world.files_of(message) {
        let url = format!(
            "{base}/ozon{FILES}messenger/{}/{}",
            file.id,
            url_name(&file.name)
        );
        data.push(if file.is_image() {
            format!("![]({url})")
        } else {
            let size = file.content.len().div_ceil(1024);
            format!("[{} ({size}KB)]({url})", file.name)
        });
    }
    data
}

/// The type of a writer as Ozon spells it.
pub(crate) fn user_type(author: Author, is_cyrillic: bool) -> &'static str {
    match author {
        Author::Buyer if is_cyrillic => "\u{421}ustomer",
        Author::Buyer => "Customer",
        Author::Seller => "Seller",
        Author::Support => "Support",
        Author::System => "NotificationUser",
        Author::Courier => "Courier",
        Author::Bot => "ChatBot",
    }
}

fn is_forward(fields: &Fields) -> Result<bool, Answer> {
    match fields.text("direction")? {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("backward") => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("forward") => Ok(true),
        Some(_) => Err(invalid("invalid value for field direction")),
    }
}

fn item(world: &World, chat: &Chat, message: &Message, base: &str, now: i64) -> Value {
    let shop = world.shop_of_chat(chat.place);
    let moderation = world.files_of(message).find(|file| file.is_image());
    let user = match message.author {
        Author::Seller => shop.seller.clone(),
        Author::Buyer => chat.buyer_id.clone(),
        _ => "0".to_owned(),
    };
    let sku = chat.context.sku.map(|sku| sku.to_string());
    let mut item = json!({
        "message_id": id(message.number, shop.has(Quirk::NumericIds)),
        "created_at": clock::iso_ms(message.at),
        "user": {"id": user, "type": user_type(message.author, shop.has(Quirk::CyrillicCustomer))},
        "data": markdown(world, message, base),
        "is_image": moderation.is_some(),
        "is_read": is_read(chat, message),
        "context": {
            "order_number": chat.context.order.as_deref().unwrap_or_default(),
            "sku": sku.unwrap_or_default(),
        },
    });
    match moderation {
        Some(file) => {
            item["moderate_image_status"] = json!(match file.moderation(now) {
                Moderation::Passed => "SUCCESS",
                Moderation::Pending { .. } => "MODERATION",
                Moderation::Failed => "FAILED",
            });
        }
        None if shop.has(Quirk::Nulls) => item["moderate_image_status"] = Value::Null,
        None => {}
    }
    item
}

fn is_read(chat: &Chat, message: &Message) -> bool {
    match message.author {
        Author::Seller => {
            let mut later = chat.messages.iter().rev();
            later.any(|later| later.author == Author::Buyer && later.number > message.number)
        }
        _ => message.number <= chat.read_up_to,
    }
}

fn url_name(name: &str) -> String {
    let keep = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let name: String = name
        .chars()
        .map(|letter| if keep(letter) { letter } else { '_' })
        .collect();
    name
}

fn escape(text: &str) -> String {
    const SPECIAL: &str = "\\`*_{}[]()#+-.!|>~";
    let mut escaped = String::with_capacity(text.len() * 2);
    for letter in text.chars() {
        if SPECIAL.contains(letter) {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

#[cfg(test)]
mod tests {
    #[test]
    fn markdown_of_a_plain_text_is_escaped() {
        assert_eq!(
            super::escape("1. Цена - 5 (a_b) \\ <c>"),
            "1\\. Цена \\- 5 \\(a\\_b\\) \\\\ <c\\>"
        );
    }
}
