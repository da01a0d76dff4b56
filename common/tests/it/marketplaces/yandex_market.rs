//! Yandex Market's connector against the forms of its specification.

use std::time::Duration;

use common::channel::Marketplace;
use common::marketplaces::{
    ChatContext, ListPage, ListScope, ReadFrom, Refusal, SendOutcome, ShopAccess, VendorAttachment,
    VendorAuthor, VendorError,
};
use serde_json::json;

use super::{Shop, at, error};

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
    Shop::saying(Marketplace::YandexMarket, body).await
}

async fn refusing(status: u16, message: &str) -> Shop {
    let body = json!({ "status": "ERROR", "errors": [{ "code": "CODE", "message": message }] });
    Shop::answering(Marketplace::YandexMarket, error(status, &body.to_string())).await
}

fn query(request: &wiremock::Request) -> Vec<(String, String)> {
    request.url.query_pairs().into_owned().collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = pairs
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    owned.collect()
}

/// specs/yandex-market-chats.openapi.yaml, GetChatsResponse; FACTS 3.2 for DIRECT chats.
const CHATS: &str = r#"{"status":"OK","result":{"chats":[
    {"chatId":9007199254740993,"orderId":12345,"context":{"type":"ORDER","customer":{"name":"Анна","publicId":"abc1"},
      "campaignId":5,"orderId":777},"type":"CHAT","status":"WAITING_FOR_PARTNER","createdAt":"2026-01-01T00:00:00+03:00",
      "updatedAt":"2026-01-02T00:00:00+03:00"},
    {"chatId":"2","context":{"type":"DIRECT","customer":{}},"type":"NEW_TYPE","status":"NEW_STATUS","updatedAt":null},
    {"chatId":{},"context":null},
    {"chatId":3,"orderId":12346,"context":null,"type":"ARBITRAGE","status":"WAITING_FOR_ARBITER","updatedAt":"x"}],
    "paging":{"nextPageToken":"abc"}}}"#;

#[tokio::test]
async fn lists_the_chats_that_wait() {
    let shop = saying(CHATS).await;
    let page = shop
        .connector()
        .list_chats(&shop.access, FRESH)
        .await
        .unwrap();
    let ids: Vec<_> = page
        .chats
        .iter()
        .map(|chat| chat.external_id.as_str())
        .collect();
    assert_eq!(ids, ["9007199254740993", "2", "3"]);
    assert_eq!(
        page.chats[0].newest.as_deref(),
        Some("2026-01-02T00:00:00+03:00")
    );
    assert_eq!(
        page.chats[0].context,
        ChatContext {
            chat_type: Some("order".to_owned()),
            buyer_name: Some("Анна".to_owned()),
            buyer_external_id: Some("abc1".to_owned()),
            order_id: Some("777".to_owned()),
            ..ChatContext::default()
        }
    );
    assert_eq!(
        page.chats[1].context,
        ChatContext {
            chat_type: Some("direct".to_owned()),
            ..ChatContext::default()
        }
    );
    assert_eq!(page.chats[2].context.order_id.as_deref(), Some("12346"));
    assert_eq!(page.next.as_deref(), Some("abc"));
    let request = shop.request().await;
    assert_eq!(request.url.path(), "/vendor/v2/businesses/4242/chats");
    assert_eq!(request.headers["api-key"], "secret-key-of-the-shop");
    assert_eq!(query(&request), pairs(&[("limit", "20")]));
    assert_eq!(
        shop.request_body().await,
        json!({ "statuses": ["NEW", "WAITING_FOR_PARTNER", "WAITING_FOR_ARBITER", "WAITING_FOR_MARKET"] })
    );
}

#[tokio::test]
async fn lists_everything_with_an_empty_body() {
    let shop = saying(CHATS).await;
    let page = ListPage {
        scope: ListScope::All,
        cursor: Some("abc"),
    };
    let page = shop
        .connector()
        .list_chats(&shop.access, page)
        .await
        .unwrap();
    assert_eq!(
        page.next, None,
        "a token that leads to its own page ends the list"
    );
    assert_eq!(shop.request_body().await, json!({}));
    assert_eq!(
        query(&shop.request().await),
        pairs(&[("limit", "20"), ("pageToken", "abc")])
    );
}

