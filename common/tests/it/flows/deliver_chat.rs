//! Sending: each answer reaches the marketplace once, or a person is told.

use std::time::Duration;

use common::channel::Marketplace;
use common::db::chats::{self, Chat};
use common::db::leases::Lease;
use common::db::sellers::Seller;
use common::domain::deadlines::{ChatStatus, NEVER};
use common::domain::delivery::{DELIVERY_UNKNOWN, MessageState};

use super::world::World;

/// A chat with a question, stored.
async fn asked(world: &World, marketplace: Marketplace) -> (Seller, Chat) {
    let seller = world.connect(marketplace).await;
    let external = world.buyer_writes(marketplace, None, "Подойдёт ли размер?");
    world.sync(&seller).await.unwrap();
    let chat = world.chat(&seller, &external).await.unwrap();
    (seller, chat)
}

#[tokio::test]
async fn an_answer_arrives_once_and_is_bound_to_its_echo() {
    let world = World::start().await;
    let mut expected = Vec::new();
    for marketplace in Marketplace::ALL {
        let (seller, chat) = asked(&world, marketplace).await;
        let text = format!("  Да, *подойдёт* ({marketplace}) - размер 42_44!  ");
        let message = world.reply(&chat, &text).await;
        world.deliver(chat.id).await;
        assert_eq!(world.message(&message).await.state, MessageState::Sent);
        world.sync(&seller).await.unwrap();
        let bound = world.message(&message).await;
        assert!(bound.external_id.is_some(), "{marketplace}");
        assert_eq!(bound.text, text);
        assert_eq!(world.thread(chat.id).await.len(), 2, "{marketplace}");
        let chat = world.chat(&seller, &chat.external_id).await.unwrap();
        assert_eq!(chat.status, ChatStatus::Waiting);
        assert_eq!(chat.queue_at, NEVER);
        expected.push(text);
    }
    assert_eq!(world.received(), expected);
}

#[tokio::test]
async fn the_same_text_twice_on_purpose_arrives_twice() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let before = world.received().len();
        let (seller, chat) = asked(&world, marketplace).await;
        let first = world.reply(&chat, "Да").await;
        let second = world.reply(&chat, "Да").await;
        world.deliver(chat.id).await;
        assert_eq!(world.received().len() - before, 2, "{marketplace}");
        world.sync(&seller).await.unwrap();
        let (first, second) = (world.message(&first).await, world.message(&second).await);
        assert!(first.at < second.at, "{marketplace}");
        assert_ne!(first.external_id, second.external_id);
        assert!(first.external_id.is_some() && second.external_id.is_some());
        assert_eq!(world.thread(chat.id).await.len(), 3);
    }
}

#[tokio::test]
async fn a_send_that_was_cut_after_it_was_taken_is_found_and_not_repeated() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let before = world.received().len();
        let (_, chat) = asked(&world, marketplace).await;
        let message = world.reply(&chat, "Уже отправили").await;
        world.fault(sends_of(marketplace), "cut_after_accept", 1);
        world.deliver(chat.id).await;
        assert_eq!(world.message(&message).await.state, MessageState::Unknown);
        world.pass(Duration::from_secs(61));
        world.deliver(chat.id).await;
        assert_eq!(
            world.message(&message).await.state,
            MessageState::Sent,
            "{marketplace}"
        );
        assert_eq!(world.received().len() - before, 1, "{marketplace}");
    }
}

#[tokio::test]
async fn a_send_that_got_a_server_error_is_repeated_after_two_readings() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let before = world.received().len();
        let (_, chat) = asked(&world, marketplace).await;
        let message = world.reply(&chat, "Проверяем").await;
        let next = world.reply(&chat, "И ещё одно").await;
        world.fault(sends_of(marketplace), "status", 1);
        world.deliver(chat.id).await;
        assert_eq!(world.message(&message).await.state, MessageState::Unknown);
        assert_eq!(world.message(&next).await.state, MessageState::Queued);
        world.pass(Duration::from_secs(61));
        world.deliver(chat.id).await;
        assert_eq!(world.message(&message).await.state, MessageState::Unknown);
        world.pass(Duration::from_secs(31));
        world.deliver(chat.id).await;
        let received = world.received().split_off(before);
        assert_eq!(received, ["Проверяем", "И ещё одно"], "{marketplace}");
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_shown_to_a_person() {
    let world = World::start().await;
    let (_, chat) = asked(&world, Marketplace::Ozon).await;
    let message = world.reply(&chat, "Проверяем").await;
    world.fault(sends_of(Marketplace::Ozon), "status", 1);
    world.deliver(chat.id).await;
    world.somebody_answers_in_the_cabinet(
        Marketplace::Ozon,
        &chat.external_id,
        "Ответ из кабинета",
    );
    for wait in [61, 31] {
        world.pass(Duration::from_secs(wait));
        world.deliver(chat.id).await;
    }
    let message = world.message(&message).await;
    assert_eq!(message.state, MessageState::Failed);
    assert_eq!(message.error_code.as_deref(), Some(DELIVERY_UNKNOWN));
    assert!(world.received().is_empty());
}

