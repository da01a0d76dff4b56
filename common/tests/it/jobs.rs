//! The queue on a real Redis: nothing lost, nothing doubled, whatever happens to Redis or the worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use apalis::prelude::{Attempt, Data, WorkerBuilder, WorkerContext};
use common::channel::Marketplace;
use common::ids::{ChatId, TenantId};
use common::jobs::{DeliverChat, Job, JobError, JobQueue, Options, Queue, Redis, RedisStreams};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use crate::redis_server::{RedisServer, Wire, eventually, within};

const LEASE: Duration = Duration::from_millis(300);

fn quick() -> Options {
    Options {
        concurrency: 4,
        lease: LEASE,
        max_attempts: 3,
    }
}

fn queue() -> Queue<DeliverChat> {
    DeliverChat::queue(Marketplace::Ozon)
}

fn chat(id: i64) -> DeliverChat {
    DeliverChat {
        tenant: TenantId(uuid::Uuid::nil()),
        chat: ChatId(id),
    }
}

/// What handlers did, and what holds them back.
#[derive(Clone)]
struct Journal {
    starts: Arc<std::sync::Mutex<Vec<i64>>>,
    ends: Arc<AtomicUsize>,
    gate: Arc<Semaphore>,
}

impl Journal {
    /// Handlers end at once.
    fn open() -> Self {
        Self::with_gate(Semaphore::MAX_PERMITS)
    }

    /// Handlers end when the gate lets them.
    fn closed() -> Self {
        Self::with_gate(0)
    }

    fn with_gate(permits: usize) -> Self {
        Self {
            starts: Arc::default(),
            ends: Arc::default(),
            gate: Arc::new(Semaphore::new(permits)),
        }
    }

    fn starts(&self) -> Vec<i64> {
        self.starts.lock().unwrap().clone()
    }

    fn ends(&self) -> usize {
        self.ends.load(Ordering::SeqCst)
    }

    async fn started(&self, count: usize) {
        let what = format!("{count} jobs started");
        eventually(&what, || async { self.starts().len() >= count }).await;
    }

    async fn ended(&self, count: usize) {
        let what = format!("{count} jobs ended");
        eventually(&what, || async { self.ends() >= count }).await;
    }
}

/// Chats from 1000 on fail, from 2000 on panic, from 3000 on are given up.
async fn handle(
    job: DeliverChat,
    journal: Data<Journal>,
    attempt: Attempt,
) -> Result<(), JobError> {
    journal.starts.lock().unwrap().push(job.chat.0);
    let pass = journal.gate.acquire().await.expect("the gate stays");
    pass.forget();
    journal.ends.fetch_add(1, Ordering::SeqCst);
    match job.chat.0 {
        0..1000 => Ok(()),
        1000..2000 => Err(JobError::Retry(format!("no luck {}", attempt.current()))),
        2000..3000 => panic!("out of hand"),
        _ => Err(JobError::GiveUp("no such chat".to_owned())),
    }
}

/// A worker that can be stopped, or die.
struct Worker {
    context: WorkerContext,
    run: JoinHandle<()>,
}

impl Worker {
    fn start(redis: &Redis, options: Options, journal: &Journal) -> Self {
        let context = WorkerContext::new("deliver_chat");
        let worker = WorkerBuilder::new(&context)
            .backend(RedisStreams::new(redis, queue(), options))
            .data(journal.clone())
            .build(handle);
        let run = TaskTracker::new().spawn(async move { worker.run().await.expect("a good end") });
        Self { context, run }
    }

    async fn stop(self) {
        self.context.stop().expect("the worker has started");
        self.run.await.expect("the worker ends well");
    }

    fn die(self) {
        self.run.abort();
    }
}

async fn push(redis: &Redis, chats: impl IntoIterator<Item = i64>) {
    let jobs = JobQueue::new(redis);
    for id in chats {
        jobs.push(&queue(), &chat(id)).await.expect("redis answers");
    }
}

async fn number(server: &RedisServer, command: &[&str]) -> i64 {
    let mut connection = server.connection().await;
    let mut asked = redis::cmd(command[0]);
    asked.arg(&command[1..]);
    asked
        .query_async(&mut connection)
        .await
        .expect("a number from redis")
}

