//! What Ozon refuses, and what its keys may do.

use std::time::Duration;

use common::channel::Marketplace;
use common::marketplaces::{ListPage, ListScope, ReadFrom, Refusal, SendOutcome, VendorError};
use serde_json::json;
use wiremock::ResponseTemplate;

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
    Shop::saying(Marketplace::Ozon, body).await
}

async fn refusing(status: u16, body: &str) -> Shop {
    Shop::answering(Marketplace::Ozon, error(status, body)).await
}

/// FACTS 1.2 and specs/ozon-auth-environment-errors.md.
#[tokio::test]
async fn errors_of_reading_have_their_kinds() {
    for (status, body, kind) in [
        (
            401,
            r#"{"code":16,"message":"Client-Id and Api-Key headers are required"}"#,
            "Unauthorized",
        ),
        (
            403,
            r#"{"code":7,"message":"Invalid Api-Key, please check the key and try again","details":[]}"#,
            "Unauthorized",
        ),
        (
            404,
            r#"{"code":5,"message":"Invalid Api-Key, please check the key and try again"}"#,
            "Unauthorized",
        ),
        (
            403,
            r#"{"code":7,"message":"Api-key is deactivated, use another one or generate a new one"}"#,
            "Unauthorized",
        ),
        (
            403,
            r#"{"code":7,"message":"Api-Key is missing a required role for a method"}"#,
            "Forbidden",
        ),
        (
            403,
            r#"{"code":7,"message":"Api-Key is restricted to specific IP addresses"}"#,
            "Forbidden",
        ),
        (
            403,
            r#"{"code":7,"message":"Offer not signed"}"#,
            "Forbidden",
        ),
        (403, "403 Offer not signed", "Forbidden"),
        (
            400,
            r#"{"code":3,"message":"Request validation error"}"#,
            "Rejected",
        ),
        (404, "404 page not found", "Rejected"),
        (409, r#"{"code":6,"message":"conflict"}"#, "Rejected"),
        (
            500,
            r#"{"code":13,"message":"Internal error"}"#,
            "Unavailable",
        ),
        (502, "<html>bad gateway</html>", "Unavailable"),
        (
            503,
            r#"{"code":14,"message":"Circle is open"}"#,
            "RateLimited",
        ),
        (
            429,
            r#"{"code":8,"message":"You have reached request rate limit per second"}"#,
            "RateLimited",
        ),
        (200, "<html>", "Unexpected"),
    ] {
        let shop = refusing(status, body).await;
        let failed = shop
            .connector()
            .list_chats(&shop.access, FRESH)
            .await
            .unwrap_err();
        assert!(
            format!("{failed:?}").starts_with(kind),
            "{body}: {failed:?}"
        );
        assert_eq!(shop.request().await.method.as_str(), "POST");
    }
}

#[tokio::test]
async fn a_rate_limit_tells_when_to_come_again() {
    let body = r#"{"code":8,"message":"You have reached request rate limit per second"}"#;
    let answer = error(429, body).insert_header("retry-after", "1");
    let shop = Shop::answering(Marketplace::Ozon, answer).await;
    let expected = Some(Duration::from_secs(1));
    let sent = shop.send("x").await;
    let limited = Refusal::RateLimited {
        retry_after: expected,
    };
    assert_eq!(sent, SendOutcome::NotSent(limited));
    let read = shop.connector().read_messages(&shop.access, CHAT).await;
    let Err(VendorError::RateLimited { retry_after }) = read else {
        panic!("{read:?}");
    };
    assert_eq!(retry_after, expected);
}

#[tokio::test]
async fn refused_sends_have_their_reasons() {
    let subscription = "Implementation.ChatSendMessage: ChatSendMessage error: rpc error: code = PermissionDenied desc = not available with existing subscription";
    for (status, code, message, kind) in [
        (403, 7, subscription, "ReadOnly"),
        (
            403,
            7,
            "Api-Key is missing a required role for a method",
            "ReadOnly",
        ),
        (
            403,
            7,
            "Invalid Api-Key, please check the key and try again",
            "Unauthorized",
        ),
        (401, 16, "unauthenticated", "Unauthorized"),
        (
            400,
            9,
            "time to send a message to the chat has expired",
            "WindowClosed",
        ),
        (
            403,
            7,
            "message can be sent within 48 hours",
            "WindowClosed",
        ),
        (400, 9, "chat is closed", "WindowClosed"),
        (400, 3, "Request validation error", "Rejected"),
        (404, 5, "chat not found", "Rejected"),
        (409, 6, "conflict", "Rejected"),
    ] {
        let body = json!({ "code": code, "message": message, "details": [] }).to_string();
        let shop = refusing(status, &body).await;
        let outcome = shop.send("x").await;
        let SendOutcome::NotSent(refusal) = &outcome else {
            panic!("{message}: {outcome:?}");
        };
        let refusal = format!("{refusal:?}");
        assert!(refusal.starts_with(kind), "{message}: {refusal}");
        assert!(refusal.contains(message), "its own words: {refusal}");
    }
}

#[tokio::test]
async fn the_key_stays_out_of_errors() {
    let body = r#"{"code":7,"message":"Invalid Api-Key secret-key-of-the-shop"}"#;
    let shop = refusing(403, body).await;
    let failed = shop
        .connector()
        .list_chats(&shop.access, FRESH)
        .await
        .unwrap_err();
    assert!(
        failed.to_string().contains("Invalid Api-Key ***"),
        "{failed}"
    );
    let sent = shop.send("x").await;
    for text in [
        format!("{failed:?}"),
        format!("{sent:?}"),
        format!("{:?}", shop.access),
    ] {
        assert!(!text.contains("secret-key"), "{text}");
    }
}

#[tokio::test]
async fn a_key_with_all_roles_may_do_everything() {
    // specs/ozon-notification-seller-roles.openapi.json: groups, and no word of chats.
    let body = r#"{"expires_at":"2126-02-18T09:54:23.296Z","roles":[
        {"name":"Admin","methods":["/v1/actions"]},{"name":"Posting FBS","methods":["/v1/posting"]}]}"#;
    let shop = saying(body).await;
    let probe = shop.connector().probe(&shop.access).await.unwrap();
    assert!(probe.warnings.is_empty(), "{probe:?}");
    let may = probe.capabilities;
    assert!(may.read && may.send && may.mark_read);
    assert_eq!(may.expires_at, Some(at("2126-02-18T09:54:23.296Z")));
    assert_eq!(shop.request().await.url.path(), "/vendor/v1/roles");
}

