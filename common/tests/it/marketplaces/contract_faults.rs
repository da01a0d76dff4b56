//! What every connector makes of faults, and what only one marketplace does.

use std::time::Duration;

use common::channel::Marketplace;
use common::marketplaces::{
    Capabilities, ListScope, Refusal, SendOutcome, VendorAuthor, VendorError,
};
use sandbox::{FileRequest, ShopRequest, WriteRequest};

use super::world::{World, theirs};

fn send_path(marketplace: Marketplace) -> &'static str {
    match marketplace {
        Marketplace::Ozon => ":/v1/chat/send/message",
        Marketplace::Wildberries => ":/api/v1/seller/message",
        Marketplace::YandexMarket => ":/chats/message",
    }
}

#[tokio::test]
async fn what_may_have_been_taken_is_maybe_sent() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let chat = shop.buyer_writes(None, "Добрый день").chat;
        for (kind, value, taken) in [
            ("cut_after_accept", None, true),
            ("truncate", None, true),
            ("status", Some(500), false),
            ("status", Some(503), false),
        ] {
            world.advance(Duration::from_secs(60));
            let sign = shop.find(ListScope::All, &chat).await.unwrap().reply_sign;
            shop.fault(send_path(marketplace), kind, value);
            let before = shop.messages(&chat).await.len();
            let sent = shop
                .send_signed(&chat, "Здравствуйте", sign.as_deref())
                .await;
            assert!(
                matches!(sent, SendOutcome::MaybeSent { .. }),
                "{marketplace}, {kind}: {sent:?}"
            );
            world.sandbox.clear_faults().unwrap();
            let after = shop.messages(&chat).await.len();
            assert_eq!(after - before, usize::from(taken), "{marketplace}, {kind}");
        }
        let attempts = shop.received().len();
        assert_eq!(attempts, 4, "{marketplace}: nothing is sent twice");
    }
}

#[tokio::test]
async fn a_refused_send_is_not_sent() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let chat = shop.buyer_writes(None, "Добрый день").chat;
        let sign = shop.find(ListScope::All, &chat).await.unwrap().reply_sign;
        shop.fault(send_path(marketplace), "rate_limit", Some(7));
        let sent = shop.send_signed(&chat, "x", sign.as_deref()).await;
        let SendOutcome::NotSent(Refusal::RateLimited { retry_after }) = sent else {
            panic!("{marketplace}: {sent:?}");
        };
        assert!(retry_after.is_some(), "{marketplace}");
        world.sandbox.clear_faults().unwrap();
        let sent = shop.send_signed(&chat, "", sign.as_deref()).await;
        assert!(
            matches!(sent, SendOutcome::NotSent(Refusal::Rejected { .. })),
            "{marketplace}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn failing_reads_can_be_repeated() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let chat = shop.buyer_writes(None, "Добрый день").chat;
        for (kind, value) in [
            ("status", Some(500)),
            ("truncate", None),
            ("cut_after_accept", None),
            ("rate_limit", Some(3)),
        ] {
            shop.fault("", kind, value);
            world.advance(Duration::from_secs(60));
            let failed = shop.list(ListScope::All).await.unwrap_err();
            assert!(failed.is_retryable(), "{marketplace}, {kind}: {failed:?}");
            let is_limit = matches!(
                failed,
                VendorError::RateLimited {
                    retry_after: Some(_)
                }
            );
            assert_eq!(is_limit, kind == "rate_limit", "{marketplace}: {failed:?}");
            world.sandbox.clear_faults().unwrap();
        }
        assert_eq!(shop.messages(&chat).await.len(), 1);
    }
}

#[tokio::test]
async fn files_of_buyers_become_attachments() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let written = world
            .sandbox
            .write(WriteRequest {
                marketplace: theirs(marketplace),
                seller: None,
                chat: None,
                text: "Вот фото".to_owned(),
                name: "Анна".to_owned(),
                file: Some(FileRequest {
                    name: "photo-1.png".to_owned(),
                    base64_content: None,
                    moderation: None,
                }),
                author: Default::default(),
                chat_type: None,
                context: None,
                event_type: None,
                no_message: false,
            })
            .unwrap();
        let shop = world.shop(marketplace);
        let messages = shop.messages(&written.chat).await;
        let message = messages.last().unwrap();
        assert_eq!(message.text, "Вот фото", "{marketplace}");
        let [file] = &message.attachments[..] else {
            panic!("{marketplace}: {message:?}");
        };
        assert!(!file.source.is_empty());
        assert!(
            file.content_type
                .as_deref()
                .unwrap_or_default()
                .starts_with("image/"),
            "{marketplace}: {file:?}"
        );
    }
}

