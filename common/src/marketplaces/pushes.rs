//! How a marketplace's push is answered, and whether it is worth a poll.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::channel::Marketplace;
use crate::text::clean_json;

/// The answer to a push: nothing of what it says is trusted, it only wakes the poll.
#[derive(Clone, Debug, PartialEq)]
pub struct PushReply {
    /// HTTP status.
    pub status: u16,
    /// JSON, to be answered as exactly `application/json`.
    pub body: Value,
    /// Whether the shop should be polled now.
    pub wakes: bool,
}

/// Reads a push and answers in the marketplace's form.
pub fn parse_push(marketplace: Marketplace, body: &[u8], now: DateTime<Utc>) -> PushReply {
    let push: Value = serde_json::from_slice(&clean_json(body)).unwrap_or_default();
    match marketplace {
        Marketplace::Ozon => ozon(&push, now),
        Marketplace::YandexMarket => yandex(&push, now),
        Marketplace::Wildberries => PushReply {
            status: 404,
            body: json!({ "error": "Wildberries sends no pushes about chats" }),
            wakes: false,
        },
    }
}

/// `https://docs.ozon.ru/api/seller/#tag/push_start`
fn ozon(push: &Value, now: DateTime<Utc>) -> PushReply {
    let Some(kind) = push["message_type"]
        .as_str()
        .filter(|kind| !kind.is_empty())
    else {
        let error = json!({
            "code": "ERROR_PARAMETER_VALUE_MISSED",
            "message": "expected a JSON object with message_type",
            "details": null,
        });
        return refused(&error);
    };
    if kind == "TYPE_PING" {
        return answered(greeting(now, SecondsFormat::Secs), false);
    }
    answered(json!({ "result": true }), ozon_wakes(kind, push))
}

/// TYPE_NEW_MESSAGE, TYPE_UPDATE_MESSAGE, TYPE_CHAT_CLOSED and what may join them; not parcels, not
/// the buyer's reading, not chats with support.
fn ozon_wakes(kind: &str, push: &Value) -> bool {
    let is_chat = (kind.contains("MESSAGE") || kind.contains("CHAT")) && !kind.contains("READ");
    let is_buyer = push["chat_type"]
        .as_str()
        .is_none_or(|kind| kind.to_ascii_uppercase().starts_with("BUYER_SELLER"));
    is_chat && is_buyer
}

/// `https://yandex.ru/dev/market/partner-api/doc/ru/push-notifications/reference/sendNotification`
fn yandex(push: &Value, now: DateTime<Utc>) -> PushReply {
    let kind = push["notificationType"].as_str();
    let Some(kind) = kind.filter(|kind| !kind.is_empty()) else {
        let error = json!({
            "type": "WRONG_EVENT_FORMAT",
            "message": "expected a JSON object with notificationType",
        });
        return refused(&error);
    };
    answered(
        greeting(now, SecondsFormat::Millis),
        kind.starts_with("CHAT_"),
    )
}

fn greeting(now: DateTime<Utc>, precision: SecondsFormat) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "name": "chat-center",
        "time": now.to_rfc3339_opts(precision, true),
    })
}

fn answered(body: Value, wakes: bool) -> PushReply {
    PushReply {
        status: 200,
        body,
        wakes,
    }
}

fn refused(error: &Value) -> PushReply {
    PushReply {
        status: 400,
        body: json!({ "error": error }),
        wakes: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(marketplace: Marketplace, body: &str) -> PushReply {
        let now = DateTime::from_timestamp_millis(1_763_717_400_120).unwrap();
        parse_push(marketplace, body.as_bytes(), now)
    }

    #[test]
    fn ozon_pings_are_greeted() {
        // specs/ozon-push-notifications.md, "Request for the connection check"
        let body = r#"{"message_type":"TYPE_PING","time":"2019-08-24T14:15:22Z"}"#;
        let reply = reply(Marketplace::Ozon, body);
        assert_eq!((reply.status, reply.wakes), (200, false));
        assert_eq!(reply.body["time"], "2025-11-21T09:30:00Z");
        assert!(reply.body["version"].is_string() && reply.body["name"].is_string());
    }

    #[test]
    fn ozon_messages_of_buyers_wake() {
        // specs/ozon-push-notifications.md, "New message in chat"
        let new = r#"{"message_type":"TYPE_NEW_MESSAGE","chat_id":"b646d975-0c9c-4872-9f41-8b1e57181063",
            "chat_type":"Buyer_Seller","message_id":"3000000000817031942","created_at":"2022-07-18T20:58:04.528Z",
            "user":{"id":"115568","type":"Сustomer"},"data":["Message text"],"seller_id":"7"}"#;
        assert_eq!(
            reply(Marketplace::Ozon, new),
            answered(json!({"result": true}), true)
        );
        for quiet in [
            new.replace("Buyer_Seller", "Seller_Support"),
            new.replace("TYPE_NEW_MESSAGE", "TYPE_MESSAGE_READ"),
            new.replace("TYPE_NEW_MESSAGE", "TYPE_NEW_POSTING"),
        ] {
            let reply = reply(Marketplace::Ozon, &quiet);
            assert_eq!(reply, answered(json!({"result": true}), false), "{quiet}");
        }
    }

    #[test]
    fn malformed_pushes_are_refused_in_the_right_form() {
        for body in [
            "",
            "[]",
            "{",
            "\"x\"",
            "null",
            "{\"message_type\":7}",
            "\u{0}",
        ] {
            let ozon = reply(Marketplace::Ozon, body);
            assert_eq!((ozon.status, ozon.wakes), (400, false));
            assert_eq!(
                ozon.body["error"]["code"], "ERROR_PARAMETER_VALUE_MISSED",
                "{body}"
            );
            let yandex = reply(Marketplace::YandexMarket, body);
            assert_eq!((yandex.status, yandex.wakes), (400, false));
            assert_eq!(yandex.body["error"]["type"], "WRONG_EVENT_FORMAT", "{body}");
        }
    }

    #[test]
    fn yandex_greets_every_kind_and_wakes_for_chats() {
        // FACTS 3.3
        for (kind, wakes) in [
            ("PING", false),
            ("CHAT_CREATED", true),
            ("CHAT_MESSAGE_SENT", true),
            ("CHAT_ARBITRAGE_STARTED", true),
            ("GOODS_FEEDBACK_CREATED", false),
            ("SOMETHING_NEW", false),
        ] {
            let body = format!(
                r#"{{"notificationType":"{kind}","time":"2025-01-16T10:09:49.759084017Z"}}"#
            );
            let reply = reply(Marketplace::YandexMarket, &body);
            assert_eq!((reply.status, reply.wakes), (200, wakes), "{kind}");
            assert_eq!(reply.body["time"], "2025-11-21T09:30:00.120Z");
            assert_eq!(reply.body.as_object().unwrap().len(), 3);
        }
    }

    #[test]
    fn wildberries_has_no_pushes() {
        assert_eq!(reply(Marketplace::Wildberries, "{}").status, 404);
    }
}
