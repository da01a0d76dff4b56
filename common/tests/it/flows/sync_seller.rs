//! Polling: each message once, in order, whatever the marketplace does.

use std::time::Duration;

use common::channel::Marketplace;
use common::domain::deadlines::{ChatStatus, NEVER};
use common::flows::FlowError;
use common::marketplaces::VendorError;

use super::world::World;

#[tokio::test]
async fn each_message_is_stored_once_and_the_chat_stands_in_the_queue() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        world.sync(&seller).await.unwrap();
        let external = world.buyer_writes(marketplace, None, "Где мой заказ?");
        world.buyer_writes(marketplace, Some(&external), "Уже неделю жду");
        world.sync(&seller).await.unwrap();
        world.sync(&seller).await.unwrap();
        let chat = world.chat(&seller, &external).await.unwrap();
        assert_eq!(
            world.texts(chat.id).await,
            ["Где мой заказ?", "Уже неделю жду"],
            "{marketplace}"
        );
        assert_eq!(chat.status, ChatStatus::Open);
        assert_eq!(chat.unread_count, 2);
        assert!(chat.queue_at < NEVER);
        assert_eq!(chat.last_message_preview.as_deref(), Some("Уже неделю жду"));
    }
}

#[tokio::test]
async fn an_unchanged_chat_is_not_written() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        let external = world.buyer_writes(marketplace, None, "Здравствуйте");
        world.sync(&seller).await.unwrap();
        let before = world.chat(&seller, &external).await.unwrap();
        world.sync(&seller).await.unwrap();
        let after = world.chat(&seller, &external).await.unwrap();
        assert_eq!(before.version, after.version, "{marketplace}");
    }
}

#[tokio::test]
async fn doubled_and_shuffled_pages_change_nothing() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        let external = world.buyer_writes(marketplace, None, "1");
        world.sync(&seller).await.unwrap();
        for kind in ["duplicate", "reorder", "redeliver"] {
            world.fault(marketplace.as_str(), kind, 20);
        }
        for text in ["2", "3", "4", "5"] {
            world.buyer_writes(marketplace, Some(&external), text);
        }
        world.sync(&seller).await.unwrap();
        world.sandbox.clear_faults().unwrap();
        world.sync(&seller).await.unwrap();
        let chat = world.chat(&seller, &external).await.unwrap();
        let texts = world.texts(chat.id).await;
        assert_eq!(texts, ["1", "2", "3", "4", "5"], "{marketplace}");
    }
}

#[tokio::test]
async fn an_answer_from_the_cabinet_stops_the_clocks() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        let external = world.buyer_writes(marketplace, None, "Когда доставка?");
        world.sync(&seller).await.unwrap();
        world.somebody_answers_in_the_cabinet(marketplace, &external, "Завтра");
        // What is answered in the cabinet shows at Ozon only in the sweep of the whole list.
        world.pass(Duration::from_secs(21 * 60));
        world.sync(&seller).await.unwrap();
        let chat = world.chat(&seller, &external).await.unwrap();
        assert_eq!(chat.status, ChatStatus::Waiting, "{marketplace}");
        assert_eq!(chat.queue_at, NEVER);
        assert_eq!(world.texts(chat.id).await.last().unwrap(), "> Завтра");
    }
}

#[tokio::test]
async fn the_first_import_starts_no_clock_for_what_is_too_old() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        let old = world.buyer_writes(marketplace, None, "Давно");
        world.pass(Duration::from_secs(49 * 3600));
        let fresh = world.buyer_writes(marketplace, None, "Только что");
        world.sync(&seller).await.unwrap();
        let old = world.chat(&seller, &old).await.unwrap();
        assert_eq!(old.queue_at, NEVER, "{marketplace}");
        let fresh = world.chat(&seller, &fresh).await.unwrap();
        assert!(fresh.queue_at < NEVER, "{marketplace}");
    }
}

#[tokio::test]
async fn a_nul_byte_of_a_buyer_stops_no_shop() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        let external = world.buyer_writes(marketplace, None, "до\0после");
        world.buyer_writes(marketplace, Some(&external), "дальше");
        world.sync(&seller).await.unwrap();
        let chat = world.chat(&seller, &external).await.unwrap();
        let texts = world.texts(chat.id).await;
        assert_eq!(texts, ["допосле", "дальше"], "{marketplace}");
    }
}

