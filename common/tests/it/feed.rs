//! The live feed on a real Redis: no event lost, doubled or out of order, or a reset that says so.

use std::time::Duration;

use common::feed::{Event, Feed, FeedEvent, FeedHub, FeedListener};
use common::ids::TenantId;
use futures::{FutureExt, StreamExt};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::redis_server::{RedisServer, Wire, eventually};

struct World {
    server: RedisServer,
    feed: Feed,
    hub: FeedHub,
    tenant: TenantId,
}

impl World {
    async fn new() -> Self {
        Self::of(RedisServer::start().await)
    }

    fn of(server: RedisServer) -> Self {
        Self {
            feed: Feed::new(&server.redis("t:")),
            // Another process: nothing is shared but Redis.
            hub: FeedHub::start(&server.redis("t:")),
            tenant: TenantId(Uuid::new_v4()),
            server,
        }
    }

    async fn publish(&self, numbers: impl IntoIterator<Item = i32>) {
        for number in numbers {
            let published = self.feed.publish(self.tenant, Event::ChatUpdated, &number);
            published.await.expect("redis answers");
        }
    }

    async fn listen(&self, after: Option<&str>) -> FeedListener {
        self.hub.subscribe(self.tenant, after).await
    }

    /// A listener that surely hears: an event it got has been seen.
    async fn listen_live(&self) -> FeedListener {
        let mut listener = self.listen(None).await;
        let mut heard = None;
        while heard.is_none() {
            self.publish([0]).await;
            heard = timeout(Duration::from_millis(100), listener.next())
                .await
                .ok();
        }
        while listener.next().now_or_never().flatten().is_some() {}
        listener
    }

    async fn flush(&self) {
        let mut connection = self.server.connection().await;
        let _: () = redis::cmd("FLUSHALL")
            .query_async(&mut connection)
            .await
            .expect("redis answers");
    }
}

async fn next(listener: &mut FeedListener) -> FeedEvent {
    timeout(Duration::from_secs(10), listener.next())
        .await
        .expect("an event in time")
        .expect("the listener is open")
}

async fn numbers(listener: &mut FeedListener, count: usize) -> Vec<String> {
    let mut numbers = Vec::new();
    for _ in 0..count {
        let event = next(listener).await;
        assert_eq!(event.kind(), "chat.updated");
        numbers.push(event.data().to_owned());
    }
    numbers
}

fn texts(numbers: impl IntoIterator<Item = i32>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| number.to_string())
        .collect()
}

async fn nothing_more(listener: &mut FeedListener) {
    let more = timeout(Duration::from_millis(100), listener.next()).await;
    assert!(more.is_err(), "unexpected {more:?}");
}

#[tokio::test]
async fn everybody_of_the_tenant_hears_an_event_once() {
    let world = World::new().await;
    let mut one = world.listen_live().await;
    let mut two = world.listen(None).await;
    let stranger = TenantId(Uuid::new_v4());
    let mut other = world.hub.subscribe(stranger, None).await;
    world.publish(1..=3).await;
    assert_eq!(numbers(&mut one, 3).await, texts(1..=3));
    assert_eq!(numbers(&mut two, 3).await, texts(1..=3));
    nothing_more(&mut one).await;
    nothing_more(&mut other).await;
}

#[tokio::test]
async fn a_frame_holds_id_type_and_data() {
    let world = World::new().await;
    let mut listener = world.listen_live().await;
    let chat = serde_json::json!({"id": 7, "text": "a \"b\"\nc d"});
    world
        .feed
        .publish(world.tenant, Event::MessageCreated, &chat)
        .await
        .unwrap();
    let event = next(&mut listener).await;
    let frame: serde_json::Value = serde_json::from_slice(&event.frame()).unwrap();
    assert_eq!(
        frame,
        serde_json::json!({"id": event.id(), "type": "message.created", "data": chat})
    );
    assert_eq!(event.id(), world.hub.newest_id(world.tenant).await);
}