async fn queue_is_empty(server: &RedisServer) {
    eventually("the queue is empty", || async {
        number(server, &["XLEN", "t:jobs:deliver_chat:ozon"]).await == 0
    })
    .await;
}

async fn pending(server: &RedisServer) -> i64 {
    let mut connection = server.connection().await;
    let mut asked = redis::cmd("XPENDING");
    asked.arg(&["t:jobs:deliver_chat:ozon", "workers"]);
    let answer: redis::Value = asked.query_async(&mut connection).await.expect("pending");
    match answer {
        redis::Value::Array(parts) => match parts.first() {
            Some(redis::Value::Int(count)) => *count,
            other => panic!("unexpected {other:?}"),
        },
        other => panic!("unexpected {other:?}"),
    }
}

async fn dead(redis: &Redis) -> Vec<common::jobs::DeadLetter> {
    let jobs = JobQueue::new(redis);
    jobs.dead_letters(100).await.expect("redis answers")
}

#[tokio::test]
async fn a_pushed_job_starts_at_once_and_leaves_nothing_behind() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::open());
    let worker = Worker::start(&redis, Options::default(), &journal);
    push(&redis, [1]).await;
    journal.ended(1).await;
    queue_is_empty(&server).await;

    let began = Instant::now();
    push(&redis, [2]).await;
    within(Duration::from_millis(500), "started at once", || async {
        journal.starts() == [1, 2]
    })
    .await;
    assert!(began.elapsed() < Duration::from_millis(500));
    queue_is_empty(&server).await;
    worker.stop().await;
}

#[tokio::test]
async fn jobs_pushed_before_any_worker_are_done_in_order() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::open());
    push(&redis, 1..=200).await;
    let one = Options {
        concurrency: 1,
        ..quick()
    };
    let worker = Worker::start(&redis, one, &journal);
    journal.ended(200).await;
    assert_eq!(journal.starts(), (1..=200).collect::<Vec<_>>());
    queue_is_empty(&server).await;
    worker.stop().await;
}

#[tokio::test]
async fn no_more_jobs_run_than_there_are_slots_and_none_is_taken_ahead() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::closed());
    push(&redis, 1..=10).await;
    let worker = Worker::start(&redis, quick(), &journal);
    journal.started(4).await;
    sleep(LEASE).await;
    assert_eq!(journal.starts().len(), 4);
    assert_eq!(pending(&server).await, 4, "the others wait for any worker");
    journal.gate.add_permits(10);
    journal.ended(10).await;
    queue_is_empty(&server).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_failing_job_is_tried_again_and_ends_as_a_dead_letter() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::open());
    let worker = Worker::start(&redis, quick(), &journal);
    push(&redis, [1000, 1]).await;
    eventually("a dead letter", || async { !dead(&redis).await.is_empty() }).await;
    assert_eq!(journal.starts().iter().filter(|id| **id == 1000).count(), 3);
    let letter = dead(&redis).await.remove(0);
    assert_eq!(letter.queue, "deliver_chat:ozon");
    assert_eq!(letter.reason, "no luck 3");
    assert_eq!(letter.attempts, 3);
    assert!(letter.payload.contains("1000"), "{}", letter.payload);
    assert!(letter.at.timestamp() > 1_700_000_000);
    queue_is_empty(&server).await;
    worker.stop().await;
}

