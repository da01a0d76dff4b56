//! What Wildberries refuses, and what its tokens may do.

use std::time::Duration;

use chrono::TimeDelta;
use common::channel::Marketplace;
use common::marketplaces::{ListPage, ListScope, Refusal, SendOutcome, ShopAccess, VendorError};
use serde_json::{Value, json};

use super::{Shop, error, token};

const CHATS: ListPage<'static> = ListPage {
    scope: ListScope::All,
    cursor: None,
};

async fn saying(body: &str) -> Shop {
    Shop::saying(Marketplace::Wildberries, body).await
}

async fn refusing(status: u16, body: &str) -> Shop {
    Shop::answering(Marketplace::Wildberries, error(status, body)).await
}

/// The 401, 402, 403 and 429 bodies of specs/wb-*.openapi.yaml, specs/SOURCES.md and FACTS 2.8.
const ERRORS: [(u16, &str, &str, &str); 9] = [
    (
        401,
        "token problem; token is malformed: could not base64 decode signature",
        "Unauthorized",
        "Unauthorized",
    ),
    (401, "token scope not allowed", "Forbidden", "ReadOnly"),
    (
        402,
        "wb solution for business has insufficient funds on its balance",
        "Forbidden",
        "Rejected",
    ),
    (
        403,
        "scope is not allowed for this resource",
        "Forbidden",
        "ReadOnly",
    ),
    (403, "base token is not allowed", "Forbidden", "ReadOnly"),
    (400, "Invalid value for \"next\"", "Rejected", "Rejected"),
    (400, "Invalid signature", "Rejected", "StaleSign"),
    (
        400,
        "4A9F2544E29: \"video.mp4\" has unsupported mime type",
        "Rejected",
        "Rejected",
    ),
    (
        429,
        "limited by c122a060-a7fb-4bb4-abb0-32fd4e18d489",
        "RateLimited",
        "RateLimited",
    ),
];

#[tokio::test]
async fn errors_have_their_kinds() {
    for (status, detail, read, sent) in ERRORS {
        let body = json!({ "title": "t", "detail": detail, "status": status, "origin": "o" });
        let shop = refusing(status, &body.to_string()).await;
        let failed = shop
            .connector()
            .list_chats(&shop.access, CHATS)
            .await
            .unwrap_err();
        let failed = format!("{failed:?}");
        assert!(failed.starts_with(read), "{detail}: {failed}");
        let outcome = shop.send("x").await;
        let SendOutcome::NotSent(refusal) = &outcome else {
            panic!("{detail}: {outcome:?}");
        };
        assert!(
            format!("{refusal:?}").starts_with(sent),
            "{detail}: {refusal:?}"
        );
        if read == "Forbidden" {
            assert!(failed.contains(detail), "its own words: {failed}");
        }
    }
    for (status, body) in [(503, ""), (500, "<html>"), (408, "{}")] {
        let shop = refusing(status, body).await;
        let failed = shop
            .connector()
            .list_chats(&shop.access, CHATS)
            .await
            .unwrap_err();
        assert!(
            matches!(failed, VendorError::Unavailable { .. }),
            "{failed:?}"
        );
    }
}

#[tokio::test]
async fn a_rate_limit_tells_when_to_come_again() {
    let answer = error(429, "{}")
        .insert_header("x-ratelimit-retry", "3540")
        .insert_header("x-ratelimit-reset", "7000");
    let shop = Shop::answering(Marketplace::Wildberries, answer).await;
    let limited = Refusal::RateLimited {
        retry_after: Some(Duration::from_secs(3540)),
    };
    assert_eq!(shop.send("x").await, SendOutcome::NotSent(limited));
}

async fn probe(
    claims: &Value,
    status: u16,
    body: &str,
) -> Result<(Value, Vec<String>), VendorError> {
    let shop = refusing(status, body).await;
    let access = ShopAccess {
        account_id: "seller-1".to_owned(),
        api_key: token(claims).into(),
    };
    let probe = shop.connector().probe(&access).await?;
    assert_eq!(shop.request().await.url.path(), "/vendor/ping");
    let codes = probe.warnings.into_iter().map(|warning| warning.code);
    Ok((
        serde_json::to_value(probe.capabilities).unwrap(),
        codes.collect(),
    ))
}

/// specs/wb-general-ping-sellerinfo.openapi.yaml
const PING: &str = r#"{"TS":"2024-08-16T11:19:05+03:00","Status":"OK"}"#;

#[tokio::test]
async fn the_probe_reads_the_claims_of_the_token() {
    let in_days =
        |days| (common::clock::Clock::default().now() + TimeDelta::days(days)).timestamp();
    let (chat, read_only) = (1_u64 << 9, 1_u64 << 30);
    for (claims, read, send, codes) in [
        (
            json!({ "acc": 3, "for": "self", "s": chat, "exp": in_days(100) }),
            true,
            true,
            vec![],
        ),
        (
            json!({ "acc": 4, "for": "asid:x", "s": chat | read_only }),
            true,
            false,
            vec!["read_only"],
        ),
        (
            json!({ "acc": 3, "s": 1 << 7 }),
            false,
            false,
            vec!["no_chat_access"],
        ),
        (
            json!({ "acc": 1, "s": chat.to_string() }),
            true,
            true,
            vec!["base_token"],
        ),
        (
            json!({ "acc": 2, "t": true, "s": chat }),
            true,
            true,
            vec!["test_token"],
        ),
        (
            json!({ "acc": 3, "s": chat, "exp": in_days(13) }),
            true,
            true,
            vec!["expires_soon"],
        ),
    ] {
        let (may, told) = probe(&claims, 200, PING).await.unwrap();
        assert_eq!(
            (&may["read"], &may["send"]),
            (&json!(read), &json!(send)),
            "{claims}"
        );
        assert_eq!(told, codes, "{claims}");
        let per_hour = (claims["acc"] == 1).then_some(1);
        assert_eq!(may["requests_per_hour"], json!(per_hour), "{claims}");
    }
}

#[tokio::test]
async fn the_probe_believes_wildberries_more_than_the_token() {
    let claims = json!({ "s": 1 << 9 });
    let body = r#"{"status":403,"detail":"scope is not allowed for this resource"}"#;
    let (may, told) = probe(&claims, 403, body).await.unwrap();
    assert_eq!(
        (&may["read"], told),
        (&json!(false), vec!["no_chat_access".to_owned()])
    );
    let body = r#"{"status":401,"detail":"token problem; token is malformed"}"#;
    let failed = probe(&claims, 401, body).await.unwrap_err();
    assert!(
        matches!(failed, VendorError::Unauthorized { .. }),
        "{failed:?}"
    );
}

#[tokio::test]
async fn the_account_stands_in_the_token() {
    let shop = saying("{}").await;
    let account = |token: &str| shop.connector().account_id(None, token);
    let good = token(&json!({ "sid": "e8923014-e233-47q8-898e-3cc86d67ea61" }));
    assert_eq!(
        account(&good).unwrap(),
        "e8923014-e233-47q8-898e-3cc86d67ea61"
    );
    assert_eq!(
        account(&format!(" Bearer {good}\n")).unwrap(),
        account(&good).unwrap()
    );
    for bad in [
        "",
        "key",
        "a.b.c",
        "a.b",
        &token(&json!({})),
        &token(&json!([])),
        "я.я.я",
        "Bearer ",
    ] {
        let failed = account(bad).unwrap_err();
        assert!(
            matches!(failed, VendorError::Rejected { .. }),
            "{bad}: {failed:?}"
        );
        let text = failed.to_string();
        assert!(bad.len() < 9 || !text.contains(bad), "{text}");
    }
}
