//! Wildberries' connector against the examples of its pages.

use chrono::DateTime;
use common::channel::Marketplace;
use common::marketplaces::{
    ListPage, ListScope, ReadFrom, Refusal, SendOutcome, VendorAttachment, VendorAuthor,
};
use serde_json::{Value, json};

use super::{Shop, at, send};

const CHATS: ListPage<'static> = ListPage {
    scope: ListScope::All,
    cursor: None,
};
const START: ReadFrom<'static> = ReadFrom {
    chat: None,
    since: None,
    page: None,
};

async fn saying(body: &str) -> Shop {
    Shop::saying(Marketplace::Wildberries, body).await
}

/// specs/wb-buyers-chat.openapi.yaml, /api/v1/seller/events: the whole example, of which the
/// fourth event has no message.
const EVENTS: &str = r#"{"result":{"next":1698045576000,"newestEventTime":"2023-10-23T07:19:36Z",
  "oldestEventTime":"2023-10-23T05:02:20Z","totalEvents":4,"events":[
  {"chatID":"1:1e265a58-a120-b178-008c-60af2460207c","eventID":"55adee45-11f0-33b6-a847-6ccc7c78b2ec",
   "eventType":"message","isNewChat":true,"message":{"attachments":{
     "goodCard":{"nmID":12345678,"price":500,"priceCurrency":"RUB","rid":"2fb52cd9e25e52538a5f05994e688ae5","size":"0"},
     "files":[{"contentType":"application/pdf","date":"2023-10-23T08:02:19.594Z","downloadID":"ecaeb056-a4ee-45b4-ae45-666811755d38",
       "name":"Чек.pdf","url":"https://chat-basket-01.wbbasket.ru/vol0/part3265/fb25/pdf/0380.pdf","size":1046143}],
     "images":[{"date":"2023-10-23T08:02:20.717Z","downloadID":"fd6be4e3-5447-41d7-a1e6-b2d3e06c3b05",
       "url":"https://chat-basket-01.wbbasket.ru/vol0/part2345/fb89/jpg/0823ff24.jpg"}]},
     "text":"Здравствуйте! У меня вопрос по товару"},
   "source":"rusite","addTimestamp":1698037340000,"addTime":"2023-10-23T05:02:20Z",
   "replySign":"1:1e265a58-a120-b178-008c-60af2460207c:66f136e9","sender":"client","clientName":"Алёна"},
  {"chatID":"1:1e265a58-a120-b178-008c-60af2460207c","eventID":"cef95d3c-0345-4dc9-b6df-4c8c57a176a9",
   "eventType":"message","message":{"text":"Пришёл не тот цвет."},"source":"rusite","addTimestamp":1698037387000,
   "addTime":"2023-10-23T05:03:07Z","sender":"client","clientName":"Алёна"},
  {"chatID":"1:1e265a58-a120-b178-008c-60af2460207c","eventID":"fd22e5bf-64fd-43f7-b3a0-ad29uu027f97",
   "eventType":"message","message":{"text":"Да, сейчас оформим возврат."},"source":"seller-public-api",
   "addTimestamp":1698038124000,"addTime":"2023-10-23T05:15:24Z","sender":"seller"},
  {"chatID":"1:1e265a58-a120-b178-008c-60af2460207c","eventID":"cef95d3c-0345-4dc9-b6df-4c8c75a176a7",
   "eventType":"message","addTimestamp":1698045576000,"addTime":"2023-10-23T07:19:36Z","sender":"seller"}]},"errors":null}"#;

#[tokio::test]
async fn reads_the_example_of_the_stream() {
    let shop = saying(EVENTS).await;
    let page = shop
        .connector()
        .read_messages(&shop.access, START)
        .await
        .unwrap();
    assert_eq!(page.next.as_deref(), Some("1698045576000"));
    assert_eq!(page.resume, page.next);
    let [first, second, third, fourth] = &page.messages[..] else {
        panic!("{page:?}");
    };
    assert_eq!(first.chat, "1:1e265a58-a120-b178-008c-60af2460207c");
    assert_eq!(first.external_id, "55adee45-11f0-33b6-a847-6ccc7c78b2ec");
    assert_eq!(first.text, "Здравствуйте! У меня вопрос по товару");
    assert_eq!(first.at, at("2023-10-23T05:02:20Z"));
    assert_eq!(first.author, VendorAuthor::Buyer);
    assert_eq!(
        first.reply_sign.as_deref(),
        Some("1:1e265a58-a120-b178-008c-60af2460207c:66f136e9")
    );
    assert_eq!(first.context.buyer_name.as_deref(), Some("Алёна"));
    assert_eq!(
        first.context.order_id.as_deref(),
        Some("2fb52cd9e25e52538a5f05994e688ae5")
    );
    assert_eq!(first.context.product_sku.as_deref(), Some("12345678"));
    assert_eq!(
        first.attachments[0],
        VendorAttachment {
            source: "ecaeb056-a4ee-45b4-ae45-666811755d38".to_owned(),
            name: "Чек.pdf".to_owned(),
            content_type: Some("application/pdf".to_owned()),
            size_bytes: Some(1_046_143),
        }
    );
    assert_eq!(first.attachments[1].name, "0823ff24.jpg");
    assert_eq!(
        first.attachments[1].content_type.as_deref(),
        Some("image/jpeg")
    );
    assert_eq!(
        (second.author, second.reply_sign.clone()),
        (VendorAuthor::Buyer, None)
    );
    assert_eq!(
        (third.author, third.problem.clone()),
        (VendorAuthor::Seller, None)
    );
    assert_eq!(fourth.at, at("2023-10-23T07:19:36Z"));
    assert!(fourth.text.is_empty() && fourth.problem.is_some());
    let request = shop.request().await;
    assert_eq!(request.url.path(), "/vendor/api/v1/seller/events");
    assert_eq!(request.url.query(), None);
}

