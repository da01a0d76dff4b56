//! Ozon's connector against the examples of its pages.

use common::channel::Marketplace;
use common::marketplaces::{
    ChatContext, ListPage, ListScope, ReadFrom, SendOutcome, VendorAttachment, VendorAuthor,
};
use serde_json::json;

use super::{Shop, at};

const FRESH: ListPage<'static> = ListPage {
    scope: ListScope::Fresh,
    cursor: None,
};
const CHAT: ReadFrom<'static> = ReadFrom {
    chat: Some("7001"),
    since: None,
    page: None,
};

async fn saying(body: &str) -> Shop {
    Shop::saying(Marketplace::Ozon, body).await
}

/// specs/ozon-chat.openapi.json, /v3/chat/list: ids beyond 64 bits, `has_next` as a string; the
/// chats with buyers are ours, in both spellings of the documentation (FACTS 1.4).
const LIST: &str = r#"{"chats":[
    {"chat":{"created_at":"2022-07-22T08:07:19.581Z","chat_id":"5e767w03-b400-4y1b-a841-75319ca8a5c8",
      "chat_status":"OPENED","chat_type":"SELLER_SUPPORT"},"first_unread_message_id":"3000000000118021931",
      "last_message_id":"30000000001280042740","unread_count":1},
    {"chat":{"chat_id":"a","chat_type":"BUYER_SELLER"},"last_message_id":30000000001280042740,"unread_count":null},
    {"chat":{"chat_id":"b","chat_type":"Buyer_Seller_Select"},"last_message_id":null},
    {"chat":{"chat_id":"c","chat_type":"SOMETHING_OF_NEXT_MONTH"},"last_message_id":"1"},
    {"chat":{"chat_id":["unreadable"]}},
    {"chat":{"chat_id":77,"chat_type":"buyer_seller","chat_status":"NEW_STATUS"},"last_message_id":3000000000118021931}
  ],"total_unread_count":5,"cursor":"30000002342123123","has_next":"true"}"#;

#[tokio::test]
async fn lists_the_chats_with_buyers() {
    let shop = saying(LIST).await;
    let page = shop
        .connector()
        .list_chats(&shop.access, FRESH)
        .await
        .unwrap();
    let chats: Vec<_> = page
        .chats
        .iter()
        .map(|chat| (chat.external_id.as_str(), chat.newest.as_deref()))
        .collect();
    assert_eq!(
        chats,
        [
            ("a", Some("30000000001280042740")),
            ("b", None),
            ("77", Some("3000000000118021931"))
        ]
    );
    assert_eq!(page.next.as_deref(), Some("30000002342123123"));
    let request = shop.request().await;
    assert_eq!(request.url.path(), "/vendor/v3/chat/list");
    assert_eq!(request.headers["client-id"], "4242");
    assert_eq!(request.headers["api-key"], "secret-key-of-the-shop");
    assert_eq!(
        shop.request_body().await,
        json!({ "filter": { "unread_only": true }, "limit": 100 })
    );
}

#[tokio::test]
async fn lists_everything_page_by_page() {
    let shop = saying(LIST).await;
    let page = ListPage {
        scope: ListScope::All,
        cursor: Some("30000002342123123"),
    };
    let page = shop
        .connector()
        .list_chats(&shop.access, page)
        .await
        .unwrap();
    assert_eq!(page.next, None, "a cursor that stands still ends the list");
    assert_eq!(
        shop.request_body().await,
        json!({ "filter": { "chat_status": "ALL" }, "limit": 100, "cursor": "30000002342123123" })
    );
}

#[tokio::test]
async fn an_empty_list_is_a_list() {
    let shop = saying(r#"{"chats":null,"cursor":null,"has_next":null}"#).await;
    let page = shop
        .connector()
        .list_chats(&shop.access, FRESH)
        .await
        .unwrap();
    assert!(page.chats.is_empty() && page.next.is_none());
}

/// specs/ozon-chat.openapi.json, /v3/chat/history: "Сustomer" begins with a Cyrillic letter.
const HISTORY: &str = r#"{"has_next":true,"messages":[{
    "context":{"order_number":"123456789","sku":"987654321"},"created_at":"2019-08-24T14:15:22Z",
    "data":["Здравствуйте, у меня вопрос по вашему товару \"Стекло защитное\", артикул 11223. Подойдет ли он на данную [ модель ](https://www.ozon.ru/product/smartfon-samsung-galaxy-a03s-4-64-gb-chernyy) телефона?"],
    "is_image":true,"is_read":true,"message_id":"3000000000817031942","moderate_image_status":"SUCCESS",
    "user":{"id":"115568","type":"Сustomer"}}]}"#;

