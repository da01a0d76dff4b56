//! Beginning a chat about an order: once, where the marketplace lets a shop do so.

use std::time::Duration;

use common::channel::Marketplace;
use common::db::chat_starts::{self, ChatStart, NewChatStart};
use common::db::chats::Chat;
use common::db::sellers::Seller;
use common::db::users::{self, NewUser, Role};
use common::domain::chat_starts::{StartProblem, StartState};
use common::flows::start_chat::start_chat;
use common::ids::new_public_id;
use serde_json::{Value, json};

use super::world::World;

const BOTH: [Marketplace; 2] = [Marketplace::Ozon, Marketplace::YandexMarket];

async fn wanted(world: &World, seller: &Seller, order: &str) -> ChatStart {
    let mut conn = world.conn().await;
    let now = world.now();
    let user = NewUser {
        tenant_id: world.tenant,
        public_id: new_public_id(),
        email: None,
        username: &new_public_id().to_string(),
        password_hash: "none",
        role: Role::Agent,
        confirmed_at: Some(now),
        created_at: now,
    };
    let user = users::insert(&mut conn, &user).await.unwrap();
    let start = NewChatStart {
        tenant_id: world.tenant,
        seller_id: seller.id,
        channel: seller.marketplace,
        order_id: order,
        user_id: user.id,
        state: StartState::Wanted,
        due_at: now,
        created_at: now,
        updated_at: now,
    };
    let start = chat_starts::insert_new(&mut conn, &start).await.unwrap();
    start.expect("nobody else wants it")
}

/// Claims the start when it is due and does the work.
async fn run(world: &World, start: &ChatStart) -> ChatStart {
    let mut conn = world.conn().await;
    let due = chat_starts::find(&mut conn, world.tenant, start.id);
    let now = due.await.unwrap().unwrap().due_at;
    let claimed = chat_starts::claim_if_due(&mut conn, world.tenant, start.id, now);
    let claimed = claimed.await.unwrap().expect("due");
    start_chat(&world.ctx, &claimed).await.unwrap();
    let after = chat_starts::find(&mut conn, world.tenant, start.id).await;
    after.unwrap().unwrap()
}

fn orders(world: &World, marketplace: Marketplace) -> Vec<Value> {
    let state = world.sandbox.state();
    let shops = state["shops"].as_array().unwrap();
    let demo =
        |it: &&Value| it["connected_to"] == "demo" && it["marketplace"] == marketplace.as_str();
    let shop = shops.iter().find(demo).unwrap();
    shop["orders"].as_array().unwrap().clone()
}

/// An order that a chat may be begun about.
fn order(world: &World, marketplace: Marketplace) -> String {
    let orders = orders(world, marketplace);
    let found = orders
        .iter()
        .find(|it| it["scheme"] != "fbo" && it["delivered_at"].is_null());
    found.unwrap()["number"].as_str().unwrap().to_owned()
}

async fn chat_of(world: &World, start: &ChatStart) -> Chat {
    let mut conn = world.conn().await;
    let id = start.chat_id.expect("a chat");
    let chat = common::db::chats::find(&mut conn, world.tenant, id).await;
    chat.unwrap().unwrap()
}

#[tokio::test]
async fn a_chat_is_begun_once_and_can_be_written_in() {
    let world = World::start().await;
    for marketplace in BOTH {
        let seller = world.connect(marketplace).await;
        let order = order(&world, marketplace);
        let begun = run(&world, &wanted(&world, &seller, &order).await).await;
        assert_eq!(begun.state, StartState::Done, "{begun:?}");
        let chat = chat_of(&world, &begun).await;
        assert_eq!(chat.context.0.order_id.as_deref(), Some(order.as_str()));
        assert_eq!(chat.owed_since, None);
        let again = run(&world, &wanted(&world, &seller, &order).await).await;
        assert_eq!(again.chat_id, begun.chat_id, "{marketplace}");
        world.reply(&chat, "Здравствуйте! Уточните адрес").await;
        world.deliver(chat.id).await;
        assert_eq!(
            world.received().last().unwrap(),
            "Здравствуйте! Уточните адрес"
        );
        world.sync(&seller).await.unwrap();
        assert_eq!(world.thread(chat.id).await.len(), 1, "{marketplace}");
    }
}

