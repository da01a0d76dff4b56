//! Sending files: each arrives once and is bound to its echo, or a person is told.

use std::time::Duration;

use common::channel::Marketplace;
use common::db::chats::Chat;
use common::db::sellers::Seller;
use common::domain::delivery::{DELIVERY_UNKNOWN, MessageState};
use common::marketplaces::profile;

use super::world::World;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR and more";
const PDF: &[u8] = b"%PDF-1.4 a receipt";

async fn asked(world: &World, marketplace: Marketplace) -> (Seller, Chat) {
    let seller = world.connect(marketplace).await;
    let chat = asked_again(world, &seller).await;
    (seller, chat)
}

async fn asked_again(world: &World, seller: &Seller) -> Chat {
    let external = world.buyer_writes(seller.marketplace, None, "Пришлите чек");
    world.sync(seller).await.unwrap();
    world.chat(seller, &external).await.unwrap()
}

/// The files of each message that the marketplace holds of a chat, by their number.
fn arrived(world: &World, chat: &Chat) -> Vec<(String, usize)> {
    let marketplace = serde_json::from_value(serde_json::json!(chat.channel)).unwrap();
    let messages = world.sandbox.messages(marketplace, &chat.external_id);
    let messages = messages.unwrap().into_iter().skip(1);
    messages
        .map(|it| (it.text.unwrap_or_default(), it.files.len()))
        .collect()
}

#[tokio::test]
async fn a_file_arrives_once_and_is_bound_to_its_echo() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        for (name, content) in [("Чек № 5.pdf", PDF), ("фото.png", PNG)] {
            let chat = asked_again(&world, &seller).await;
            let message = world.reply_with(&chat, "", &[(name, content)]).await;
            world.deliver(chat.id).await;
            assert_eq!(world.message(&message).await.state, MessageState::Sent);
            assert_eq!(arrived(&world, &chat), [(String::new(), 1)]);
            world.sync(&seller).await.unwrap();
            let bound = world.message(&message).await;
            assert!(bound.external_id.is_some(), "{marketplace} {name}");
            assert_eq!(bound.attachments, message.attachments);
            assert_eq!(world.thread(chat.id).await.len(), 2, "{marketplace}");
            let chat = world.chat(&seller, &chat.external_id).await.unwrap();
            assert_eq!(chat.last_message_preview.as_deref(), Some(name));
        }
    }
}

#[tokio::test]
async fn text_and_files_go_in_one_message_where_the_marketplace_takes_that() {
    let world = World::start().await;
    let (seller, chat) = asked(&world, Marketplace::Wildberries).await;
    let files = [("a.pdf", PDF), ("b.png", PNG), ("c.png", PNG)];
    let message = world.reply_with(&chat, "Вот чек", &files).await;
    world.deliver(chat.id).await;
    assert_eq!(arrived(&world, &chat), [("Вот чек".to_owned(), 3)]);
    world.sync(&seller).await.unwrap();
    let bound = world.message(&message).await;
    assert!(bound.external_id.is_some());
    assert_eq!(bound.error_code, None);
    assert_eq!(world.thread(chat.id).await.len(), 2);
}

#[tokio::test]
async fn a_file_that_was_cut_after_it_was_taken_is_found_and_not_repeated() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        for (name, content) in [("a.pdf", PDF), ("b.png", PNG)] {
            let chat = asked_again(&world, &seller).await;
            let message = world.reply_with(&chat, "", &[(name, content)]).await;
            world.fault(sends_of(marketplace), "cut_after_accept", 1);
            world.deliver(chat.id).await;
            assert_eq!(world.message(&message).await.state, MessageState::Unknown);
            world.pass(Duration::from_secs(61));
            world.deliver(chat.id).await;
            let settled = world.message(&message).await;
            assert_eq!(settled.state, MessageState::Sent, "{marketplace} {name}");
            assert_eq!(arrived(&world, &chat).len(), 1, "{marketplace} {name}");
        }
    }
}

