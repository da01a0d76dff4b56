//! Buyers' files: brought here with the shop's key, each once, or told why not.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use common::channel::Marketplace;
use common::db::chats::Chat;
use common::db::files::{self, File, FileState};
use common::db::leases::Lease;
use common::db::messages::Message;
use common::db::sellers::{self, Seller, SellerChange};
use common::flows::FlowError;
use common::flows::fetch_file::{FETCH_LEASE, fetch_file};
use serde_json::{Value, json};

use super::world::World;

const PDF: &[u8] = b"%PDF-1.4 a receipt";

fn file(name: &str, content: &[u8]) -> Value {
    json!({ "name": name, "base64_content": BASE64_STANDARD.encode(content) })
}

/// A chat whose only message carries a file, polled.
async fn sent(world: &World, seller: &Seller, file: &Value) -> (Chat, Message) {
    let external = world.buyer_sends_file(seller.marketplace, None, file);
    world.sync(seller).await.unwrap();
    let chat = world.chat(seller, &external).await.unwrap();
    let message = world.thread(chat.id).await.remove(0);
    (chat, message)
}

async fn only_file(world: &World, message: &Message) -> File {
    world.files(message).await.remove(0)
}

async fn bytes(world: &World, file: &File) -> Option<Vec<u8>> {
    let found = world.ctx.files.read(&file.storage_key).await.unwrap();
    found.map(|bytes| bytes.to_vec())
}

#[tokio::test]
async fn a_buyers_file_is_fetched_with_the_shops_key() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        let (_, message) = sent(&world, &seller, &file("чек.pdf", PDF)).await;
        let [shown] = &message.attachments.0[..] else {
            panic!("{marketplace}: {:?}", message.attachments);
        };
        assert_eq!(shown.state, FileState::Pending);
        assert_eq!(world.fetch(marketplace).await, 1, "{marketplace}");
        let fetched = only_file(&world, &message).await;
        assert_eq!(fetched.state, FileState::Ready, "{:?}", fetched.error);
        assert_eq!(fetched.name, "чек.pdf");
        assert_eq!(fetched.content_type.as_deref(), Some("application/pdf"));
        assert_eq!(fetched.size_bytes, Some(PDF.len() as i64));
        assert_eq!(bytes(&world, &fetched).await.as_deref(), Some(PDF));
        let message = world.message(&message).await;
        assert_eq!(message.attachments.0[0], (&fetched).into());
        assert_eq!(message.attachments.0[0].file_id, shown.file_id);
        assert_eq!(world.fetch(marketplace).await, 0, "fetched once");
        world.sync(&seller).await.unwrap();
        assert_eq!(world.files(&message).await.len(), 1, "stored once");
    }
}

#[tokio::test]
async fn a_file_that_is_examined_is_asked_for_again() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Wildberries).await;
    let pending = json!({ "name": "a.png", "moderation": "pending" });
    let (_, message) = sent(&world, &seller, &pending).await;
    assert_eq!(world.fetch(Marketplace::Wildberries).await, 1);
    let examined = only_file(&world, &message).await;
    assert_eq!(examined.state, FileState::Moderation);
    assert_eq!(examined.failures, 0);
    let shown = world.message(&message).await;
    assert_eq!(shown.attachments.0[0].state, FileState::Moderation);
    assert_eq!(world.fetch(Marketplace::Wildberries).await, 0, "not before");
    world.pass(Duration::from_secs(31));
    assert_eq!(world.fetch(Marketplace::Wildberries).await, 1);
    let fetched = only_file(&world, &message).await;
    assert_eq!(fetched.state, FileState::Ready);
    assert!(fetched.name.ends_with(".png"), "{}", fetched.name);
}

#[tokio::test]
async fn a_file_that_is_refused_for_good_says_so() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Wildberries).await;
    let failed = json!({ "name": "a.png", "moderation": "failed" });
    let (_, message) = sent(&world, &seller, &failed).await;
    world.fetch(Marketplace::Wildberries).await;
    let blocked = only_file(&world, &message).await;
    assert_eq!(blocked.state, FileState::Blocked);
    let reason = blocked.error.unwrap();
    assert!(reason.contains("moderation error"), "{reason}");
    let shown = world.message(&message).await;
    assert_eq!(shown.attachments.0[0].error, Some(reason));
}