/// specs/yandex-market-chats.openapi.yaml, ChatMessageDTO.
const HISTORY: &str = r#"{"status":"OK","result":{"orderId":12345,
    "context":{"type":"ORDER","customer":{"name":"Анна","publicId":"abc1"},"campaignId":5,"orderId":777},
    "messages":[
    {"messageId":101,"createdAt":"2017-11-21T00:00:00+03:00","sender":"CUSTOMER","message":"Где \u0000заказ?"},
    {"messageId":"102","createdAt":"2017-11-21T00:00:01Z","sender":"PARTNER","message":null,
      "payload":[{"name":"a.png","url":"https://files.messenger.yandex.net/a","size":17}]},
    {"messageId":103,"createdAt":"2017-11-21T00:00:02+03:00","sender":"MARKET","message":"x","payload":null},
    {"messageId":104,"createdAt":"2017-11-21T00:00:03+03:00","sender":"SUPPORT","message":"x"},
    {"messageId":105,"createdAt":"2017-11-21T00:00:04+03:00","sender":"ROBOT","message":"x"},
    {"messageId":106,"createdAt":"2017-11-21T00:00:05+03:00","sender":"CUSTOMER","message":{"rich":"text"}},
    {"createdAt":"2017-11-21T00:00:06+03:00","sender":"CUSTOMER","message":"no id"}],
    "paging":{}}}"#;

#[tokio::test]
async fn reads_the_history() {
    let shop = saying(HISTORY).await;
    let from = ReadFrom {
        since: Some("101"),
        page: Some("t"),
        ..CHAT
    };
    let page = shop
        .connector()
        .read_messages(&shop.access, from)
        .await
        .unwrap();
    let authors: Vec<_> = page.messages.iter().map(|message| message.author).collect();
    use VendorAuthor::{Buyer, Seller, System};
    assert_eq!(authors, [Buyer, Seller, System, System, System, Buyer]);
    assert_eq!(page.messages[0].text, "Где заказ?");
    assert_eq!(page.messages[0].at, at("2017-11-20T21:00:00Z"));
    assert_eq!(page.messages[0].context.order_id.as_deref(), Some("777"));
    assert_eq!(page.messages[1].text, "");
    assert_eq!(
        page.messages[1].attachments,
        [VendorAttachment {
            source: "https://files.messenger.yandex.net/a".to_owned(),
            name: "a.png".to_owned(),
            content_type: Some("image/png".to_owned()),
            size_bytes: Some(17),
        }]
    );
    let problems: Vec<_> = page
        .messages
        .iter()
        .map(|message| message.problem.is_some())
        .collect();
    assert_eq!(problems, [false, false, false, false, false, true]);
    assert_eq!((page.next, page.resume), (None, None));
    let request = shop.request().await;
    assert_eq!(
        request.url.path(),
        "/vendor/v2/businesses/4242/chats/history"
    );
    assert_eq!(
        query(&request),
        pairs(&[("chatId", "7001"), ("limit", "100"), ("pageToken", "t")])
    );
    assert_eq!(shop.request_body().await, json!({ "messageIdFrom": 101 }));
}

