//! Which notifications do the marketplaces send on their own? (FACTS §1.11, §3.3)

use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::ozon::{markdown, user_type};
use crate::world::{Author, Chat, Marketplace, Quirk, World};

const TRIES: u32 = 6;
const OZON_TIMEOUT: Duration = Duration::from_secs(5);
const YANDEX_TIMEOUT: Duration = Duration::from_secs(10);
const YANDEX_PING_TIMEOUT: Duration = Duration::from_secs(1);

/// One notification to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Push {
    marketplace: Marketplace,
    url: String,
    body: Value,
}

/// Notes that a chat began.
pub(crate) fn chat_created(world: &mut World, chat: usize) {
    let chat = &world.chats[chat];
    let shop = &world.shops[chat.shop];
    if shop.marketplace != Marketplace::YandexMarket {
        return;
    }
    let body = json!({
        "notificationType": "CHAT_CREATED",
        "businessId": number(&shop.seller),
        "chatId": chat.yandex_id(),
        "createdAt": clock::iso_ms(chat.created_at),
    });
    add(world, chat.shop, body);
}

/// Notes that a message was written.
pub(crate) fn message_written(world: &mut World, chat: usize, message: usize) {
    let chat = &world.chats[chat];
    let message = &chat.messages[message];
    let shop = &world.shops[chat.shop];
    // links in a push lead to the host that serves the API
    let base = format!("http://{}", world.public_host);
    let body = match shop.marketplace {
        Marketplace::Ozon if message.author != Author::Seller => json!({
            "message_type": "TYPE_NEW_MESSAGE",
            "chat_id": chat.id,
            "chat_type": push_kind(&chat.kind),
            "message_id": message.id,
            "created_at": clock::iso_ms(message.at),
            "user": user(world, chat, message.author),
            "data": markdown(world, message, &base),
            "seller_id": shop.seller,
        }),
        Marketplace::YandexMarket => json!({
            "notificationType": "CHAT_MESSAGE_SENT",
            "businessId": number(&shop.seller),
            "chatId": chat.yandex_id(),
            "messageId": message.id,
            "sentAt": clock::iso_ms(message.at),
        }),
        _ => return,
    };
    add(world, chat.shop, body);
}

/// Notes that a chat was closed, or that an arbiter came or went.
pub(crate) fn status_changed(world: &mut World, chat: usize, old_kind: &str) {
    let chat = &world.chats[chat];
    let shop = &world.shops[chat.shop];
    let now = clock::iso_ms(world.time());
    let body = match (shop.marketplace, chat.kind.as_str(), old_kind) {
        (Marketplace::Ozon, kind, _) if chat.status == "CLOSED" => json!({
            "message_type": "TYPE_CHAT_CLOSED",
            "chat_id": chat.id,
            "chat_type": push_kind(kind),
            "user": user(world, chat, Author::Buyer),
            "seller_id": shop.seller,
        }),
        (Marketplace::YandexMarket, "ARBITRAGE", "CHAT") => json!({
            "notificationType": "CHAT_ARBITRAGE_STARTED",
            "businessId": number(&shop.seller),
            "chatId": chat.yandex_id(),
            "startedAt": now,
        }),
        (Marketplace::YandexMarket, "CHAT", "ARBITRAGE") => json!({
            "notificationType": "CHAT_ARBITRAGE_FINISHED",
            "businessId": number(&shop.seller),
            "chatId": chat.yandex_id(),
            "finishedAt": now,
        }),
        _ => return,
    };
    add(world, chat.shop, body);
}

/// Sends a notification; tries again a few times, ever later, until the world ends.
pub(crate) async fn deliver(client: reqwest::Client, push: Push, end: CancellationToken) {
    let mut wait = Duration::from_secs(1);
    for attempt in 1..=TRIES {
        let sending = client.post(&push.url).timeout(push.timeout());
        let sent = tokio::select! {
            () = end.cancelled() => return,
            sent = sending.json(&push.body).send() => sent,
        };
        match sent.map(|answer| answer.status().as_u16()) {
            Ok(200) => return,
            Ok(400) if push.marketplace == Marketplace::YandexMarket => return,
            Ok(status) => tracing::info!(attempt, status, "push refused"),
            Err(error) => tracing::info!(attempt, error = %error.without_url(), "push failed"),
        }
        tokio::select! {
            () = end.cancelled() => return,
            () = tokio::time::sleep(wait) => wait *= 2,
        }
    }
}