#[tokio::test]
async fn the_stream_goes_on_where_it_ended() {
    let empty = r#"{"result":{"next":1698045576000,"totalEvents":0,"events":null},"errors":null}"#;
    for (since, page, asked, next, resume) in [
        // (body with events, cursors, the query, what follows)
        (
            Some("5"),
            None,
            Some("next=5"),
            Some("1698045576000"),
            "1698045576000",
        ),
        (
            Some("5"),
            Some("6"),
            Some("next=6"),
            Some("1698045576000"),
            "1698045576000",
        ),
        (
            Some("0"),
            None,
            None,
            Some("1698045576000"),
            "1698045576000",
        ),
        // A cursor that stands still or goes back.
        (
            Some("1698045576000"),
            None,
            Some("next=1698045576000"),
            None,
            "1698045576000",
        ),
        (
            Some("1798045576000"),
            None,
            Some("next=1798045576000"),
            None,
            "1798045576000",
        ),
    ] {
        let from = ReadFrom {
            since,
            page,
            ..START
        };
        let shop = saying(EVENTS).await;
        let read = shop
            .connector()
            .read_messages(&shop.access, from)
            .await
            .unwrap();
        assert_eq!(read.next.as_deref(), next, "{since:?} {page:?}");
        assert_eq!(read.resume.as_deref(), Some(resume));
        assert_eq!(shop.request().await.url.query(), asked);
    }
    let shop = saying(empty).await;
    let from = ReadFrom {
        since: Some("5"),
        ..START
    };
    let read = shop
        .connector()
        .read_messages(&shop.access, from)
        .await
        .unwrap();
    assert!(read.next.is_none() && read.messages.is_empty());
    assert_eq!(read.resume.as_deref(), Some("1698045576000"));
    let shop = saying(r#"{"result":{"totalEvents":0}}"#).await;
    let read = shop
        .connector()
        .read_messages(&shop.access, from)
        .await
        .unwrap();
    assert_eq!(
        (read.next.as_deref(), read.resume.as_deref()),
        (None, Some("5"))
    );
}

async fn read_one(event: Value) -> Vec<common::marketplaces::VendorMessage> {
    let body = json!({ "result": { "next": 9, "totalEvents": 1, "events": [event] } });
    let shop = saying(&body.to_string()).await;
    let page = shop.connector().read_messages(&shop.access, START).await;
    page.unwrap().messages
}

#[tokio::test]
async fn events_of_all_kinds_survive() {
    let base = json!({ "chatID": "1:a", "eventID": 7, "eventType": "message", "addTimestamp": 1698037340000_i64,
        "message": { "text": "a\0b" }, "sender": "client", "source": "ios" });
    let with = |change: Value| {
        let mut event = base.clone();
        for (key, value) in change.as_object().unwrap() {
            event[key] = value.clone();
        }
        event
    };
    let one = read_one(base.clone()).await.remove(0);
    assert_eq!((one.external_id.as_str(), one.text.as_str()), ("7", "ab"));
    for (change, author) in [
        (
            json!({ "sender": "seller", "source": "seller-portal" }),
            VendorAuthor::SellerCabinet,
        ),
        (
            json!({ "sender": "seller", "source": "seller-public-api" }),
            VendorAuthor::Seller,
        ),
        (json!({ "sender": "wb" }), VendorAuthor::System),
        (json!({ "sender": "courier" }), VendorAuthor::System),
        (json!({ "eventType": "refund" }), VendorAuthor::Buyer),
    ] {
        assert_eq!(
            read_one(with(change.clone())).await[0].author,
            author,
            "{change}"
        );
    }
    let no_message = json!({ "eventType": "refund", "message": null });
    assert!(read_one(with(no_message)).await.is_empty());
    assert!(read_one(with(json!({ "eventID": null }))).await.is_empty());
    let strange = read_one(with(json!({ "message": ["new", "form"] })))
        .await
        .remove(0);
    assert!(strange.problem.is_some());
    assert_eq!(strange.author, VendorAuthor::Buyer);
    // Seconds, as some read the page, and the time as text.
    let seconds = read_one(with(json!({ "addTimestamp": 1698037340 })))
        .await
        .remove(0);
    assert_eq!(seconds.at, at("2023-10-23T05:02:20Z"));
    let text = json!({ "addTimestamp": null, "addTime": "2023-10-23T05:02:20Z" });
    assert_eq!(read_one(with(text)).await[0].at, at("2023-10-23T05:02:20Z"));
}

#[tokio::test]
async fn lists_the_chats() {
    // specs/wb-buyers-chat.openapi.yaml, Chat and LastMessage
    let body = r#"{"result":[{"chatID":"1:4019cd7d-cca8-4e90-8b11-f78afbea42e3",
        "replySign":"1:4019cd7d-cca8-4e90-8b11-f78afbea42e3:54828159:bc3a4c04","clientName":"Иван","clientID":"9",
        "goodCard":{"nmID":12345678,"price":500,"priceCurrency":"RUB","rid":"2fb5","size":"0"},
        "lastMessage":{"text":"Можно заказать 100 штук?","addTimestamp":1766138234889}},
        {"chatID":"1:b","replySign":"1:b:1","clientName":null,"goodCard":null,"lastMessage":null},
        {"replySign":"no id"}],"errors":null}"#;
    let shop = saying(body).await;
    let page = shop
        .connector()
        .list_chats(&shop.access, CHATS)
        .await
        .unwrap();
    assert_eq!((page.chats.len(), page.next), (2, None));
    let chat = &page.chats[0];
    assert_eq!(chat.external_id, "1:4019cd7d-cca8-4e90-8b11-f78afbea42e3");
    assert_eq!(chat.newest.as_deref(), Some("1766138234889"));
    assert_eq!(chat.context.buyer_name.as_deref(), Some("Иван"));
    assert_eq!(chat.context.order_id.as_deref(), Some("2fb5"));
    assert_eq!(
        chat.reply_sign.as_deref(),
        Some("1:4019cd7d-cca8-4e90-8b11-f78afbea42e3:54828159:bc3a4c04")
    );
    let request = shop.request().await;
    let sent = request.headers["authorization"].to_str().unwrap();
    assert_eq!(sent.split('.').count(), 3, "the raw token");
    let shop = saying(r#"{"result":null,"errors":null}"#).await;
    let page = shop
        .connector()
        .list_chats(&shop.access, CHATS)
        .await
        .unwrap();
    assert!(page.chats.is_empty());
}

