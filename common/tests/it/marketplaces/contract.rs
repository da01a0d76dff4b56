//! What every connector does alike: the same stories at each marketplace of the sandbox.

use std::collections::HashSet;
use std::time::Duration;

use common::channel::Marketplace;
use common::marketplaces::{
    ListScope, Reading, Refusal, SendOutcome, VendorAuthor, VendorError, profile,
};
use common::text::canonical;
use sandbox::{Quirk, SeedRequest, ShopRequest};
use serde_json::json;

use super::world::{World, theirs};

#[tokio::test]
async fn a_buyers_message_is_listed_and_read() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let written = shop.buyer_writes(None, "Где мой заказ?");
        let fresh = shop.find(ListScope::Fresh, &written.chat).await;
        let before = fresh.expect("listed as waiting").newest;
        let messages = shop.messages(&written.chat).await;
        let [message] = &messages[..] else {
            panic!("{marketplace}: {messages:?}");
        };
        assert_eq!(message.text, "Где мой заказ?", "{marketplace}");
        assert_eq!(message.external_id, written.message);
        assert_eq!(message.author, VendorAuthor::Buyer);
        assert_eq!(message.problem, None);
        world.advance(Duration::from_secs(5));
        shop.buyer_writes(Some(&written.chat), "Ау?");
        let after = shop.find(ListScope::All, &written.chat).await.unwrap();
        assert_ne!(before, after.newest, "{marketplace}");
        assert_eq!(shop.messages(&written.chat).await.len(), 2);
    }
}

#[tokio::test]
async fn a_sent_text_arrives_whole_and_its_echo_is_recognised() {
    let texts = [
        "Здравствуйте! Ваш заказ № 123-456 уже в пути.",
        "Цена - 1 200 руб. (со скидкой 10%), артикул A_1*2\nСпасибо :)",
        "**важно**: [инструкция](https://example.com/a_b-c) \\- да \\ нет",
        "  с пробелами по краям  ",
        "👍🏽 ёЁ \"кавычки\" 'и' <b>не тег</b> & #1 `код` ~ ^ | {} = + !",
        ")))",
    ];
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let chat = shop.buyer_writes(None, "Добрый день").chat;
        for text in texts {
            world.advance(Duration::from_secs(60));
            let sent = shop.send(&chat, text).await;
            let SendOutcome::Sent { at, .. } = sent else {
                panic!("{marketplace}: {text}: {sent:?}");
            };
            assert_eq!(shop.received().last().unwrap(), &(text.to_owned(), 200));
            let messages = shop.messages(&chat).await;
            let echo = messages.last().unwrap();
            assert_eq!(echo.author, VendorAuthor::Seller, "{marketplace}");
            assert_eq!(
                canonical(&echo.text),
                canonical(text),
                "{marketplace}: {}",
                echo.text
            );
            assert!(at.is_none_or(|at| at == echo.at), "{marketplace}");
        }
        let canonical_texts: HashSet<_> = texts.map(canonical).into_iter().collect();
        assert_eq!(canonical_texts.len(), texts.len());
    }
}

#[tokio::test]
async fn answers_from_the_cabinet_are_the_shops() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let chat = shop.buyer_writes(None, "Добрый день").chat;
        world.advance(Duration::from_secs(60));
        shop.cabinet_writes(&chat, "Здравствуйте!");
        let expected = match profile(marketplace).reading {
            Reading::Stream => VendorAuthor::SellerCabinet,
            Reading::PerChat => VendorAuthor::Seller,
        };
        let messages = shop.messages(&chat).await;
        assert_eq!(messages[1].author, expected, "{marketplace}");
        assert_eq!(messages[1].text, "Здравствуйте!");
    }
}