#[tokio::test]
async fn poison_ends_as_dead_letters_and_blocks_nobody() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::open());
    let add = ["XADD", "t:jobs:deliver_chat:ozon", "*", "payload", "{]"];
    let mut connection = server.connection().await;
    let mut poison = redis::cmd(add[0]);
    poison.arg(&add[1..]);
    let _: String = poison.query_async(&mut connection).await.unwrap();
    push(&redis, [2000, 3000, 1]).await;
    let worker = Worker::start(&redis, quick(), &journal);
    eventually("dead letters", || async { dead(&redis).await.len() == 3 }).await;
    let mut said: Vec<_> = dead(&redis)
        .await
        .into_iter()
        .map(|letter| (letter.attempts, letter.reason))
        .collect();
    said.sort();
    assert_eq!(said[0].0, 0);
    assert!(said[0].1.starts_with("not a job of kind deliver_chat"));
    assert_eq!(said[1], (1, "no such chat".to_owned()));
    assert_eq!(said[2], (3, "panic: out of hand".to_owned()));
    push(&redis, [2]).await;
    eventually("the next job", || async { journal.starts().contains(&2) }).await;
    queue_is_empty(&server).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_dead_workers_jobs_are_taken_over_once() {
    let server = RedisServer::start().await;
    let (redis, stuck, journal) = (server.redis("t:"), Journal::closed(), Journal::open());
    let first = Worker::start(&redis, quick(), &stuck);
    push(&redis, 1..=3).await;
    stuck.started(3).await;
    let second = Worker::start(&server.redis("t:"), quick(), &journal);
    first.die();
    journal.ended(3).await;
    queue_is_empty(&server).await;
    sleep(2 * LEASE).await;
    let mut starts = journal.starts();
    starts.sort_unstable();
    assert_eq!(starts, [1, 2, 3]);
    second.stop().await;
}

#[tokio::test]
async fn a_job_that_kills_its_process_each_time_ends_as_a_dead_letter() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::closed());
    push(&redis, [1]).await;
    for attempt in 1..=3 {
        let worker = Worker::start(&redis, quick(), &journal);
        journal.started(attempt).await;
        worker.die();
    }
    let worker = Worker::start(&redis, quick(), &journal);
    eventually("a dead letter", || async { !dead(&redis).await.is_empty() }).await;
    assert_eq!(dead(&redis).await[0].attempts, 3);
    assert_eq!(journal.starts().len(), 3);
    worker.stop().await;
}

#[tokio::test]
async fn a_long_job_keeps_its_lease() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::closed());
    let first = Worker::start(&redis, quick(), &journal);
    let second = Worker::start(&server.redis("t:"), quick(), &journal);
    push(&redis, [1]).await;
    journal.started(1).await;
    sleep(5 * LEASE).await;
    assert_eq!(journal.starts(), [1]);
    journal.gate.add_permits(1);
    queue_is_empty(&server).await;
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn losing_all_of_redis_loses_only_what_waited() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::closed());
    let worker = Worker::start(&redis, Options::default(), &journal);
    push(&redis, [1]).await;
    journal.started(1).await;
    let mut connection = server.connection().await;
    let _: () = redis::cmd("FLUSHALL")
        .query_async(&mut connection)
        .await
        .unwrap();
    let began = Instant::now();
    push(&redis, [2]).await;
    journal.started(2).await;
    assert!(began.elapsed() < Duration::from_secs(1));
    journal.gate.add_permits(2);
    queue_is_empty(&server).await;
    assert_eq!(journal.starts(), [1, 2]);
    worker.stop().await;
}

#[tokio::test]
async fn a_worker_starts_without_redis_and_outlives_it() {
    let mut server = RedisServer::absent();
    let (redis, journal) = (server.redis("t:"), Journal::open());
    let worker = Worker::start(&redis, Options::default(), &journal);
    let jobs = JobQueue::new(&redis);
    assert!(jobs.push(&queue(), &chat(1)).await.is_err());
    for round in 1..=3 {
        server.come_back().await;
        eventually("a push", || async {
            jobs.push(&queue(), &chat(round)).await.is_ok()
        })
        .await;
        journal.ended(round as usize).await;
        queue_is_empty(&server).await;
        server.die();
    }
    assert_eq!(journal.starts(), [1, 2, 3]);
    worker.stop().await;
}

#[tokio::test]
async fn a_paused_redis_delays_and_no_more() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::open());
    let worker = Worker::start(&redis, Options::default(), &journal);
    push(&redis, [1]).await;
    journal.ended(1).await;
    number_or_ok(&server, &["CLIENT", "PAUSE", "400"]).await;
    push(&redis, [2]).await;
    journal.ended(2).await;
    assert_eq!(journal.starts(), [1, 2]);
    queue_is_empty(&server).await;
    worker.stop().await;
}

