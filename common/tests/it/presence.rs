//! Who is in which chat, on a real Redis: told when it changes, forgotten when it is not shown again.

use std::time::Duration;

use common::feed::{FeedHub, Presence, PresenceState, Present};
use common::ids::{ChatId, TenantId, UserId};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::redis_server::RedisServer;

const CHAT: ChatId = ChatId(7);

fn who(user: i64, state: PresenceState) -> Present {
    Present {
        user_id: UserId(user),
        name: format!("n{user}"),
        state,
    }
}

async fn told(listener: &mut common::feed::FeedListener) -> Value {
    let next = timeout(Duration::from_secs(5), listener.next());
    let event = next.await.expect("in time").expect("an event");
    serde_json::from_str(event.data()).expect("JSON")
}

#[tokio::test]
async fn only_a_difference_is_told() {
    let server = RedisServer::start().await;
    let (redis, tenant) = (server.redis("t:"), TenantId(Uuid::new_v4()));
    let presence = Presence::new(&redis);
    let hub = FeedHub::start(&redis);
    let mut listener = hub.subscribe(tenant, None).await;
    let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
    let (views, edits) = (PresenceState::Viewing, PresenceState::Editing);
    for _ in 0..3 {
        presence
            .show(tenant, CHAT, first, &who(10, views))
            .await
            .unwrap();
    }
    // Another socket of the same person shows nothing new; another person does.
    presence
        .show(tenant, CHAT, second, &who(10, views))
        .await
        .unwrap();
    presence.leave(tenant, CHAT, second).await.unwrap();
    presence
        .show(tenant, CHAT, second, &who(9, edits))
        .await
        .unwrap();
    let ten = json!({ "user_id": 10, "name": "n10", "state": "viewing" });
    let nine = json!({ "user_id": 9, "name": "n9", "state": "editing" });
    assert_eq!(
        told(&mut listener).await,
        json!({ "chat_id": 7, "users": [ten] })
    );
    assert_eq!(told(&mut listener).await["users"], json!([nine, ten]));
    let seen = presence.of_chat(tenant, CHAT).await.unwrap();
    assert_eq!(seen, [who(9, edits), who(10, views)]);
    let elsewhere = presence.of_chat(TenantId(Uuid::new_v4()), CHAT).await;
    assert_eq!(elsewhere.unwrap(), []);
}

#[tokio::test]
async fn whoever_is_not_shown_again_is_swept_out() {
    let server = RedisServer::start().await;
    let (redis, tenant) = (server.redis("t:"), TenantId(Uuid::new_v4()));
    let dead = Presence::kept_for(&redis, Duration::from_millis(200));
    let alive = Presence::new(&redis);
    let (gone, stays) = (Uuid::new_v4(), Uuid::new_v4());
    let views = PresenceState::Viewing;
    dead.show(tenant, CHAT, gone, &who(1, views)).await.unwrap();
    alive
        .show(tenant, CHAT, stays, &who(2, views))
        .await
        .unwrap();
    let hub = FeedHub::start(&redis);
    let mut listener = hub.subscribe(tenant, None).await;
    alive.sweep().await.unwrap();
    assert_eq!(alive.of_chat(tenant, CHAT).await.unwrap().len(), 2);
    sleep(Duration::from_millis(250)).await;
    alive.sweep().await.unwrap();
    let left = json!([{ "user_id": 2, "name": "n2", "state": "viewing" }]);
    assert_eq!(told(&mut listener).await["users"], left);
}

#[tokio::test]
async fn a_redis_that_lost_everything_is_told_anew() {
    let server = RedisServer::start().await;
    let tenant = TenantId(Uuid::new_v4());
    let presence = Presence::new(&server.redis("t:"));
    let (socket, writes) = (Uuid::new_v4(), who(3, PresenceState::Editing));
    presence.show(tenant, CHAT, socket, &writes).await.unwrap();
    let mut connection = server.connection().await;
    let flushed: Result<(), _> = redis::cmd("FLUSHALL").query_async(&mut connection).await;
    flushed.unwrap();
    assert_eq!(presence.of_chat(tenant, CHAT).await.unwrap(), []);
    presence.show(tenant, CHAT, socket, &writes).await.unwrap();
    assert_eq!(presence.of_chat(tenant, CHAT).await.unwrap(), [writes]);
}