#[tokio::test]
async fn every_message_of_a_long_chat_is_read_whatever_happens_to_the_pages() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let load = SeedRequest {
            shops: 1,
            chats: 3,
            messages: 130,
            seed: 7,
            marketplace: Some(theirs(marketplace)),
        };
        let seeded = world.sandbox.seed(&load).unwrap();
        let shop = world.shop_of(marketplace, &seeded["shops"][0]);
        let chats = shop.list(ListScope::All).await.unwrap();
        assert_eq!(chats.len(), 3, "{marketplace}");
        let chat = &chats[1].external_id;
        for fault in ["", "duplicate", "reorder", "redeliver"] {
            world.sandbox.clear_faults().unwrap();
            if !fault.is_empty() {
                shop.fault("", fault, None);
            }
            world.advance(Duration::from_secs(60));
            let messages = shop.messages(chat).await;
            let ids: HashSet<_> = messages
                .iter()
                .map(|message| &message.external_id)
                .collect();
            assert_eq!(ids.len(), 130, "{marketplace}, {fault}");
            assert!(messages.iter().all(|message| message.problem.is_none()));
        }
        world.sandbox.clear_faults().unwrap();
    }
}

#[tokio::test]
async fn every_chat_of_a_long_list_is_listed() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let load = SeedRequest {
            shops: 1,
            chats: 130,
            messages: 1,
            seed: 8,
            marketplace: Some(theirs(marketplace)),
        };
        let seeded = world.sandbox.seed(&load).unwrap();
        let shop = world.shop_of(marketplace, &seeded["shops"][0]);
        for fault in ["", "duplicate", "reorder"] {
            if !fault.is_empty() {
                shop.fault("", fault, None);
            }
            for scope in [ListScope::All, ListScope::Fresh] {
                world.advance(Duration::from_secs(60));
                let chats = shop.list(scope).await.unwrap();
                let ids: HashSet<_> = chats.iter().map(|chat| &chat.external_id).collect();
                assert_eq!(ids.len(), 130, "{marketplace}, {fault}, {scope:?}");
                assert!(chats.iter().all(|chat| chat.newest.is_some()));
            }
            world.sandbox.clear_faults().unwrap();
        }
    }
}

#[tokio::test]
async fn a_later_read_brings_what_is_new_and_little_else() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let chat = shop.buyer_writes(None, "раз").chat;
        for text in ["два", "три"] {
            world.advance(Duration::from_secs(5));
            shop.buyer_writes(Some(&chat), text);
        }
        let (messages, resume) = shop.read(&chat, None).await.unwrap();
        let newest = messages.last().unwrap().external_id.clone();
        let since = resume.unwrap_or(newest);
        world.advance(Duration::from_secs(5));
        shop.buyer_writes(Some(&chat), "четыре");
        let (later, resume) = shop.read(&chat, Some(&since)).await.unwrap();
        let texts: Vec<_> = later.iter().map(|message| message.text.as_str()).collect();
        assert!(
            texts == ["четыре"] || texts == ["три", "четыре"],
            "{marketplace}: {texts:?}"
        );
        if let Some(resume) = resume {
            let (nothing, kept) = shop.read(&chat, Some(&resume)).await.unwrap();
            assert!(nothing.len() <= 1, "{nothing:?}");
            assert_eq!(kept, Some(resume), "the cursor is kept over an empty page");
        }
    }
}

#[tokio::test]
async fn the_probe_finds_a_good_key_good() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let probe = world.shop(marketplace).probe().await.unwrap();
        assert!(probe.warnings.is_empty(), "{marketplace}: {probe:?}");
        let may = probe.capabilities;
        assert!(may.read && may.send, "{marketplace}");
        assert_eq!(may.mark_read, profile(marketplace).marks_read);
    }
}