#[tokio::test]
async fn reads_the_example_of_the_history() {
    let shop = saying(HISTORY).await;
    let page = shop
        .connector()
        .read_messages(&shop.access, CHAT)
        .await
        .unwrap();
    let message = &page.messages[0];
    assert_eq!(message.chat, "7001");
    assert_eq!(message.external_id, "3000000000817031942");
    assert_eq!(message.at, at("2019-08-24T14:15:22Z"));
    assert_eq!(message.author, VendorAuthor::Buyer);
    assert_eq!(
        message.text,
        "Здравствуйте, у меня вопрос по вашему товару \"Стекло защитное\", артикул 11223. Подойдет \
         ли он на данную модель \
         (https://www.ozon.ru/product/smartfon-samsung-galaxy-a03s-4-64-gb-chernyy) телефона?"
    );
    assert_eq!(
        message.context,
        ChatContext {
            buyer_external_id: Some("115568".to_owned()),
            order_id: Some("123456789".to_owned()),
            product_sku: Some("987654321".to_owned()),
            ..ChatContext::default()
        }
    );
    assert_eq!(message.problem, None);
    assert_eq!(page.next.as_deref(), Some("3000000000817031942"));
    assert_eq!(
        shop.request_body().await,
        json!({ "chat_id": "7001", "direction": "Backward", "limit": 100 })
    );
}

#[tokio::test]
async fn reads_back_to_the_message_that_is_known() {
    let body = r#"{"has_next":true,"messages":[
        {"message_id":30000000001280042740,"created_at":"2026-01-01T00:00:03Z","user":{"type":"Seller"},"data":["три"]},
        {"message_id":"9999999999999999999","created_at":"2026-01-01T00:00:02Z","user":{"type":"Crm"},"data":["два"]},
        {"message_id":"3000000000817031942","created_at":"2026-01-01T00:00:01Z","user":{"type":"Customer"},"data":["раз"]}]}"#;
    let read = async |since, page| {
        let shop = saying(body).await;
        let from = ReadFrom {
            since,
            page,
            ..CHAT
        };
        let page = shop
            .connector()
            .read_messages(&shop.access, from)
            .await
            .unwrap();
        let ids = page.messages.into_iter().map(|message| message.external_id);
        (
            ids.collect::<Vec<_>>(),
            page.next,
            shop.request_body().await,
        )
    };
    let all = [
        "3000000000817031942",
        "9999999999999999999",
        "30000000001280042740",
    ];
    let (ids, next, _) = read(Some("17"), None).await;
    assert_eq!(
        (ids, next.as_deref()),
        (all.map(str::to_owned).to_vec(), Some(all[0]))
    );
    let (ids, next, _) = read(Some("9999999999999999999"), None).await;
    assert_eq!(
        (ids, next),
        (all[1..].iter().map(|id| (*id).to_owned()).collect(), None)
    );
    let (_, next, asked) = read(None, Some(all[0])).await;
    assert_eq!(next, None, "a page that gets no further ends the reading");
    assert_eq!(asked["from_message_id"], 3_000_000_000_817_031_942_u64);
    let (_, next, asked) = read(None, Some(all[2])).await;
    assert_eq!(next.as_deref(), Some(all[0]));
    assert_eq!(
        asked["from_message_id"], all[2],
        "no number of 64 bits: as text"
    );
}

