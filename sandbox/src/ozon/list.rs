//! Which chats does Ozon list? (FACTS §1.4)

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock;
use crate::incoming::Incoming;
use crate::world::{Chat, Quirk, World};

use super::fields::Fields;
use super::invalid;

const MAX_LIMIT: u64 = 100;
// cursors look like the official example, and never like a plain offset
const CURSOR_BASE: u64 = 304_000_402_034;

/// `POST /v3/chat/list`: newest chats first, page by page.
pub(super) fn list(
    world: &mut World,
    place: usize,
    incoming: &Incoming,
    fields: &Fields,
) -> Result<Answer, Answer> {
    let now = world.now();
    let limit = limit(fields)?;
    let wanted = Wanted::of(&fields.object("filter")?)?;
    let shop = &world.shops[place];
    let end = cursor(fields, shop.chats.len())?;
    let chats = shop.chats.iter().map(|place| &world.chats[*place]);
    let all: Vec<(usize, &Chat, usize)> = chats
        .enumerate()
        .rev()
        .map(|(at, chat)| (at, chat, chat.unread(now).count()))
        .collect();
    let total: usize = all.iter().map(|(_, _, unread)| unread).sum();
    let mut hits = all
        .iter()
        .filter(|(_, chat, unread)| wanted.matches(chat, *unread));
    let before = hits.clone().take_while(|(at, _, _)| *at >= end).count();
    let start = match hits.clone().nth(before) {
        Some(_) => before.saturating_sub(incoming.twist.step_back(limit)),
        None => before,
    };
    let page: Vec<_> = hits.by_ref().skip(start).take(limit).collect();
    let has_next = hits.next().is_some();
    let next = page.last().map_or(end, |(at, _, _)| *at);
    let items = page.iter().map(|(_, chat, unread)| {
        let is_numeric = shop.has(Quirk::NumericIds);
        item(chat, *unread, now, is_numeric)
    });
    let items = incoming.twist.apply(items.collect());
    let cursor = if has_next {
        (CURSOR_BASE + u64::try_from(next).unwrap_or(0)).to_string()
    } else {
        String::new()
    };
    let body = json!({
        "chats": items, "total_unread_count": total, "cursor": cursor,
        "has_next": super::messages::flag(shop, has_next),
    });
    Ok(Answer::json(200, &body))
}

fn item(chat: &Chat, unread: usize, now: i64, is_numeric: bool) -> Value {
    let id = |number: Option<u64>| super::messages::id(number.unwrap_or(0), is_numeric);
    json!({
        "chat": {
            "chat_id": chat.id,
            "chat_status": chat.status,
            "chat_type": chat.kind,
            "created_at": clock::iso_ms(chat.created_at),
        },
        "first_unread_message_id": id(chat.unread(now).next().map(|message| message.number)),
        "last_message_id": id(chat.last_listed(now).map(|message| message.number)),
        "unread_count": unread,
    })
}

fn limit(fields: &Fields) -> Result<usize, Answer> {
    let number = fields.number("limit")?;
    let number = number.filter(|number| *number <= MAX_LIMIT);
    number
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| {
            invalid("invalid ChatListRequest.Limit: value must be inside range [1, 100]")
        })
}

// the place in the shop's chats before which the page lies
fn cursor(fields: &Fields, chats: usize) -> Result<usize, Answer> {
    let Some(text) = fields.text("cursor")? else {
        return Ok(chats);
    };
    let number = text.parse::<u64>().ok();
    let place = number.and_then(|number| number.checked_sub(CURSOR_BASE));
    let place = place.and_then(|place| usize::try_from(place).ok());
    place
        .filter(|place| *place <= chats)
        .ok_or_else(|| invalid("invalid ChatListRequest.Cursor"))
}

struct Wanted {
    status: Option<&'static str>,
    unread_only: bool,
}

impl Wanted {
    fn of(filter: &Fields) -> Result<Self, Answer> {
        let status = filter.text("chat_status")?.unwrap_or("ALL");
        let status = match status.to_ascii_uppercase().as_str() {
            "ALL" => None,
            "OPENED" => Some("OPENED"),
            "CLOSED" => Some("CLOSED"),
            _ => return Err(invalid("invalid ChatListRequest.Filter.ChatStatus")),
        };
        let unread_only = filter.flag("unread_only")?;
        Ok(Self {
            status,
            unread_only,
        })
    }

    fn matches(&self, chat: &Chat, unread: usize) -> bool {
        self.status.is_none_or(|status| chat.status == status) && (!self.unread_only || unread > 0)
    }
}