#[tokio::test]
async fn without_premium_ozon_only_reads() {
    let world = World::start().await;
    let shop = world.shop(Marketplace::Ozon);
    let chat = shop.buyer_writes(None, "Добрый день").chat;
    let shop = shop
        .changed(ShopRequest {
            premium: Some(false),
            ..ShopRequest::default()
        })
        .await;
    let message = shop.messages(&chat).await.remove(0);
    let SendOutcome::NotSent(Refusal::ReadOnly { message: words }) = shop.send(&chat, "x").await
    else {
        panic!("expected a refusal");
    };
    assert!(
        words.ends_with("not available with existing subscription"),
        "{words}"
    );
    let read = shop.mark_read(&chat, &message.external_id).await;
    assert!(
        matches!(read, Err(VendorError::Forbidden { .. })),
        "{read:?}"
    );
}

#[tokio::test]
async fn ozon_takes_no_answer_after_the_window() {
    let world = World::start().await;
    let shop = world.shop(Marketplace::Ozon);
    let mut refused = 0;
    // Of the four kinds of orders, one is still under way and keeps its chat open.
    let chats: Vec<_> = (0..4)
        .map(|_| shop.buyer_writes(None, "Добрый день").chat)
        .collect();
    world.advance(Duration::from_secs(200 * 60 * 60));
    for chat in chats {
        match shop.send(&chat, "x").await {
            SendOutcome::Sent { .. } => {}
            SendOutcome::NotSent(Refusal::WindowClosed { .. }) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(refused > 0);
}

#[tokio::test]
async fn ozons_read_chats_leave_the_fresh_list() {
    let world = World::start().await;
    let shop = world.shop(Marketplace::Ozon);
    let written = shop.buyer_writes(None, "Добрый день");
    shop.mark_read(&written.chat, &written.message)
        .await
        .unwrap();
    assert!(shop.find(ListScope::Fresh, &written.chat).await.is_none());
    assert!(shop.find(ListScope::All, &written.chat).await.is_some());
}

#[tokio::test]
async fn an_old_signature_of_wildberries_is_stale() {
    let world = World::start().await;
    let shop = world.shop(Marketplace::Wildberries);
    let chat = shop.buyer_writes(None, "Добрый день").chat;
    let message = shop.messages(&chat).await.remove(0);
    assert!(
        message.reply_sign.is_some(),
        "a new chat's first event is signed"
    );
    let sent = shop.send_signed(&chat, "x", Some("1:wrong:sign")).await;
    assert_eq!(sent, SendOutcome::NotSent(Refusal::StaleSign));
    let sent = shop.send(&chat, "раз").await;
    let SendOutcome::Sent { reply_sign, .. } = sent else {
        panic!("{sent:?}");
    };
    let sent = shop.send_signed(&chat, "два", reply_sign.as_deref()).await;
    assert!(matches!(sent, SendOutcome::Sent { .. }), "{sent:?}");
}

#[tokio::test]
async fn a_base_token_of_wildberries_is_told() {
    let world = World::start().await;
    let shop = world.shop(Marketplace::Wildberries);
    let shop = shop
        .changed(ShopRequest {
            token_type: Some("base".into()),
            ..ShopRequest::default()
        })
        .await;
    let probe = shop.probe().await.unwrap();
    assert_eq!(probe.warnings[0].code, "base_token");
    let Capabilities {
        requests_per_hour, ..
    } = probe.capabilities;
    assert_eq!(requests_per_hour, Some(1));
    shop.list(ListScope::All).await.unwrap();
    let failed = shop.list(ListScope::All).await.unwrap_err();
    let VendorError::RateLimited { retry_after } = failed else {
        panic!("{failed:?}");
    };
    assert!(
        retry_after.unwrap() > Duration::from_secs(600),
        "{retry_after:?}"
    );
}

#[tokio::test]
async fn wildberries_itself_and_events_without_a_message_survive() {
    let world = World::start().await;
    let shop = world.shop(Marketplace::Wildberries);
    let chat = shop.buyer_writes(None, "Добрый день").chat;
    let write = |author: &str, event_type: Option<&str>, no_message: bool| {
        let request = serde_json::json!({
            "marketplace": "wildberries", "chat": chat, "text": "x", "as": author,
            "event_type": event_type, "no_message": no_message,
        });
        world.advance(Duration::from_secs(5));
        world
            .sandbox
            .write(serde_json::from_value(request).unwrap())
            .unwrap();
    };
    write("system", None, false);
    write("buyer", Some("refund"), true);
    write("buyer", None, true);
    write("buyer", Some("refund"), false);
    let messages = shop.messages(&chat).await;
    let seen: Vec<_> = messages
        .iter()
        .map(|message| (message.author, message.problem.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            (VendorAuthor::Buyer, false),
            (VendorAuthor::System, false),
            (VendorAuthor::Buyer, true),
            (VendorAuthor::Buyer, false),
        ]
    );
}
