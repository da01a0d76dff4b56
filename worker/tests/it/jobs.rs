//! What is due is done: with a hint at once, without one a moment later, whoever else hangs.

use std::time::Duration;

use common::channel::Marketplace;
use common::config::Config;
use common::db::chats::Chat;
use common::db::messages::Message;
use common::db::sellers::{self, Seller};
use common::domain::delivery::MessageState;
use common::jobs::{DeliverChat, Job, SyncSeller};
use common::secrets::Keyring;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use crate::world::World;

/// A running worker.
struct Running {
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    fn start(world: &World) -> Self {
        Self::start_with(world.config.clone())
    }

    fn start_with(config: Config) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = TaskTracker::new().spawn(async move {
            worker::run(&config, async {
                stopped.await.ok();
            })
            .await
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

async fn asked(world: &World, marketplace: Marketplace) -> (Seller, Chat) {
    let seller = world.connect(marketplace).await;
    let external = world.buyer_writes(marketplace, None, "Есть ли размер?");
    world.sync(&seller).await.unwrap();
    let chat = world.chat(&seller, &external).await.unwrap();
    (seller, chat)
}

/// How long the message took to become `sent`; fails after ten seconds.
async fn time_to_sent(world: &World, message: &Message) -> Duration {
    let began = Instant::now();
    while world.message(message).await.state != MessageState::Sent {
        assert!(began.elapsed() < Duration::from_secs(10), "not sent");
        sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_due_answer_is_sent_without_redis() {
    let mut world = World::start().await;
    world.redis.die();
    let running = Running::start(&world);
    let (_, chat) = asked(&world, Marketplace::Ozon).await;
    let message = world.reply(&chat, "Есть").await;
    time_to_sent(&world, &message).await;
    running.stop().await;
    assert_eq!(world.received(), ["Есть"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_that_comes_many_times_sends_once() {
    let world = World::start().await;
    let (_, chat) = asked(&world, Marketplace::YandexMarket).await;
    let first = Running::start(&world);
    let second = Running::start(&world);
    let message = world.reply(&chat, "Есть").await;
    let job = DeliverChat {
        tenant: world.tenant,
        chat: chat.id,
    };
    let queue = DeliverChat::queue(Marketplace::YandexMarket);
    for _ in 0..20 {
        world.ctx.jobs.push(&queue, &job).await.unwrap();
    }
    time_to_sent(&world, &message).await;
    sleep(Duration::from_millis(300)).await;
    first.stop().await;
    second.stop().await;
    assert_eq!(world.received(), ["Есть"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_marketplace_that_hangs_holds_up_no_other() {
    let world = World::start().await;
    let (ozon, _) = asked(&world, Marketplace::Ozon).await;
    let (_, chat) = asked(&world, Marketplace::YandexMarket).await;
    let hang = serde_json::json!({"target": "ozon", "kind": "latency", "value": 30_000});
    world
        .sandbox
        .fault(serde_json::from_value(hang).unwrap())
        .unwrap();
    let running = Running::start(&world);
    let job = SyncSeller {
        tenant: world.tenant,
        seller: ozon.id,
    };
    sellers::wake(&mut *world.conn().await, world.tenant, ozon.id, world.now())
        .await
        .unwrap();
    let queue = SyncSeller::queue(Marketplace::Ozon);
    world.ctx.jobs.push(&queue, &job).await.unwrap();
    let message = world.reply(&chat, "Есть").await;
    let took = time_to_sent(&world, &message).await;
    assert!(took < Duration::from_secs(2), "took {took:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_read_is_reported_to_ozon() {
    use common::db::read_receipts::{self, ReadReceipt};
    let world = World::start().await;
    let (_, chat) = asked(&world, Marketplace::Ozon).await;
    let thread = world.thread(chat.id).await;
    let receipt = ReadReceipt {
        tenant_id: world.tenant,
        chat_id: chat.id,
        channel: Marketplace::Ozon,
        up_to_external_id: thread[0].external_id.clone().unwrap(),
        due_at: world.now(),
        failures: 0,
    };
    read_receipts::upsert(&mut *world.conn().await, &receipt)
        .await
        .unwrap();
    let running = Running::start(&world);
    let began = Instant::now();
    let is_unread = || {
        let state = world.sandbox.state();
        let chats = state["chats"].as_array().unwrap();
        let found = chats.iter().find(|it| it["chat"] == chat.external_id);
        found.unwrap()["unread_count"] != 0
    };
    while is_unread() {
        assert!(began.elapsed() < Duration::from_secs(10), "still unread");
        sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_sealed_anew_while_shops_are_polled() {
    let world = World::start().await;
    let mut shops = Vec::new();
    for marketplace in Marketplace::ALL {
        shops.push(world.connect(marketplace).await);
    }
    let new = "ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let mut config = world.config.clone();
    config.keyring = Keyring::new(new, &[crate::world::KEY.to_owned()]).unwrap();
    let running = Running::start_with(config);
    let only_new = Keyring::new(new, &[]).unwrap();
    let began = Instant::now();
    for shop in shops {
        loop {
            let found = sellers::find(&mut *world.conn().await, world.tenant, shop.id).await;
            let found = found.unwrap().unwrap();
            assert_eq!(found.sync_error, None);
            let opens = only_new.open(found.key_place(), &found.sealed_key).is_ok();
            if opens && found.last_sync_at.is_some() {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(15), "{found:?}");
            sleep(Duration::from_millis(20)).await;
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn a_buyers_file_is_fetched_by_itself() {
    use common::db::files::FileState;
    let world = World::start().await;
    let seller = world.connect(Marketplace::Wildberries).await;
    let file = serde_json::json!({"name": "a.png"});
    let external = world.buyer_sends_file(Marketplace::Wildberries, None, &file);
    let running = Running::start(&world);
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < Duration::from_secs(10), "not fetched");
        sleep(Duration::from_millis(20)).await;
        let Some(chat) = world.chat(&seller, &external).await else {
            continue;
        };
        let thread = world.thread(chat.id).await;
        let shown = thread.first().and_then(|it| it.attachments.0.first());
        if shown.is_some_and(|it| it.state == FileState::Ready) {
            break;
        }
    }
    running.stop().await;
}

#[tokio::test]
async fn a_chat_that_somebody_wants_is_begun_without_a_hint() {
    use common::db::chat_starts::{self, NewChatStart};
    use common::db::users::{self, NewUser, Role};
    use common::domain::chat_starts::StartState;
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let state = world.sandbox.state();
    let shops = state["shops"].as_array().unwrap();
    let shop = shops.iter().find(|it| it["seller"] == seller.account_id);
    let order = shop.unwrap()["orders"][0]["number"].as_str().unwrap();
    let (mut conn, now) = (world.conn().await, world.now());
    let user = NewUser {
        tenant_id: world.tenant,
        public_id: common::ids::new_public_id(),
        email: None,
        username: "anna",
        password_hash: "none",
        role: Role::Agent,
        confirmed_at: Some(now),
        created_at: now,
    };
    let start = NewChatStart {
        tenant_id: world.tenant,
        seller_id: seller.id,
        channel: seller.marketplace,
        order_id: order,
        user_id: users::insert(&mut conn, &user).await.unwrap().id,
        state: StartState::Wanted,
        due_at: now,
        created_at: now,
        updated_at: now,
    };
    let start = chat_starts::insert_new(&mut conn, &start).await.unwrap();
    let id = start.unwrap().id;
    let running = Running::start(&world);
    let began = Instant::now();
    loop {
        let found = chat_starts::find(&mut conn, world.tenant, id)
            .await
            .unwrap();
        if found.is_some_and(|it| it.state == StartState::Done) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "not begun");
        sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_put_back_stops_no_poll() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Wildberries).await;
    world.ctx.clock.advance(chrono::TimeDelta::hours(2));
    world.sync(&seller).await.unwrap();
    world.ctx.clock.advance(-chrono::TimeDelta::hours(2));
    let external = world.buyer_writes(Marketplace::Wildberries, None, "Где заказ?");
    let running = Running::start(&world);
    let began = Instant::now();
    while world.chat(&seller, &external).await.is_none() {
        assert!(began.elapsed() < Duration::from_secs(10), "not polled");
        sleep(Duration::from_millis(20)).await;
    }
    running.stop().await;
}