#[tokio::test]
async fn sends_with_the_chat_in_the_query() {
    let shop = saying(r#"{"status":"OK"}"#).await;
    assert_eq!(
        shop.send("Здравствуйте").await,
        SendOutcome::Sent {
            at: None,
            reply_sign: None,
            left_out: None,
        }
    );
    let request = shop.request().await;
    assert_eq!(
        request.url.path(),
        "/vendor/v2/businesses/4242/chats/message"
    );
    assert_eq!(query(&request), pairs(&[("chatId", "7001")]));
    assert_eq!(
        shop.request_body().await,
        json!({ "message": "Здравствуйте" })
    );
}

#[tokio::test]
async fn errors_have_their_kinds() {
    for (status, read, sent) in [
        (400, "Rejected", "Rejected"),
        (401, "Unauthorized", "Unauthorized"),
        (403, "Forbidden", "ReadOnly"),
        (404, "Rejected", "Rejected"),
        (420, "RateLimited", "RateLimited"),
        (429, "RateLimited", "RateLimited"),
        (423, "Unavailable", "RateLimited"),
    ] {
        let shop = refusing(status, "own words secret-key-of-the-shop").await;
        let failed = shop
            .connector()
            .list_chats(&shop.access, FRESH)
            .await
            .unwrap_err();
        let failed = format!("{failed:?}");
        assert!(failed.starts_with(read), "{status}: {failed}");
        let SendOutcome::NotSent(refusal) = shop.send("x").await else {
            panic!("{status}");
        };
        let refusal = format!("{refusal:?}");
        assert!(refusal.starts_with(sent), "{status}: {refusal}");
        if read != "RateLimited" {
            assert!(failed.contains("own words ***"), "{failed}");
        }
    }
    for status in [500, 503] {
        let shop = refusing(status, "oops").await;
        let failed = shop
            .connector()
            .list_chats(&shop.access, FRESH)
            .await
            .unwrap_err();
        assert!(
            matches!(failed, VendorError::Unavailable { .. }),
            "{failed:?}"
        );
        let sent = shop.send("x").await;
        assert!(matches!(sent, SendOutcome::MaybeSent { .. }), "{sent:?}");
    }
}

async fn wait_after(message: &str, until: &str) -> Option<Duration> {
    let body = json!({ "status": "ERROR", "errors": [{ "code": "LIMIT", "message": message }] });
    let answer = error(420, &body.to_string()).insert_header("X-RateLimit-Resource-Until", until);
    let shop = Shop::answering(Marketplace::YandexMarket, answer).await;
    let outcome = shop.send("x").await;
    let SendOutcome::NotSent(Refusal::RateLimited { retry_after }) = outcome else {
        panic!("{outcome:?}");
    };
    retry_after
}

#[tokio::test]
async fn a_rate_limit_tells_when_to_come_again() {
    let points = "Hit rate limit of 1000 points per 1 hour for resource sendMessageToChat";
    let now = common::clock::Clock::default().now();
    let in_minutes = |minutes| {
        let until = now + chrono::TimeDelta::minutes(minutes);
        // The day of the week is wrong in the documentation's own example.
        until.format("Xxx, %d %b %Y %H:%M:%S GMT").to_string()
    };
    let wait = wait_after(points, &in_minutes(10)).await.unwrap();
    assert!(
        wait > Duration::from_secs(590) && wait <= Duration::from_secs(600),
        "{wait:?}"
    );
    assert_eq!(
        wait_after(points, &in_minutes(600)).await,
        Some(Duration::from_secs(3600))
    );
    let past = "Thu, 10 Jul 2018 00:42:42 GMT";
    assert_eq!(wait_after(points, past).await, Some(Duration::from_secs(1)));
    assert_eq!(wait_after(points, "soon").await, None);
    let parallel = "Hit rate limit of 2 parallel requests";
    assert_eq!(
        wait_after(parallel, &in_minutes(30)).await,
        Some(Duration::from_secs(1))
    );
}

#[tokio::test]
async fn the_probe_asks_for_one_chat() {
    let shop = saying(r#"{"status":"OK","result":{"chats":[]}}"#).await;
    let probe = shop.connector().probe(&shop.access).await.unwrap();
    assert!(probe.capabilities.read && probe.capabilities.send && probe.warnings.is_empty());
    let request = shop.request().await;
    assert_eq!(query(&request), pairs(&[("limit", "1")]));
    let shop = refusing(403, "Access denied").await;
    let probe = shop.connector().probe(&shop.access).await.unwrap();
    assert!(!probe.capabilities.read && !probe.capabilities.send);
    assert_eq!(probe.warnings[0].code, "no_chat_access");
    assert_eq!(probe.warnings[0].message, "Access denied");
    for (status, words) in [(401, "Unauthorized"), (403, "Api-Key is invalid")] {
        let shop = refusing(status, words).await;
        let failed = shop.connector().probe(&shop.access).await.unwrap_err();
        assert!(
            matches!(failed, VendorError::Unauthorized { .. }),
            "{failed:?}"
        );
    }
}

#[tokio::test]
async fn the_account_is_the_business() {
    let shop = saying("{}").await;
    let account = |client_id| shop.connector().account_id(client_id, "key");
    assert_eq!(account(Some(" 4242 ")).unwrap(), "4242");
    for bad in [
        None,
        Some(""),
        Some("my-shop"),
        Some("1/../2"),
        Some("12345678901234567890"),
    ] {
        let failed = account(bad).unwrap_err();
        assert!(
            matches!(failed, VendorError::Rejected { .. }),
            "{bad:?}: {failed:?}"
        );
    }
    let access = ShopAccess {
        account_id: "4242/../1".to_owned(),
        api_key: "key".to_owned().into(),
    };
    assert!(shop.connector().list_chats(&access, FRESH).await.is_err());
    assert!(shop.server.received_requests().await.unwrap().is_empty());
}