#[tokio::test]
async fn a_file_that_was_not_taken_is_sent_again_after_two_readings() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let (_, chat) = asked(&world, marketplace).await;
        let message = world.reply_with(&chat, "", &[("a.pdf", PDF)]).await;
        world.fault(sends_of(marketplace), "status", 1);
        world.deliver(chat.id).await;
        for wait in [61, 31] {
            assert_eq!(world.message(&message).await.state, MessageState::Unknown);
            assert!(arrived(&world, &chat).is_empty());
            world.pass(Duration::from_secs(wait));
            world.deliver(chat.id).await;
        }
        let settled = world.message(&message).await;
        assert_eq!(settled.state, MessageState::Sent, "{marketplace}");
        assert_eq!(arrived(&world, &chat).len(), 1, "{marketplace}");
    }
}

#[tokio::test]
async fn a_text_from_the_cabinet_is_not_taken_for_the_file() {
    let world = World::start().await;
    let (_, chat) = asked(&world, Marketplace::Ozon).await;
    let message = world.reply_with(&chat, "", &[("a.png", PNG)]).await;
    world.fault(sends_of(Marketplace::Ozon), "status", 1);
    world.deliver(chat.id).await;
    world.somebody_answers_in_the_cabinet(Marketplace::Ozon, &chat.external_id, "Отправили");
    for wait in [61, 31] {
        world.pass(Duration::from_secs(wait));
        world.deliver(chat.id).await;
    }
    let message = world.message(&message).await;
    assert_eq!(message.state, MessageState::Failed);
    assert_eq!(message.error_code.as_deref(), Some(DELIVERY_UNKNOWN));
}

#[tokio::test]
async fn a_refused_file_is_shown_in_the_marketplaces_own_words() {
    let world = World::start().await;
    let (_, chat) = asked(&world, Marketplace::Wildberries).await;
    let message = world.reply_with(&chat, "", &[("a.png", b"hello")]).await;
    world.deliver(chat.id).await;
    let message = world.message(&message).await;
    assert_eq!(message.error_code.as_deref(), Some("rejected"));
    let words = message.error_message.unwrap();
    assert!(words.contains("unsupported mime type"), "{words}");
}

#[tokio::test]
async fn what_was_left_out_stays_said_after_the_echo() {
    let world = World::start().await;
    let (seller, chat) = asked(&world, Marketplace::Wildberries).await;
    // The sandbox, as Wildberries, takes the rest of a message with an empty file.
    let files = [("a.png", PNG), ("b.pdf", b"")];
    let message = world.reply_with(&chat, "Вот", &files).await;
    world.deliver(chat.id).await;
    world.sync(&seller).await.unwrap();
    let bound = world.message(&message).await;
    assert_eq!(bound.state, MessageState::Sent);
    assert!(bound.external_id.is_some());
    assert_eq!(bound.error_code.as_deref(), Some("files_left_out"));
    assert!(bound.error_message.unwrap().contains("b.pdf"));
    assert_eq!(world.thread(chat.id).await.len(), 2);
}

#[tokio::test]
async fn a_lost_file_fails_its_message_and_no_other() {
    let world = World::start().await;
    let (_, chat) = asked(&world, Marketplace::Ozon).await;
    let lost = world.reply_with(&chat, "", &[("a.pdf", PDF)]).await;
    let next = world.reply(&chat, "Пришлём позже").await;
    let row = world.files(&lost).await.remove(0);
    world.ctx.files.delete(&row.storage_key).await.unwrap();
    world.deliver(chat.id).await;
    let lost = world.message(&lost).await;
    assert_eq!(lost.error_code.as_deref(), Some("file_lost"));
    assert_eq!(world.message(&next).await.state, MessageState::Sent);
}

#[tokio::test]
async fn the_largest_file_of_each_marketplace_is_taken() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let (_, chat) = asked(&world, marketplace).await;
        let rules = &profile(marketplace).files;
        let mut large = PNG.to_vec();
        large.resize(usize::try_from(rules.one_limit_bytes).unwrap(), 7);
        let message = world.reply_with(&chat, "", &[("a.png", &large)]).await;
        world.deliver(chat.id).await;
        let sent = world.message(&message).await;
        assert_eq!(sent.state, MessageState::Sent, "{:?}", sent.error_message);
    }
}

fn sends_of(marketplace: Marketplace) -> &'static str {
    match marketplace {
        Marketplace::Ozon => "ozon:/v1/chat/send/file",
        Marketplace::Wildberries => "wildberries:/api/v1/seller/message",
        Marketplace::YandexMarket => "yandex_market:/chats/file/send",
    }
}