#[tokio::test]
async fn a_missing_file_is_given_up_after_some_tries() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let (_, message) = sent(&world, &seller, &file("a.pdf", PDF)).await;
    let fault = json!({"target": "ozon:/v2/chat/file/", "kind": "status", "value": 404});
    world
        .sandbox
        .fault(serde_json::from_value(fault).unwrap())
        .unwrap();
    let mut tries = 0;
    while only_file(&world, &message).await.state == FileState::Pending {
        tries += world.fetch(Marketplace::Ozon).await;
        assert!(tries < 20, "never given up");
        world.pass(Duration::from_secs(3601));
    }
    let failed = only_file(&world, &message).await;
    assert_eq!((failed.state, tries), (FileState::Failed, 4));
    assert!(failed.error.is_some() && failed.fetch_at.is_none());
}

#[tokio::test]
async fn a_file_that_breaks_off_or_is_asked_for_too_often_comes_later() {
    let world = World::start().await;
    for marketplace in Marketplace::ALL {
        let seller = world.connect(marketplace).await;
        let (_, message) = sent(&world, &seller, &file("a.pdf", PDF)).await;
        for (kind, failures) in [("truncate", 1), ("rate_limit", 1)] {
            world.fault(&files_of(marketplace), kind, 1);
            assert_eq!(world.fetch(marketplace).await, 1, "{marketplace}");
            let waiting = only_file(&world, &message).await;
            assert_eq!(waiting.state, FileState::Pending, "{marketplace} {kind}");
            assert_eq!(waiting.failures, failures, "{marketplace} {kind}");
            assert_eq!(bytes(&world, &waiting).await, None);
            world.pass(Duration::from_secs(60));
        }
        assert_eq!(world.fetch(marketplace).await, 1, "{marketplace}");
        let fetched = only_file(&world, &message).await;
        assert_eq!(fetched.state, FileState::Ready, "{marketplace}");
    }
}

#[tokio::test]
async fn no_key_goes_to_an_address_that_somebody_wrote() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let elsewhere = sandbox::Sandbox::start(sandbox::Options::default())
        .await
        .unwrap();
    let own = world.sandbox.url();
    let texts = [
        format!("[a.pdf]({}/ozon/v2/chat/file/a/b/a.pdf)", elsewhere.url()),
        format!("[a.pdf]({own}/ozon/v2/chat/file/../../../v1/roles?x=/chat/file/)"),
        format!("[a.pdf]({own}/wildberries/v2/chat/file/a/b/a.pdf)"),
        "[a.pdf](http://169.254.169.254/v2/chat/file/a)".to_owned(),
    ];
    for text in &texts {
        let external = world.buyer_writes(Marketplace::Ozon, None, text);
        world.sync(&seller).await.unwrap();
        let chat = world.chat(&seller, &external).await.unwrap();
        let message = world.thread(chat.id).await.remove(0);
        world.fetch(Marketplace::Ozon).await;
        let refused = only_file(&world, &message).await;
        assert_eq!(refused.state, FileState::Blocked, "{text}");
    }
    assert!(elsewhere.journal(0).iter().all(|it| it.path.is_none()));
}

#[tokio::test]
async fn hostile_names_and_types_are_tamed() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::YandexMarket).await;
    let html = b"<!DOCTYPE html><script>alert(document.domain)</script>";
    for (name, expected) in [
        ("../../etc/passwd", "passwd.txt"),
        ("a\r\nb.png", "ab.png"),
        ("\u{202e}gnp.html", "gnp.html"),
    ] {
        let (_, message) = sent(&world, &seller, &file(name, html)).await;
        world.fetch(Marketplace::YandexMarket).await;
        let fetched = only_file(&world, &message).await;
        assert_eq!(fetched.name, expected);
        assert_eq!(fetched.content_type.as_deref(), Some("text/plain"));
    }
}