/// Asks a push address whether it is ready; an error is the marketplace's code for it.
pub(crate) async fn ping(
    client: &reqwest::Client,
    marketplace: Marketplace,
    url: &str,
    now: i64,
) -> Result<(), &'static str> {
    let time = clock::iso_ms(now);
    let (body, timeout) = match marketplace {
        Marketplace::YandexMarket => (
            json!({"notificationType": "PING", "time": time}),
            YANDEX_PING_TIMEOUT,
        ),
        _ => (
            json!({"message_type": "TYPE_PING", "time": time}),
            OZON_TIMEOUT,
        ),
    };
    let sent = client.post(url).timeout(timeout).json(&body).send().await;
    let answer = sent.map_err(|error| {
        if error.is_timeout() {
            "REQUEST_TIMEOUT"
        } else {
            "REQUEST_ERROR"
        }
    })?;
    match answer.status().as_u16() {
        200 => {}
        500.. => return Err("SERVER_FAULT"),
        _ => return Err("STATUS_CODE_NOT_OK"),
    }
    let kind = answer.headers().get("content-type").cloned();
    let bytes = answer.bytes().await.map_err(|_| "REQUEST_ERROR")?;
    check_pong(kind.as_ref().and_then(|kind| kind.to_str().ok()), &bytes)
}

fn check_pong(kind: Option<&str>, bytes: &[u8]) -> Result<(), &'static str> {
    if bytes.is_empty() {
        return Err("EMPTY_BODY");
    }
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if kind != Some("application/json") {
        return Err("INVALID_BODY");
    }
    let body: Value = serde_json::from_slice(bytes).map_err(|_| "INVALID_JSON")?;
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("version").is_empty() || text("name").is_empty() {
        return Err("WRONG_RESULT_FIELD");
    }
    let time = chrono::DateTime::parse_from_rfc3339(text("time"));
    time.map(drop).map_err(|_| "WRONG_RESULT_TIME_FIELD")
}

impl Push {
    fn timeout(&self) -> Duration {
        match self.marketplace {
            Marketplace::YandexMarket => YANDEX_TIMEOUT,
            _ => OZON_TIMEOUT,
        }
    }
}

fn add(world: &mut World, shop: usize, body: Value) {
    let shop = &world.shops[shop];
    if let Some(url) = shop.push_url.clone() {
        world.pushes.push(Push {
            marketplace: shop.marketplace,
            url,
            body,
        });
    }
}

fn user(world: &World, chat: &Chat, author: Author) -> Value {
    let is_cyrillic = world.shops[chat.shop].has(Quirk::CyrillicCustomer);
    json!({"id": chat.buyer_id, "type": user_type(author, is_cyrillic)})
}

// `BUYER_SELLER` of the API is `Buyer_Seller` in a push; only API stays in capitals
fn push_kind(kind: &str) -> String {
    let words = kind.split('_').map(|word| match word {
        "API" => "API".to_owned(),
        _ => format!("{}{}", &word[..1], word[1..].to_ascii_lowercase()),
    });
    words.collect::<Vec<_>>().join("_")
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{check_pong, push_kind};

    #[test]
    fn kinds_are_spelled_as_in_the_documents() {
        assert_eq!(push_kind("BUYER_SELLER"), "Buyer_Seller");
        assert_eq!(push_kind("SELLER_API_UPDATES"), "Seller_API_Updates");
    }

    #[test]
    fn a_pong_is_checked_field_by_field() {
        let json = Some("application/json");
        let good = br#"{"version":"1","name":"n","time":"2019-08-24T14:15:22Z"}"#;
        assert_eq!(check_pong(json, good), Ok(()));
        assert_eq!(check_pong(Some("text/html"), good), Err("INVALID_BODY"));
        assert_eq!(check_pong(json, b""), Err("EMPTY_BODY"));
        assert_eq!(check_pong(json, b"{"), Err("INVALID_JSON"));
        assert_eq!(check_pong(json, b"{}"), Err("WRONG_RESULT_FIELD"));
        let late = br#"{"version":"1","name":"n","time":"now"}"#;
        assert_eq!(check_pong(json, late), Err("WRONG_RESULT_TIME_FIELD"));
    }
}