#[tokio::test]
async fn a_listener_resumes_where_it_was() {
    let world = World::new().await;
    world.publish(1..=3).await;
    let before = world.hub.newest_id(world.tenant).await;
    world.publish(4..=1_500).await;
    let mut listener = world.listen(Some(&before)).await;
    assert_eq!(listener.starts_after(), before);
    world.publish(1_501..=1_510).await;
    assert_eq!(numbers(&mut listener, 1_507).await, texts(4..=1_510));
    nothing_more(&mut listener).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn resuming_while_others_publish_loses_and_doubles_nothing() {
    const EVENTS: usize = 1_500;
    let world = World::new().await;
    world.publish([0]).await;
    let mut after = world.hub.newest_id(world.tenant).await;
    let publish = |number| world.publish([number]);
    let publisher = futures::stream::iter(1..=EVENTS as i32).for_each_concurrent(8, publish);
    let reader = async {
        let mut heard = Vec::new();
        while heard.len() < EVENTS {
            let mut listener = world.listen(Some(&after)).await;
            for _ in 0..7.min(EVENTS - heard.len()) {
                let event = next(&mut listener).await;
                assert_eq!(event.kind(), "chat.updated");
                after = event.id().to_owned();
                heard.push(event.data().to_owned());
            }
        }
        heard
    };
    let (mut heard, ()) = futures::join!(reader, publisher);
    heard.sort_by_key(|number| number.parse::<i32>().expect("a number"));
    assert_eq!(heard, texts(1..=EVENTS as i32));
}

#[tokio::test]
async fn an_id_that_cannot_be_resumed_gives_a_reset_and_then_live_events() {
    let world = World::new().await;
    world.publish(1..=3).await;
    let newest = world.hub.newest_id(world.tenant).await;
    let (epoch, _) = newest.split_once('-').unwrap();
    let future = format!("{epoch}-99999999999999-0");
    for after in ["zzzzzzzz-1700000000000-0", "", "-", "nonsense", &future] {
        let mut listener = world.listen(Some(after)).await;
        assert_eq!(listener.starts_after(), newest, "{after:?}");
        let event = next(&mut listener).await;
        assert_eq!((event.kind(), event.id()), ("reset", &*newest), "{after:?}");
        nothing_more(&mut listener).await;
    }
    let mut listener = world.listen(Some("nonsense")).await;
    assert_eq!(next(&mut listener).await.kind(), "reset");
    world.publish([4]).await;
    assert_eq!(numbers(&mut listener, 1).await, texts([4]));
}

#[tokio::test]
async fn an_id_older_than_what_is_kept_gives_a_reset() {
    let world = World::new().await;
    world.publish([1]).await;
    let old = world.hub.newest_id(world.tenant).await;
    world.publish([2]).await;
    let kept = world.hub.newest_id(world.tenant).await;
    world.publish([3]).await;
    let mut connection = world.server.connection().await;
    let mut trim = redis::cmd("XTRIM");
    trim.arg(format!("t:feed:{}", world.tenant))
        .arg(&["MAXLEN", "=", "2"]);
    let trimmed: i64 = trim.query_async(&mut connection).await.unwrap();
    assert_eq!(trimmed, 1);
    let mut listener = world.listen(Some(&old)).await;
    assert_eq!(next(&mut listener).await.kind(), "reset");
    let mut listener = world.listen(Some(&kept)).await;
    assert_eq!(numbers(&mut listener, 1).await, texts([3]));
}

#[tokio::test]
async fn a_feed_keeps_about_ten_thousand_events() {
    let world = World::new().await;
    futures::stream::iter(0..10_400)
        .for_each_concurrent(100, |number| world.publish([number]))
        .await;
    let mut connection = world.server.connection().await;
    let mut length = redis::cmd("XLEN");
    length.arg(format!("t:feed:{}", world.tenant));
    let length: i64 = length.query_async(&mut connection).await.unwrap();
    assert!((10_000..10_300).contains(&length), "{length}");
}

#[tokio::test]
async fn a_flushed_redis_gives_a_reset_never_a_silent_gap() {
    let world = World::new().await;
    let mut listener = world.listen_live().await;
    let last = world.hub.newest_id(world.tenant).await;
    world.flush().await;
    assert_eq!(world.hub.newest_id(world.tenant).await, "-");
    let mut resumed = world.listen(Some(&last)).await;
    assert_eq!(next(&mut resumed).await.kind(), "reset");
    world.publish([1, 2]).await;
    let newest = world.hub.newest_id(world.tenant).await;
    assert_eq!(next(&mut listener).await.kind(), "reset");
    assert_eq!(numbers(&mut resumed, 2).await, texts([1, 2]));
    let mut late = world.listen(Some(&last)).await;
    let reset = next(&mut late).await;
    assert_eq!((reset.kind(), reset.id()), ("reset", &*newest));
}

#[tokio::test]
async fn a_broken_subscription_is_caught_up() {
    let world = World::new().await;
    let mut listener = world.listen_live().await;
    for round in 0..3 {
        let mut connection = world.server.connection().await;
        let mut kill = redis::cmd("CLIENT");
        kill.arg(&["KILL", "TYPE", "pubsub"]);
        let killed: i64 = kill.query_async(&mut connection).await.unwrap();
        assert_eq!(killed, 1);
        world.publish(round * 10..round * 10 + 10).await;
        assert_eq!(
            numbers(&mut listener, 10).await,
            texts(round * 10..round * 10 + 10)
        );
    }
    nothing_more(&mut listener).await;
}

#[tokio::test]
async fn a_subscription_that_died_silently_is_replaced_and_caught_up() {
    let server = RedisServer::start().await;
    let wire = Wire::to(&server).await;
    let mut world = World::of(server);
    world.hub = FeedHub::start(&wire.redis("t:"));
    let mut listener = world.listen_live().await;
    wire.go_dead();
    world.publish(1..=3).await;
    assert_eq!(numbers(&mut listener, 3).await, texts(1..=3));
}

#[tokio::test]
async fn a_redis_that_comes_back_empty_resets_its_listeners() {
    let mut world = World::new().await;
    let mut listener = world.listen_live().await;
    world.server.die();
    let error = world.feed.publish(world.tenant, Event::ChatUpdated, &1);
    assert!(error.await.is_err());
    world.server.come_back().await;
    assert_eq!(next(&mut listener).await.kind(), "reset");
    eventually("a publish", || async {
        let publish = world.feed.publish(world.tenant, Event::ChatUpdated, &2);
        publish.await.is_ok()
    })
    .await;
    assert_eq!(numbers(&mut listener, 1).await, texts([2]));
}

#[tokio::test]
async fn without_redis_a_listener_waits_and_is_told() {
    let mut world = World::of(RedisServer::absent());
    let mut listener = world.listen(None).await;
    assert_eq!(listener.starts_after(), "-");
    assert_eq!(world.hub.newest_id(world.tenant).await, "-");
    nothing_more(&mut listener).await;
    world.server.come_back().await;
    assert_eq!(next(&mut listener).await.kind(), "reset");
}

#[tokio::test]
async fn a_hanging_redis_is_noticed_and_caught_up() {
    let world = World::new().await;
    let mut listener = world.listen_live().await;
    world.server.freeze();
    sleep(Duration::from_secs(5)).await;
    world.server.thaw();
    eventually("a publish", || async {
        let publish = world.feed.publish(world.tenant, Event::ChatUpdated, &1);
        publish.await.is_ok()
    })
    .await;
    assert_eq!(numbers(&mut listener, 1).await, texts([1]));
}

#[tokio::test]
async fn a_listener_that_is_too_slow_is_closed_and_resumes() {
    let world = World::new().await;
    let mut slow = world.listen_live().await;
    let mut quick = world.listen(None).await;
    world.publish(1..=400).await;
    assert_eq!(numbers(&mut quick, 200).await.len(), 200);
    let mut heard = Vec::new();
    let mut last = String::new();
    let closing = Duration::from_secs(5);
    while let Some(event) = timeout(closing, slow.next()).await.expect("an end") {
        last = event.id().to_owned();
        heard.push(event.data().to_owned());
    }
    assert!(heard.len() < 400, "closed at its bound");
    let mut resumed = world.listen(Some(&last)).await;
    heard.extend(numbers(&mut resumed, 400 - heard.len()).await);
    assert_eq!(heard, texts(1..=400));
}

#[tokio::test]
async fn a_closed_hub_ends_its_listeners() {
    let world = World::new().await;
    let mut listener = world.listen_live().await;
    world.hub.close();
    assert!(listener.next().await.is_none());
    let mut late = world.listen(None).await;
    assert!(late.next().await.is_none());
}
