//! Which chats does Yandex Market show? (FACTS §3.2)

use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::clock;
use crate::incoming::Incoming;
use crate::world::{Chat, Context, Quirk, World};

use super::body::{chat, id, limit, list as list_of, make_token, object, page_token, word};
use super::ok;

const STATUSES: [&str; 6] = [
    "NEW",
    "WAITING_FOR_CUSTOMER",
    "WAITING_FOR_PARTNER",
    "WAITING_FOR_ARBITER",
    "WAITING_FOR_MARKET",
    "FINISHED",
];
const PAGE_MARK: char = 'c';

/// `getChats`: newest chats first, page by page.
pub(super) fn list(world: &mut World, shop: usize, incoming: &Incoming) -> Result<Answer, Answer> {
    let now = world.now();
    let limit = limit(incoming, 10, 20)?;
    let before = page_token(incoming, PAGE_MARK)?.unwrap_or(u64::MAX);
    let wanted = Wanted::of(&object(incoming)?)?;
    let chats = &world.shops[shop].chats;
    let all = chats.iter().rev().map(|place| &world.chats[*place]);
    let mut hits = all.filter(|chat| wanted.matches(chat));
    let skipped = hits
        .clone()
        .take_while(|chat| chat.number >= before)
        .count();
    let start = match hits.clone().nth(skipped) {
        Some(_) => skipped.saturating_sub(incoming.twist.step_back(limit)),
        None => skipped,
    };
    let page: Vec<&Chat> = hits.by_ref().skip(start).take(limit).collect();
    let with_nulls = world.shops[shop].has(Quirk::Nulls);
    let items = page.iter().map(|chat| item(world, chat, now));
    let mut result = json!({"chats": incoming.twist.apply(items.collect()), "paging": {}});
    if let (Some(last), Some(_)) = (page.last(), hits.next()) {
        result["paging"]["nextPageToken"] = json!(make_token(PAGE_MARK, last.number));
    } else if with_nulls {
        result["paging"]["nextPageToken"] = Value::Null;
    }
    Ok(ok(&result))
}

/// `getChat`.
pub(super) fn one(world: &mut World, shop: usize, incoming: &Incoming) -> Result<Answer, Answer> {
    let now = world.now();
    let place = chat(world, shop, incoming)?;
    Ok(ok(&item(world, &world.chats[place], now)).about(place))
}

/// What a chat is about, as Yandex Market writes it.
pub(super) fn context(world: &World, chat: &Chat) -> Value {
    let mut context = json!({
        "type": chat.context.kind,
        "customer": {"name": chat.buyer_name, "publicId": chat.buyer_id},
    });
    if let Some(order) = order_id(&chat.context) {
        context["campaignId"] = json!(world.shops[chat.shop].campaign);
        context["orderId"] = json!(order);
    }
    if let Some(id) = chat.context.return_id {
        context["returnId"] = json!(id);
    }
    context
}

/// The order's number.
pub(super) fn order_id(context: &Context) -> Option<u64> {
    context.order.as_deref()?.parse().ok()
}

fn item(world: &World, chat: &Chat, now: i64) -> Value {
    let updated = chat
        .last_listed(now)
        .map_or(chat.created_at, |last| last.at);
    let mut item = json!({
        "chatId": chat.yandex_id(),
        "context": context(world, chat),
        "type": chat.kind,
        "status": chat.status,
        "createdAt": clock::moscow_ms(chat.created_at),
        "updatedAt": clock::moscow_ms(updated),
    });
    if let Some(order) = order_id(&chat.context) {
        item["orderId"] = json!(order);
    }
    item
}

struct Wanted {
    statuses: Option<Vec<&'static str>>,
    types: Option<Vec<&'static str>>,
    context_types: Option<Vec<&'static str>>,
    contexts: Option<Vec<(&'static str, u64)>>,
    orders: Option<Vec<u64>>,
}

impl Wanted {
    fn of(body: &Map<String, Value>) -> Result<Self, Answer> {
        Ok(Self {
            statuses: list_of(body, "statuses", |value| word(value, &STATUSES))?,
            types: list_of(body, "types", |value| word(value, &["CHAT", "ARBITRAGE"]))?,
            context_types: list_of(body, "contextTypes", |value| {
                word(value, &["ORDER", "RETURN", "DIRECT"])
            })?,
            contexts: list_of(body, "contexts", |value| {
                let object = value.as_object()?;
                let kind = word(object.get("type")?, &["ORDER", "RETURN"])?;
                Some((kind, id(object, "id").ok()??))
            })?,
            orders: list_of(body, "orderIds", Value::as_u64)?,
        })
    }

    fn matches(&self, chat: &Chat) -> bool {
        let context = &chat.context;
        let order = order_id(context);
        let has = |kinds: &Option<Vec<&str>>, kind: &str| {
            kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind))
        };
        has(&self.statuses, &chat.status)
            && has(&self.types, &chat.kind)
            && has(&self.context_types, &context.kind)
            && self.contexts.as_ref().is_none_or(|contexts| {
                contexts.iter().any(|(kind, id)| {
                    let ours = if *kind == "RETURN" {
                        context.return_id
                    } else {
                        order
                    };
                    *kind == context.kind && ours == Some(*id)
                })
            })
            && self
                .orders
                .as_ref()
                .is_none_or(|orders| order.is_some_and(|order| orders.contains(&order)))
    }
}
