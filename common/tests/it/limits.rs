//! Limits on a real Redis: shared by processes, and kept by each for itself while Redis is away.

use std::time::Duration;

use common::channel::Marketplace::{Ozon, Wildberries, YandexMarket};
use common::limits::{Limits, Permit, RateLimiter, RetryAfter, Urgency};
use common::marketplaces::Operation;
use futures::future::join_all;
use tokio::time::{Instant, sleep};

use crate::redis_server::{RedisServer, within};

const NOT_AT_ALL: Duration = Duration::ZERO;

async fn list(limits: &Limits, account: &str) -> Result<Permit, RetryAfter> {
    let (operation, urgency) = (Operation::ListChats, Urgency::Read);
    limits
        .acquire(Wildberries, account, None, operation, urgency, NOT_AT_ALL)
        .await
}

async fn yandex(limits: &Limits, urgency: Urgency) -> Result<Permit, RetryAfter> {
    let operation = match urgency {
        Urgency::Send => Operation::SendText,
        Urgency::Read => Operation::ReadMessages,
    };
    limits
        .acquire(YandexMarket, "7", None, operation, urgency, NOT_AT_ALL)
        .await
}

async fn count_lists(limits: &Limits, account: &str) -> usize {
    let mut granted = 0;
    while list(limits, account).await.is_ok() {
        granted += 1;
    }
    granted
}

#[tokio::test]
async fn processes_share_an_accounts_limit_and_accounts_share_nothing() {
    let server = RedisServer::start().await;
    let (one, two) = (
        Limits::new(&server.redis("t:")),
        Limits::new(&server.redis("t:")),
    );
    for _ in 0..5 {
        drop(list(&one, "7").await.expect("room"));
        drop(list(&two, "7").await.expect("room"));
    }
    for limits in [&one, &two] {
        let refused = list(limits, "7").await.map(drop).unwrap_err();
        assert!(refused.retry_after <= Duration::from_secs(1));
        assert!(refused.retry_after > Duration::from_millis(500));
    }
    assert_eq!(count_lists(&two, "8").await, 10);
}