#[tokio::test]
async fn a_list_that_runs_ahead_of_its_history_is_read_again() {
    let world = World::start().await;
    for marketplace in [Marketplace::Ozon, Marketplace::YandexMarket] {
        let seller = world.connect(marketplace).await;
        let external = world.buyer_writes(marketplace, None, "первое");
        world.sync(&seller).await.unwrap();
        let request = serde_json::json!({
            "target": marketplace.as_str(), "kind": "list_ahead", "value": 3_000
        });
        world
            .sandbox
            .fault(serde_json::from_value(request).unwrap())
            .unwrap();
        world.buyer_writes(marketplace, Some(&external), "второе");
        world.sync(&seller).await.unwrap();
        world.pass(Duration::from_secs(5));
        world.sync(&seller).await.unwrap();
        let chat = world.chat(&seller, &external).await.unwrap();
        let texts = world.texts(chat.id).await;
        assert_eq!(texts, ["первое", "второе"], "{marketplace}");
    }
}

#[tokio::test]
async fn a_revoked_key_says_what_to_do_and_the_others_go_on() {
    let world = World::start().await;
    let ozon = world.connect(Marketplace::Ozon).await;
    let yandex = world.connect(Marketplace::YandexMarket).await;
    let request = serde_json::json!({
        "marketplace": "ozon", "seller": ozon.account_id, "revoked": true
    });
    world
        .sandbox
        .shop(serde_json::from_value(request).unwrap())
        .await
        .unwrap();
    let refused = world.sync(&ozon).await.unwrap_err();
    assert!(matches!(
        refused,
        FlowError::Vendor(VendorError::Unauthorized { .. } | VendorError::Forbidden { .. })
    ));
    let mut conn = world.conn().await;
    let stored = common::db::sellers::find(&mut conn, world.tenant, ozon.id)
        .await
        .unwrap()
        .unwrap();
    let told = stored.sync_error.unwrap();
    assert!(told.contains("new key"), "{told}");
    assert!(stored.probe_at <= world.now());
    world.sync(&yandex).await.unwrap();
}

#[tokio::test]
async fn near_its_deadline_an_answer_from_the_cabinet_is_seen_soon() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let external = world.buyer_writes(Marketplace::Ozon, None, "Когда доставка?");
    world.sync(&seller).await.unwrap();
    world.pass(Duration::from_secs(23 * 3600 + 35 * 60));
    world.sync(&seller).await.unwrap();
    world.somebody_answers_in_the_cabinet(Marketplace::Ozon, &external, "Завтра");
    world.pass(Duration::from_secs(6 * 60));
    world.sync(&seller).await.unwrap();
    let chat = world.chat(&seller, &external).await.unwrap();
    assert_eq!(chat.status, ChatStatus::Waiting);
}

#[tokio::test]
async fn a_wake_during_a_poll_makes_the_shop_due_at_once() {
    use common::db::leases::Lease;
    use common::db::sellers;
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let lease = Lease::new(Duration::from_secs(20));
    let mut conn = world.conn().await;
    let (tenant, id) = (world.tenant, seller.id);
    let claimed = sellers::claim_if_due(&mut conn, tenant, id, world.now(), &lease)
        .await
        .unwrap()
        .unwrap();
    sellers::wake(&mut conn, tenant, id, world.now())
        .await
        .unwrap();
    common::flows::sync_seller::sync_seller(&world.ctx, &claimed, lease)
        .await
        .unwrap();
    let ended = sellers::find(&mut conn, tenant, id).await.unwrap().unwrap();
    assert!(ended.next_sync_at <= world.now());
    world.sync(&seller).await.unwrap();
    let ended = sellers::find(&mut conn, tenant, id).await.unwrap().unwrap();
    assert!(ended.next_sync_at > world.now());
}

#[tokio::test]
async fn a_key_changed_during_a_poll_is_not_blamed_for_the_old_one() {
    use common::db::leases::Lease;
    use common::db::sellers;
    use diesel_async::SimpleAsyncConnection;
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let request = serde_json::json!({
        "marketplace": "ozon", "seller": seller.account_id, "revoked": true
    });
    world
        .sandbox
        .shop(serde_json::from_value(request).unwrap())
        .await
        .unwrap();
    let lease = Lease::new(Duration::from_secs(20));
    let mut conn = world.conn().await;
    let (tenant, id) = (world.tenant, seller.id);
    let claimed = sellers::claim_if_due(&mut conn, tenant, id, world.now(), &lease)
        .await
        .unwrap()
        .unwrap();
    let change =
        format!("UPDATE sellers SET sealed_key = 'new' WHERE tenant_id = '{tenant}' AND id = {id}");
    conn.batch_execute(&change).await.unwrap();
    common::flows::sync_seller::sync_seller(&world.ctx, &claimed, lease)
        .await
        .unwrap_err();
    let ended = sellers::find(&mut conn, tenant, id).await.unwrap().unwrap();
    assert_eq!(ended.sync_error, None);
    assert!(ended.next_sync_at <= world.now());
}