#[tokio::test]
async fn authors_are_an_open_list() {
    for (kind, author) in [
        (r#""Customer""#, VendorAuthor::Buyer),
        (r#""Seller""#, VendorAuthor::Seller),
        (r#""Support""#, VendorAuthor::System),
        (r#""NotificationUser""#, VendorAuthor::System),
        (r#""ChatBot""#, VendorAuthor::System),
        (r#""Courier""#, VendorAuthor::System),
        ("null", VendorAuthor::System),
    ] {
        let body = format!(
            r#"{{"messages":[{{"message_id":1,"created_at":"2026-01-01T00:00:00Z","user":{{"id":5,"type":{kind}}},"data":["x"]}}]}}"#
        );
        let shop = saying(&body).await;
        let page = shop
            .connector()
            .read_messages(&shop.access, CHAT)
            .await
            .unwrap();
        assert_eq!(page.messages[0].author, author, "{kind}");
    }
}

#[tokio::test]
async fn files_of_messages_become_attachments() {
    // FACTS 1.5: both forms; the texts around them stay, and so do escaped characters.
    let body = r#"{"messages":[{"message_id":"5","created_at":"2026-01-01T00:00:00Z","user":{"type":"Customer"},"is_image":true,
        "data":["Цена \\- 5\\.","![](https://api-seller.ozon.ru/v2/chat/file/messenger/x.jpg)",
        "[Screenshot\\_1.png (24.5KB)](https://api-seller.ozon.ru/v2/chat/file/y)"],"context":{"order_number":"","sku":null}}]}"#;
    let shop = saying(body).await;
    let page = shop
        .connector()
        .read_messages(&shop.access, CHAT)
        .await
        .unwrap();
    let message = &page.messages[0];
    assert_eq!(message.text, "Цена - 5.");
    assert_eq!(message.context, ChatContext::default());
    let file = |source: &str, name: &str, content_type: &str| VendorAttachment {
        source: source.to_owned(),
        name: name.to_owned(),
        content_type: Some(content_type.to_owned()),
        size_bytes: None,
    };
    assert_eq!(
        message.attachments,
        [
            file(
                "https://api-seller.ozon.ru/v2/chat/file/messenger/x.jpg",
                "x.jpg",
                "image/jpeg"
            ),
            file(
                "https://api-seller.ozon.ru/v2/chat/file/y",
                "Screenshot_1.png",
                "image/png"
            ),
        ]
    );
}

#[tokio::test]
async fn unreadable_messages_leave_a_placeholder() {
    let body = r#"{"has_next":"false","messages":[
        {"message_id":"4","created_at":"2026-01-01T00:00:04Z","user":{"type":"Customer"},"data":{"new":"form"}},
        {"message_id":"3","created_at":"yesterday","user":{"type":"Customer"},"data":["x"]},
        {"created_at":"2026-01-01T00:00:02Z","data":["no id"]},
        7,
        {"message_id":"1","created_at":"2026-01-01T00:00:01+03:00","user":{"type":"Customer"},"data":["a\u0000b \ud83d\ude00 \ud800"]}]}"#;
    let shop = saying(body).await;
    let page = shop
        .connector()
        .read_messages(&shop.access, CHAT)
        .await
        .unwrap();
    let [good, timeless, formless] = &page.messages[..] else {
        panic!("{page:?}");
    };
    assert_eq!(good.text, "ab 😀 \u{fffd}");
    assert_eq!(good.at, at("2025-12-31T21:00:01Z"));
    for placeholder in [timeless, formless] {
        assert!(placeholder.problem.is_some() && placeholder.text.is_empty());
        assert_eq!(placeholder.author, VendorAuthor::Buyer);
        assert_eq!(placeholder.at, at("2026-01-01T00:00:04Z"));
    }
}

#[tokio::test]
async fn sends_plain_text() {
    let shop = saying(r#"{"result":"success"}"#).await;
    let sent = shop.send("Да - [x](y)\nдо встречи").await;
    assert_eq!(
        sent,
        SendOutcome::Sent {
            at: None,
            reply_sign: None,
            left_out: None,
        }
    );
    let request = shop.request().await;
    assert_eq!(request.url.path(), "/vendor/v1/chat/send/message");
    assert_eq!(request.headers["content-type"], "application/json");
    assert_eq!(
        shop.request_body().await,
        json!({ "chat_id": "7001", "text": "Да - [x](y)\nдо встречи" })
    );
}

#[tokio::test]
async fn marks_messages_as_read() {
    let shop = saying(r#"{"unread_count":0}"#).await;
    let connector = shop.connector();
    connector
        .mark_read(&shop.access, "7001", "3000000000118032000")
        .await
        .unwrap();
    assert_eq!(shop.request().await.url.path(), "/vendor/v2/chat/read");
    assert_eq!(
        shop.request_body().await,
        json!({ "chat_id": "7001", "from_message_id": 3_000_000_000_118_032_000_u64 })
    );
}