#[tokio::test]
async fn the_probe_judges_by_the_methods_listed() {
    for (roles, capabilities, codes) in [
        (
            r#"[{"name":"Chats","methods":["/v3/chat/list","/v3/chat/history"]}]"#,
            (true, false),
            vec!["read_only"],
        ),
        (
            r#"[{"name":"Chats","methods":["/v3/chat","/v1/chat/send"]}]"#,
            (true, true),
            vec![],
        ),
        (
            r#"[{"name":"Posting FBS","methods":["/v1/posting"]}]"#,
            (false, false),
            vec!["no_chat_access"],
        ),
        ("[]", (true, true), vec![]),
        (
            r#"[{"name":"New","methods":null},{"unknown":1}]"#,
            (true, true),
            vec![],
        ),
    ] {
        let shop = saying(&format!(r#"{{"roles":{roles}}}"#)).await;
        let probe = shop.connector().probe(&shop.access).await.unwrap();
        let may = &probe.capabilities;
        assert_eq!((may.read, may.send), capabilities, "{roles}");
        let told: Vec<_> = probe
            .warnings
            .iter()
            .map(|warning| warning.code.as_str())
            .collect();
        assert_eq!(told, codes, "{roles}");
    }
}

#[tokio::test]
async fn a_key_that_ends_soon_is_warned_about() {
    let in_days = |days| {
        let until = common::clock::Clock::default().now() + chrono::TimeDelta::days(days);
        json!({ "roles": [], "expires_at": until.to_rfc3339() }).to_string()
    };
    for (days, codes) in [
        (20, vec![]),
        (13, vec!["expires_soon"]),
        (-1, vec!["expired"]),
    ] {
        let shop = saying(&in_days(days)).await;
        let probe = shop.connector().probe(&shop.access).await.unwrap();
        let told: Vec<_> = probe
            .warnings
            .iter()
            .map(|warning| warning.code.as_str())
            .collect();
        assert_eq!(told, codes, "{days}");
    }
}

#[tokio::test]
async fn a_wrong_key_fails_the_probe_in_its_own_words() {
    let body = r#"{"code":7,"message":"Invalid Api-Key, please check the key and try again"}"#;
    let shop = refusing(403, body).await;
    let failed = shop.connector().probe(&shop.access).await.unwrap_err();
    let VendorError::Unauthorized { message } = failed else {
        panic!("{failed:?}");
    };
    assert_eq!(
        message,
        "Invalid Api-Key, please check the key and try again"
    );
}

#[tokio::test]
async fn a_key_that_may_not_be_asked_is_no_wrong_key() {
    let body = r#"{"code":7,"message":"Api-Key is missing a required role for a method"}"#;
    let shop = refusing(403, body).await;
    let probe = shop.connector().probe(&shop.access).await.unwrap();
    assert!(probe.capabilities.read && probe.capabilities.send);
    assert_eq!(probe.warnings[0].code, "probe_unavailable");
}

#[tokio::test]
async fn the_account_is_the_client_id() {
    let shop = Shop::answering(Marketplace::Ozon, ResponseTemplate::new(200)).await;
    let account = |client_id| shop.connector().account_id(client_id, "key");
    assert_eq!(account(Some(" your-client-id ")).unwrap(), "your-client-id");
    assert!(matches!(
        account(Some(" ")),
        Err(VendorError::Rejected { .. })
    ));
    assert!(matches!(account(None), Err(VendorError::Rejected { .. })));
}