#[tokio::test]
async fn a_shop_with_many_files_holds_up_no_other() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let (chat, _) = sent(&world, &seller, &file("1.pdf", PDF)).await;
    for no in 2..5 {
        let file = file(&format!("{no}.pdf"), PDF);
        world.buyer_sends_file(Marketplace::Ozon, Some(&chat.external_id), &file);
    }
    world.sync(&seller).await.unwrap();
    let lease = Lease::new(FETCH_LEASE);
    let claimed = async || {
        let mut conn = world.conn().await;
        let now = world.now();
        files::claim_due_across_tenants(&mut conn, Marketplace::Ozon, now, &lease, 10)
            .await
            .unwrap()
    };
    let first = claimed().await;
    assert_eq!(first.len(), 1, "one of a shop at a time");
    assert!(claimed().await.is_empty());
    fetch_file(&world.ctx, first[0].clone(), lease)
        .await
        .unwrap();
    assert_eq!(claimed().await.len(), 1);
}

#[tokio::test]
async fn whoever_lost_the_claim_stores_nothing() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let (_, message) = sent(&world, &seller, &file("a.pdf", PDF)).await;
    let waiting = only_file(&world, &message).await;
    let (slow, quick) = (
        Lease::new(Duration::from_millis(1)),
        Lease::new(FETCH_LEASE),
    );
    let (tenant, id) = (world.tenant, waiting.public_id);
    let mut conn = world.conn().await;
    let now = world.now();
    let of_slow = files::claim_if_due(&mut conn, tenant, id, now, &slow).await;
    let of_slow = of_slow.unwrap().expect("it is due");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let of_quick = files::claim_if_due(&mut conn, tenant, id, now, &quick).await;
    let of_quick = of_quick.unwrap().expect("the first claim is over");
    let late = fetch_file(&world.ctx, of_slow, slow).await;
    assert!(matches!(late, Err(FlowError::LeaseLost)), "{late:?}");
    assert_eq!(only_file(&world, &message).await.state, FileState::Pending);
    fetch_file(&world.ctx, of_quick, quick).await.unwrap();
    assert_eq!(only_file(&world, &message).await.state, FileState::Ready);
}

#[tokio::test]
async fn a_result_that_was_stored_but_not_told_is_told_by_the_next() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let (_, message) = sent(&world, &seller, &file("a.pdf", PDF)).await;
    let sql = format!(
        "UPDATE files SET state = 'ready', content_type = 'application/pdf' WHERE tenant_id = '{}'",
        world.tenant
    );
    diesel_async::SimpleAsyncConnection::batch_execute(&mut *world.conn().await, &sql)
        .await
        .unwrap();
    assert_eq!(world.fetch(Marketplace::Ozon).await, 1);
    assert_eq!(only_file(&world, &message).await.fetch_at, None);
}

#[tokio::test]
async fn a_deactivated_shops_files_wait() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let (_, message) = sent(&world, &seller, &file("a.pdf", PDF)).await;
    let turn = async |is_active| {
        let change = SellerChange {
            is_active: Some(is_active),
            ..SellerChange::default()
        };
        let mut conn = world.conn().await;
        sellers::change(&mut conn, world.tenant, seller.id, &change)
            .await
            .unwrap();
    };
    turn(false).await;
    world.fetch(Marketplace::Ozon).await;
    let waiting = only_file(&world, &message).await;
    assert_eq!((waiting.state, waiting.failures), (FileState::Pending, 0));
    turn(true).await;
    world.pass(Duration::from_secs(3601));
    world.fetch(Marketplace::Ozon).await;
    assert_eq!(only_file(&world, &message).await.state, FileState::Ready);
}

fn files_of(marketplace: Marketplace) -> String {
    let path = match marketplace {
        Marketplace::Ozon => "/v2/chat/file/",
        Marketplace::Wildberries => "/api/v1/seller/download/",
        Marketplace::YandexMarket => "/files/",
    };
    format!("{marketplace}:{path}")
}