#[tokio::test]
async fn a_request_waits_for_its_turn() {
    let server = RedisServer::start().await;
    let limits = Limits::new(&server.redis("t:"));
    assert_eq!(count_lists(&limits, "7").await, 10);
    let began = Instant::now();
    let (operation, urgency) = (Operation::ListChats, Urgency::Read);
    let patient = Duration::from_secs(3);
    let permit = limits
        .acquire(Wildberries, "7", None, operation, urgency, patient)
        .await;
    assert!(permit.is_ok());
    assert!(began.elapsed() > Duration::from_millis(700));
    assert!(began.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn concurrent_requests_of_two_processes_stay_within_the_limit() {
    let server = RedisServer::start().await;
    let (one, two) = (
        Limits::new(&server.redis("t:")),
        Limits::new(&server.redis("t:")),
    );
    let began = Instant::now();
    let patient = Duration::from_secs(20);
    let requests = (0..120).map(|number| {
        let limits = if number % 2 == 0 { &one } else { &two };
        async move {
            let (operation, urgency) = (Operation::SendText, Urgency::Send);
            let permit = limits.acquire(Ozon, "7", None, operation, urgency, patient);
            drop(permit.await.expect("room within 20 s"));
            began.elapsed()
        }
    });
    let mut moments = join_all(requests).await;
    moments.sort();
    for (number, moment) in moments.iter().enumerate().skip(50) {
        let fifty_before = moments[number - 50];
        let apart = *moment - fifty_before;
        assert!(apart > Duration::from_millis(980), "51 within {apart:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_key_of_fewer_requests_has_its_own_limit() {
    let server = RedisServer::start().await;
    let limits = Limits::new(&server.redis("t:"));
    let (operation, urgency) = (Operation::ReadMessages, Urgency::Read);
    let hourly = || limits.acquire(Wildberries, "7", Some(1), operation, urgency, NOT_AT_ALL);
    assert!(hourly().await.is_ok());
    let refused = hourly().await.map(drop).unwrap_err();
    assert!(refused.retry_after > Duration::from_secs(3_590));
    assert!(
        list(&limits, "7").await.is_ok(),
        "another method, another limit"
    );
}

#[tokio::test]
async fn one_of_two_places_stays_for_sends_in_all_processes() {
    let server = RedisServer::start().await;
    let (one, two) = (
        Limits::new(&server.redis("t:")),
        Limits::new(&server.redis("t:")),
    );
    let read = yandex(&one, Urgency::Read).await.expect("a place");
    assert!(yandex(&two, Urgency::Read).await.is_err());
    let send = yandex(&two, Urgency::Send).await.expect("the other place");
    assert!(yandex(&one, Urgency::Send).await.is_err());
    drop(read);
    within(Duration::from_secs(2), "the place is free", || async {
        yandex(&two, Urgency::Read).await.is_ok()
    })
    .await;
    drop(send);
    within(Duration::from_secs(2), "the place is free", || async {
        yandex(&one, Urgency::Send).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_dead_process_keeps_its_place_for_half_a_minute_only() {
    let server = RedisServer::start().await;
    let dead = Limits::new(&server.redis("t:"));
    let permit = yandex(&dead, Urgency::Read).await.expect("a place");
    std::mem::forget(permit);
    let mut connection = server.connection().await;
    let mut ask = redis::cmd("PTTL");
    ask.arg("t:lim:yandex_market:7:parallel");
    let left: i64 = ask.query_async(&mut connection).await.unwrap();
    assert!((25_000..=30_000).contains(&left), "{left}");
}

#[tokio::test]
async fn without_redis_each_process_keeps_the_limits_for_itself() {
    let mut server = RedisServer::start().await;
    let (one, two) = (
        Limits::new(&server.redis("t:")),
        Limits::new(&server.redis("t:")),
    );
    for _ in 0..6 {
        drop(list(&one, "7").await.expect("room"));
    }
    server.die();
    let began = Instant::now();
    assert_eq!(
        count_lists(&one, "7").await,
        4,
        "what it used before counts"
    );
    assert_eq!(count_lists(&two, "7").await, 10);
    let read = yandex(&one, Urgency::Read).await.expect("a place");
    assert!(yandex(&one, Urgency::Read).await.is_err());
    assert!(began.elapsed() < Duration::from_secs(1), "and nobody waits");
    drop(read);
    assert!(yandex(&one, Urgency::Read).await.is_ok());

    server.come_back().await;
    sleep(Duration::from_millis(400)).await;
    assert_eq!(count_lists(&one, "8").await, 10);
    let shared = list(&two, "8").await.map(drop);
    assert!(shared.is_err(), "shared again");
}

#[tokio::test]
async fn a_refusal_costs_nothing() {
    let mut server = RedisServer::start().await;
    let (one, two) = (
        Limits::new(&server.redis("t:")),
        Limits::new(&server.redis("t:")),
    );
    assert_eq!(count_lists(&one, "7").await, 10);
    for _ in 0..20 {
        assert!(list(&two, "7").await.is_err());
    }
    server.die();
    assert_eq!(count_lists(&two, "7").await, 10);
}

#[tokio::test]
async fn a_flushed_redis_lets_no_process_exceed_the_limit() {
    let server = RedisServer::start().await;
    let limits = Limits::new(&server.redis("t:"));
    assert_eq!(count_lists(&limits, "7").await, 10);
    let mut connection = server.connection().await;
    let _: () = redis::cmd("FLUSHALL")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert!(list(&limits, "7").await.is_err());
}

#[tokio::test]
async fn tries_are_counted_over_all_processes() {
    let mut server = RedisServer::start().await;
    let limiter = || RateLimiter::new(&server.redis("t:"));
    let processes = [limiter(), limiter(), limiter()];
    let hour = Duration::from_secs(3_600);
    let tries = (0..60).map(|number| processes[number % 3].check("login:anna", 10, hour));
    let allowed = join_all(tries).await.into_iter().filter(Result::is_ok);
    assert_eq!(allowed.count(), 10);
    let refused = processes[0]
        .check("login:anna", 10, hour)
        .await
        .unwrap_err();
    assert!(refused.retry_after > Duration::from_secs(300));
    assert!(processes[0].check("login:boris", 10, hour).await.is_ok());

    server.die();
    let tries = (0..60).map(|_| processes[1].check("login:vera", 10, hour));
    let allowed = join_all(tries).await.into_iter().filter(Result::is_ok);
    assert_eq!(allowed.count(), 10);
}