async fn number_or_ok(server: &RedisServer, command: &[&str]) {
    let mut connection = server.connection().await;
    let mut asked = redis::cmd(command[0]);
    asked.arg(&command[1..]);
    let _: redis::Value = asked.query_async(&mut connection).await.unwrap();
}

#[tokio::test]
async fn a_redis_that_hangs_and_comes_back_is_used_again() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::open());
    let worker = Worker::start(&redis, quick(), &journal);
    push(&redis, [1]).await;
    journal.ended(1).await;
    server.freeze();
    let jobs = JobQueue::new(&redis);
    let began = Instant::now();
    assert!(jobs.push(&queue(), &chat(2)).await.is_err());
    assert!(began.elapsed() < Duration::from_millis(2_500));
    assert!(jobs.push(&queue(), &chat(2)).await.is_err());
    assert!(
        began.elapsed() < Duration::from_millis(2_500),
        "the second costs no waiting"
    );
    sleep(Duration::from_secs(2)).await;
    server.thaw();
    let began = Instant::now();
    eventually("a push", || async {
        jobs.push(&queue(), &chat(3)).await.is_ok()
    })
    .await;
    eventually("it runs", || async { journal.starts().contains(&3) }).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    queue_is_empty(&server).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_connection_that_died_silently_is_replaced() {
    let server = RedisServer::start().await;
    let wire = Wire::to(&server).await;
    let (redis, journal) = (wire.redis("t:"), Journal::open());
    let worker = Worker::start(&redis, quick(), &journal);
    push(&redis, [1]).await;
    journal.ended(1).await;
    queue_is_empty(&server).await;
    wire.go_dead();
    push(&server.redis("t:"), [2]).await;
    journal.ended(2).await;
    queue_is_empty(&server).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_stopping_worker_ends_what_runs_and_leaves_the_rest_to_others() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::closed());
    let two = Options {
        concurrency: 2,
        lease: Duration::from_secs(20),
        ..quick()
    };
    let first = Worker::start(&redis, two, &journal);
    push(&redis, [1]).await;
    journal.started(1).await;
    first.context.stop().unwrap();
    push(&redis, 2..=5).await;
    sleep(LEASE).await;
    assert_eq!(journal.starts(), [1], "nothing new begins");
    let second = Worker::start(&server.redis("t:"), two, &journal);
    journal.gate.add_permits(5);
    journal.ended(5).await;
    first.run.await.expect("a good end");
    queue_is_empty(&server).await;
    let mut starts = journal.starts();
    starts.sort_unstable();
    assert_eq!(starts, [1, 2, 3, 4, 5]);
    second.stop().await;
    assert_eq!(
        consumers(&server).await,
        0,
        "workers that stop leave the group"
    );
}

async fn consumers(server: &RedisServer) -> usize {
    let mut connection = server.connection().await;
    let mut asked = redis::cmd("XINFO");
    asked.arg(&["CONSUMERS", "t:jobs:deliver_chat:ozon", "workers"]);
    let found: redis::streams::StreamInfoConsumersReply =
        asked.query_async(&mut connection).await.expect("consumers");
    found.consumers.len()
}

#[tokio::test]
async fn consumers_of_dead_processes_are_forgotten() {
    let server = RedisServer::start().await;
    let (redis, journal) = (server.redis("t:"), Journal::open());
    let hasty = Options {
        lease: Duration::from_millis(60),
        ..quick()
    };
    for round in 1..=3 {
        let worker = Worker::start(&redis, hasty, &journal);
        push(&redis, [round]).await;
        journal.ended(round as usize).await;
        queue_is_empty(&server).await;
        worker.die();
    }
    let worker = Worker::start(&redis, hasty, &journal);
    // Redis before 7.2 counts a blocked read as idle: then the live one goes too, until its next job.
    eventually("no dead ones left", || async {
        consumers(&server).await <= 1
    })
    .await;
    push(&redis, [4]).await;
    journal.ended(4).await;
    worker.stop().await;
}