#[tokio::test]
async fn the_reason_is_told_where_no_chat_can_be_begun() {
    let world = World::start().await;
    let ozon = world.connect(Marketplace::Ozon).await;
    let yandex = world.connect(Marketplace::YandexMarket).await;
    for (seller, order) in [
        (&ozon, "999999999"),
        (&yandex, "999999999"),
        (&yandex, "0137-1"),
    ] {
        let failed = run(&world, &wanted(&world, seller, order).await).await;
        assert_eq!(failed.error_code, Some(StartProblem::OrderNotFound));
        assert!(failed.error_message.is_some());
    }
    let wildberries = world.connect(Marketplace::Wildberries).await;
    let failed = run(&world, &wanted(&world, &wildberries, "1").await).await;
    assert_eq!(failed.error_code, Some(StartProblem::CannotStart));
    let of_fbo = orders(&world, Marketplace::Ozon);
    let of_fbo = of_fbo.iter().find(|it| it["scheme"] == "fbo").unwrap();
    let start = wanted(&world, &ozon, of_fbo["number"].as_str().unwrap()).await;
    let failed = run(&world, &start).await;
    assert_eq!(failed.error_code, Some(StartProblem::CannotStart));
    let order = order(&world, Marketplace::Ozon);
    let free = json!({ "marketplace": "ozon", "client_id": ozon.account_id, "premium": false });
    world
        .sandbox
        .shop(serde_json::from_value(free).unwrap())
        .await
        .unwrap();
    let failed = run(&world, &wanted(&world, &ozon, &order).await).await;
    assert_eq!(failed.error_code, Some(StartProblem::ReadOnly));
}

#[tokio::test]
async fn it_may_be_too_late_for_an_order() {
    let world = World::start().await;
    let seller = world.connect(Marketplace::Ozon).await;
    let delivered = orders(&world, Marketplace::Ozon);
    let delivered = delivered
        .iter()
        .find(|it| it["scheme"] != "fbo" && !it["delivered_at"].is_null());
    let order = delivered.unwrap()["number"].as_str().unwrap().to_owned();
    world
        .sandbox
        .advance(Duration::from_secs(73 * 60 * 60))
        .unwrap();
    let failed = run(&world, &wanted(&world, &seller, &order).await).await;
    assert_eq!(failed.error_code, Some(StartProblem::WindowClosed));
}

#[tokio::test]
async fn a_marketplace_that_is_away_is_asked_again_and_given_up_at_last() {
    let world = World::start().await;
    for (marketplace, failures) in [(Marketplace::Ozon, 2), (Marketplace::YandexMarket, 9)] {
        let seller = world.connect(marketplace).await;
        let order = order(&world, marketplace);
        let fault = json!({
            "target": marketplace, "kind": "status", "value": 503, "times": failures,
        });
        world
            .sandbox
            .fault(serde_json::from_value(fault).unwrap())
            .unwrap();
        let start = wanted(&world, &seller, &order).await;
        let mut after = run(&world, &start).await;
        assert_eq!(after.state, StartState::Wanted);
        assert!(after.due_at > start.due_at);
        let mut runs = 1;
        while after.state == StartState::Wanted {
            after = run(&world, &start).await;
            runs += 1;
        }
        match marketplace {
            Marketplace::Ozon => assert_eq!((after.state, runs), (StartState::Done, 3)),
            _ => {
                assert_eq!(after.error_code, Some(StartProblem::Unavailable));
                assert_eq!(runs, 6);
            }
        }
    }
}