#[tokio::test]
async fn revoked_and_wrong_keys_are_unauthorized_everywhere() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let chat = shop.buyer_writes(None, "Добрый день").chat;
        let sign = shop.find(ListScope::All, &chat).await.unwrap().reply_sign;
        let wrong = shop.with_key(&format!("{}x", shop.key()));
        let failed = wrong.list(ListScope::All).await.unwrap_err();
        assert!(
            matches!(failed, VendorError::Unauthorized { .. }),
            "{marketplace}: {failed:?}"
        );
        let revoked = ShopRequest {
            revoked: Some(true),
            ..ShopRequest::default()
        };
        let shop = shop.changed(revoked).await;
        for failed in [
            shop.probe().await.unwrap_err(),
            shop.list(ListScope::Fresh).await.unwrap_err(),
            shop.read(&chat, None).await.unwrap_err(),
        ] {
            assert!(
                matches!(failed, VendorError::Unauthorized { .. }),
                "{marketplace}: {failed:?}"
            );
            assert!(!failed.to_string().contains(shop.key()));
        }
        let sent = shop.send_signed(&chat, "x", sign.as_deref()).await;
        assert!(
            matches!(sent, SendOutcome::NotSent(Refusal::Unauthorized { .. })),
            "{marketplace}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn a_key_that_only_reads_reads() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let chat = shop.buyer_writes(None, "Добрый день").chat;
        let scopes = match marketplace {
            Marketplace::Ozon => Some(vec!["Admin read only".to_owned()]),
            Marketplace::Wildberries => None,
            Marketplace::YandexMarket => Some(vec!["all-methods:read-only".to_owned()]),
        };
        let limited = ShopRequest {
            scopes,
            read_only: (marketplace == Marketplace::Wildberries).then_some(true),
            ..ShopRequest::default()
        };
        let shop = shop.changed(limited).await;
        let probe = shop.probe().await.unwrap();
        assert!(probe.capabilities.read, "{marketplace}");
        let is_seen = marketplace != Marketplace::YandexMarket;
        assert_eq!(probe.capabilities.send, !is_seen, "{marketplace}");
        let codes: Vec<_> = probe.warnings.iter().map(|warning| &warning.code).collect();
        assert_eq!(
            codes,
            if is_seen { vec!["read_only"] } else { vec![] },
            "{marketplace}"
        );
        assert_eq!(shop.messages(&chat).await.len(), 1);
        let sent = shop.send(&chat, "x").await;
        assert!(
            matches!(sent, SendOutcome::NotSent(Refusal::ReadOnly { .. })),
            "{marketplace}: {sent:?}"
        );
    }
}

#[tokio::test]
async fn a_key_without_chats_is_found_out() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let none = ShopRequest {
            scopes: Some(vec!["Posting FBS".to_owned()]),
            categories: (marketplace == Marketplace::Wildberries).then(|| vec![1, 7]),
            ..ShopRequest::default()
        };
        let shop = world.shop(marketplace);
        let shop = shop.changed(none).await;
        let probe = shop.probe().await.unwrap();
        assert!(!probe.capabilities.read && !probe.capabilities.send);
        assert_eq!(probe.warnings[0].code, "no_chat_access", "{marketplace}");
        let failed = shop.list(ListScope::All).await.unwrap_err();
        assert!(
            matches!(failed, VendorError::Forbidden { .. }),
            "{marketplace}: {failed:?}"
        );
    }
}

#[tokio::test]
async fn odd_forms_of_the_same_answers_are_read_alike() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let shop = world.shop(marketplace);
        let chat = shop.buyer_writes(None, "Добрый день").chat;
        let plain = (
            shop.messages(&chat).await,
            shop.list(ListScope::All).await.unwrap(),
        );
        let quirks = vec![
            Quirk::CyrillicCustomer,
            Quirk::NumericIds,
            Quirk::TextualHasNext,
            Quirk::Nulls,
        ];
        let odd = ShopRequest {
            quirks: Some(quirks),
            ..ShopRequest::default()
        };
        let shop = shop.changed(odd).await;
        let odd = (
            shop.messages(&chat).await,
            shop.list(ListScope::All).await.unwrap(),
        );
        let without_sign = |chats: &[common::marketplaces::ChatSummary]| {
            let forms = chats
                .iter()
                .map(|chat| json!([chat.external_id, chat.newest, chat.context]));
            forms.collect::<Vec<_>>()
        };
        assert_eq!(plain.0, odd.0, "{marketplace}");
        assert_eq!(
            without_sign(&plain.1),
            without_sign(&odd.1),
            "{marketplace}"
        );
        let sent = shop.send(&chat, "Здравствуйте").await;
        assert!(
            matches!(sent, SendOutcome::Sent { .. }),
            "{marketplace}: {sent:?}"
        );
    }
}