#[tokio::test]
async fn a_worker_that_died_while_sending_leaves_a_message_that_is_settled() {
    let world = World::start().await;
    let (_, chat) = asked(&world, Marketplace::Ozon).await;
    let message = world.reply(&chat, "Проверяем").await;
    let mut conn = world.conn().await;
    let short = Lease::new(Duration::from_millis(100));
    chats::claim_delivery_if_due(&mut conn, world.tenant, chat.id, world.now(), &short)
        .await
        .unwrap()
        .expect("the delivery is due");
    let sql = format!(
        "UPDATE messages SET state = 'sending', attempts = 1 WHERE tenant_id = '{}' AND id = {}; \
         INSERT INTO send_attempts (tenant_id, message_id, no, token, started_at) \
         VALUES ('{0}', {1}, 1, gen_random_uuid(), now())",
        world.tenant, message.id
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut *conn, &sql)
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    world.deliver(chat.id).await;
    assert_eq!(world.message(&message).await.state, MessageState::Unknown);
    for wait in [61, 31] {
        world.pass(Duration::from_secs(wait));
        world.deliver(chat.id).await;
    }
    assert_eq!(world.message(&message).await.state, MessageState::Sent);
    assert_eq!(world.received(), ["Проверяем"]);
}

#[tokio::test]
async fn an_outdated_signature_is_refreshed_and_the_answer_sent() {
    let world = World::start().await;
    let (_, chat) = asked(&world, Marketplace::Wildberries).await;
    world.buyer_writes(Marketplace::Wildberries, Some(&chat.external_id), "Ау?");
    let message = world.reply(&chat, "Здравствуйте").await;
    world.deliver(chat.id).await;
    assert_eq!(world.message(&message).await.state, MessageState::Sent);
    assert_eq!(world.received(), ["Здравствуйте"]);
}

#[tokio::test]
async fn a_refusal_is_shown_in_the_marketplaces_own_words() {
    let world = World::start().await;
    let (seller, chat) = asked(&world, Marketplace::Ozon).await;
    let request = serde_json::json!({
        "marketplace": "ozon", "seller": seller.account_id, "premium": false
    });
    world
        .sandbox
        .shop(serde_json::from_value(request).unwrap())
        .await
        .unwrap();
    let message = world.reply(&chat, "Здравствуйте").await;
    world.deliver(chat.id).await;
    let message = world.message(&message).await;
    assert_eq!(message.error_code.as_deref(), Some("seller_read_only"));
    let words = message.error_message.unwrap();
    assert!(
        words.contains("not available with existing subscription"),
        "{words}"
    );
    let chat = world.chat(&seller, &chat.external_id).await.unwrap();
    assert_eq!(chat.status, ChatStatus::Open, "an answer is still owed");
}

#[tokio::test]
async fn a_refusal_for_too_many_requests_waits_and_goes_through() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let (_, chat) = asked(&world, marketplace).await;
        let message = world.reply(&chat, "Здравствуйте").await;
        world.fault(sends_of(marketplace), "rate_limit", 1);
        world.deliver(chat.id).await;
        assert_eq!(world.message(&message).await.state, MessageState::Queued);
        world.pass(Duration::from_secs(120));
        world.deliver(chat.id).await;
        assert_eq!(
            world.message(&message).await.state,
            MessageState::Sent,
            "{marketplace}"
        );
    }
}

#[tokio::test]
async fn a_message_is_not_sent_when_its_time_is_over() {
    let world = World::start().await;
    let (_, chat) = asked(&world, Marketplace::YandexMarket).await;
    let message = world.reply(&chat, "Здравствуйте").await;
    world.pass(Duration::from_secs(31 * 60));
    world.deliver(chat.id).await;
    let message = world.message(&message).await;
    assert_eq!(message.error_code.as_deref(), Some("expired"));
    assert!(world.received().is_empty());
}

fn sends_of(marketplace: Marketplace) -> &'static str {
    match marketplace {
        Marketplace::Ozon => "ozon:/v1/chat/send/message",
        Marketplace::Wildberries => "wildberries:/api/v1/seller/message",
        Marketplace::YandexMarket => "yandex_market:/chats/message",
    }
}