#[tokio::test]
async fn sends_a_form_with_the_signature() {
    // specs/wb-buyers-chat.openapi.yaml, postV1SellerMessage
    let body = r#"{"result":{"addTime":1712848270018,"chatID":"1:641b623c-5c0e-295b-db03-3d5b4d484c32","sign":"1:new"},"errors":[]}"#;
    let shop = saying(body).await;
    let sent = shop.send("Да,\r\n\"сегодня\" 👍").await;
    assert_eq!(
        sent,
        SendOutcome::Sent {
            at: DateTime::from_timestamp_millis(1_712_848_270_018),
            reply_sign: Some("1:new".to_owned()),
            left_out: None,
        }
    );
    let request = shop.request().await;
    assert_eq!(request.url.path(), "/vendor/api/v1/seller/message");
    let boundary = request.headers["content-type"].to_str().unwrap();
    let boundary = boundary
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap();
    let part = |name, value| {
        format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        )
    };
    let expected = part("replySign", "1:sign:abc") + &part("message", "Да,\r\n\"сегодня\" 👍");
    assert_eq!(
        String::from_utf8(request.body).unwrap(),
        format!("{expected}--{boundary}--\r\n")
    );
}

#[tokio::test]
async fn an_answer_without_a_new_signature_confirms_too() {
    let body = r#"{"result":{"addTime":1712848270018,"chatID":"1:6"},"errors":["A24: attachment too big. Max size: 5MiB"]}"#;
    let sent = saying(body).await.send("x").await;
    assert!(
        matches!(
            sent,
            SendOutcome::Sent {
                reply_sign: None,
                ..
            }
        ),
        "{sent:?}"
    );
}

#[tokio::test]
async fn nothing_is_sent_without_a_signature() {
    let shop = saying("{}").await;
    let unsigned = common::marketplaces::TextSend {
        reply_sign: None,
        ..send("1:a", "x")
    };
    let sent = shop.connector().send_text(&shop.access, unsigned).await;
    assert_eq!(sent, SendOutcome::NotSent(Refusal::StaleSign));
    assert!(shop.server.received_requests().await.unwrap().is_empty());
}
